//! What the first client hears of a start, and says meanwhile.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_process::{Failed, Report, receive, send};

use super::again::Again;
use super::peers::Received;
use crate::protocol::{Event, Request};

/// Tells the first client how the start goes.
pub(super) struct Reporter<'a> {
    control: BorrowedFd<'a>,
    /// Namespaces of others that came from this supervisor's life before.
    given: Option<&'a [OwnedFd]>,
    heard: Heard,
}

/// What came with the start.
#[derive(Default)]
pub(super) struct Heard {
    /// Requests that are not about the start.
    pub(super) queued: Vec<Received>,
    /// The namespaces of others.
    pub(super) namespaces: Vec<OwnedFd>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(control: &'a OwnedFd, again: Option<&'a Again>) -> Self {
        Self {
            control: control.as_fd(),
            given: again.map(|again| again.namespaces.as_slice()),
            heard: Heard::default(),
        }
    }

    pub(super) fn into_heard(self) -> Heard {
        self.heard
    }

    /// The next request for which `is_wanted`; those before it wait for the loop.
    fn hear(&mut self, is_wanted: impl Fn(&Request) -> bool) -> Option<Received> {
        while let Ok(Some(received)) = receive::<Request>(self.control) {
            if is_wanted(&received.message) {
                return Some(received);
            }
            self.heard.queued.push(received);
        }
        None
    }
}

impl Report for Reporter<'_> {
    fn done(&mut self, index: u32, nanoseconds: u64) {
        let _ = send(self.control, &Event::Done { index, nanoseconds }, &[]);
    }

    fn namespaces(&mut self) -> Vec<OwnedFd> {
        let copies = |fds: &[OwnedFd]| {
            let copies = fds.iter().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3));
            copies.collect::<Result<Vec<_>, _>>().unwrap_or_default()
        };
        let received = match self.given {
            Some(given) => copies(given),
            None => self
                .hear(|request| *request == Request::Namespaces)
                .map(|received| received.fds)
                .unwrap_or_default(),
        };
        self.heard.namespaces = copies(&received);
        received
    }

    fn ready(&mut self) {
        let _ = send(self.control, &Event::Ready, &[]);
        // A client that is gone also lets the start go on: the loop deals with it. So does anything but `Proceed` and what
        // was sent before the start.
        let proceed = |request: &Request| !matches!(request, Request::Attach { .. });
        if let Some(received) = self.hear(proceed)
            && received.message != Request::Proceed
        {
            self.heard.queued.push(received);
        }
    }
}

/// What a client is told of the step that failed.
pub(super) fn failure(failed: Failed) -> Event {
    let fault = failed.fault;
    Event::Failed {
        index: failed.index,
        call: fault.call.to_owned(),
        errno: fault.errno.raw(),
        note: keelbox_process::cut(fault.note),
    }
}

/// Tells a client which step failed.
pub(crate) fn tell_failure(control: BorrowedFd<'_>, failed: Failed) {
    let _ = send(control, &failure(failed), &[]);
}
