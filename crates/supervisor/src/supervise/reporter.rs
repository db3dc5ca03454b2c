//! What the first client hears of a start.

use std::os::fd::{BorrowedFd, OwnedFd};

use keelbox_process::{Failed, Report, receive, send};

use crate::protocol::{Event, Request};

/// Tells the first client how the start goes.
pub(super) struct Reporter<'a> {
    pub(super) control: BorrowedFd<'a>,
}

impl Report for Reporter<'_> {
    fn done(&mut self, index: u32, nanoseconds: u64) {
        let _ = send(self.control, &Event::Done { index, nanoseconds }, &[]);
    }

    fn namespaces(&mut self) -> Vec<OwnedFd> {
        let received = receive::<Request>(self.control).ok().flatten();
        received.map(|received| received.fds).unwrap_or_default()
    }

    fn ready(&mut self) {
        let _ = send(self.control, &Event::Ready, &[]);
        // Anything but `Proceed`, or a client that is gone, also lets the start go on: the loop deals with it.
        let _ = receive::<Request>(self.control);
    }
}

/// Tells the first client which step failed.
pub fn tell_failure(control: BorrowedFd<'_>, failed: Failed) {
    let fault = failed.fault;
    let event = Event::Failed {
        index: failed.index,
        call: fault.call.to_owned(),
        errno: fault.errno.raw(),
        note: keelbox_process::cut(fault.note),
    };
    let _ = send(control, &event, &[]);
}
