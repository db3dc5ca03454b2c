//! Reading and writing without waiting.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::fs::OFlags;
use rustix::io::Errno;

/// What a read came to.
pub(super) enum Read {
    /// There was something.
    Some,
    /// Not now.
    Nothing,
    /// There will be nothing more.
    End,
}

/// Adds up to `most` bytes to a buffer.
pub(super) fn read(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>, most: usize) -> Read {
    buffer.reserve(most);
    match rustix::io::read(fd, spare_capacity(buffer)) {
        Ok(0) => Read::End,
        Ok(_) => Read::Some,
        Err(Errno::AGAIN | Errno::INTR) => Read::Nothing,
        // Among them EIO: all programs on a terminal have closed it.
        Err(_) => Read::End,
    }
}

/// What a write came to.
pub(super) enum Written {
    /// So many bytes.
    Some(usize),
    /// Nobody will ever read them.
    NobodyReads,
}

/// Writes what there is room for.
pub(super) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> Written {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match rustix::io::write(fd, rest) {
            Ok(length) => written += length,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(_) => return Written::NobodyReads,
        }
    }
    Written::Some(written)
}

/// A client's end of one stream.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) fd: OwnedFd,
    /// How much of the stream's chunk it has.
    pub(super) sent: usize,
}

impl Receiver {
    /// Gives it more of a chunk. False: it is gone.
    pub(super) fn give(&mut self, chunk: &[u8]) -> bool {
        let rest = chunk.get(self.sent..).unwrap_or_default();
        match write(self.fd.as_fd(), rest) {
            Written::Some(length) => {
                self.sent += length;
                true
            }
            Written::NobodyReads => false,
        }
    }
}

/// Sets O_NONBLOCK on an end that nobody else has.
pub(super) fn set_nonblocking(fd: BorrowedFd<'_>) {
    if let Ok(flags) = rustix::fs::fcntl_getfl(fd) {
        let _ = rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK);
    }
}
