//! The part of a container's plan that is for every command in it.

use serde::{Deserialize, Serialize};

use crate::failure::{Code, Failure};
use crate::image::ImageConfig;
use crate::op::{Confine, Limit, Op, Side};
use crate::plan::Plan;
use crate::request::{RunRequest, SeccompRequest};

/// What a container's command was given: kept in its configuration. A key that an earlier version did not write is as if
/// nothing was given.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecRecord {
    /// `KEY=value`.
    pub env: Vec<String>,
    /// The working directory.
    pub cwd: String,
    /// `name|uid[:group|gid]`.
    pub user: String,
    /// More groups of the user.
    pub groups: Vec<String>,
    /// Whether groups are set, and the caller's dropped.
    pub set_groups: bool,
    /// Capabilities, as a mask.
    pub capabilities: u64,
    /// The last capability of the kernel.
    pub last_capability: u8,
    /// Set-user-id programs give nobody more rights.
    pub no_new_privileges: bool,
    /// The system call filter.
    pub seccomp: SeccompRecord,
    /// The `AppArmor` profile.
    pub apparmor: Option<String>,
    /// The execution domain.
    pub personality: Option<u32>,
    /// Resource limits.
    pub limits: Vec<Limit>,
    /// Whom the kernel ends first when memory is short.
    pub oom_score_adj: Option<i32>,
    /// The umask.
    pub umask: u32,
}

/// Which system call filter.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SeccompRecord {
    /// Ours.
    #[default]
    Default,
    /// That of `--nested`.
    Nested,
    /// None.
    Unconfined,
    /// What a profile of the user's came to.
    Filter {
        /// Classic BPF, in hex digits.
        hex: String,
        /// `SECCOMP_FILTER_FLAG_*`.
        flags: u32,
    },
}

impl SeccompRecord {
    /// The filter's bytes, of [`SeccompRecord::Filter`].
    ///
    /// # Errors
    ///
    /// They are not what was written.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let Self::Filter { hex, .. } = self else {
            return Ok(Vec::new());
        };
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<_>> = (0..hex.len()).step_by(2).map(byte).collect();
        bytes.ok_or_else(|| {
            Failure::new(
                Code::State,
                "the container's record of its system call filter is damaged",
            )
            .hint("remove the container and make it again")
        })
    }
}

impl ExecRecord {
    /// What `plan` gives its command.
    #[must_use]
    pub fn of(plan: &Plan, request: &RunRequest, image: &ImageConfig) -> Self {
        let mut record = Self {
            seccomp: SeccompRecord::Unconfined,
            ..Self::default()
        };
        for step in &plan.steps {
            record.note(&step.op, step.side, request);
        }
        // Only a terminal brings it by itself, and what comes later may have none.
        let named = |entry: &String| entry.starts_with("TERM=");
        if request.tty && !request.env.iter().chain(&image.env).any(named) {
            record.env.retain(|entry| !named(entry));
        }
        record
    }

    fn note(&mut self, op: &Op, side: Side, request: &RunRequest) {
        match op {
            Op::FindUser(user) => {
                self.user = words(&user.spec);
                self.groups = user.add_groups.iter().map(words).collect();
                self.set_groups = user.set_groups;
            }
            Op::ChangeDirectory { path } => self.cwd = words(path),
            Op::SetCredentials { capabilities, last } => {
                (self.capabilities, self.last_capability) = (*capabilities, *last);
            }
            Op::NoNewPrivileges => self.no_new_privileges = true,
            Op::Seccomp { filter, flags } => self.seccomp = seccomp(filter, *flags, request),
            Op::SetRlimit {
                resource,
                soft,
                hard,
            } if side == Side::Init => self.limits.push(Limit {
                resource: *resource,
                soft: *soft,
                hard: *hard,
            }),
            // The first one is the container's; the second sets its launcher right again.
            Op::Confine(Confine::OomScore { value }) => {
                self.oom_score_adj.get_or_insert(*value);
            }
            Op::Confine(Confine::AppArmor { profile, .. }) => self.apparmor = Some(words(profile)),
            Op::Confine(Confine::Personality { persona }) => self.personality = Some(*persona),
            Op::Execute(command) => {
                self.env = command.env.iter().map(words).collect();
                self.umask = command.umask;
            }
            _ => {}
        }
    }
}

fn seccomp(filter: &[u8], flags: u32, request: &RunRequest) -> SeccompRecord {
    match &request.seccomp {
        SeccompRequest::Profile(_) => SeccompRecord::Filter {
            hex: filter.iter().map(|byte| format!("{byte:02x}")).collect(),
            flags,
        },
        _ if request.confinement.nested => SeccompRecord::Nested,
        _ => SeccompRecord::Default,
    }
}

fn words(text: impl AsRef<std::ffi::CStr>) -> String {
    text.as_ref().to_string_lossy().into_owned()
}
