//! Removing what an entry replaces.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

/// Levels of a tree that is removed; each is an open directory. Layers are less deep, but a volume may have anything in it.
const DEEPEST: u32 = 512;

/// Removes `name` in `parent`, with everything below it. No link is followed.
pub(crate) fn remove(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => directory(parent, name, 0),
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

fn directory(parent: BorrowedFd<'_>, name: &CStr, depth: u32) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) if depth < DEEPEST => {}
        other => return other,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    for entry in Dir::read_from(&opened)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        match rustix::fs::unlinkat(&opened, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                directory(std::os::fd::AsFd::as_fd(&opened), name, depth + 1)?;
            }
            other => other?,
        }
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}
