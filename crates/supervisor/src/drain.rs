//! The outputs of a container whose client is gone: read and dropped, so that the container does not block on a full pipe.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Reads what is there. False: nobody will write any more.
pub(crate) fn drain(fd: BorrowedFd<'_>) -> bool {
    let mut buffer = [0; 4096];
    match rustix::io::read(fd, &mut buffer) {
        Ok(0) => false,
        Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => true,
        Err(_) => false,
    }
}

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
