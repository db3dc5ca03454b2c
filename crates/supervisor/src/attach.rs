//! The client that a foreground command becomes: moves bytes between the caller and the container, passes signals and the
//! window's size on, sets the terminal right, and ends as the container did.
//!
//! One thread and one poll. Where the container writes into the caller's own pipe, this process moves no byte at all.

mod relay;
mod signals;

use std::os::fd::{BorrowedFd, OwnedFd};

use keelbox_process::{receive, send};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;

use crate::protocol::{Event, Exited, Request};
use crate::terminal::Saved;
use relay::{Keys, Relay, State};
use signals::Signals;

/// What the client is started with.
#[derive(Debug)]
pub struct Streams {
    /// The supervisor's control socket.
    pub control: OwnedFd,
    /// The container's terminal, or the pipes that lead to its stdin and from its stdout and stderr.
    pub container: Ends,
}

/// This side's ends of the container's stdio.
#[derive(Debug)]
pub enum Ends {
    /// The master side of its terminal; true: the caller's stdin goes there.
    Terminal(OwnedFd, bool),
    /// Pipes, where the caller's own files are not handed to the container.
    Pipes([Option<OwnedFd>; 3]),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As the container did.
    Exited(Exited),
    /// The supervisor is gone without a word; so is the container.
    Lost,
}

/// Attaches the calling process's stdio to a container until that ends.
///
/// # Errors
///
/// The kernel's, from setting up; nothing has been moved then.
pub fn attach(streams: Streams) -> keelbox_sys::Result<Outcome> {
    let signals = Signals::block()?;
    let mut client = Client::new(streams, signals);
    let outcome = client.run();
    client.flush();
    client.restore();
    Ok(outcome)
}

struct Client {
    control: OwnedFd,
    signals: Signals,
    /// The container's terminal, for its size and its keys.
    console: Option<OwnedFd>,
    /// The caller's terminal as it was.
    saved: Option<Saved>,
    relays: Vec<Relay>,
}

impl Client {
    fn new(streams: Streams, signals: Signals) -> Self {
        let mut client = Self {
            control: streams.control,
            signals,
            console: None,
            saved: None,
            relays: Vec::new(),
        };
        match streams.container {
            Ends::Terminal(master, interactive) => client.use_terminal(master, interactive),
            Ends::Pipes([stdin, stdout, stderr]) => {
                client
                    .relays
                    .extend(stdin.map(|end| Relay::input(end, None)));
                client
                    .relays
                    .extend(stdout.map(|end| Relay::output(1, end)));
                client
                    .relays
                    .extend(stderr.map(|end| Relay::output(2, end)));
            }
        }
        client
    }

    fn use_terminal(&mut self, master: OwnedFd, interactive: bool) {
        if let (Ok(input), Ok(output)) = (
            rustix::io::fcntl_dupfd_cloexec(&master, 3),
            rustix::io::fcntl_dupfd_cloexec(&master, 3),
        ) {
            if interactive {
                self.saved = Saved::of(rustix::stdio::stdin());
                self.relays.push(Relay::input(input, Some(Keys::default())));
            }
            self.relays.push(Relay::output(1, output));
        }
        self.console = Some(master);
        self.take_terminal();
    }

    fn take_terminal(&self) {
        if let Some(saved) = &self.saved {
            saved.set_raw(rustix::stdio::stdin());
        }
        self.resize();
    }

    fn restore(&self) {
        if let Some(saved) = &self.saved {
            saved.restore(rustix::stdio::stdin());
        }
    }

    /// The container's terminal gets the size of the caller's.
    fn resize(&self) {
        let Some(console) = &self.console else { return };
        let size = [
            rustix::stdio::stdin(),
            rustix::stdio::stdout(),
            rustix::stdio::stderr(),
        ]
        .into_iter()
        .find_map(|fd| rustix::termios::tcgetwinsize(fd).ok());
        if let Some(size) = size.filter(|size| size.ws_col != 0 && size.ws_row != 0) {
            let _ = rustix::termios::tcsetwinsize(console, size);
        }
    }

    fn run(&mut self) -> Outcome {
        loop {
            match self.turn() {
                Ok(None) | Err(keelbox_sys::Errno::EINTR) => {}
                Ok(Some(outcome)) => return outcome,
                Err(_) => return Outcome::Lost,
            }
        }
    }

    /// Waits for something to happen and deals with it.
    fn turn(&mut self) -> keelbox_sys::Result<Option<Outcome>> {
        let mut fds = vec![
            PollFd::new(&self.control, PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
        ];
        let waits: Vec<_> = self.relays.iter().map(Relay::waits_for).collect();
        fds.extend(
            waits
                .iter()
                .flatten()
                .map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)),
        );
        poll(&mut fds, None)?;
        let [control, signal] =
            [0, 1].map(|at| fds.get(at).is_some_and(|fd| !fd.revents().is_empty()));
        let mut ready = fds.iter().skip(2).map(|fd| !fd.revents().is_empty());
        let ready: Vec<_> = waits
            .iter()
            .map(|wait| wait.is_some() && ready.next().unwrap_or(false))
            .collect();
        drop(fds);
        drop(waits);
        if signal {
            self.pass_signals();
        }
        self.move_bytes(&ready);
        if control { self.hear() } else { Ok(None) }
    }

    fn pass_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            match signal {
                signals::WINCH => self.resize(),
                signals::CONT => self.take_terminal(),
                signals::CHLD | signals::PIPE | signals::URG => {}
                signal => drop(send(&self.control, &Request::Signal(signal), &[])),
            }
        }
    }

    fn move_bytes(&mut self, ready: &[bool]) {
        let mut ended = Vec::new();
        for (relay, ready) in self.relays.iter_mut().zip(ready) {
            let state = if *ready { relay.step() } else { State::Open };
            for signal in relay.typed_signals(self.console.as_ref()) {
                let _ = send(&self.control, &Request::TerminalSignal(signal), &[]);
            }
            if state == State::ReaderGone {
                let _ = send(&self.control, &Request::CloseStream(relay.number()), &[]);
            }
            ended.push(state != State::Open);
        }
        let mut ended = ended.into_iter();
        self.relays.retain(|_| !ended.next().unwrap_or(false));
    }

    fn hear(&mut self) -> keelbox_sys::Result<Option<Outcome>> {
        match receive::<Event>(&self.control) {
            Ok(Some(received)) => match received.message {
                Event::Exited(exited) => Ok(Some(Outcome::Exited(exited))),
                _ => Ok(None),
            },
            Ok(None) => Ok(Some(Outcome::Lost)),
            Err(errno) => Err(errno),
        }
    }

    /// What the container wrote before its end is still in the pipes.
    fn flush(&mut self) {
        for relay in self.relays.iter_mut().filter(|relay| relay.is_output()) {
            relay.finish();
        }
    }
}

/// Sets O_NONBLOCK on an end that only this process has.
fn set_nonblocking(fd: BorrowedFd<'_>) {
    if let Ok(flags) = rustix::fs::fcntl_getfl(fd) {
        let _ = rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK);
    }
}
