//! What has happened: the logs of containers and the journal of events, as files.
//!
//! Both are lines of text that are only ever appended to, in a few files of bounded size. A writer renames a full file and
//! begins a new one; a reader keeps the file that it has open, so it loses and repeats nothing. Nobody waits for anybody:
//! what cannot be written is counted as lost, and a reader that stops reading holds nothing up.
//!
//! Nothing here knows what a container is.

mod backward;
mod clock;
mod cursor;
mod events;
mod files;
mod journald;
mod lines;
mod log;
mod source;
mod watch;

pub use clock::{TIME_LENGTH, Time};
pub use events::{Event, EventsReader, record};
pub use journald::JournaldWriter;
pub use log::{Bounds, Entry, LogReader, LogWriter, Range};
pub use source::{Source, Writer};
pub use watch::{For, Watch, wait};

/// One of the container's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Its name, six letters either way.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    /// Its place in a pair.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Stdout => 0,
            Self::Stderr => 1,
        }
    }
}

#[cfg(test)]
mod scratch;
