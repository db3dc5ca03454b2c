//! Copying a tree, one entry at a time, with owner, mode, times, extended attributes and hard links.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, RawDir, RenameFlags, ResolveFlags, Stat, Timespec,
    Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::DIRECTORY;
use crate::fault::{Call, Fault, Outcome};

/// The name of a file that is not whole yet.
const TEMPORARY: &CStr = c".keelbox-copy";
/// Bytes of directory entries read at once; there is one such buffer for each level.
const ENTRIES: usize = 2048;
/// The most that the kernel keeps in one extended attribute or list of them (`linux/limits.h`).
const XATTR_SIZE: usize = 65536;

pub(super) struct Copier<'a> {
    /// Where unfinished files are, on the same mount.
    scratch: BorrowedFd<'a>,
    top: BorrowedFd<'a>,
    /// Files with several names: device and inode to the first copy's path below the top.
    links: BTreeMap<(u64, u64), CString>,
}

impl<'a> Copier<'a> {
    pub(super) fn new(scratch: BorrowedFd<'a>, top: BorrowedFd<'a>) -> Self {
        Self {
            scratch,
            top,
            links: BTreeMap::new(),
        }
    }

    /// Copies what is in `source`, and its own owner, mode and times.
    pub(super) fn copy(mut self, source: BorrowedFd<'_>) -> Outcome {
        let top = self.top;
        self.directory(source, top, b"")?;
        let stat = rustix::fs::fstat(source).call("fstat")?;
        adopt(source, top, &stat)
    }

    fn directory(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, path: &[u8]) -> Outcome {
        let mut buffer = [MaybeUninit::uninit(); ENTRIES];
        let mut entries = RawDir::new(from, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry.call("getdents64")?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let path = [path, name.to_bytes(), b"/"].concat();
            self.entry(from, to, name, &path)
                .map_err(|fault| fault.on(shown(&path)))?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &CStr,
        path: &[u8],
    ) -> Outcome {
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW).call("fstatat")?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.subdirectory(from, to, name, &stat, path),
            FileType::RegularFile => self.file(from, to, name, &stat, path),
            FileType::Symlink => symlink(from, to, name, &stat),
            FileType::Fifo | FileType::Socket => special(to, name, &stat),
            // A volume is mounted without devices: a node would be of no use, and a user namespace cannot make one.
            _ => Ok(()),
        }
    }

    fn subdirectory(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &CStr,
        stat: &Stat,
        path: &[u8],
    ) -> Outcome {
        existing(rustix::fs::mkdirat(to, name, Mode::RWXU)).call("mkdirat")?;
        let inner = rustix::fs::openat(to, name, DIRECTORY, Mode::empty()).call("openat")?;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        match rustix::fs::openat2(from, name, DIRECTORY, Mode::empty(), resolve) {
            Ok(source) => {
                self.directory(source.as_fd(), inner.as_fd(), path)?;
                adopt(source.as_fd(), inner.as_fd(), stat)
            }
            // Something of ours is mounted there: its contents are not the image's.
            Err(Errno::XDEV) => Ok(()),
            Err(errno) => Err(Fault::new("openat2", errno)),
        }
    }

    fn file(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &CStr,
        stat: &Stat,
        path: &[u8],
    ) -> Outcome {
        let key = (stat.st_dev, stat.st_ino);
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&key) {
                let linked = rustix::fs::linkat(self.top, first, to, name, AtFlags::empty());
                return existing(linked).call("linkat");
            }
            let own = path.strip_suffix(b"/").unwrap_or(path);
            self.links
                .insert(key, CString::new(own).unwrap_or_default());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let source = rustix::fs::openat(from, name, flags, Mode::empty()).call("openat")?;
        let _ = rustix::fs::unlinkat(self.scratch, TEMPORARY, AtFlags::empty());
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let copy = rustix::fs::openat(self.scratch, TEMPORARY, flags, Mode::RUSR | Mode::WUSR)
            .call("openat")?;
        let (mut source, mut copy) = (std::fs::File::from(source), std::fs::File::from(copy));
        std::io::copy(&mut source, &mut copy).call("copy_file_range")?;
        adopt(source.as_fd(), copy.as_fd(), stat)?;
        match rustix::fs::renameat_with(self.scratch, TEMPORARY, to, name, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(self.scratch, TEMPORARY, AtFlags::empty()).call("unlinkat")
            }
            other => other.call("renameat2"),
        }
    }
}

/// What is there already was copied before, or is somebody's.
fn existing(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

fn shown(path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    path.trim_end_matches('/').to_owned()
}

fn symlink(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Outcome {
    let target = rustix::fs::readlinkat(from, name, Vec::new()).call("readlinkat")?;
    match rustix::fs::symlinkat(&target, to, name) {
        Err(Errno::EXIST) => return Ok(()),
        other => other.call("symlinkat")?,
    }
    own(to, name, stat, AtFlags::SYMLINK_NOFOLLOW)?;
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::utimensat(to, name, &times(stat), flags).call("utimensat")
}

fn special(to: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Outcome {
    let (kind, mode) = (FileType::from_raw_mode(stat.st_mode), mode(stat));
    match rustix::fs::mknodat(to, name, kind, mode, 0) {
        Err(Errno::EXIST) => return Ok(()),
        other => other.call("mknodat")?,
    }
    own(to, name, stat, AtFlags::SYMLINK_NOFOLLOW)?;
    rustix::fs::chmodat(to, name, mode, AtFlags::empty()).call("fchmodat")
}

fn own(directory: BorrowedFd<'_>, name: &CStr, stat: &Stat, flags: AtFlags) -> Outcome {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::chownat(directory, name, Some(uid), Some(gid), flags).call("fchownat")
}

fn mode(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode & 0o7777)
}

#[allow(
    clippy::unnecessary_fallible_conversions,
    clippy::useless_conversion,
    reason = "these types differ between architectures"
)]
fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

/// Owner first: changing it takes set-user-id bits and file capabilities away.
fn adopt(from: BorrowedFd<'_>, to: BorrowedFd<'_>, stat: &Stat) -> Outcome {
    own(to, c"", stat, AtFlags::EMPTY_PATH)?;
    rustix::fs::fchmod(to, mode(stat)).call("fchmod")?;
    attributes(from, to)?;
    rustix::fs::futimens(to, &times(stat)).call("utimensat")
}

fn attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Outcome {
    let mut names = vec![0u8; 0];
    let length = match rustix::fs::flistxattr(from, &mut names) {
        Ok(0) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
        other => other.call("flistxattr")?,
    };
    names.resize(length.min(XATTR_SIZE), 0);
    let length = rustix::fs::flistxattr(from, &mut names).call("flistxattr")?;
    let mut value = vec![0u8; XATTR_SIZE];
    for name in names
        .get(..length)
        .unwrap_or_default()
        .split(|byte| *byte == 0)
    {
        if name.is_empty() || is_not_ours(name) {
            continue;
        }
        let name = CString::new(name).unwrap_or_default();
        let length = match rustix::fs::fgetxattr(from, &name, value.as_mut_slice()) {
            Err(Errno::NODATA) => continue,
            other => other.call("fgetxattr")?,
        };
        let value = value.get(..length).unwrap_or_default();
        match rustix::fs::fsetxattr(to, &name, value, XattrFlags::empty()) {
            // The volume's file system has no such attributes, or they are not for this user namespace to set.
            Err(Errno::OPNOTSUPP | Errno::PERM) => {}
            other => other.call("fsetxattr")?,
        }
    }
    Ok(())
}

/// Marks of overlayfs, and labels that the place decides.
fn is_not_ours(name: &[u8]) -> bool {
    [&b"trusted."[..], b"user.overlay.", b"security.selinux"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
