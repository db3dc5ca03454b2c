//! Overlays, with layers given as fds; on older kernels by the names of fds of attached mounts.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::attribute::MOUNT_ATTR_RDONLY;
use keelbox_spec::op::{Lower, Op, Slot, Upper};
use keelbox_sys::Errno;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::mount::{
    MoveMountFlags, UnmountFlags, fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string,
};

use crate::detached::{create, explained, open, set_source};
use crate::fault::{Call, Fault, Outcome};
use crate::names::Names;
use crate::pivot::private_mounts;
use crate::slots::Slots;

const OVERLAY: &CStr = c"overlay";

/// How the kernel is told to treat the writable layer.
#[derive(Clone, Copy, Debug)]
struct Treatment {
    /// Never sync it.
    volatile: bool,
    /// Keep marks in `user.overlay.*`.
    userxattr: bool,
    /// `MOUNT_ATTR_*` of the overlay.
    attributes: u64,
}

/// For layers whose ids are mapped.
#[derive(Debug)]
pub struct Mapped<'a> {
    /// The host ids, of user and group, that own the work directory as the kernel sees it through the layer's mapped mount: without it as the
    /// file-system id the mount succeeds and is silently read-only.
    pub owner: (u32, u32),
    /// Where older kernels find the layers.
    pub staging: &'a mut Staging,
}

/// Mounts the overlay of an [`Op::Overlay`], detached.
///
/// # Errors
///
/// The kernel's, with what the file system says.
pub fn overlay(slots: &Slots, op: &Op, mapped: Option<Mapped<'_>>) -> Outcome<OwnedFd> {
    let Op::Overlay {
        lower,
        upper,
        volatile,
        userxattr,
        attributes,
        ..
    } = op
    else {
        return Err(Fault::new("plan", Errno::EPROTO).on("not an overlay"));
    };
    let how = Treatment {
        volatile: *volatile,
        userxattr: *userxattr,
        attributes: *attributes,
    };
    if let Some(model) = lower.first().filter(|_| upper.like_lower) {
        imitate(slots.get(model.slot)?, slots.get(upper.base)?, &upper.upper)?;
    }
    let _identity = FsIdentity::assume(mapped.as_ref().map_or((0, 0), |mapped| mapped.owner));
    match by_fd(slots, lower, upper, how) {
        // Before Linux 6.13 a layer cannot be an fd; `lowerdir+` itself is of 6.5.
        Err(fault) if matches!(fault.errno, Errno::EINVAL | Errno::EOPNOTSUPP) => match mapped {
            Some(mapped) => by_staging(mapped.staging, slots, lower, upper, how),
            None => match by_path(lower, upper, how) {
                // An ordinary user's container without the user in it (`nomap`) cannot walk the user's private folders.
                Err(fault) if fault.errno == Errno::EACCES => {
                    by_staging(&mut Staging::default(), slots, lower, upper, how)
                }
                other => other,
            },
        },
        other => other,
    }
}

/// Gives the writable layer's root the mode and the owner of the directory that it lies over. Both are seen through mounts
/// that map ids alike.
fn imitate(model: BorrowedFd<'_>, base: BorrowedFd<'_>, name: &CStr) -> Outcome {
    /// What the kernel shows for an id that is not mapped (/proc/sys/kernel/overflowuid): nobody's to give.
    const NOBODY: u32 = 65_534;
    let stat = rustix::fs::fstat(model).call("fstat")?;
    let known = |id: u32| (id != NOBODY).then_some(id);
    let owner = known(stat.st_uid).map(Uid::from_raw);
    let group = known(stat.st_gid).map(Gid::from_raw);
    let on = |fault: Fault| fault.on(name.to_string_lossy());
    rustix::fs::chownat(base, name, owner, group, AtFlags::SYMLINK_NOFOLLOW)
        .call("fchownat")
        .map_err(on)?;
    let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
    rustix::fs::chmodat(base, name, mode, AtFlags::empty())
        .call("fchmodat")
        .map_err(on)
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
    finish(&context, how, base)
}

fn directory(base: BorrowedFd<'_>, name: &CStr) -> Outcome<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(base, name, flags, Mode::empty())
        .call("openat")
        .map_err(|fault| fault.on(name.to_string_lossy()))
}

fn finish(context: &OwnedFd, how: Treatment, base: BorrowedFd<'_>) -> Outcome<OwnedFd> {
    for (wanted, key) in [(how.volatile, c"volatile"), (how.userxattr, c"userxattr")] {
        if wanted {
            fsconfig_set_flag(context.as_fd(), key)
                .map_err(|errno| explained(context, "fsconfig", errno, OVERLAY))?;
        }
    }
    set_source(context, OVERLAY);
    let mount = create(context, OVERLAY, how.attributes)?;
    if how.attributes & MOUNT_ATTR_RDONLY == 0 {
        check_writable(&mount, base)?;
    }
    Ok(mount)
}

/// An overlay whose work directory cannot be written falls back to read-only without an error; a full disk is the usual
/// reason.
fn check_writable(mount: &OwnedFd, base: BorrowedFd<'_>) -> Outcome {
    /// What overlayfs makes in the work directory at once, and some more.
    const INODES: u64 = 8;
    let state = rustix::fs::fstatvfs(mount).call("fstatfs")?;
    if !state.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return Ok(());
    }
    let room = rustix::fs::fstatvfs(base).call("fstatfs")?;
    // A file system that counts no inodes says 0 of 0.
    let full = room.f_bavail == 0 || room.f_files > 0 && room.f_favail < INODES;
    let errno = if full { Errno::ENOSPC } else { Errno::EROFS };
    Err(Fault::new("fsmount", errno).on("the overlay's work directory cannot be written"))
}

/// The older way, for layers that are as their paths show them.
fn by_path(lower: &[Lower], upper: &Upper, how: Treatment) -> Outcome<OwnedFd> {
    let open = |path: &CStr| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty())
            .call("open")
            .map_err(|fault| fault.on(path.to_string_lossy()))
    };
    let layers: Vec<_> = lower
        .iter()
        .map(|layer| open(&layer.path))
        .collect::<Outcome<_>>()?;
    let layers: Vec<_> = layers.iter().map(AsFd::as_fd).collect();
    by_name(&layers, open(&upper.path)?.as_fd(), upper, how)
}

/// The older way, for mapped layers: they must be attached somewhere in our mount namespace.
fn by_staging(
    staging: &mut Staging,
    slots: &Slots,
    lower: &[Lower],
    upper: &Upper,
    how: Treatment,
) -> Outcome<OwnedFd> {
    let layers: Vec<_> = lower
        .iter()
        .map(|layer| staging.attach(slots, layer.slot))
        .collect::<Outcome<_>>()?;
    let base = staging.attach(slots, upper.base)?;
    by_name(&layers, base, upper, how)
}

/// Layers as the names of their fds, without anything to escape.
fn by_name(
    lower: &[BorrowedFd<'_>],
    base: BorrowedFd<'_>,
    upper: &Upper,
    how: Treatment,
) -> Outcome<OwnedFd> {
    let context = open(OVERLAY)?;
    let set = |key: &CStr, value: &CStr| {
        fsconfig_set_string(context.as_fd(), key, value)
            .map_err(|errno| explained(&context, "fsconfig", errno, OVERLAY))
    };
    let below = |folder: &CStr| {
        let base = format!("/proc/self/fd/{}/", base.as_raw_fd());
        CString::new([base.as_bytes(), folder.to_bytes()].concat())
            .map_err(|_| Fault::new("fsconfig", Errno::EINVAL))
    };
    let names = Names::of(lower)?;
    set(c"lowerdir", &names.value)?;
    set(c"upperdir", &below(&upper.upper)?)?;
    set(c"workdir", &below(&upper.work)?)?;
    finish(&context, how, base)
}

/// A mount namespace of the launcher's own, for kernels that take no detached mount as a layer. Dropped when the overlays
/// are made: they have the layers then, and the directory of a layer that lies under another could not be removed here.
#[derive(Debug, Default)]
pub struct Staging {
    entered: bool,
    attached: Vec<Slot>,
    /// The first of them, at the bottom.
    bottom: Option<OwnedFd>,
}

impl Staging {
    /// Attaches a slot's mount, once, and answers its fd. The mounts lie on `/`, one over the other: paths still start
    /// below them, and only an fd leads to one.
    fn attach<'s>(&mut self, slots: &'s Slots, slot: Slot) -> Outcome<BorrowedFd<'s>> {
        self.enter()?;
        let mount = slots.get(slot)?;
        if !self.attached.contains(&slot) {
            if self.bottom.is_none() {
                self.bottom = Some(rustix::io::fcntl_dupfd_cloexec(mount, 3).call("fcntl")?);
            }
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            rustix::mount::move_mount(mount, c"", rustix::fs::CWD, c"/", flags)
                .call("move_mount")?;
            self.attached.push(slot);
        }
        Ok(mount)
    }

    fn enter(&mut self) -> Outcome {
        if self.entered {
            return Ok(());
        }
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).call("unshare")?;
        self.entered = true;
        // Later unmounts on the host still come in, so that the supervisor keeps none of its mounts busy.
        private_mounts(rustix::mount::MountPropagationFlags::DOWNSTREAM)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(bottom) = &self.bottom {
            let name = format!("/proc/self/fd/{}", bottom.as_raw_fd());
            // The path of what is at the bottom names what is on top.
            for _ in &self.attached {
                let _ = rustix::mount::unmount(&name, UnmountFlags::DETACH);
            }
        }
    }
}

/// The file-system ids of the container's root while it lives (`setfsuid`, `setfsgid`), with the capabilities that the
/// kernel takes away on the change put back.
struct FsIdentity {
    changed: bool,
}

impl FsIdentity {
    fn assume(owner: (u32, u32)) -> Self {
        if owner != (0, 0) {
            set_fs_ids(owner);
        }
        Self {
            changed: owner != (0, 0),
        }
    }
}

impl Drop for FsIdentity {
    fn drop(&mut self) {
        if self.changed {
            set_fs_ids((0, 0));
        }
    }
}

fn set_fs_ids((user, group): (u32, u32)) {
    nix::unistd::setfsgid(nix::unistd::Gid::from_raw(group));
    nix::unistd::setfsuid(nix::unistd::Uid::from_raw(user));
    // setfsuid to another id than 0 drops CAP_DAC_OVERRIDE and its like from the effective set (capabilities(7)).
    if let Ok(sets) = rustix::thread::capabilities(None) {
        let raised = rustix::thread::CapabilitySets {
            effective: sets.permitted,
            ..sets
        };
        let _ = rustix::thread::set_capabilities(None, raised);
    }
}
