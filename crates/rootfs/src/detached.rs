//! Mounts that are not attached anywhere yet.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::Slot;
use keelbox_sys::Errno;
use keelbox_sys::mount::{Change, Depth, MountAttr, Travel, change};
use rustix::fs::CWD;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};

use crate::attach::leave_open;
use crate::fault::{Call, Fault, Outcome};
use crate::slots::{Slots, Unset};

/// Clones the mount at `source`, with attributes, and with ids mapped through `userns` if there is one.
///
/// # Errors
///
/// `open_tree`: no such path, or its mounts are locked together (EINVAL: clone with those below it). `mount_setattr`: the
/// file system cannot map ids (EINVAL), or the kernel cannot (ENOSYS, before 5.12).
pub fn clone_tree(
    source: &CStr,
    recursive: bool,
    attributes: u64,
    userns: Option<BorrowedFd<'_>>,
) -> Outcome<OwnedFd> {
    let mount = open_clone(source, recursive)?;
    let set = MountAttr::from_bits_truncate(attributes);
    let depth = if recursive { Depth::Tree } else { Depth::One };
    // A layer of an overlay is attached nowhere: its peers do not matter.
    if userns.is_none() && set.is_empty() && !recursive {
        return Ok(mount);
    }
    // A clone of a shared mount is a peer of it: what is attached to it in the container would be attached on the host too.
    let travel = Travel::Private;
    let all = Change {
        set,
        travel,
        userns,
    };
    change(mount.as_fd(), &all, depth)
        .call("mount_setattr")
        .map_err(|fault| fault.on(source.to_string_lossy()))?;
    Ok(mount)
}

fn open_clone(source: &CStr, recursive: bool) -> Outcome<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(CWD, source, flags)
        .call("open_tree")
        .map_err(|fault| fault.on(source.to_string_lossy()))
}

/// [`clone_tree`] into a slot. Before Linux 5.12 attributes can be set only once the mount is attached: the slot remembers
/// them, for [`Slots::settle`].
///
/// # Errors
///
/// As [`clone_tree`].
pub fn clone_into(
    slots: &mut Slots,
    slot: Slot,
    source: &CStr,
    recursive: bool,
    attributes: u64,
    userns: Option<BorrowedFd<'_>>,
) -> Outcome {
    match clone_tree(source, recursive, attributes, userns) {
        Err(fault) if fault.errno == Errno::ENOSYS && userns.is_none() => {
            slots.put(slot, open_clone(source, recursive)?)?;
            slots.owe(Unset {
                slot,
                attributes,
                recursive,
            });
            Ok(())
        }
        other => slots.put(slot, other?),
    }
}

/// Mounts a fresh file system, detached. For the init: what it was made with stays open until execve.
///
/// # Errors
///
/// The kernel's, with what it says of the file system's options where it says anything.
pub fn new_mount(
    fstype: &CStr,
    options: &[(CString, Option<CString>)],
    attributes: u64,
) -> Outcome<OwnedFd> {
    let context = configured(fstype, options)?;
    let mount = create(&context, fstype, attributes)?;
    leave_open(context);
    Ok(mount)
}

/// A file system's context with its options set.
pub(crate) fn configured(
    fstype: &CStr,
    options: &[(CString, Option<CString>)],
) -> Outcome<OwnedFd> {
    let context = open(fstype)?;
    set_source(&context, fstype);
    for (key, value) in options {
        let set = match value {
            Some(value) => rustix::mount::fsconfig_set_string(context.as_fd(), key, value),
            None => rustix::mount::fsconfig_set_flag(context.as_fd(), key),
        };
        set.map_err(|errno| explained(&context, "fsconfig", errno, fstype))?;
    }
    Ok(context)
}

pub(crate) fn open(fstype: &CStr) -> Outcome<OwnedFd> {
    rustix::mount::fsopen(fstype, FsOpenFlags::FSOPEN_CLOEXEC)
        .call("fsopen")
        .map_err(|fault| fault.on(fstype.to_string_lossy()))
}

/// What `mount` shows as the device: for these file systems, by custom, their type. Nothing depends on it.
pub(crate) fn set_source(context: &OwnedFd, fstype: &CStr) {
    let _ = rustix::mount::fsconfig_set_string(context.as_fd(), c"source", fstype);
}

pub(crate) fn create(context: &OwnedFd, fstype: &CStr, attributes: u64) -> Outcome<OwnedFd> {
    rustix::mount::fsconfig_create(context.as_fd())
        .map_err(|errno| explained(context, "fsconfig", errno, fstype))?;
    let attributes =
        MountAttrFlags::from_bits_retain(u32::try_from(attributes).unwrap_or(u32::MAX));
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(|errno| explained(context, "fsmount", errno, fstype))
}

/// A fault with the file system's own words, which it leaves in the context for reading (fsopen(2)).
pub(crate) fn explained(
    context: &OwnedFd,
    call: &'static str,
    errno: impl Into<Errno>,
    fstype: &CStr,
) -> Fault {
    let mut buffer = [0; 256];
    let length = rustix::io::read(context, &mut buffer).unwrap_or(0);
    let said = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
    let said = said.trim_start_matches("e ").trim();
    Fault::new(call, errno).on(format!("{} {said}", fstype.to_string_lossy())
        .trim()
        .to_owned())
}
