//! The one shape of an error at the border: what, why, fix, code (and the step, call and errno behind it).

use serde::Serialize;

/// Stable error codes; `keelbox explain CODE` has a page for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(
    missing_docs,
    reason = "each code has a page of its own in `keelbox explain`"
)]
pub enum Code {
    #[serde(rename = "ERR_KEELBOX_NOT_FOUND")]
    NotFound,
    #[serde(rename = "ERR_KEELBOX_AMBIGUOUS_ID")]
    AmbiguousId,
    #[serde(rename = "ERR_KEELBOX_STATE")]
    State,
    #[serde(rename = "ERR_KEELBOX_NAME_TAKEN")]
    NameTaken,
    #[serde(rename = "ERR_KEELBOX_COMMAND_NOT_FOUND")]
    CommandNotFound,
    #[serde(rename = "ERR_KEELBOX_NOT_EXECUTABLE")]
    NotExecutable,
    #[serde(rename = "ERR_KEELBOX_IMAGE_NOT_FOUND")]
    ImageNotFound,
    #[serde(rename = "ERR_KEELBOX_IMAGE_INVALID")]
    ImageInvalid,
    #[serde(rename = "ERR_KEELBOX_IMAGE_IN_USE")]
    ImageInUse,
    #[serde(rename = "ERR_KEELBOX_KERNEL")]
    Kernel,
    #[serde(rename = "ERR_KEELBOX_CGROUP")]
    Cgroup,
    #[serde(rename = "ERR_KEELBOX_USERNS")]
    Userns,
    #[serde(rename = "ERR_KEELBOX_PERMISSION")]
    Permission,
    #[serde(rename = "ERR_KEELBOX_PLATFORM")]
    Platform,
    #[serde(rename = "ERR_KEELBOX_INVALID_ARG")]
    InvalidArg,
    #[serde(rename = "ERR_KEELBOX_NOT_YET")]
    NotYet,
    #[serde(rename = "ERR_KEELBOX_MOUNT")]
    Mount,
    #[serde(rename = "ERR_KEELBOX_ROOTFS")]
    Rootfs,
    #[serde(rename = "ERR_KEELBOX_BINARY")]
    Binary,
    #[serde(rename = "ERR_KEELBOX_USER")]
    User,
    #[serde(rename = "ERR_KEELBOX_STORE")]
    Store,
    #[serde(rename = "ERR_KEELBOX_LAYER")]
    Layer,
    #[serde(rename = "ERR_KEELBOX_RUNTIME")]
    Runtime,
    #[serde(rename = "ERR_KEELBOX_INTERNAL")]
    Internal,
}

/// What went wrong, for a person and for a program.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What kind of failure this is.
    pub code: Code,
    /// What could not be done, on what.
    pub message: String,
    /// The command line's exit code for it: 125, 126, 127, 1 (no such object) or 2 (still running).
    pub exit_code: u8,
    /// Why it could not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What the user can do about it, as one imperative sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The step of the plan that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The system call that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syscall: Option<String>,
    /// The name of its errno, e.g. `EPERM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// The path that it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Failure {
    /// A failure of the engine or of its usage: exit code 125.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let exit_code = match code {
            Code::NotExecutable => 126,
            Code::CommandNotFound => 127,
            Code::NotFound => 1,
            _ => 125,
        };
        Self {
            code,
            message: message.into(),
            exit_code,
            why: None,
            hint: None,
            step: None,
            syscall: None,
            errno: None,
            path: None,
        }
    }

    /// Says why.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the path.
    #[must_use]
    pub fn path(mut self, path: impl AsRef<std::path::Path>) -> Self {
        self.path = Some(path.as_ref().display().to_string());
        self
    }

    /// Names the errno, e.g. `ENOENT`.
    #[must_use]
    pub fn errno(mut self, name: impl Into<String>) -> Self {
        self.errno = Some(name.into());
        self
    }

    /// Sets another exit code than the code's own.
    #[must_use]
    pub fn exit_code(mut self, exit_code: u8) -> Self {
        self.exit_code = exit_code;
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.why.iter().try_for_each(|why| write!(f, ": {why}"))
    }
}

impl std::error::Error for Failure {}
