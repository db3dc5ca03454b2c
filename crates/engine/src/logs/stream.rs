//! A log as entries, for the library: a thread of its own waits for them.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use keelbox_journal::{For, LogReader, Range, Source, Stream, Time, Watch, wait};
use keelbox_spec::failure::Failure;
use rustix::event::EventfdFlags;
use rustix::io::Errno;

use super::Log;
use crate::store::internal;

/// How much text is given at a time, about.
const BATCH: usize = 256 * 1024;

/// How many entries are given at a time.
const ENTRIES: usize = 1024;

/// A line that a container has printed, or a piece of a long one.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// `stdout` or `stderr`.
    pub stream: Stream,
    /// When it came: RFC 3339 with nanoseconds.
    pub time: String,
    /// The bytes, without the newline.
    pub text: Vec<u8>,
    /// The line goes on in the next entry of this stream.
    pub is_partial: bool,
}

/// Wakes up a stream that waits, for good.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(crate) fn new() -> Result<Self, Failure> {
        let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Ok(Self(Arc::new(event.map_err(failed)?)))
    }

    /// The stream ends.
    pub fn wake(&self) {
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    pub(crate) fn input(&self) -> For<'_> {
        For::Input(self.0.as_fd())
    }
}

/// The log of one container.
#[derive(Debug)]
pub struct LogStream {
    source: Source,
    watch: Option<Watch>,
    until: Option<Time>,
    waker: Waker,
    is_over: bool,
}

impl LogStream {
    pub(super) fn open(log: Log, range: Range, follow: bool) -> Result<Self, Failure> {
        let waker = Waker::new()?;
        let open = || -> Result<_, Errno> {
            let watch = follow.then(Watch::new).transpose()?;
            let source = Source::new(LogReader::open(log.data, range)?, log.writer);
            watch.as_ref().map_or(Ok(()), |watch| source.watch(watch))?;
            Ok((source, watch))
        };
        let (source, watch) = open().map_err(failed)?;
        Ok(Self {
            source,
            watch,
            until: range.until,
            waker,
            is_over: false,
        })
    }

    /// What ends a wait of this stream, from another thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// The entries that there are, or the next ones that come; blocks until then. None: that was all.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn more(&mut self) -> Result<Option<Vec<LogEntry>>, Failure> {
        while !self.is_over {
            let is_late = self.until.is_some_and(|until| until < Time::now());
            self.source.look();
            let entries = self.read().map_err(failed)?;
            if !entries.is_empty() {
                return Ok(Some(entries));
            }
            let Some(watch) = &self.watch else { break };
            if is_late || self.source.is_over() {
                break;
            }
            let mut what = vec![self.waker.input(), For::Input(watch.as_fd())];
            what.extend(self.source.process().map(For::Input));
            let until = self.until.map(|until| Time::from_nanos(until.nanos() + 1));
            self.is_over = wait(&what, until).map_err(failed)?.first() == Some(&true);
            watch.clear();
        }
        self.is_over = true;
        Ok(None)
    }

    fn read(&mut self) -> Result<Vec<LogEntry>, Errno> {
        let mut entries = Vec::new();
        let mut length = 0;
        while length < BATCH && entries.len() < ENTRIES {
            let Some(entry) = self.source.read()? else {
                break;
            };
            length += entry.text.len();
            entries.push(LogEntry {
                stream: entry.stream,
                time: String::from_utf8_lossy(&entry.time.text()).into_owned(),
                text: entry.text.to_owned(),
                is_partial: entry.is_partial,
            });
        }
        Ok(entries)
    }
}

pub(crate) fn failed(errno: Errno) -> Failure {
    let failure = internal("cannot read what was recorded", errno.into());
    if errno == Errno::MFILE || errno == Errno::NOSPC {
        return failure.hint(
            "raise the limit of open files, or fs.inotify.max_user_instances and max_user_watches",
        );
    }
    failure
}
