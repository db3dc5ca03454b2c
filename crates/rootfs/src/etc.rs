//! Small files of ours over those in /etc, and kernel settings of the container's own namespaces.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::Target;
use keelbox_sys::Errno;
use keelbox_sys::mount::MountAttr;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{OpenTreeFlags, UnmountFlags};

use crate::attach::{attach_fd, leave_open};
use crate::detached::new_mount;
use crate::fault::{Call, Fault, Outcome};
use crate::lookup::resolve_target;

/// Writes `files` into a small tmpfs and binds each over /etc/NAME.
///
/// In memory, so that a start makes no file on disk and nothing is left behind when it is cut short.
///
/// # Errors
///
/// The kernel's. A root that lacks the file, and where it cannot be made, keeps lacking it.
pub fn etc_files(root: BorrowedFd<'_>, files: &[(CString, Vec<u8>)]) -> Outcome {
    let attributes =
        MountAttr::MOUNT_ATTR_NOSUID | MountAttr::MOUNT_ATTR_NODEV | MountAttr::MOUNT_ATTR_NOEXEC;
    let option = |key: &CStr, value: &CStr| (key.to_owned(), Some(value.to_owned()));
    let mount = new_mount(
        c"tmpfs",
        &[option(c"size", c"1m"), option(c"mode", c"0755")],
        attributes.bits(),
    )?;
    let mut holder = Holder {
        mount,
        root,
        attached: false,
    };
    for (name, content) in files {
        put(&mut holder, name, content)
            .map_err(|fault| fault.on(format!("/etc/{}", name.to_string_lossy())))?;
    }
    holder.detach()
}

/// The file system that the files are in.
struct Holder<'a> {
    mount: OwnedFd,
    root: BorrowedFd<'a>,
    attached: bool,
}

impl Holder<'_> {
    fn clone(&mut self, name: &CStr) -> Outcome<OwnedFd> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let open = |mount: &OwnedFd| rustix::mount::open_tree(mount, name, flags);
        match open(&self.mount) {
            // Before Linux 6.15 only what is attached can be cloned: over the root, where no path leads to it.
            Err(rustix::io::Errno::INVAL) if !self.attached => {
                attach_fd(self.mount.as_fd(), self.root)?;
                self.attached = true;
                open(&self.mount).call("open_tree")
            }
            other => other.call("open_tree"),
        }
    }

    /// Leaves nothing but the files' own mounts.
    fn detach(self) -> Outcome {
        if self.attached {
            rustix::process::fchdir(&self.mount).call("fchdir")?;
            rustix::mount::unmount(c".", UnmountFlags::DETACH).call("umount2")?;
            rustix::process::fchdir(self.root).call("fchdir")?;
        }
        leave_open(self.mount);
        Ok(())
    }
}

fn put(holder: &mut Holder<'_>, name: &CStr, content: &[u8]) -> Outcome {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&holder.mount, name, flags, Mode::from_raw_mode(0o644))
        .call("openat")?;
    write_all(file.as_fd(), content)?;
    leave_open(file);
    let path = CString::new([b"etc/", name.to_bytes()].concat()).unwrap_or_default();
    let target = match resolve_target(holder.root, &path, Target::File, true) {
        // Nobody may make it: the root is read-only, or belongs to ids that are not mapped.
        Err(fault) if matches!(fault.errno, Errno::EROFS | Errno::EACCES | Errno::EPERM) => {
            return Ok(());
        }
        other => other?,
    };
    let bind = holder.clone(name)?;
    attach_fd(bind.as_fd(), target.as_fd())?;
    leave_open(bind);
    leave_open(target);
    Ok(())
}

fn write_all(file: BorrowedFd<'_>, mut content: &[u8]) -> Outcome {
    while !content.is_empty() {
        let written = rustix::io::write(file, content).call("write")?;
        content = content.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Writes `value` into `sys/PATH` of the /proc that `proc` refers to: the container's own, made here, so that nothing in
/// an image can stand in for it (CVE-2025-52881).
///
/// # Errors
///
/// The kernel's.
pub fn sysctl(proc: BorrowedFd<'_>, path: &CStr, value: &CStr) -> Outcome {
    let path = CString::new([b"sys/", path.to_bytes()].concat()).unwrap_or_default();
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let named = |fault: Fault| fault.on(path.to_string_lossy());
    let file = rustix::fs::openat(proc, &path, flags, Mode::empty())
        .call("openat")
        .map_err(named)?;
    write_all(file.as_fd(), value.to_bytes()).map_err(named)?;
    leave_open(file);
    Ok(())
}
