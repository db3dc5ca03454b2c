//! Reading and writing what somebody else has made non-blocking: Node does that to the pipes of its stdio, and the mark is
//! the pipe's, not the process's.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Waits until there is something to read or room to write.
pub(crate) fn wait(file: impl AsFd, events: PollFlags) {
    // A signal is one more try.
    let _ = poll(&mut [PollFd::new(&file, events)], None);
}

/// Writes all of `bytes`.
pub(crate) fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(&file, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(&file, PollFlags::OUT),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// A file or pipe to write to.
#[derive(Debug)]
pub(crate) struct Output(pub(crate) OwnedFd);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_all(&self.0, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
