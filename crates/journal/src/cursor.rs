//! Going through the lines of a log or a journal, from file to file, while they are written and renamed.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Result;

use crate::files::{Segment, newer_than, segments};

/// Longer than any line of ours: what has no newline in it is rubbish, and goes on as it is.
const WINDOW: usize = 64 * 1024;

/// A place in a log: which file, and where in it. Files are counted from the first that was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) file: u64,
    pub(crate) offset: u64,
}

/// Where it is in a log.
#[derive(Debug)]
pub(crate) struct Cursor {
    directory: OwnedFd,
    base: &'static str,
    /// What is still to be read, the oldest first; the last one may grow.
    segments: VecDeque<Segment>,
    /// Which file the first of them is.
    file: u64,
    /// Where `buffer` is in it.
    offset: u64,
    buffer: Vec<u8>,
    line: Range<usize>,
    /// The bytes of the buffer from here on are not used yet.
    rest: usize,
    is_finished: bool,
}

impl Cursor {
    /// At the beginning of the oldest file.
    pub(crate) fn new(directory: OwnedFd, base: &'static str) -> Result<Self> {
        let segments = segments(directory.as_fd(), base)?.into();
        Ok(Self {
            directory,
            base,
            segments,
            file: 0,
            offset: 0,
            buffer: Vec::new(),
            line: 0..0,
            rest: 0,
            is_finished: false,
        })
    }

    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// The files that are there, the oldest first; the first is file 0 of [`Position`].
    pub(crate) const fn segments(&self) -> &VecDeque<Segment> {
        &self.segments
    }

    /// The end of the newest file.
    pub(crate) fn end(&self) -> Result<Position> {
        let file = u64::try_from(self.segments.len().saturating_sub(1)).unwrap_or(0);
        let offset = self.segments.back().map_or(Ok(0), Segment::size)?;
        Ok(Position { file, offset })
    }

    /// Begins at a place further on. To be called before the first line is asked for.
    pub(crate) fn begin_at(&mut self, position: Position) {
        while self.file < position.file && self.segments.len() > 1 {
            self.leave();
        }
        self.offset = position.offset;
    }

    /// Nobody writes any more: a last line that has no end is one all the same.
    pub(crate) const fn finish(&mut self) {
        self.is_finished = true;
    }

    /// Goes to the next line. None: there is no more for now.
    ///
    /// # Errors
    ///
    /// The kernel's: EIO, EMFILE.
    pub(crate) fn advance(&mut self) -> Result<Option<Position>> {
        loop {
            if let Some(position) = self.whole_line() {
                return Ok(Some(position));
            }
            if self.fill()? {
                continue;
            }
            if self.segments.len() > 1 {
                if let Some(position) = self.torn_line() {
                    return Ok(Some(position));
                }
                self.leave();
                continue;
            }
            // What came into the old file before it was renamed is read before it is left.
            if !self.find_newer()? {
                return Ok(if self.is_finished {
                    self.torn_line()
                } else {
                    None
                });
            }
        }
    }

    /// The line that [`advance`](Self::advance) went to, without its newline.
    pub(crate) fn line(&self) -> &[u8] {
        self.buffer.get(self.line.clone()).unwrap_or_default()
    }

    fn whole_line(&mut self) -> Option<Position> {
        self.skip_nuls();
        let rest = self.buffer.get(self.rest..)?;
        let newline = memchr::memchr(b'\n', rest);
        let end = newline.or_else(|| (rest.len() >= WINDOW).then_some(rest.len()))?;
        Some(self.take(end, newline.is_some()))
    }

    /// What a power cut leaves of a file: its size came to the disk, its bytes did not.
    fn skip_nuls(&mut self) {
        let rest = self.buffer.get(self.rest..).unwrap_or_default();
        self.rest += rest.iter().take_while(|&&byte| byte == 0).count();
    }

    fn torn_line(&mut self) -> Option<Position> {
        let length = self.buffer.len() - self.rest;
        (length > 0).then(|| self.take(length, false))
    }

    fn take(&mut self, length: usize, has_newline: bool) -> Position {
        self.line = self.rest..self.rest + length;
        self.rest += length + usize::from(has_newline);
        Position {
            file: self.file,
            offset: self.offset + u64::try_from(self.line.start).unwrap_or(0),
        }
    }

    /// Reads on in the first file. False: there is nothing more in it for now.
    fn fill(&mut self) -> Result<bool> {
        self.buffer.drain(..self.rest);
        self.offset += u64::try_from(self.rest).unwrap_or(0);
        self.rest = 0;
        self.line = 0..0;
        let Some(segment) = self.segments.front() else {
            return Ok(false);
        };
        let end = self.offset + u64::try_from(self.buffer.len()).unwrap_or(0);
        let length = WINDOW.saturating_sub(self.buffer.len()).max(1);
        if segment.read_at(&mut self.buffer, length, end)? > 0 {
            return Ok(true);
        }
        // Somebody has emptied it with `> log`.
        if segment.size()? < end {
            self.offset = 0;
            self.buffer.clear();
        }
        Ok(false)
    }

    fn find_newer(&mut self) -> Result<bool> {
        let directory = self.directory.as_fd();
        let found = match self.segments.front() {
            Some(segment) => newer_than(directory, self.base, segment)?,
            None => segments(directory, self.base)?,
        };
        let any = !found.is_empty();
        self.segments.extend(found);
        Ok(any)
    }

    fn leave(&mut self) {
        self.segments.pop_front();
        self.file += 1;
        self.offset = 0;
        self.buffer.clear();
        self.rest = 0;
    }
}

#[cfg(test)]
mod tests;
