//! Overlays, with layers given as fds; on older kernels as paths in a mount namespace of the launcher's own.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::{Lower, Upper};
use keelbox_sys::Errno;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MoveMountFlags, fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string};

use crate::detached::{create, explained, open, set_source};
use crate::fault::{Call, Fault, Outcome};
use crate::pivot::private_mounts;
use crate::slots::Slots;

const OVERLAY: &CStr = c"overlay";

/// How the kernel is told to treat the writable layer.
#[derive(Clone, Copy, Debug)]
pub struct Treatment {
    /// Never sync it.
    pub volatile: bool,
    /// Keep marks in `user.overlay.*`.
    pub userxattr: bool,
}

/// Mounts an overlay, detached.
///
/// `owner` is the host id that owns the work directory as the kernel sees it through the layer's mapped mount, 0 for an
/// unmapped one: without it as the file-system id the mount succeeds and is silently read-only.
///
/// # Errors
///
/// The kernel's, with what the file system says.
pub fn overlay(
    slots: &Slots,
    lower: &[Lower],
    upper: &Upper,
    how: Treatment,
    owner: u32,
) -> Outcome<OwnedFd> {
    let _identity = FsIdentity::assume(owner);
    match by_fd(slots, lower, upper, how) {
        // Before Linux 6.13 a layer cannot be an fd; `lowerdir+` itself is of 6.5.
        Err(fault) if matches!(fault.errno, Errno::EINVAL | Errno::EOPNOTSUPP) => {
            by_path(slots, lower, upper, how)
        }
        other => other,
    }
}

fn by_fd(slots: &Slots, lower: &[Lower], upper: &Upper, how: Treatment) -> Outcome<OwnedFd> {
    let context = open(OVERLAY)?;
    let set = |key: &CStr, fd: BorrowedFd<'_>| {
        fsconfig_set_fd(context.as_fd(), key, fd)
            .map_err(|errno| explained(&context, "fsconfig", errno, OVERLAY))
    };
    for layer in lower {
        set(c"lowerdir+", slots.get(layer.slot)?)?;
    }
    let base = slots.get(upper.base)?;
    set(c"upperdir", directory(base, &upper.upper)?.as_fd())?;
    set(c"workdir", directory(base, &upper.work)?.as_fd())?;
    finish(&context, how)
}

fn directory(base: BorrowedFd<'_>, name: &CStr) -> Outcome<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(base, name, flags, Mode::empty())
        .call("openat")
        .map_err(|fault| fault.on(name.to_string_lossy()))
}

fn finish(context: &OwnedFd, how: Treatment) -> Outcome<OwnedFd> {
    for (wanted, key) in [(how.volatile, c"volatile"), (how.userxattr, c"userxattr")] {
        if wanted {
            fsconfig_set_flag(context.as_fd(), key)
                .map_err(|errno| explained(context, "fsconfig", errno, OVERLAY))?;
        }
    }
    set_source(context, OVERLAY);
    let mount = create(context, OVERLAY, 0)?;
    check_writable(&mount)?;
    Ok(mount)
}

/// An overlay whose work directory cannot be written falls back to read-only without an error.
fn check_writable(mount: &OwnedFd) -> Outcome {
    let flags = rustix::fs::fstatvfs(mount).call("fstatfs")?.f_flag;
    if flags.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return Err(Fault::new("fsmount", Errno::EROFS)
            .on("the overlay's work directory cannot be written"));
    }
    Ok(())
}

/// The older way: each mapped layer is attached over its own path, in a mount namespace that only the launcher is in.
fn by_path(slots: &Slots, lower: &[Lower], upper: &Upper, how: Treatment) -> Outcome<OwnedFd> {
    let staging = Staging::enter(slots, lower, upper)?;
    let context = open(OVERLAY)?;
    let set = |key: &CStr, value: &CStr| {
        fsconfig_set_string(context.as_fd(), key, value)
            .map_err(|errno| explained(&context, "fsconfig", errno, OVERLAY))
    };
    set(c"lowerdir", &staging.lower)?;
    set(c"upperdir", &staging.upper)?;
    set(c"workdir", &staging.work)?;
    finish(&context, how)
}

/// Paths that reach the layers through the mounts of their slots.
struct Staging {
    lower: CString,
    upper: CString,
    work: CString,
}

impl Staging {
    fn enter(slots: &Slots, lower: &[Lower], upper: &Upper) -> Outcome<Self> {
        private_namespace()?;
        let mut joined = Vec::new();
        for layer in lower {
            let path = attach_over(slots.get(layer.slot)?, &layer.path)?;
            if !joined.is_empty() {
                joined.push(b':');
            }
            joined.extend(escape(&path));
        }
        let base = attach_over(slots.get(upper.base)?, &upper.path)?;
        let below = |name: &CStr| text([base.as_bytes(), b"/", name.to_bytes()].concat());
        Ok(Self {
            lower: text(joined)?,
            upper: below(&upper.upper)?,
            work: below(&upper.work)?,
        })
    }
}

/// Enters a mount namespace that nobody else is in, once.
fn private_namespace() -> Outcome {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).call("unshare")?;
    // Later unmounts on the host still come in, so that the supervisor keeps none of its mounts busy.
    private_mounts(rustix::mount::MountPropagationFlags::DOWNSTREAM)
}

/// Attaches a detached mount over the path that it was cloned from, and answers that path.
fn attach_over(mount: BorrowedFd<'_>, path: &CStr) -> Outcome<CString> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    match rustix::mount::move_mount(mount, c"", rustix::fs::CWD, path, flags) {
        // Attached already, for another overlay that shares the base; or a kernel thread of events we need not know:
        // the path reaches the mount in both cases if both are the same mount.
        Err(rustix::io::Errno::INVAL) if same_mount(mount, path) => Ok(path.to_owned()),
        other => other
            .call("move_mount")
            .map_err(|fault| fault.on(path.to_string_lossy()))
            .map(|()| path.to_owned()),
    }
}

fn same_mount(mount: BorrowedFd<'_>, path: &CStr) -> bool {
    let id = |fd: BorrowedFd<'_>| {
        rustix::fs::statx(
            fd,
            c"",
            rustix::fs::AtFlags::EMPTY_PATH,
            rustix::fs::StatxFlags::MNT_ID,
        )
        .map(|s| s.stx_mnt_id)
    };
    let there = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    there.is_ok_and(|there| {
        id(there.as_fd()).is_ok_and(|one| id(mount).is_ok_and(|other| one == other))
    })
}

/// overlayfs takes `:` and `\` in a layer's path as its own unless they are escaped.
fn escape(path: &CStr) -> Vec<u8> {
    let mut escaped = Vec::new();
    for byte in path.to_bytes() {
        if matches!(byte, b':' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    escaped
}

fn text(bytes: Vec<u8>) -> Outcome<CString> {
    CString::new(bytes).map_err(|_| Fault::new("fsconfig", Errno::EINVAL))
}

/// The file-system ids of the container's root while it lives (`setfsuid`, `setfsgid`), with the capabilities that the
/// kernel takes away on the change put back.
struct FsIdentity {
    changed: bool,
}

impl FsIdentity {
    fn assume(owner: u32) -> Self {
        if owner != 0 {
            set_fs_ids(owner);
        }
        Self {
            changed: owner != 0,
        }
    }
}

impl Drop for FsIdentity {
    fn drop(&mut self) {
        if self.changed {
            set_fs_ids(0);
        }
    }
}

fn set_fs_ids(id: u32) {
    nix::unistd::setfsgid(nix::unistd::Gid::from_raw(id));
    nix::unistd::setfsuid(nix::unistd::Uid::from_raw(id));
    // setfsuid to another id than 0 drops CAP_DAC_OVERRIDE and its like from the effective set (capabilities(7)).
    if let Ok(sets) = rustix::thread::capabilities(None) {
        let raised = rustix::thread::CapabilitySets {
            effective: sets.permitted,
            ..sets
        };
        let _ = rustix::thread::set_capabilities(None, raised);
    }
}
