//! The executable as a container may see it: never as a file that can be written.
//!
//! The container's first process is the executable until it becomes the command, and a command can be `/proc/self/exe`. With
//! that, root in a container whose ids are the owner's could write the host's file once it is free (CVE-2019-5736). So it is
//! executed through a read-only mount of it that is attached nowhere, or, for callers who may not mount, as a sealed copy in
//! memory. Made once for each process of Node's, and kept: a package that is replaced meanwhile does not mix versions.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use keelbox_process::sealed_copy;
use keelbox_sys::mount::{Depth, MountAttr, set_attributes};
use keelbox_sys::{Errno, Result};
use rustix::fs::CWD;
use rustix::mount::OpenTreeFlags;

static OPEN: LazyLock<Mutex<HashMap<PathBuf, &'static OwnedFd>>> = LazyLock::new(Mutex::default);

/// Opens the executable for posix_spawn through `/proc/self/fd`.
pub(crate) fn open(path: &Path) -> Result<BorrowedFd<'static>> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(fd) = open.get(path).copied() {
        return Ok(fd.as_fd());
    }
    let fd = match read_only_mount(path) {
        Err(Errno::EPERM | Errno::ENOSYS | Errno::EINVAL) => sealed_copy(path)?,
        other => other?,
    };
    // Kept for the life of the process: there is one executable.
    let fd: &'static OwnedFd = Box::leak(Box::new(fd));
    open.insert(path.to_owned(), fd);
    Ok(fd.as_fd())
}

fn read_only_mount(path: &Path) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = rustix::mount::open_tree(CWD, path, flags)?;
    set_attributes(mount.as_fd(), MountAttr::MOUNT_ATTR_RDONLY, Depth::One)?;
    Ok(mount)
}
