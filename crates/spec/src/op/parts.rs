//! What operations carry.

use std::ffi::CString;

use serde::{Deserialize, Serialize};

use super::Slot;

/// One line of /proc/PID/uid_map or gid_map (user_namespaces(7)).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct IdMap {
    /// First id inside.
    pub inside: u32,
    /// First id outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// Who writes the id maps.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum MapWriter {
    /// The launcher: it is root, or maps just its own ids.
    Launcher,
    /// The set-user-id programs newuidmap and newgidmap.
    Programs,
}

/// A control group for the container.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Cgroup {
    /// The directory, e.g. `/sys/fs/cgroup/pids/keelbox/ID`.
    pub directory: CString,
    /// Its parent, made when it is missing.
    pub parent: CString,
    /// v2: controllers to enable in the parent's `cgroup.subtree_control`, e.g. `+pids`; empty: none.
    pub enable: CString,
    /// Control files and what to write into them.
    pub files: Vec<(CString, CString)>,
    /// How the container's first process gets in.
    pub entry: CgroupEntry,
    /// A failure is passed over: this is a default of ours, nothing that the user asked for.
    pub best_effort: bool,
}

/// How a process gets into a cgroup without waiting for an RCU grace period (11 ms).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum CgroupEntry {
    /// v2: it is born there (`CLONE_INTO_CGROUP`).
    Clone,
    /// v1: it writes `0` to `tasks` itself; a single thread that moves itself takes no global lock (Linux 9a3284fad42f).
    Tasks,
}

/// What a mount point is made as when it is missing.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Target {
    /// A directory.
    Directory,
    /// An empty file.
    File,
}

/// A node of /dev.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its path below /dev.
    pub path: CString,
    /// The host's node, for kernels that cannot have one of the container's own.
    pub source: CString,
    /// Whether it is a block device.
    pub block: bool,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// User and group, as on the host.
    pub owner: (u32, u32),
}

/// The writable layer of an overlay: two directories below one mount.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Upper {
    /// The mount that has both.
    pub base: Slot,
    /// The path of that mount's root on the host, for kernels that cannot take the layer as an fd; empty: it has none.
    pub path: CString,
    /// The directory that gets what is written.
    pub upper: CString,
    /// The kernel's scratch directory beside it.
    pub work: CString,
    /// Its root takes the mode and the owner of the topmost lower layer's: it is what the merged directory shows.
    pub like_lower: bool,
}

/// A lower layer of an overlay.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Lower {
    /// The mount.
    pub slot: Slot,
    /// Its path on the host, for kernels that cannot take the layer as an fd.
    pub path: CString,
}

/// Who the command runs as.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct User {
    /// `name|uid[:group|gid]`, looked up in the container's own /etc/passwd and /etc/group.
    pub spec: CString,
    /// More groups, likewise.
    pub add_groups: Vec<CString>,
    /// Whether setgroups(2) is allowed (not with a single mapped id) and wanted.
    pub set_groups: bool,
    /// Whether HOME is to be set from /etc/passwd.
    pub set_home: bool,
}

/// A user for /etc/passwd, with a group of the same name.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group's id.
    pub gid: u32,
    /// Its home directory.
    pub home: String,
}

/// The command.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Command {
    /// Paths to try, in order: one when the command has a slash, else one for each directory of PATH.
    pub candidates: Vec<CString>,
    /// Its arguments, the command itself first.
    pub argv: Vec<CString>,
    /// `KEY=value`.
    pub env: Vec<CString>,
    /// Its umask.
    pub umask: u32,
    /// Our init stays as pid 1 and the command is its child.
    pub init: bool,
    /// That init stays also when the command has ended, or when there is none.
    pub stays: bool,
}
