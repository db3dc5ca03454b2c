//! Layers as a container sees them, to be read: an overlay that is attached nowhere and ends with its fd.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use keelbox_sys::Errno;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string};

use crate::detached::{create, explained, open};
use crate::fault::{Call, Fault, Outcome};
use crate::names::Names;

const OVERLAY: &CStr = c"overlay";

/// `MOUNT_ATTR_*`: read-only, nothing set-user-id, no devices, no programs.
const ATTRIBUTES: u64 = 0x1 | 0x2 | 0x4 | 0x8;

/// Mounts `layers`, topmost first and at least two, read-only. With `userxattr` their marks are in `user.overlay.*`, and
/// the caller is root of a user namespace: this process then gets a mount namespace of it, without which it may mount
/// nothing.
///
/// # Errors
///
/// The kernel's, with what overlayfs says.
pub fn merged(layers: &[BorrowedFd<'_>], userxattr: bool) -> Outcome<OwnedFd> {
    let mut own = Vec::new();
    if userxattr {
        let paths: Vec<_> = layers.iter().map(path).collect::<Outcome<_>>()?;
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).call("unshare")?;
        for (path, layer) in paths.iter().zip(layers) {
            own.push(again(path, layer)?);
        }
    }
    let own: Vec<_> = own.iter().map(AsFd::as_fd).collect();
    let layers = if userxattr { &own } else { layers };
    match mount(layers, userxattr, by_fd) {
        // Before Linux 6.13 a layer cannot be an fd.
        Err(fault) if matches!(fault.errno, Errno::EINVAL | Errno::EOPNOTSUPP) => {
            mount(layers, userxattr, by_name)
        }
        other => other,
    }
}

/// Where a directory is.
fn path(directory: &BorrowedFd<'_>) -> Outcome<CString> {
    let link = format!("/proc/self/fd/{}", directory.as_raw_fd());
    rustix::fs::readlink(link, Vec::new()).call("readlink")
}

/// Opens the same directory in the mount namespace that is now ours: a layer must be in it (EINVAL otherwise).
fn again(path: &CStr, directory: &BorrowedFd<'_>) -> Outcome<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).call("open")?;
    let (before, now) = (
        rustix::fs::fstat(directory).call("fstat")?,
        rustix::fs::fstat(&opened).call("fstat")?,
    );
    if (before.st_dev, before.st_ino) == (now.st_dev, now.st_ino) {
        return Ok(opened);
    }
    let moved = Fault::new("open", Errno::ESTALE);
    Err(moved.on(path.to_string_lossy()))
}

fn mount(
    layers: &[BorrowedFd<'_>],
    userxattr: bool,
    set: fn(&OwnedFd, &[BorrowedFd<'_>]) -> Outcome<Option<Names>>,
) -> Outcome<OwnedFd> {
    let context = open(OVERLAY)?;
    let _names = set(&context, layers)?;
    if userxattr {
        fsconfig_set_flag(context.as_fd(), c"userxattr")
            .map_err(|errno| explained(&context, "fsconfig", errno, OVERLAY))?;
    }
    create(&context, OVERLAY, ATTRIBUTES)
}

fn by_fd(context: &OwnedFd, layers: &[BorrowedFd<'_>]) -> Outcome<Option<Names>> {
    for layer in layers {
        fsconfig_set_fd(context.as_fd(), c"lowerdir+", layer)
            .map_err(|errno| explained(context, "fsconfig", errno, OVERLAY))?;
    }
    Ok(None)
}

fn by_name(context: &OwnedFd, layers: &[BorrowedFd<'_>]) -> Outcome<Option<Names>> {
    let names = Names::of(layers)?;
    fsconfig_set_string(context.as_fd(), c"lowerdir", &names.value)
        .map_err(|errno| explained(context, "fsconfig", errno, OVERLAY))?;
    Ok(Some(names))
}
