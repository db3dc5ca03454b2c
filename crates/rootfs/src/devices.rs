//! /dev: one tmpfs with real nodes made by the host's root, or the host's own nodes bound one by one.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::{Device, Target};
use keelbox_sys::Errno;
use keelbox_sys::mount::MountAttr;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Uid};
use rustix::mount::OpenTreeFlags;

use crate::attach::{attach, attach_fd};
use crate::detached::{configured, create};
use crate::fault::{Call, Fault, Outcome};
use crate::lookup::resolve_target;
use crate::owners::Ids;

/// Links that programs expect in /dev (OCI runtime-spec, "Dev symbolic links").
const LINKS: [(&CStr, &CStr); 6] = [
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
    (c"ptmx", c"pts/ptmx"),
    (c"core", c"/proc/kcore"),
];

/// Makes /dev as a detached tmpfs, with the container's ids if it has ids of its own. None: nodes cannot be made here.
///
/// # Errors
///
/// The kernel's, other than that.
pub fn make_devices(devices: &[Device], ids: Option<Ids<'_>>) -> Outcome<Option<OwnedFd>> {
    let mount = empty_dev()?;
    let made = devices
        .iter()
        .try_for_each(|device| make_node(mount.as_fd(), device))
        .and_then(|()| match ids {
            Some(ids) => ids.apply(mount.as_fd()).map_err(|fault| fault.on("/dev")),
            None => Ok(()),
        });
    match made {
        Ok(()) => Ok(Some(mount)),
        Err(fault) if fault.errno == Errno::EPERM => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn empty_dev() -> Outcome<OwnedFd> {
    let option = |key: &CStr, value: &CStr| (key.to_owned(), Some(value.to_owned()));
    let nosuid = MountAttr::MOUNT_ATTR_NOSUID.bits();
    let options = [option(c"mode", c"0755"), option(c"size", c"65536k")];
    let context = configured(c"tmpfs", &options)?;
    let mount = create(&context, c"tmpfs", nosuid)?;
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &mount, name).call("symlinkat")?;
    }
    Ok(mount)
}

fn make_node(dev: BorrowedFd<'_>, device: &Device) -> Outcome {
    let kind = if device.block {
        FileType::BlockDevice
    } else {
        FileType::CharacterDevice
    };
    let number = rustix::fs::makedev(device.major, device.minor);
    let named = |fault: Fault| fault.on(format!("/dev/{}", device.path.to_string_lossy()));
    make_parents(dev, &device.path)?;
    rustix::fs::mknodat(
        dev,
        &device.path,
        kind,
        Mode::from_raw_mode(device.mode),
        number,
    )
    .call("mknodat")
    .map_err(named)?;
    if device.owner == (0, 0) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(device.owner.0), Gid::from_raw(device.owner.1));
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::chownat(dev, &device.path, Some(uid), Some(gid), flags)
        .call("fchownat")
        .map_err(named)
}

fn make_parents(dev: BorrowedFd<'_>, path: &CStr) -> Outcome {
    let Some(slash) = path.to_bytes().iter().rposition(|byte| *byte == b'/') else {
        return Ok(());
    };
    let parent = path.to_bytes().get(..slash).unwrap_or_default();
    let parent = std::ffi::CString::new(parent).unwrap_or_default();
    resolve_target(dev, &parent, Target::Directory, false).map(drop)
}

/// Attaches /dev, or makes it here of the host's nodes.
///
/// # Errors
///
/// The kernel's; ENXIO when a node of the host is not the device that it should be.
pub fn attach_devices(
    root: BorrowedFd<'_>,
    made: Option<BorrowedFd<'_>>,
    devices: &[Device],
) -> Outcome<OwnedFd> {
    if let Some(mount) = made {
        attach(root, mount, c"dev", Target::Directory, false)?;
        return rustix::io::dup(mount).call("dup");
    }
    let mount = empty_dev()?;
    attach(root, mount.as_fd(), c"dev", Target::Directory, false)?;
    for device in devices {
        bind_node(mount.as_fd(), device)?;
    }
    Ok(mount)
}

fn bind_node(dev: BorrowedFd<'_>, device: &Device) -> Outcome {
    let source = &device.source;
    let named = |fault: Fault| fault.on(source.to_string_lossy());
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let node = rustix::mount::open_tree(CWD, source, flags)
        .call("open_tree")
        .map_err(named)?;
    check_node(node.as_fd(), device).map_err(named)?;
    let target = resolve_target(dev, &device.path, Target::File, false)?;
    attach_fd(node.as_fd(), target.as_fd()).map_err(named)
}

/// The host's node may not be what its name says (CVE-2025-31133: a mask made of somebody's /dev/null).
fn check_node(node: BorrowedFd<'_>, device: &Device) -> Outcome {
    let stat = rustix::fs::fstat(node).call("fstat")?;
    let kind = if device.block {
        FileType::BlockDevice
    } else {
        FileType::CharacterDevice
    };
    let right = FileType::from_raw_mode(stat.st_mode) == kind
        && stat.st_rdev == rustix::fs::makedev(device.major, device.minor);
    if right {
        Ok(())
    } else {
        Err(Fault::new("fstat", Errno::ENXIO))
    }
}
