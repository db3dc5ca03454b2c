//! Removing what a container leaves: control groups, directories.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use keelbox_process::{Maps, as_mapped_root};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

/// Ends what is left in the groups and removes them. A process that is being killed leaves its group only when it is gone,
/// so this tries for a while.
pub fn remove_cgroups(groups: &[CString]) {
    for group in groups {
        for round in 0..100u64 {
            if keelbox_cgroups::remove(group) {
                break;
            }
            keelbox_cgroups::empty(group);
            std::thread::sleep(Duration::from_millis(round.min(10)));
        }
    }
}

/// Removes `name` in `parent`; what an ordinary user's container made with subordinate ids, as root of a user namespace
/// that has them.
///
/// # Errors
///
/// As [`remove_tree`].
pub fn remove_mapped(parent: BorrowedFd<'_>, name: &CStr, maps: &Maps) -> Result<(), Errno> {
    match remove_tree(parent, name) {
        Err(errno) if !maps.uids.is_empty() => {
            as_mapped_root(maps, || remove_tree(parent, name).is_ok()).map_err(|_| errno)
        }
        other => other,
    }
}

/// Directories deeper than this below the top are moved up before they are entered: a tree may be deeper than there are
/// fds, or room on the stack.
const DEEPEST: u32 = 32;
/// Bytes of directory entries read at once; there is one such buffer for each level.
const ENTRIES: usize = 2048;

/// Removes `name` in `parent` with everything below it, by directory fds: what a container left there can be anything, and
/// a link must never lead the removal elsewhere (RUSTSEC-2023-0018).
///
/// # Errors
///
/// The last failure; the rest is removed all the same.
pub fn remove_tree(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        Err(Errno::NOTDIR) => return rustix::fs::unlinkat(parent, name, AtFlags::empty()),
        Err(Errno::NOENT) => return Ok(()),
        other => return other,
    }
    let top = open_directory(parent, name)?;
    let mut tree = Tree {
        top: top.as_fd(),
        moved: 0,
        result: Ok(()),
    };
    loop {
        let before = tree.moved;
        tree.empty(top.as_fd(), 0);
        if tree.moved == before {
            break;
        }
    }
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::NOTEMPTY) => tree.result.and(Err(Errno::NOTEMPTY)),
        other => other,
    }
}

struct Tree<'a> {
    top: BorrowedFd<'a>,
    /// How many directories were moved up.
    moved: u64,
    result: Result<(), Errno>,
}

impl Tree<'_> {
    fn empty(&mut self, directory: BorrowedFd<'_>, depth: u32) {
        let mut buffer = [MaybeUninit::uninit(); ENTRIES];
        let mut entries = RawDir::new(directory, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(errno) => return self.note(Err(errno)),
            };
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
                self.remove_directory(directory, name, depth);
            } else {
                self.note(rustix::fs::unlinkat(directory, name, AtFlags::empty()));
            }
        }
    }

    fn remove_directory(&mut self, parent: BorrowedFd<'_>, name: &CStr, depth: u32) {
        match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(Errno::NOTDIR) => {
                return self.note(rustix::fs::unlinkat(parent, name, AtFlags::empty()));
            }
            other => return self.note(other),
        }
        if depth >= DEEPEST {
            return self.move_up(parent, name);
        }
        match open_directory(parent, name) {
            Ok(directory) => {
                self.empty(directory.as_fd(), depth + 1);
                // What could not be removed, or was moved into it meanwhile, keeps it; both are noted where they happen.
                let _ = rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
            }
            Err(errno) => self.note(Err(errno)),
        }
    }

    fn move_up(&mut self, parent: BorrowedFd<'_>, name: &CStr) {
        let number = self.moved;
        let Ok(target) = CString::new(format!(".keelbox-deep-{number}")) else {
            return;
        };
        match rustix::fs::renameat(parent, name, self.top, &target) {
            Ok(()) => self.moved += 1,
            Err(errno) => self.note(Err(errno)),
        }
    }

    fn note(&mut self, result: Result<(), Errno>) {
        if result.is_err() {
            self.result = result;
        }
    }
}

/// A directory without permission for its owner (0000) is opened for its removal first.
fn open_directory(parent: BorrowedFd<'_>, name: &CStr) -> Result<std::os::fd::OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            }
            rustix::fs::openat(parent, name, flags, Mode::empty())
        }
        other => other,
    }
}
