//! Reading a log, while it is written or afterwards.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Result;

use super::entry::Entry;
use super::{NAME, tail};
use crate::clock::Time;
use crate::cursor::{Cursor, Position};

/// Which part of a log is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Only so many of the last lines that were written by `until`.
    pub tail: Option<u64>,
    /// Only what came then or later.
    pub since: Option<Time>,
    /// Only what came then or before.
    pub until: Option<Time>,
}

impl Range {
    fn contains(&self, time: Time) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time <= until)
    }
}

/// Reads the log in a container's data directory, from the oldest file that is there.
///
/// What is renamed while it reads is neither lost nor read twice, and what is removed before it came to it (the log has a
/// bound) is left out. What is no record (rubbish after a power cut) is left out as well.
#[derive(Debug)]
pub struct LogReader {
    cursor: Cursor,
    range: Range,
    starts: Option<[Position; 2]>,
}

impl LogReader {
    /// Opens the log. A directory without one has an empty log.
    ///
    /// # Errors
    ///
    /// The kernel's: EACCES, EMFILE, EIO.
    pub fn open(directory: OwnedFd, range: Range) -> Result<Self> {
        let mut cursor = Cursor::new(directory, NAME)?;
        let starts = match range.tail {
            Some(lines) => Some(tail::begin(&cursor, lines, range.until)?),
            None => None,
        };
        let begin = match (starts, range.since) {
            (Some([stdout, stderr]), _) => stdout.min(stderr),
            (None, since) => first_since(&cursor, since)?,
        };
        cursor.begin_at(begin);
        Ok(Self {
            cursor,
            range,
            starts,
        })
    }

    /// The next entry that is wanted. None: there is no more for now.
    ///
    /// # Errors
    ///
    /// The kernel's: EMFILE, EIO.
    pub fn read(&mut self) -> Result<Option<Entry<'_>>> {
        while let Some(position) = self.cursor.advance()? {
            let Some(entry) = Entry::parse(self.cursor.line()) else {
                continue;
            };
            let starts = self.starts.as_ref();
            let begun = starts.is_none_or(|starts| starts[entry.stream.index()] <= position);
            if begun && self.range.contains(entry.time) {
                // Parsed again: the borrow checker does not see that the loop ends here.
                return Ok(Entry::parse(self.cursor.line()));
            }
        }
        Ok(None)
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.cursor.directory()
    }

    /// Nobody writes it any more, so its end is the end: to be said before the last call of [`read`](Self::read).
    pub const fn finish(&mut self) {
        self.cursor.finish();
    }
}

/// The first file that may have something of then or later: a file changes last when its last line is written. The kernel's
/// clock for that is a little behind.
fn first_since(cursor: &Cursor, since: Option<Time>) -> Result<Position> {
    let mut file = 0;
    if let Some(since) = since {
        for segment in cursor.segments() {
            if (segment.modified()? + 2) * 1_000_000_000 >= since.nanos() {
                break;
            }
            file += 1;
        }
    }
    Ok(Position { file, offset: 0 })
}

#[cfg(test)]
mod tests;
