//! Hiding paths of /proc and /sys, and making them read-only.
//!
//! The mounts that go over them come from our own /dev and from a fresh tmpfs, never from a path in the image
//! (CVE-2025-31133), and the paths are looked up below the /proc and /sys that were mounted here.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_sys::Errno;
use keelbox_sys::mount::{Depth, MountAttr, set_attributes};
use rustix::fs::FileType;
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

use crate::attach::leave_open;
use crate::detached::new_mount;
use crate::fault::{Call, Fault, Outcome};
use crate::lookup::open_path;
use crate::remount::remount;

/// The mounts that go over things, each made when it is first needed. A clone that found no target serves the next.
#[derive(Debug, Default)]
pub struct Covers {
    empty: Option<OwnedFd>,
    file: Option<OwnedFd>,
    directory: Option<OwnedFd>,
}

/// Hides `paths` below `base`; those that this kernel does not have are passed over.
///
/// # Errors
///
/// The kernel's.
pub fn mask(
    covers: &mut Covers,
    base: BorrowedFd<'_>,
    dev: BorrowedFd<'_>,
    paths: &[(CString, bool)],
) -> Outcome {
    for (path, directory) in paths {
        match covers.put(base, dev, path, *directory) {
            Ok(()) => {}
            Err(fault) if fault.errno == Errno::ENOENT => {}
            // A path that is a file on one kernel and a directory on another.
            Err(fault) if fault.errno == Errno::ENOTDIR => {
                covers.put(base, dev, path, !directory)?
            }
            Err(fault) => return Err(fault.on(path.to_string_lossy())),
        }
    }
    Ok(())
}

/// Hides `paths` of the root, which is this process's own by now. Links in them are followed, inside the root; those that
/// are not there are passed over.
///
/// # Errors
///
/// The kernel's.
pub fn hide(
    covers: &mut Covers,
    root: BorrowedFd<'_>,
    dev: BorrowedFd<'_>,
    paths: &[CString],
) -> Outcome {
    for path in paths {
        let named = |fault: Fault| fault.on(path.to_string_lossy());
        let target = match open_path(root, path) {
            Err(fault) if matches!(fault.errno, Errno::ENOENT | Errno::ENOTDIR) => continue,
            other => other?,
        };
        let mode = rustix::fs::fstat(&target).call("fstat")?.st_mode;
        let directory = FileType::from_raw_mode(mode) == FileType::Directory;
        covers
            .put(target.as_fd(), dev, c"", directory)
            .map_err(named)?;
        leave_open(target);
    }
    Ok(())
}

impl Covers {
    fn put(
        &mut self,
        base: BorrowedFd<'_>,
        dev: BorrowedFd<'_>,
        path: &CStr,
        directory: bool,
    ) -> Outcome {
        let cover = if directory {
            self.empty_directory()?
        } else {
            self.null(dev)?
        };
        let mut flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        if path.is_empty() {
            flags |= MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        }
        let moved = rustix::mount::move_mount(&cover, c"", base, path, flags);
        if moved.is_err() {
            *(if directory {
                &mut self.directory
            } else {
                &mut self.file
            }) = Some(cover);
        } else {
            leave_open(cover);
        }
        moved.call("move_mount")
    }

    fn null(&mut self, dev: BorrowedFd<'_>) -> Outcome<OwnedFd> {
        match self.file.take() {
            Some(cover) => Ok(cover),
            None => clone(dev, c"null"),
        }
    }

    fn empty_directory(&mut self) -> Outcome<OwnedFd> {
        if let Some(cover) = self.directory.take() {
            return Ok(cover);
        }
        let empty = match self.empty.take() {
            Some(empty) => empty,
            None => new_empty()?,
        };
        match clone(empty.as_fd(), c"") {
            Ok(cover) => {
                self.empty = Some(empty);
                Ok(cover)
            }
            // Before Linux 6.15 a detached mount cannot be cloned: it serves itself, and the next is a new one.
            Err(fault) if fault.errno == Errno::EINVAL => Ok(empty),
            Err(fault) => Err(fault),
        }
    }
}

fn new_empty() -> Outcome<OwnedFd> {
    let read_only =
        MountAttr::MOUNT_ATTR_RDONLY | MountAttr::MOUNT_ATTR_NOSUID | MountAttr::MOUNT_ATTR_NODEV;
    let option = |key: &CStr, value: &CStr| (key.to_owned(), Some(value.to_owned()));
    new_mount(
        c"tmpfs",
        &[option(c"size", c"0"), option(c"mode", c"0555")],
        read_only.bits(),
    )
}

fn clone(of: BorrowedFd<'_>, path: &CStr) -> Outcome<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    if path.is_empty() {
        flags |= OpenTreeFlags::AT_EMPTY_PATH;
    }
    rustix::mount::open_tree(of, path, flags)
        .call("open_tree")
        .map_err(|fault| fault.on(path.to_string_lossy()))
}

/// Makes `paths` below `base` read-only; those that this kernel does not have are passed over.
///
/// # Errors
///
/// The kernel's.
pub fn read_only_paths(base: BorrowedFd<'_>, paths: &[CString]) -> Outcome {
    for path in paths {
        let tree = match clone(base, path) {
            Err(fault) if fault.errno == Errno::ENOENT => continue,
            other => other?,
        };
        let read_only = MountAttr::MOUNT_ATTR_RDONLY;
        let missing = match set_attributes(tree.as_fd(), read_only, Depth::Tree) {
            // Before Linux 5.12 a mount is made read-only where it is attached.
            Err(Errno::ENOSYS) => true,
            other => other.map(|()| false).call("mount_setattr")?,
        };
        rustix::mount::move_mount(
            &tree,
            c"",
            base,
            path,
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        )
        .call("move_mount")
        .map_err(|fault| fault.on(path.to_string_lossy()))?;
        if missing {
            remount(tree.as_fd(), read_only, Depth::Tree)?;
        }
        leave_open(tree);
    }
    Ok(())
}
