//! The archive's bytes as they come: read, hashed, and written on.

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use rustix::io::Errno;

use super::ring::{Chunk, Filler};
use crate::digest::Sha256;
use crate::{Fault, streams};

/// A file from some offset, or a pipe.
pub(crate) struct Source {
    file: OwnedFd,
    /// None: a pipe, which has none.
    position: Option<u64>,
    /// Bytes that must still come; None: all that come.
    left: Option<u64>,
}

impl Source {
    pub(crate) fn new(file: OwnedFd, offset: u64, length: Option<u64>) -> Result<Self, Fault> {
        let is_pipe =
            rustix::fs::seek(&file, rustix::fs::SeekFrom::Current(0)) == Err(Errno::SPIPE);
        if is_pipe && offset > 0 {
            return Err(Fault::call("read the archive", Errno::SPIPE));
        }
        Ok(Self {
            file,
            position: (!is_pipe).then_some(offset),
            left: length,
        })
    }

    /// Fills the buffer, less only at the end.
    pub(crate) fn fill(&mut self, chunk: &mut Chunk) -> Result<(), Fault> {
        loop {
            let rest = chunk.buffer.get_mut(chunk.length..).unwrap_or_default();
            let most = self.left.map_or(rest.len(), |left| {
                usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()))
            });
            let rest = rest.get_mut(..most).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            let count = match self.position {
                Some(position) => rustix::io::pread(&self.file, rest, position),
                None => rustix::io::read(&self.file, rest),
            };
            let count = match count {
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => {
                    streams::wait(&self.file, PollFlags::IN);
                    continue;
                }
                other => other.map_err(|errno| Fault::call("read the archive", errno))?,
            };
            if count == 0 {
                return match self.left {
                    None | Some(0) => Ok(()),
                    Some(_) => Err(Fault::archive("it has been cut short")),
                };
            }
            chunk.length += count;
            let count = u64::try_from(count).unwrap_or_default();
            self.left = self.left.map(|left| left - count);
            self.position = self.position.map(|position| position + count);
        }
    }
}

/// What came.
#[derive(Default)]
pub(crate) struct Raw {
    pub(crate) digest: String,
    pub(crate) size: u64,
}

/// Reads to the end, beginning with what is in `first`, but at most `most` bytes. Stops when nobody takes the bytes any more.
pub(crate) fn pump(
    mut source: Source,
    first: Chunk,
    most: u64,
    blob: Option<&OwnedFd>,
    ring: &Filler,
) -> Raw {
    let mut digest = Sha256::new();
    let mut size = 0;
    let mut chunk = first;
    while chunk.length > 0 {
        digest.update(chunk.bytes());
        size += u64::try_from(chunk.length).unwrap_or_default();
        if size > most {
            ring.fail(Fault::limit(
                "bytes",
                format!("it has more than {most} bytes"),
            ));
            break;
        }
        let written = blob.map_or(Ok(()), |blob| streams::write_all(blob, chunk.bytes()));
        if let Err(errno) = written {
            ring.fail(Fault::call("keep the archive", errno));
            break;
        }
        if !ring.send(chunk) {
            break;
        }
        let Some(next) = ring.buffer() else {
            break;
        };
        chunk = next;
        if let Err(fault) = source.fill(&mut chunk) {
            ring.fail(fault);
            break;
        }
    }
    Raw {
        digest: digest.finish(),
        size,
    }
}
