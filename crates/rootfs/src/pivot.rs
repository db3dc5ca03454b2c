//! Changing roots.

use std::os::fd::BorrowedFd;

use keelbox_sys::mount::{Depth, MountAttr};
use rustix::mount::{MountPropagationFlags, UnmountFlags};

use crate::fault::{Call, Outcome};
use crate::remount::set_attached;

/// Sets how mounts travel between this namespace and others, for every mount in it.
///
/// # Errors
///
/// The kernel's.
pub fn private_mounts(how: MountPropagationFlags) -> Outcome {
    rustix::mount::mount_change(c"/", how | MountPropagationFlags::REC).call("mount")
}

/// Makes the current directory, a mount attached over `/`, the root, and lets the old one go.
///
/// `pivot_root(".", ".")` stacks the old root on the new one, so no directory for it is needed in the image
/// (pivot_root(2), "pivot_root(".", ".")").
///
/// # Errors
///
/// EINVAL when the old root is the initial ram file system, which cannot be moved.
pub fn pivot(root: BorrowedFd<'_>) -> Outcome {
    rustix::process::fchdir(root).call("fchdir")?;
    nix::unistd::pivot_root(c".", c".").call("pivot_root")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH).call("umount2")?;
    rustix::process::chdir(c"/").call("chdir")
}

/// Makes the root's own mount read-only; mounts below it stay as they are.
///
/// # Errors
///
/// The kernel's.
pub fn read_only_root(root: BorrowedFd<'_>) -> Outcome {
    set_attached(root, MountAttr::MOUNT_ATTR_RDONLY, Depth::One)
}

/// Makes a mount and all below it read-only.
///
/// # Errors
///
/// The kernel's: EBUSY when something is open for writing.
pub fn make_read_only(mount: BorrowedFd<'_>) -> Outcome {
    set_attached(mount, MountAttr::MOUNT_ATTR_RDONLY, Depth::Tree)
}
