//! A writable layer in memory, where the store's file system can carry none (overlay on overlay, network file systems).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_sys::mount::{Depth, MountAttr, map_ids};
use rustix::fs::Mode;

use crate::detached::{configured, create};
use crate::fault::{Call, Outcome};

/// Makes a tmpfs with `directories` in it, detached, and maps its ids through `userns` if there is one.
///
/// # Errors
///
/// EINVAL: a kernel that cannot map a tmpfs's ids (before 6.3). The kernel's.
pub fn memory_layer(directories: &[CString], userns: Option<BorrowedFd<'_>>) -> Outcome<OwnedFd> {
    let mode = |key: &CStr, value: &CStr| (key.to_owned(), Some(value.to_owned()));
    let context = configured(c"tmpfs", &[mode(c"mode", c"0755")])?;
    let mount = create(&context, c"tmpfs", 0)?;
    for directory in directories {
        rustix::fs::mkdirat(&mount, directory, Mode::from_raw_mode(0o755))
            .call("mkdirat")
            .map_err(|fault| fault.on(directory.to_string_lossy()))?;
    }
    if let Some(userns) = userns {
        map_ids(mount.as_fd(), userns, MountAttr::empty(), Depth::One)
            .call("mount_setattr")
            .map_err(|fault| fault.on("tmpfs"))?;
    }
    Ok(mount)
}
