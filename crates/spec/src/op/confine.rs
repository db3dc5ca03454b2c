//! Operations that only a container with settings of its own needs.

use std::ffi::CString;

use serde::{Deserialize, Serialize};

use crate::op::Slot;

/// One such operation.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Confine {
    /// Set whom the kernel ends first when memory is short (`oom_score_adj` of proc(5)): for the launcher, from which the
    /// init inherits it. The init itself could not, for its files of /proc belong to the host's root.
    OomScore {
        /// -1000 to 1000.
        value: i32,
    },
    /// Set the NIS domain name.
    Domainname {
        /// The name.
        name: CString,
    },
    /// Hide paths of the root; those that are not there are passed over.
    HidePaths {
        /// Paths in the root.
        paths: Vec<CString>,
    },
    /// Change to another `AppArmor` profile with execve(2).
    AppArmor {
        /// The slot of /proc.
        proc: Slot,
        /// The profile.
        profile: CString,
    },
    /// Set the execution domain (personality(2)).
    Personality {
        /// `PER_*`.
        persona: u32,
    },
    /// Give a cgroup v2 directory and its `cgroup.*` files to the container's root (cgroups(7), "Delegation").
    DelegateCgroup {
        /// The directory, on the host.
        directory: CString,
        /// Host user id of the container's root.
        uid: u32,
        /// Host group id of the container's root.
        gid: u32,
    },
}
