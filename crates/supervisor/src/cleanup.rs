//! Removing what a container leaves: control groups, directories.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
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

/// Removes `name` in `parent` with everything below it, by directory fds: what a container left there can be anything, and
/// a link must never lead the removal elsewhere (RUSTSEC-2023-0018).
///
/// # Errors
///
/// The last failure; the rest is removed all the same.
pub fn remove_tree(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(Errno::NOENT) => return Ok(()),
        other => return other,
    }
    let emptied = empty_directory(parent, name);
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::NOTEMPTY) => emptied,
        other => other,
    }
}

fn empty_directory(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    let directory = open_directory(parent, name)?;
    let mut result = Ok(());
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        if entry.file_name() == c"." || entry.file_name() == c".." {
            continue;
        }
        let removed = match entry.file_type() {
            FileType::Directory | FileType::Unknown => {
                remove_tree(directory.as_fd(), entry.file_name())
            }
            _ => rustix::fs::unlinkat(&directory, entry.file_name(), AtFlags::empty()),
        };
        result = result.and(removed);
    }
    result
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
