//! mount_setattr(2): change a mount's attributes, recursively, or map its ids through a user namespace.
//!
//! # Safety
//!
//! The call reads one `mount_attr` and an empty path.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use bitflags::bitflags;

use crate::errno::{Result, check};

bitflags! {
    /// Mount attributes, with the kernel's names and values (`linux/mount.h`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MountAttr: u64 {
        /// Nothing can be written.
        const MOUNT_ATTR_RDONLY = 0x1;
        /// Set-user-id bits and file capabilities do not count.
        const MOUNT_ATTR_NOSUID = 0x2;
        /// Device nodes cannot be opened.
        const MOUNT_ATTR_NODEV = 0x4;
        /// Programs cannot be executed.
        const MOUNT_ATTR_NOEXEC = 0x8;
        /// Access times are not kept.
        const MOUNT_ATTR_NOATIME = 0x10;
        /// Access times are always kept.
        const MOUNT_ATTR_STRICTATIME = 0x20;
        /// Access times of directories are not kept.
        const MOUNT_ATTR_NODIRATIME = 0x80;
        /// Symbolic links are not followed.
        const MOUNT_ATTR_NOSYMFOLLOW = 0x20_0000;
    }
}

/// How mounts below one travel between it and its peers (mount_namespaces(7), "Shared subtrees").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Travel {
    /// As it is.
    #[default]
    Unchanged,
    /// Neither way (`MS_PRIVATE`).
    Private,
    /// From the peers to here (`MS_SLAVE`).
    Slave,
    /// Both ways (`MS_SHARED`).
    Shared,
    /// Neither way, and it cannot be bound elsewhere (`MS_UNBINDABLE`).
    Unbindable,
}

impl Travel {
    fn bits(self) -> u64 {
        match self {
            Self::Unchanged => 0,
            Self::Private => libc::MS_PRIVATE,
            Self::Slave => libc::MS_SLAVE,
            Self::Shared => libc::MS_SHARED,
            Self::Unbindable => libc::MS_UNBINDABLE,
        }
    }
}

/// What is changed of a mount, in one call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change<'a> {
    /// Attributes to set.
    pub set: MountAttr,
    /// Propagation.
    pub travel: Travel,
    /// Maps its ids through this user namespace, once, while it is detached.
    pub userns: Option<BorrowedFd<'a>>,
}

/// Changes the mount that `mount` refers to.
///
/// # Errors
///
/// As [`set_attributes`] and [`map_ids`].
///
/// See [mount_setattr(2)](https://man7.org/linux/man-pages/man2/mount_setattr.2.html).
pub fn change(mount: BorrowedFd<'_>, change: &Change<'_>, depth: Depth) -> Result<()> {
    let map = change.userns.map_or(0, |_| MOUNT_ATTR_IDMAP);
    // Each access-time mode is a value of one field, which must be cleared to be set.
    let atime = MountAttr::MOUNT_ATTR_NOATIME | MountAttr::MOUNT_ATTR_STRICTATIME;
    let attr_clr = if change.set.intersects(atime) {
        MOUNT_ATTR__ATIME
    } else {
        0
    };
    let attr = libc::mount_attr {
        attr_set: change.set.bits() | map,
        attr_clr,
        propagation: change.travel.bits(),
        userns_fd: change
            .userns
            .map_or(0, |fd| u64::from(fd.as_raw_fd().cast_unsigned())),
    };
    setattr(mount, &attr, depth)
}

const MOUNT_ATTR__ATIME: u64 = 0x70;
const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const AT_EMPTY_PATH: libc::c_uint = 0x1000;

/// Whether a change is for one mount or for the whole tree below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// This mount.
    One,
    /// This mount and all below it (`AT_RECURSIVE`).
    Tree,
}

/// Sets attributes of the mount that `mount` refers to.
///
/// # Errors
///
/// ENOSYS before Linux 5.12; EPERM when a locked attribute would be cleared.
///
/// See [mount_setattr(2)](https://man7.org/linux/man-pages/man2/mount_setattr.2.html).
pub fn set_attributes(mount: BorrowedFd<'_>, set: MountAttr, depth: Depth) -> Result<()> {
    setattr(mount, &attributes(set.bits(), 0), depth)
}

/// Maps the ids of a *detached* mount through a user namespace, once (`MOUNT_ATTR_IDMAP`), and sets attributes with it.
///
/// # Errors
///
/// EINVAL: the mount is attached already, or its file system cannot. EPERM: it is mapped already. ENOSYS before 5.12.
///
/// See [mount_setattr(2)](https://man7.org/linux/man-pages/man2/mount_setattr.2.html), "ID-mapped mounts".
pub fn map_ids(
    mount: BorrowedFd<'_>,
    userns: BorrowedFd<'_>,
    set: MountAttr,
    depth: Depth,
) -> Result<()> {
    let userns_fd = u64::from(userns.as_raw_fd().cast_unsigned());
    setattr(
        mount,
        &attributes(set.bits() | MOUNT_ATTR_IDMAP, userns_fd),
        depth,
    )
}

fn attributes(attr_set: u64, userns_fd: u64) -> libc::mount_attr {
    libc::mount_attr {
        attr_set,
        attr_clr: 0,
        propagation: 0,
        userns_fd,
    }
}

fn setattr(mount: BorrowedFd<'_>, attr: &libc::mount_attr, depth: Depth) -> Result<()> {
    let flags = if depth == Depth::Tree {
        AT_EMPTY_PATH | AT_RECURSIVE
    } else {
        AT_EMPTY_PATH
    };
    let (path, size) = (c"".as_ptr(), size_of::<libc::mount_attr>());
    // SAFETY: reads an empty C string and a `mount_attr` of the size given; both outlive the call, neither is written.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            path,
            flags,
            std::ptr::from_ref(attr),
            size,
        )
    };
    check(result).map(drop)
}
