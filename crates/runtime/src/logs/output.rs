//! Writing to stdout and stderr, in the order in which it came.

use std::os::fd::AsFd;

use keelbox_journal::{For, Stream, wait};
use keelbox_sys::Errno;

/// How much is gathered for one write(2).
const BATCH: usize = 64 * 1024;

/// Bytes for stdout and stderr that are gathered, and written when the other one is meant or there are many.
pub(crate) struct Output {
    stream: Stream,
    bytes: Vec<u8>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            stream: Stream::Stdout,
            bytes: Vec::new(),
        }
    }
}

impl Output {
    /// Adds bytes.
    pub(crate) fn put(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Errno> {
        if stream != self.stream || self.bytes.len() + bytes.len() > BATCH {
            self.flush()?;
            self.stream = stream;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what is gathered.
    pub(crate) fn flush(&mut self) -> Result<(), Errno> {
        let fd = match self.stream {
            Stream::Stdout => rustix::stdio::stdout(),
            Stream::Stderr => rustix::stdio::stderr(),
        };
        let mut rest = self.bytes.as_slice();
        while !rest.is_empty() {
            match rustix::io::write(fd, rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(rustix::io::Errno::INTR) => {}
                // Another process has made the pipe non-blocking, and it is full.
                Err(rustix::io::Errno::AGAIN) => drop(wait(&[For::Room(fd.as_fd())], None)?),
                Err(errno) => return Err(errno.into()),
            }
        }
        self.bytes.clear();
        Ok(())
    }
}
