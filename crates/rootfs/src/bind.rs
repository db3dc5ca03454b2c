//! Binds of the host's files for the user.
//!
//! A clone of a shared mount is a peer of it also while it is detached, so how mounts travel is settled in the same call as
//! attributes and ids, before anything can be attached to it.

mod piecewise;

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::{self, Bind};
use keelbox_sys::Errno;
use keelbox_sys::mount::{Change, Depth, MountAttr, Travel, change};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::OpenTreeFlags;

use crate::fault::{Call, Fault, Outcome};
use crate::slots::{Slots, Unset};

/// Clones the files of `bind`, detached, with ids mapped through `userns` if there is one.
///
/// # Errors
///
/// `open_tree`: no such path, or its mounts are locked together (EINVAL). `openat2`: the path below it leads out (EXDEV) or is
/// missing. `mount_setattr`: the file system at the top cannot map ids (EINVAL).
fn bind(bind: &Bind, userns: Option<BorrowedFd<'_>>) -> Outcome<OwnedFd> {
    let named = |fault: Fault| fault.on(shown(bind));
    let source = match &bind.subpath {
        Some(subpath) => Some(beneath(&bind.source, subpath).map_err(named)?),
        None => None,
    };
    let all = Change {
        set: MountAttr::from_bits_truncate(bind.attributes),
        travel: travel(bind.travel),
        userns,
    };
    let depth = depth(bind.depth);
    let mount = clone(source.as_ref(), &bind.source, depth)
        .call("open_tree")
        .map_err(named)?;
    let mount = match change(mount.as_fd(), &all, depth) {
        Ok(()) => mount,
        Err(errno) => {
            let pieces = errno == Errno::EINVAL && depth == Depth::Tree && userns.is_some();
            let made = if pieces && bind.travel != op::Travel::Shared {
                let top = clone(source.as_ref(), &bind.source, Depth::One).call("open_tree")?;
                let base = match source {
                    Some(source) => source,
                    None => open(&bind.source).map_err(named)?,
                };
                piecewise::assemble(top, &base, &all)?
            } else {
                None
            };
            made.ok_or_else(|| named(Fault::new("mount_setattr", errno)))?
        }
    };
    if bind.top_attributes != 0 {
        let top = Change {
            set: MountAttr::from_bits_truncate(bind.top_attributes),
            ..Change::default()
        };
        change(mount.as_fd(), &top, Depth::One)
            .call("mount_setattr")
            .map_err(named)?;
    }
    Ok(mount)
}

/// [`bind`] into its slot. Before Linux 5.12 a mount is changed only once it is attached: the slot remembers how.
///
/// # Errors
///
/// As [`bind`].
pub fn bind_into(slots: &mut Slots, of: &Bind, userns: Option<BorrowedFd<'_>>) -> Outcome {
    let is_plain = userns.is_none() && of.travel == op::Travel::Private;
    match bind(of, userns) {
        Err(fault) if fault.errno == Errno::ENOSYS && is_plain => {
            let source = match &of.subpath {
                Some(subpath) => Some(beneath(&of.source, subpath)?),
                None => None,
            };
            let mount = clone(source.as_ref(), &of.source, depth(of.depth)).call("open_tree")?;
            slots.put(of.slot, mount)?;
            slots.owe(Unset {
                slot: of.slot,
                attributes: of.attributes | of.top_attributes,
                recursive: of.depth == op::Depth::Tree,
            });
            Ok(())
        }
        other => slots.put(of.slot, other?),
    }
}

fn shown(bind: &Bind) -> String {
    let source = bind.source.to_string_lossy();
    match &bind.subpath {
        Some(subpath) => format!("{source}/{}", subpath.to_string_lossy()),
        None => source.into_owned(),
    }
}

fn travel(travel: op::Travel) -> Travel {
    match travel {
        op::Travel::Private => Travel::Private,
        op::Travel::Slave => Travel::Slave,
        op::Travel::Shared => Travel::Shared,
        op::Travel::Unbindable => Travel::Unbindable,
    }
}

fn depth(depth: op::Depth) -> Depth {
    match depth {
        op::Depth::Tree => Depth::Tree,
        op::Depth::One => Depth::One,
    }
}

fn clone(opened: Option<&OwnedFd>, path: &CStr, depth: Depth) -> rustix::io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if depth == Depth::Tree {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    match opened {
        Some(opened) => rustix::mount::open_tree(opened, c"", flags | OpenTreeFlags::AT_EMPTY_PATH),
        None => rustix::mount::open_tree(CWD, path, flags),
    }
}

fn open(path: &CStr) -> Outcome<OwnedFd> {
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).call("open")
}

/// Opens `subpath` below `source`. Whoever writes there may have made it a link, and be changing it: one that leads out is
/// refused by the kernel while it walks (openat2(2), `RESOLVE_BENEATH`; CVE-2021-25741, CVE-2017-1002101).
fn beneath(source: &CStr, subpath: &CStr) -> Outcome<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let top = open(source)?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(&top, subpath, flags, Mode::empty(), resolve).call("openat2")
}
