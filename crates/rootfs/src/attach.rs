//! Attaching mounts: the new root, and what is mounted inside it.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};

use keelbox_spec::op::Target;
use keelbox_sys::Errno;
use rustix::fs::{CWD, Mode};
use rustix::mount::MoveMountFlags;

use crate::fault::{Call, Fault, Outcome};
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
    if follow {
        check_target(root, target.as_fd()).map_err(|fault| fault.on(path.to_string_lossy()))?;
    }
    let attached = attach_fd(mount, target.as_fd());
    leave_open(target);
    attached.map_err(|fault| {
        fault.on(format!(
            "/{}",
            path.to_string_lossy().trim_start_matches('/')
        ))
    })
}

/// A link of the image's may lead to the root itself, or to the kernel's own files, over which nothing may be mounted: masks
/// and settings rest on them (CVE-2023-27561, CVE-2025-52881).
pub(crate) fn check_target(root: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Outcome {
    /// PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC (`linux/magic.h`).
    const KERNEL: [i64; 4] = [0x9fa0, 0x6265_6572, 0x0027_e0eb, 0x6367_7270];
    let kind = rustix::fs::fstatfs(target).call("fstatfs")?.f_type;
    let place = |fd| {
        rustix::fs::fstat(fd)
            .map(|stat| (stat.st_dev, stat.st_ino))
            .call("fstat")
    };
    if KERNEL.contains(&kind) || place(root)? == place(target)? {
        return Err(Fault::new("move_mount", Errno::EBUSY));
    }
    Ok(())
}

/// Attaches a mount at a path of one of our own mounts, where nobody else has made anything.
///
/// # Errors
///
/// The kernel's.
pub fn attach_inside(
    base: BorrowedFd<'_>,
    mount: BorrowedFd<'_>,
    path: &CStr,
    create: bool,
) -> Outcome {
    let named = |fault: Fault| fault.on(path.to_string_lossy());
    if create {
        rustix::fs::mkdirat(base, path, Mode::from_raw_mode(0o755))
            .call("mkdirat")
            .map_err(named)?;
    }
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", base, path, flags)
        .call("move_mount")
        .map_err(named)
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

/// Leaves an fd to be closed by execve, which closes all of the init's at once: a start has a hundred of them.
pub(crate) fn leave_open(fd: OwnedFd) {
    let _ = fd.into_raw_fd();
}
