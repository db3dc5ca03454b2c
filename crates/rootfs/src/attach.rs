//! Attaching mounts: the new root, and what is mounted inside it.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use keelbox_spec::op::Target;
use rustix::fs::CWD;
use rustix::mount::MoveMountFlags;

use crate::fault::{Call, Outcome};
use crate::lookup::resolve_target;

/// Attaches the new root over `/`. Paths still start at the old root, which the process keeps as its own until pivot_root.
///
/// # Errors
///
/// The kernel's.
pub fn attach_root(mount: BorrowedFd<'_>) -> Outcome {
    rustix::mount::move_mount(
        mount,
        c"",
        CWD,
        c"/",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
    .call("move_mount")?;
    rustix::process::fchdir(mount).call("fchdir")
}

/// Attaches a mount at a path inside `root`.
///
/// # Errors
///
/// As [`resolve_target`]; ENOTDIR when a file would go over a directory or the other way round.
pub fn attach(
    root: BorrowedFd<'_>,
    mount: BorrowedFd<'_>,
    path: &CStr,
    create: Target,
    follow: bool,
) -> Outcome {
    let target = resolve_target(root, path, create, follow)?;
    attach_fd(mount, target.as_fd()).map_err(|fault| {
        fault.on(format!(
            "/{}",
            path.to_string_lossy().trim_start_matches('/')
        ))
    })
}

/// Attaches a mount over what `target` refers to.
///
/// # Errors
///
/// ENOTDIR when a file would go over a directory or the other way round.
pub fn attach_fd(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Outcome {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", target, c"", flags).call("move_mount")
}
