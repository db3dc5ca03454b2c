//! What a plan must know about the machine, gathered by the engine beforehand so that planning stays pure.

mod confinement;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use confinement::ConfinementFacts;

/// The machine, as far as a plan depends on it.
#[derive(Clone, Debug, Default)]
pub struct HostFacts {
    /// The caller's effective user id.
    pub uid: u32,
    /// The caller's effective group id.
    pub gid: u32,
    /// Where cgroups can be made.
    pub cgroups: CgroupHost,
    /// Subordinate ids of a caller who is not root, when newuidmap and newgidmap are there.
    pub subordinate: Option<SubordinateIds>,
    /// The machine's host name, for containers that have its UTS namespace.
    pub hostname: String,
    /// Whether /dev/mqueue is mounted, for containers that have the machine's IPC namespace.
    pub mqueue: bool,
    /// The caller's name, for an ordinary user.
    pub user_name: String,
    /// The ranges of the users that `--subuidname` and `--subgidname` name.
    pub named: Option<SubordinateIds>,
    /// The hard limit of open files.
    pub nofile_hard: u64,
    /// The number of the last capability that the kernel knows (`/proc/sys/kernel/cap_last_cap`).
    pub last_capability: u8,
    /// The host's /etc/hosts and /etc/resolv.conf, for containers on the host's network.
    pub hosts: Vec<u8>,
    /// See `hosts`.
    pub resolv_conf: Vec<u8>,
    /// The caller's own capabilities: what a container without a user namespace can have at most.
    pub permitted: u64,
    /// The caller is root of a user namespace that does not have all ids: an ordinary user, in effect.
    pub nested: bool,
    /// Names of `cpu*/thermal_throttle` directories under /sys/devices/system/cpu.
    pub thermal_throttle: Vec<String>,
    /// Device nodes of the host, for `--privileged`.
    pub devices: Vec<DeviceNode>,
    /// What settings beyond the usual ones depend on.
    pub confinement: ConfinementFacts,
}

impl HostFacts {
    /// Whether the caller is an ordinary user, or has no more rights over this machine than one.
    #[must_use]
    pub fn is_rootless(&self) -> bool {
        self.uid != 0 || self.nested
    }
}

/// Where cgroups can be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupHost {
    /// The cgroup v2 hierarchy, if mounted.
    pub v2: Option<CgroupV2>,
    /// v1 controllers and where each is mounted.
    pub v1: BTreeMap<String, PathBuf>,
    /// The group under which containers' groups are made, e.g. `keelbox`; None: the caller may make none.
    pub parent: Option<String>,
}

/// A cgroup v2 hierarchy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupV2 {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Its `cgroup.controllers`.
    pub controllers: Vec<String>,
}

/// A caller's ranges in /etc/subuid and /etc/subgid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubordinateIds {
    /// Of user ids.
    pub uids: Vec<IdRange>,
    /// Of group ids.
    pub gids: Vec<IdRange>,
}

/// Consecutive ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The first one.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// A device node of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceNode {
    /// Path below /dev.
    pub path: String,
    /// Whether it is a block device.
    pub block: bool,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
}
