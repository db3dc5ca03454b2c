//! Which slot holds which mount.

use crate::op::Slot;

pub(crate) const ROOT: Slot = 0;
/// The slot of the writable layers.
pub const DATA: Slot = 1;
/// The slot of /dev.
pub const DEV: Slot = 2;
/// The slot of /proc.
pub const PROC: Slot = 3;
pub(crate) const SYS: Slot = 4;
/// The slot of /dev/pts, where the init makes its terminal.
pub const PTS: Slot = 5;
pub(crate) const SHM: Slot = 6;
pub(crate) const MQUEUE: Slot = 7;
pub(crate) const CGROUP: Slot = 8;
pub(crate) const CGROUP_V1: Slot = 9;
pub(crate) const CGROUP_V2: Slot = 10;
/// Parts of the image `host`.
pub(crate) const HOST: Slot = 48;
/// Volumes and tmpfs mounts of the user.
pub(crate) const VOLUME: Slot = 64;
/// The first slot after those of volumes.
pub(crate) const END: Slot = 128;
/// Layers of the root, up to the last slot: as many as docker's images can have, and one.
pub(crate) const LAYER: Slot = 128;

/// Where the mount of a slot that others go into is.
#[must_use]
pub fn slot_path(slot: Slot) -> &'static str {
    match slot {
        DEV => "/dev",
        SYS => "/sys",
        CGROUP => "/sys/fs/cgroup",
        _ => "",
    }
}
