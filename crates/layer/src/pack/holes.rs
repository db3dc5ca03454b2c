//! Where a sparse file has data (lseek(2), `SEEK_DATA` and `SEEK_HOLE`).

use std::os::fd::OwnedFd;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::tar::{Extent, MOST_EXTENTS};

/// The pieces that are no holes; None: there are no holes, too many pieces, or a file system that does not say.
pub(super) fn extents(file: &OwnedFd, size: u64) -> Option<Vec<Extent>> {
    let mut extents = Vec::new();
    let mut end = 0;
    while end < size {
        let offset = match seek(file, SeekFrom::Data(end)) {
            // Nothing but a hole up to the end.
            Err(Errno::NXIO) => break,
            other => other.ok()?,
        };
        end = seek(file, SeekFrom::Hole(offset)).ok()?.min(size);
        let length = end.checked_sub(offset)?;
        extents.push(Extent { offset, length });
        if extents.len() > MOST_EXTENTS {
            return None;
        }
    }
    let is_whole = matches!(extents.as_slice(), [Extent { offset: 0, length }] if *length == size);
    (!is_whole).then_some(extents)
}
