//! Operations for what is started in a container that runs already.

use std::ffi::CString;

use serde::{Deserialize, Serialize};

/// One such operation.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Enter {
    /// Launcher: hard limits that the new process is to have and this one does not, as far as the caller may raise them.
    Raise {
        /// See [`Enter::Limits`].
        limits: Vec<Limit>,
    },
    /// Launcher: find the control groups that the process which comes with the start message is in now. EBUSY: it is
    /// frozen there.
    Cgroups {
        /// Whose they are, for people.
        whose: String,
    },
    /// Launcher: be in namespaces of that process, all at once (setns(2) with a pidfd).
    Process {
        /// Mask of `CLONE_NEW*`.
        namespaces: u64,
        /// Whose they are, for people.
        whose: String,
    },
    /// Init: take the root of the mount namespace that was entered for the root.
    Root,
    /// Init: a new terminal of the container's /dev/pts, as the controlling one, stdin, stdout and stderr.
    Terminal {
        /// Columns and rows; 0: leave as they are.
        columns: u16,
        /// See `columns`.
        rows: u16,
    },
    /// Init: resource limits, as far as the process may have them.
    Limits {
        /// The limits.
        limits: Vec<Limit>,
    },
    /// Init: go to a directory that is there.
    Directory {
        /// The path.
        path: CString,
    },
    /// Init: instead of a command, do what the caller of the launcher has for this process (`keelbox_process::Serve`).
    Serve,
}

/// A resource limit (getrlimit(2)).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// `RLIMIT_*`.
    pub resource: u32,
    /// Soft limit.
    pub soft: u64,
    /// Hard limit; None: leave it.
    pub hard: Option<u64>,
}
