//! The journal of events, read: for the command line and the library. `event` writes to it.

use std::os::fd::{AsFd, OwnedFd};

use keelbox_journal::{EventsReader, For, Time, Watch, wait};
use keelbox_spec::failure::Failure;
use serde::Deserialize;

use crate::logs::{Waker, failed, time};
use crate::roots::{Roots, make_if_missing};
use crate::store::open_directory;

/// The directory of the journal, which is made when it is missing.
///
/// # Errors
///
/// What the file system says.
pub(crate) fn directory(roots: &Roots) -> Result<OwnedFd, Failure> {
    let path = roots.journal();
    open_directory(&path).or_else(|_| {
        make_if_missing(&path)?;
        open_directory(&path)
    })
}

/// Which events are wanted. Times are nanoseconds since the epoch as text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct EventsOptions {
    /// What was recorded then or later; without it what comes from now on.
    pub since: Option<String>,
    /// What was recorded then or before; it ends when that time has passed.
    pub until: Option<String>,
    /// Go on with what comes.
    pub follow: bool,
}

/// Opens the journal.
///
/// # Errors
///
/// What the kernel says.
pub fn open_events(roots: &Roots, options: &EventsOptions) -> Result<EventsStream, Failure> {
    let (since, until) = (
        time(options.since.as_deref())?,
        time(options.until.as_deref())?,
    );
    let directory = directory(roots)?;
    let waker = Waker::new()?;
    let open = || {
        let watch = options.follow.then(Watch::new).transpose()?;
        let reader = EventsReader::open(directory, since, until)?;
        watch.as_ref().map_or(Ok(()), |watch| reader.watch(watch))?;
        Ok((reader, watch))
    };
    let (reader, watch) = open().map_err(failed)?;
    Ok(EventsStream {
        reader,
        watch,
        until,
        waker,
        is_over: false,
    })
}

/// How many events are given at a time.
const EVENTS: usize = 256;

/// The events of a journal.
#[derive(Debug)]
pub struct EventsStream {
    reader: EventsReader,
    watch: Option<Watch>,
    until: Option<Time>,
    waker: Waker,
    is_over: bool,
}

impl EventsStream {
    /// What ends a wait of this stream, from another thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// The events that there are, or the next ones that come, each a line of JSON; blocks until then. None: that was all.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn more(&mut self) -> Result<Option<Vec<String>>, Failure> {
        while !self.is_over {
            let is_late = self.until.is_some_and(|until| until < Time::now());
            let events = self.read().map_err(failed)?;
            if !events.is_empty() {
                return Ok(Some(events));
            }
            let Some(watch) = &self.watch else { break };
            if is_late {
                break;
            }
            let until = self.until.map(|until| Time::from_nanos(until.nanos() + 1));
            let what = [self.waker.input(), For::Input(watch.as_fd())];
            self.is_over = wait(&what, until).map_err(failed)?.first() == Some(&true);
            watch.clear();
        }
        self.is_over = true;
        Ok(None)
    }

    fn read(&mut self) -> rustix::io::Result<Vec<String>> {
        let mut events = Vec::new();
        while events.len() < EVENTS {
            let Some(event) = self.reader.read()? else {
                break;
            };
            events.push(event.to_owned());
        }
        Ok(events)
    }
}
