//! One turn of the loop: what is waited for, and what is done about it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Phase, Supervisor};
use crate::hub::Port;
use crate::terminal::typed_signals;

/// After so long without anything to do, it lets go of what it needs to be busy.
const REST: Duration = Duration::from_millis(100);

/// What can happen.
#[derive(Clone, Copy)]
enum Source {
    Init,
    Check,
    CheckOutput,
    Listener,
    Peer(usize),
    Hub(Port),
}

type Watched<'a> = (Source, BorrowedFd<'a>, PollFlags);

impl Supervisor {
    /// Waits for something to happen and deals with it. True: the container has ended.
    pub(super) fn turn(&mut self) -> bool {
        let timeout = self.patience();
        let watched = self.watched();
        let mut fds: Vec<_> = watched
            .iter()
            .map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
            .collect();
        let count = poll(&mut fds, timeout.as_ref()).unwrap_or(0);
        let ready = fds.iter().map(PollFd::revents);
        let happened: Vec<_> = watched
            .iter()
            .zip(ready)
            .filter(|(_, ready)| !ready.is_empty())
            .map(|((source, ..), ready)| (*source, ready))
            .collect();
        if count > 0 {
            self.timers.settle = Some(Instant::now() + REST);
        }
        // From the back, so that removing one of the peers moves none that is still to come.
        let happened = happened.into_iter().rev();
        let mut ended = false;
        for (source, ready) in happened {
            ended |= self.attend(source, ready);
        }
        self.see_served_off();
        self.keep_time();
        ended
    }

    fn watched(&self) -> Vec<Watched<'_>> {
        let mut list = Vec::new();
        if matches!(self.phase, Phase::Running) {
            list.push((Source::Init, self.container.pidfd.as_fd(), PollFlags::IN));
        }
        if let Some(check) = &self.check {
            list.push((Source::Check, check.pidfd.as_fd(), PollFlags::IN));
            let output = check.output.iter();
            list.extend(output.map(|fd| (Source::CheckOutput, fd.as_fd(), PollFlags::IN)));
        }
        let listener = self.listener.iter().filter(|_| self.accepts());
        list.extend(listener.map(|fd| (Source::Listener, fd.as_fd(), PollFlags::IN)));
        list.extend(
            (0..)
                .zip(&self.peers)
                .map(|(number, peer)| (Source::Peer(number), peer.socket.as_fd(), PollFlags::IN)),
        );
        let ports = self.hub.iter().flat_map(crate::hub::Hub::watched);
        list.extend(ports.map(|(port, fd, flags)| (Source::Hub(port), fd, flags)));
        list
    }

    fn attend(&mut self, source: Source, ready: PollFlags) -> bool {
        match source {
            Source::Init => return true,
            Source::Check => self.end_check(),
            Source::CheckOutput => self.hear_check(),
            Source::Listener => self.accept(),
            Source::Peer(number) => drop(self.hear(number)),
            Source::Hub(port) => self.move_bytes(port, ready),
        }
        false
    }

    fn move_bytes(&mut self, port: Port, ready: PollFlags) {
        let Some(hub) = &mut self.hub else { return };
        hub.step(port, ready);
        let keys = hub.take_keys();
        let signals = match &self.container.console {
            Some(console) => typed_signals(console, &keys),
            None => Vec::new(),
        };
        for signal in signals {
            self.terminal_signal(signal);
        }
    }

    /// How long nothing may happen. None: for ever.
    fn patience(&self) -> Option<Timespec> {
        let until = match self.phase {
            Phase::Running => None,
            Phase::Waiting { until, .. } => Some(until),
            Phase::Over { until } => until,
        };
        let timers = &self.timers;
        let next = [
            until,
            timers.settle,
            timers.stop,
            timers.limit,
            self.check_due(),
        ];
        let next = next.into_iter().flatten().min()?;
        Timespec::try_from(next.saturating_duration_since(Instant::now())).ok()
    }

    /// Does what it is time for.
    fn keep_time(&mut self) {
        let now = Instant::now();
        let is_due = |timer: Option<Instant>| timer.is_some_and(|timer| timer <= now);
        if is_due(self.timers.settle) {
            self.settle();
        }
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        if is_due(self.timers.stop) {
            self.timers.stop = None;
            self.kill();
        }
        if is_due(self.timers.limit) {
            self.timers.limit = None;
            self.tell_with("kill", &[("signal", "9")]);
            self.kill();
        }
        if is_due(self.check_due()) {
            self.time_check();
        }
    }

    /// There may be hundreds of supervisors, and each waits with a few pages of code and of memory.
    fn settle(&mut self) {
        self.timers.settle = None;
        if let Some(hub) = &mut self.hub {
            hub.rest();
        }
        keelbox_sys::memory::give_back_heap();
        let _ = keelbox_sys::memory::let_go_of_code();
    }
}
