//! Fds that may stand for nothing.

use std::os::fd::{AsFd, OwnedFd};

/// `fd`, unless it is what the engine puts in the place of nothing: /dev/null.
#[must_use]
pub fn present(fd: OwnedFd) -> Option<OwnedFd> {
    is_present(&fd).then_some(fd)
}

/// Whether an fd stands for something.
pub(crate) fn is_present(fd: impl AsFd) -> bool {
    let Ok(stat) = rustix::fs::fstat(fd) else {
        return false;
    };
    let is_device =
        rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::CharacterDevice;
    !(is_device && stat.st_rdev == rustix::fs::makedev(1, 3))
}
