//! Which namespaces a container is in, as the flags say it; `crate::namespaces` gives the words their meaning.

use serde::{Deserialize, Serialize};

/// The words of `--pid`, `--ipc`, `--uts`, `--cgroupns` and of the flags about ids and time. None: not given.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NamespacesRequest {
    /// `private`, `host`, `container:NAME` or `ns:PATH`.
    pub pid: Option<String>,
    /// As `pid`; also `none` and `shareable`.
    pub ipc: Option<String>,
    /// As `pid`.
    pub uts: Option<String>,
    /// As `pid`.
    pub cgroup: Option<String>,
    /// `[boottime=|monotonic=]OFFSET`, with commas between.
    pub time_offset: Option<String>,
    /// `[FLAGS]CONTAINER[:HOST[:COUNT]]` each.
    pub uid_map: Vec<String>,
    /// As `uid_map`.
    pub gid_map: Vec<String>,
    /// Whose ranges of /etc/subuid are mapped.
    pub subuid_name: Option<String>,
    /// Whose ranges of /etc/subgid are mapped.
    pub subgid_name: Option<String>,
}
