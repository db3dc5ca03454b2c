//! Single calls.

use std::ffi::{CStr, CString};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::FileStat;
use super::lookup::{DIRECTORY, fault, open as open_at, place, readable, split, stat_at};
use crate::Fault;
use crate::streams::Output;

/// Levels of a tree that is removed; each is an open directory.
const DEEPEST: usize = 900;

pub(super) fn open(
    root: &OwnedFd,
    path: &[u8],
    write: bool,
    mode: u32,
    owner: (Option<u32>, Option<u32>),
) -> Result<OwnedFd, Fault> {
    let fail = |errno| fault(path, "open", errno);
    // A named pipe must not be waited for.
    let patient = OFlags::NONBLOCK | OFlags::NOCTTY;
    let (flags, mode) = if write {
        let flags = OFlags::WRONLY | OFlags::CREATE | patient;
        (flags, Mode::from_raw_mode(mode & 0o7777))
    } else {
        (OFlags::RDONLY | patient, Mode::empty())
    };
    let file = open_at(root, path, flags, mode).map_err(fail)?;
    let stat = rustix::fs::fstat(&file).map_err(fail)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(fail(Errno::ISDIR)),
        // What a driver or another process would be at the other end of is no file to be read from outside.
        _ => return Err(fail(Errno::INVAL)),
    }
    if write {
        rustix::fs::ftruncate(&file, 0).map_err(fail)?;
        let (uid, gid) = (owner.0.map(Uid::from_raw), owner.1.map(Gid::from_raw));
        if uid.is_some() || gid.is_some() {
            rustix::fs::fchown(&file, uid, gid).map_err(fail)?;
        }
    }
    let flags = rustix::fs::fcntl_getfl(&file).map_err(fail)?;
    rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK).map_err(fail)?;
    Ok(file)
}

pub(super) fn readdir(root: &OwnedFd, path: &[u8], data: OwnedFd) -> Result<(), Fault> {
    let fail = |errno| fault(path, "read the directory", errno);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let directory = open_at(root, path, flags, Mode::empty()).map_err(fail)?;
    let mut names = entries(&directory).map_err(fail)?;
    names.sort_unstable();
    let mut out = Output(data);
    let write = |out: &mut Output| -> std::io::Result<()> {
        names
            .iter()
            .try_for_each(|name| out.write_all(name.to_bytes_with_nul()))
    };
    write(&mut out).map_err(|_| fail(Errno::IO))
}

fn entries(directory: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

pub(super) fn mkdir(root: &OwnedFd, path: &[u8], recursive: bool, mode: u32) -> Result<(), Fault> {
    let fail = |errno| fault(path, "make the directory", errno);
    if recursive {
        return mkdir_all(root, path, mode);
    }
    let there = place(root, path, false)?;
    let name = there.name.ok_or_else(|| fail(Errno::EXIST))?;
    rustix::fs::mkdirat(&there.parent, &name, Mode::from_raw_mode(mode & 0o7777)).map_err(fail)
}

fn mkdir_all(root: &OwnedFd, path: &[u8], mode: u32) -> Result<(), Fault> {
    let fail = |errno| fault(path, "make the directory", errno);
    match open_at(root, path, DIRECTORY, Mode::empty()) {
        Ok(_) => return Ok(()),
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(fail(errno)),
    }
    let (parent, Some(name)) = split(path) else {
        return Err(fail(Errno::NOENT));
    };
    mkdir_all(root, &parent, mode)?;
    let directory = open_at(root, &parent, DIRECTORY, Mode::empty()).map_err(fail)?;
    match rustix::fs::mkdirat(&directory, &name, Mode::from_raw_mode(mode & 0o7777)) {
        // Somebody else made it, or it is a link to nothing.
        Err(Errno::EXIST) => open_at(root, path, DIRECTORY, Mode::empty())
            .map(drop)
            .map_err(fail),
        other => other.map_err(fail),
    }
}

pub(super) fn remove(
    root: &OwnedFd,
    path: &[u8],
    recursive: bool,
    force: bool,
) -> Result<(), Fault> {
    let fail = |errno| fault(path, "remove", errno);
    let there = match place(root, path, false) {
        Err(found) if force && found.errno == Errno::NOENT.raw_os_error() => return Ok(()),
        other => other?,
    };
    let name = there.name.ok_or_else(|| fail(Errno::BUSY))?;
    let removed = if recursive {
        remove_tree(there.parent.as_fd(), &name, 0)
    } else {
        rustix::fs::unlinkat(&there.parent, &name, AtFlags::empty())
    };
    match removed {
        Err(Errno::NOENT) if force => Ok(()),
        other => other.map_err(fail),
    }
}

/// By directory fds: a link never leads it elsewhere (RUSTSEC-2023-0018).
fn remove_tree(parent: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        other => return other,
    }
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) if depth < DEEPEST => {}
        other => return other,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    for child in entries(&directory)? {
        match remove_tree(directory.as_fd(), &child, depth + 1) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}

pub(super) fn stat(root: &OwnedFd, path: &[u8], follow: bool) -> Result<FileStat, Fault> {
    let fail = |errno| fault(path, "look at", errno);
    let flags = if follow {
        OFlags::PATH
    } else {
        OFlags::PATH | OFlags::NOFOLLOW
    };
    let file = open_at(root, path, flags, Mode::empty()).map_err(fail)?;
    let stat = rustix::fs::fstat(&file).map_err(fail)?;
    let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    let target = is_link.then(|| rustix::fs::readlinkat(&file, c"", Vec::new()).ok());
    Ok(FileStat {
        mode: stat.st_mode,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime: stat
            .st_mtime
            .saturating_mul(1000)
            .saturating_add(i64::try_from(stat.st_mtime_nsec).unwrap_or(0) / 1_000_000),
        target: target.flatten().map(CString::into_bytes),
    })
}

/// What is there, if anything, without following a link.
pub(super) fn look(parent: &OwnedFd, name: &CString) -> Result<Option<FileType>, Errno> {
    let stat = stat_at(parent.as_fd(), name)?;
    Ok(stat.map(|stat| FileType::from_raw_mode(stat.st_mode)))
}

/// An fd that entries can be read from and files made in.
pub(super) fn enter(directory: &OwnedFd) -> Result<OwnedFd, Errno> {
    readable(directory)
}
