//! Filling an empty directory with what the root has at its target: a volume's contents at its first use.
//!
//! Both sides belong to somebody else: the source is an image's, and its path may be a link (CVE-2022-23648), so it is
//! resolved inside the root; what is copied is opened without following links.
//!
//! A volume is filled by one container at a time (a lock on its directory), and a mark beside its data says that it is not
//! done. Files appear whole, by rename. So a copy that was cut off is completed by the next container, and what somebody has
//! written meanwhile stays.

mod entry;

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::FILLING;
use keelbox_sys::Errno;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RawDir};

use crate::attach::check_target;
use crate::fault::{Call, Outcome};
use crate::lookup::open_directory;
use entry::Copier;

const DATA: &CStr = c"data";
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Fills the volume whose directory is mounted at `volume`, if nobody has used it yet.
///
/// # Errors
///
/// The kernel's.
pub fn fill_volume(volume: BorrowedFd<'_>, root: BorrowedFd<'_>, target: &CStr) -> Outcome {
    let lock = rustix::fs::openat(volume, c".", DIRECTORY, Mode::empty()).call("openat")?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).call("flock")?;
    let data = rustix::fs::openat(&lock, DATA, DIRECTORY, Mode::empty()).call("openat")?;
    let is_begun = rustix::fs::statat(&lock, FILLING, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    if !is_begun && !is_empty(data.as_fd())? {
        return Ok(());
    }
    let Some(source) = source(root, target)? else {
        return Ok(());
    };
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(&lock, FILLING, flags, Mode::RUSR | Mode::WUSR)
        .map(drop)
        .call("openat")?;
    Copier::new(lock.as_fd(), data.as_fd()).copy(source.as_fd())?;
    // The mark must not be gone before what it stands for is on disk.
    rustix::fs::syncfs(&data).call("syncfs")?;
    rustix::fs::unlinkat(&lock, FILLING, AtFlags::empty()).call("unlinkat")
}

/// Fills a fresh mount of the container's own.
///
/// # Errors
///
/// The kernel's.
pub fn fill_fresh(mount: BorrowedFd<'_>, root: BorrowedFd<'_>, target: &CStr) -> Outcome {
    let top = rustix::fs::openat(mount, c".", DIRECTORY, Mode::empty()).call("openat")?;
    match source(root, target)? {
        Some(source) => Copier::new(top.as_fd(), top.as_fd()).copy(source.as_fd()),
        None => Ok(()),
    }
}

/// What the root has at the target; None: nothing, or no directory.
fn source(root: BorrowedFd<'_>, target: &CStr) -> Outcome<Option<OwnedFd>> {
    match open_directory(root, target) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        Err(errno) => Err(errno)
            .call("openat2")
            .map_err(|fault| fault.on(target.to_string_lossy())),
        Ok(source) => {
            check_target(root, source.as_fd())
                .map_err(|fault| fault.on(target.to_string_lossy()))?;
            Ok(Some(source))
        }
    }
}

fn is_empty(directory: BorrowedFd<'_>) -> Outcome<bool> {
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.call("getdents64")?;
        if entry.file_name() != c"." && entry.file_name() != c".." {
            return Ok(false);
        }
    }
    Ok(true)
}
