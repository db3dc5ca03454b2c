//! Reading the journal of events, while it is written or afterwards.

use std::os::fd::OwnedFd;

use rustix::io::Result;

use super::{NAME, json};
use crate::clock::Time;
use crate::cursor::Cursor;
use crate::watch::Watch;

/// Reads the journal in a directory.
#[derive(Debug)]
pub struct EventsReader {
    cursor: Cursor,
    since: Option<Time>,
    until: Option<Time>,
}

impl EventsReader {
    /// Opens the journal: with `since` what was recorded then or later, otherwise what comes from now on.
    ///
    /// # Errors
    ///
    /// The kernel's: EACCES, EMFILE, EIO.
    pub fn open(directory: OwnedFd, since: Option<Time>, until: Option<Time>) -> Result<Self> {
        let mut cursor = Cursor::new(directory, NAME)?;
        if since.is_none() {
            cursor.begin_at(cursor.end()?);
        }
        Ok(Self {
            cursor,
            since,
            until,
        })
    }

    /// Lets `watch` wake up when there is more to read.
    ///
    /// # Errors
    ///
    /// As [`Watch::writes`].
    pub fn watch(&self, watch: &Watch) -> Result<()> {
        watch.writes(self.cursor.directory())
    }

    /// The next event, a line of JSON: `time` (RFC 3339), `type`, `action`, `id`, `attributes` (an object of strings, `name`
    /// among them). None: there is no more for now.
    ///
    /// # Errors
    ///
    /// The kernel's: EMFILE, EIO.
    pub fn read(&mut self) -> Result<Option<&str>> {
        while self.cursor.advance()?.is_some() {
            let wanted = json::time(self.cursor.line()).is_some_and(|time| {
                self.since.is_none_or(|since| since <= time)
                    && self.until.is_none_or(|until| time <= until)
            });
            if wanted {
                return Ok(str::from_utf8(self.cursor.line()).ok());
            }
        }
        Ok(None)
    }
}
