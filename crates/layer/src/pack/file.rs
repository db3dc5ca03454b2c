//! Regular files.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::{Packer, attributes, entry, holes};
use crate::Fault;
use crate::tar::{Extent, Kind};

impl Packer {
    pub(super) fn file(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Fault> {
        // Should it be a named pipe by now, it must not be waited for.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match self.open(parent, name, flags) {
            Ok(file) => file,
            // Something is mounted over it, or it has gone since.
            Err(Errno::XDEV | Errno::NOENT | Errno::LOOP) => return Ok(()),
            Err(errno) => return Err(Fault::call("open a file", errno)),
        };
        let stat =
            rustix::fs::fstat(&file).map_err(|errno| Fault::call("look at a file", errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        let mut entry = entry(Kind::File, self.path.clone(), &stat);
        entry.xattrs = attributes(file.as_fd());
        entry.size = u64::try_from(stat.st_size).unwrap_or_default();
        entry.stored = entry.size;
        if u64::try_from(stat.st_blocks).is_ok_and(|blocks| blocks * 512 < entry.size) {
            entry.extents = holes::extents(&file, entry.size);
        }
        if let Some(extents) = &entry.extents {
            entry.stored = extents.iter().map(|extent| extent.length).sum();
        }
        self.remember(&stat);
        self.begin(&entry)?;
        let whole = [Extent {
            offset: 0,
            length: entry.size,
        }];
        for extent in entry.extents.as_deref().unwrap_or(&whole) {
            self.extent(&file, *extent)?;
        }
        Ok(())
    }

    /// Copies a piece. A file that shrinks meanwhile is filled with zeroes: its size has been written already.
    fn extent(&mut self, file: &OwnedFd, extent: Extent) -> Result<(), Fault> {
        let (mut offset, mut left) = (extent.offset, extent.length);
        while left > 0 {
            let most =
                usize::try_from(left).map_or(self.buffer.len(), |left| left.min(self.buffer.len()));
            let buffer = self.buffer.get_mut(..most).unwrap_or_default();
            let count = match rustix::io::pread(file, &mut *buffer, offset) {
                Err(Errno::INTR) => continue,
                Ok(0) => {
                    buffer.fill(0);
                    most
                }
                other => other.map_err(|errno| Fault::call("read a file", errno))?,
            };
            self.writer.data(buffer.get(..count).unwrap_or_default())?;
            let count = u64::try_from(count).unwrap_or(left);
            offset += count;
            left -= count;
        }
        Ok(())
    }
}
