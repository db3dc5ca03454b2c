//! What settings beyond the usual ones depend on; gathered only for a request that has them.

use std::collections::BTreeMap;

use crate::host::DeviceNode;

/// `CAP_SYS_RESOURCE`: raises limits and lowers `oom_score_adj`, if it is one of the first user namespace.
const SYS_RESOURCE: u64 = 1 << 24;

/// The caller's own limits and settings.
#[derive(Clone, Debug, Default)]
pub struct ConfinementFacts {
    /// Soft and hard limit by `RLIMIT_*`, for those that the request names.
    pub limits: BTreeMap<u32, (u64, u64)>,
    /// The most that a hard limit of open files can be (`/proc/sys/fs/nr_open`).
    pub nr_open: u64,
    /// The caller's own `oom_score_adj`.
    pub oom_score_adj: i32,
    /// Whether the kernel has `AppArmor` switched on.
    pub apparmor: bool,
    /// Whether a profile named `keelbox-default` is loaded.
    pub apparmor_default: bool,
    /// Device nodes of the host that an engine inside uses: `fuse` and `net/tun`, as far as they are there.
    pub nested_devices: Vec<DeviceNode>,
    /// The kernel's version and its first revision.
    pub kernel: (u32, u32),
}

impl super::HostFacts {
    /// Whether the caller may go above its own limits.
    pub(crate) fn may_raise_limits(&self) -> bool {
        !self.is_rootless() && self.permitted & SYS_RESOURCE != 0
    }
}
