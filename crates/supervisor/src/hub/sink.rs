//! Where a container's output is kept.

use std::os::fd::BorrowedFd;

use keelbox_journal::{Bounds, JournaldWriter, LogWriter, Stream};
use keelbox_spec::start::{Life, Log};

/// A log, or none.
#[derive(Debug)]
pub enum Sink {
    /// Nowhere.
    None,
    /// In files in the data directory.
    File(Box<LogWriter>),
    /// In journald.
    Journald(Box<JournaldWriter>),
}

impl Sink {
    /// The one that a container was made with. Where it cannot be opened there is none: its owner was told when the container
    /// was made, and a log is no reason not to run.
    #[must_use]
    pub fn open(life: &Life, id: &str, data: BorrowedFd<'_>) -> Self {
        match &life.log {
            Log::Passthrough | Log::None => Self::None,
            Log::File {
                max_size,
                max_files,
            } => {
                let bounds = Bounds {
                    max_size: *max_size,
                    max_files: *max_files,
                };
                LogWriter::open(data, bounds).map_or(Self::None, |log| Self::File(Box::new(log)))
            }
            Log::Journald { tag } => JournaldWriter::open(id, &life.name, tag)
                .map_or(Self::None, |log| Self::Journald(Box::new(log))),
        }
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        match self {
            Self::None => {}
            Self::File(log) => log.write(stream, bytes),
            Self::Journald(log) => log.write(stream, bytes),
        }
    }

    pub(super) fn flush(&mut self) {
        match self {
            Self::None => {}
            Self::File(log) => log.flush(),
            Self::Journald(log) => log.flush(),
        }
    }
}
