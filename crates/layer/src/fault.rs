//! Why a layer could not be read, written or applied.

use std::fmt;

use keelbox_sys::Errno;
use serde::{Deserialize, Serialize};

/// What went wrong, and where.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What could not be done, e.g. `create a file`, or what the archive is, e.g. `the archive is malformed`.
    pub what: String,
    /// Why: the rule that was broken, or the kernel's text.
    pub why: String,
    /// The entry that it was about, as the archive has it; empty when it was about none.
    pub path: String,
    /// The kernel's error number, or 0: the archive is to blame.
    pub errno: i32,
    /// The name of the limit that was reached (a field of [`crate::Limits`]), or empty.
    pub limit: String,
}

impl Fault {
    /// The archive breaks a rule.
    pub(crate) fn archive(why: impl Into<String>) -> Self {
        Self {
            what: "the archive is refused".into(),
            why: why.into(),
            path: String::new(),
            errno: 0,
            limit: String::new(),
        }
    }

    /// The archive asks for too much; `limit` is the field of [`crate::Limits`] that says so.
    pub(crate) fn limit(limit: &str, why: impl Into<String>) -> Self {
        Self {
            limit: limit.into(),
            ..Self::archive(why)
        }
    }

    /// The kernel refused a call.
    pub(crate) fn call(what: &str, errno: impl Into<Errno>) -> Self {
        let errno = errno.into();
        Self {
            what: what.into(),
            why: errno.text().into(),
            path: String::new(),
            errno: errno.raw(),
            limit: String::new(),
        }
    }

    /// The kernel refused a call of somebody else's, who has a note on it.
    #[must_use]
    pub fn elsewhere(what: &str, errno: Errno, note: &str) -> Self {
        let mut fault = Self::call(what, errno);
        if !note.is_empty() {
            fault.why = format!("{}: {note}", fault.why);
        }
        fault
    }

    /// With texts that fit a message.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        for text in [&mut self.what, &mut self.why, &mut self.path] {
            shorten(text, 1000);
        }
        self
    }

    /// Says which entry it was about, unless that is known already.
    #[must_use]
    pub(crate) fn on(mut self, path: &[u8]) -> Self {
        if self.path.is_empty() {
            self.path = String::from_utf8_lossy(path).into_owned();
        }
        self
    }
}

/// Cuts a text to so many bytes, between two characters.
pub(crate) fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push_str("...");
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.path.is_empty() {
            write!(f, " ({:?})", self.path)?;
        }
        write!(f, ": {}", self.why)
    }
}

impl std::error::Error for Fault {}

/// Faults travel through [`std::io::Read`] as the inner error of an [`std::io::Error`], and come out as they were.
impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(fault) => fault,
            Err(error) => match error.raw_os_error() {
                Some(_) => Self::call("read the archive", Errno::from(error)),
                None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    Self::archive("it has been cut short")
                }
                None => Self::archive(error.to_string()),
            },
        }
    }
}

impl From<Fault> for std::io::Error {
    fn from(fault: Fault) -> Self {
        Self::other(fault)
    }
}
