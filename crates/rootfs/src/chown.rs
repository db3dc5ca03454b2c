//! Giving a tree to somebody: by directory fds, never through a link (CVE-2021-32760 and its like), and never past the mount.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

use keelbox_sys::Errno;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RawDir, ResolveFlags, Uid};

use crate::fault::{Call, Fault, Outcome};

/// Bytes of directory entries read at once; there is one such buffer for each level.
const ENTRIES: usize = 2048;

/// Gives the mount's root, and everything in it, to `uid` and `gid`. What has them already is left alone.
///
/// # Errors
///
/// EPERM, EOVERFLOW: something belongs to an id that the container does not have. EMFILE: directories too deep.
pub fn chown_tree(mount: BorrowedFd<'_>, uid: u32, gid: u32) -> Outcome {
    chown_each(mount, &|_| (uid, gid))
}

/// The same, to owners that depend on those of before.
///
/// # Errors
///
/// As [`chown_tree`].
pub(crate) fn chown_each(
    mount: BorrowedFd<'_>,
    owner: &dyn Fn((u32, u32)) -> (u32, u32),
) -> Outcome {
    let owner = Owner { owner };
    owner.give(mount, c"")?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat(mount, c".", flags, Mode::empty()) {
        // A single file.
        Err(rustix::io::Errno::NOTDIR) => Ok(()),
        other => owner.walk(other.call("openat")?.as_fd()),
    }
}

struct Owner<'a> {
    owner: &'a dyn Fn((u32, u32)) -> (u32, u32),
}

impl Owner<'_> {
    fn walk(&self, directory: BorrowedFd<'_>) -> Outcome {
        let mut buffer = [MaybeUninit::uninit(); ENTRIES];
        let mut entries = RawDir::new(directory, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry.call("getdents64")?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            self.give(directory, name)?;
            if matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
                self.enter(directory, name)?;
            }
        }
        Ok(())
    }

    fn enter(&self, directory: BorrowedFd<'_>, name: &CStr) -> Outcome {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        match rustix::fs::openat2(directory, name, flags, Mode::empty(), resolve) {
            Ok(inner) => self.walk(inner.as_fd()),
            // Another mount; no directory; or gone, or turned into a link, since it was listed.
            Err(
                rustix::io::Errno::XDEV
                | rustix::io::Errno::NOTDIR
                | rustix::io::Errno::LOOP
                | rustix::io::Errno::NOENT,
            ) => Ok(()),
            Err(errno) => Err(Fault::new("openat2", errno).on(name.to_string_lossy())),
        }
    }

    fn give(&self, directory: BorrowedFd<'_>, name: &CStr) -> Outcome {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
        let named = |fault: Fault| fault.on(name.to_string_lossy());
        let stat = match rustix::fs::statat(directory, name, flags) {
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            other => other.call("fstatat").map_err(named)?,
        };
        let owner = (self.owner)((stat.st_uid, stat.st_gid));
        if (stat.st_uid, stat.st_gid) == owner {
            return Ok(());
        }
        let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
        let given = rustix::fs::chownat(directory, name, Some(uid), Some(gid), flags);
        match given.map_err(Errno::from) {
            Err(Errno::ENOENT) => Ok(()),
            other => other.call("fchownat").map_err(named),
        }
    }
}
