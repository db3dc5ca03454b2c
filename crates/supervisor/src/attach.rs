//! The client that a foreground command becomes: moves bytes between the caller and the container, passes signals and the
//! window's size on, sets the terminal right, and ends as the container did.
//!
//! One thread and one poll. Where the container writes into the caller's own pipe, this process moves no byte at all.

mod detach_keys;
mod relay;
mod signals;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use keelbox_process::{receive, send};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::deliver::ends_by_default;
use crate::protocol::{Event, Exited, Request};
use crate::terminal::Saved;
pub use detach_keys::DetachKeys;
use relay::{Relay, State};
use signals::Signals;

/// What the client is started with.
#[derive(Debug)]
pub struct Streams {
    /// The supervisor's control socket.
    pub control: OwnedFd,
    /// The container's terminal, or the pipes that lead to its stdin and from its stdout and stderr.
    pub container: Ends,
    /// How it behaves.
    pub options: Options,
}

/// How the client behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Typed into the caller's terminal, they end the client and leave the container alone.
    pub detach_keys: Option<DetachKeys>,
    /// Signals go to the container; otherwise they end the client.
    pub passes_signals: bool,
}

/// This side's ends of the container's stdio.
#[derive(Debug)]
pub enum Ends {
    /// The master side of its terminal; true: the caller's stdin goes there.
    Terminal(OwnedFd, bool),
    /// Pipes, where the caller's own files are not handed to the container.
    Pipes([Option<OwnedFd>; 3]),
    /// Pipes that lead to the supervisor, which has the container's ends; true: those of a terminal.
    Relayed([Option<OwnedFd>; 3], bool),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As the container did.
    Exited(Exited),
    /// The supervisor is gone without a word; so is the container.
    Lost,
    /// The caller's terminal is gone, and the container did not end for that.
    HungUp,
    /// The caller's keys said so; the container lives on.
    Detached,
    /// A signal of the caller's, which did not go to the container.
    Signalled(i32),
    /// Nobody reads what the container prints. Its log does, so it lives on.
    Unread,
}

/// How it ended, and whether all of the container's output went where it was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How it ended.
    pub outcome: Outcome,
    /// Why some output could not be written, other than that nobody reads it.
    pub unwritten: Option<Unwritten>,
}

/// Output that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// 1 or 2.
    pub stream: u8,
    /// Why.
    pub errno: keelbox_sys::Errno,
}

impl Outcome {
    /// Whether the container's output has an end that is worth waiting for.
    fn is_last(self) -> bool {
        matches!(self, Self::Exited(_) | Self::Lost | Self::HungUp)
    }
}

/// How long a container may take to end after its terminal has gone.
const HANG_UP: Duration = Duration::from_secs(10);

/// Attaches the calling process's stdio to a container until that ends.
///
/// # Errors
///
/// The kernel's, from setting up; nothing has been moved then.
pub fn attach(streams: Streams) -> keelbox_sys::Result<Ending> {
    let signals = Signals::block()?;
    let mut client = Client::new(streams, signals);
    let outcome = client.run();
    if outcome.is_last() {
        client.flush();
    }
    client.restore();
    Ok(Ending {
        outcome,
        unwritten: client.unwritten,
    })
}

struct Client {
    control: OwnedFd,
    signals: Signals,
    /// The container's terminal, for its size and its keys.
    console: Option<OwnedFd>,
    /// The caller's terminal as it was.
    saved: Option<Saved>,
    relays: Vec<Relay>,
    unwritten: Option<Unwritten>,
    /// The caller's terminal is gone; so is this process at that moment.
    until: Option<Instant>,
    /// The supervisor has the container's ends.
    is_relayed: bool,
    /// It has a terminal.
    has_terminal: bool,
    options: Options,
    /// How it has ended on this side.
    over: Option<Outcome>,
}

impl Client {
    fn new(streams: Streams, signals: Signals) -> Self {
        let mut client = Self {
            control: streams.control,
            signals,
            console: None,
            saved: None,
            relays: Vec::new(),
            unwritten: None,
            until: None,
            is_relayed: matches!(streams.container, Ends::Relayed(..)),
            has_terminal: matches!(
                streams.container,
                Ends::Terminal(..) | Ends::Relayed(_, true)
            ),
            options: streams.options,
            over: None,
        };
        match streams.container {
            Ends::Terminal(master, interactive) => client.use_terminal(master, interactive),
            Ends::Pipes(ends) => client.use_pipes(ends),
            Ends::Relayed(ends, false) => client.use_pipes(ends),
            Ends::Relayed([stdin, output, _], true) => {
                client
                    .relays
                    .extend(output.map(|end| Relay::output(1, end)));
                if let Some(stdin) = stdin {
                    client.type_into(stdin);
                }
                client.take_terminal();
            }
        }
        client
    }

    fn use_pipes(&mut self, [stdin, stdout, stderr]: [Option<OwnedFd>; 3]) {
        self.relays.extend(stdin.map(Relay::input));
        self.relays.extend(stdout.map(|end| Relay::output(1, end)));
        self.relays.extend(stderr.map(|end| Relay::output(2, end)));
    }

    /// What is typed goes to the container; its keys are the caller's own if that types into a terminal.
    fn type_into(&mut self, end: OwnedFd) {
        self.saved = Saved::of(rustix::stdio::stdin());
        let keys = self.options.detach_keys.take();
        let keys = keys.filter(|_| self.saved.is_some());
        self.relays.push(Relay::keyboard(end, keys));
    }

    fn use_terminal(&mut self, master: OwnedFd, interactive: bool) {
        set_nonblocking(master.as_fd());
        if let (Ok(input), Ok(output)) = (
            rustix::io::fcntl_dupfd_cloexec(&master, 3),
            rustix::io::fcntl_dupfd_cloexec(&master, 3),
        ) {
            if interactive {
                self.type_into(input);
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
        if !self.has_terminal {
            return;
        }
        let size = [
            rustix::stdio::stdin(),
            rustix::stdio::stdout(),
            rustix::stdio::stderr(),
        ]
        .into_iter()
        .find_map(|fd| rustix::termios::tcgetwinsize(fd).ok());
        let Some(size) = size.filter(|size| size.ws_col != 0 && size.ws_row != 0) else {
            return;
        };
        match &self.console {
            Some(console) => drop(rustix::termios::tcsetwinsize(console, size)),
            None => self.ask(Request::Resize {
                columns: size.ws_col,
                rows: size.ws_row,
            }),
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
        let Some(left) = self.time_left() else {
            return Ok(Some(Outcome::HungUp));
        };
        let ready = self.wait(Some(&self.control), left.as_ref())?;
        if ready.signal {
            self.pass_signals();
        }
        self.move_bytes(&ready.relays);
        if let Some(outcome) = self.over {
            return Ok(Some(outcome));
        }
        if ready.control { self.hear() } else { Ok(None) }
    }

    /// None: none is left. Otherwise how long to wait, if not for ever.
    fn time_left(&self) -> Option<Option<Timespec>> {
        let Some(until) = self.until else {
            return Some(None);
        };
        let left = until.checked_duration_since(Instant::now())?;
        Timespec::try_from(left).ok().map(Some)
    }

    fn wait(
        &self,
        control: Option<&OwnedFd>,
        left: Option<&Timespec>,
    ) -> keelbox_sys::Result<Ready> {
        let mut fds = vec![PollFd::from_borrowed_fd(
            self.signals.as_fd(),
            PollFlags::IN,
        )];
        let waits = self.relays.iter().map(Relay::waits_for);
        fds.extend(waits.map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
        fds.extend(control.map(|fd| PollFd::new(fd, PollFlags::IN)));
        poll(&mut fds, left)?;
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        Ok(Ready {
            signal: ready.next().unwrap_or(false),
            relays: ready.by_ref().take(self.relays.len()).collect(),
            control: ready.next().unwrap_or(false),
        })
    }

    fn pass_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            match signal {
                signals::WINCH => self.resize(),
                signals::CONT => self.take_terminal(),
                signals::CHLD | signals::PIPE | signals::URG => {}
                // The caller's terminal is gone. A container whose output is kept need not go with it.
                signals::HUP if self.is_relayed && self.has_terminal => {
                    self.over = Some(Outcome::HungUp);
                }
                signal if self.options.passes_signals => self.ask(Request::Signal(signal)),
                signal if ends_by_default(signal) => self.over = Some(Outcome::Signalled(signal)),
                _ => {}
            }
        }
    }

    /// A supervisor that is gone is noticed where its answer is awaited.
    fn ask(&self, request: Request) {
        let _ = send(&self.control, &request, &[]);
    }

    fn move_bytes(&mut self, ready: &[bool]) {
        let mut relays = std::mem::take(&mut self.relays);
        let mut ready = ready.iter();
        relays.retain_mut(|relay| {
            let state = if ready.next() == Some(&true) {
                relay.step()
            } else {
                State::Open
            };
            for signal in relay.typed_signals(self.console.as_ref()) {
                self.ask(Request::TerminalSignal(signal));
            }
            self.settle(relay, state)
        });
        self.relays = relays;
    }

    /// Deals with the end of a direction. True: it goes on.
    fn settle(&mut self, relay: &mut Relay, state: State) -> bool {
        if let State::Unwritable(errno) = state
            && relay.is_output()
        {
            self.unwritten.get_or_insert(Unwritten {
                stream: relay.number(),
                errno: errno.into(),
            });
        }
        match state {
            State::Open => true,
            State::Detached => {
                self.ask(Request::Detach);
                self.over = Some(Outcome::Detached);
                false
            }
            State::ReaderGone if relay.is_output() && self.is_relayed => {
                self.over.get_or_insert(if relay.is_terminal() {
                    Outcome::HungUp
                } else {
                    Outcome::Unread
                });
                false
            }
            // What writes into a terminal that nobody reads waits for ever, and is not told.
            State::ReaderGone | State::Unwritable(_)
                if relay.is_output() && self.console.is_some() =>
            {
                relay.discard();
                self.hang_up();
                true
            }
            State::ReaderGone | State::Unwritable(_) => {
                self.ask(Request::CloseStream(relay.number()));
                false
            }
            State::Ended => {
                if !relay.is_output() && self.console.is_some() {
                    self.hang_up();
                } else if !relay.is_output() && self.saved.is_some() {
                    self.over = Some(Outcome::HungUp);
                }
                false
            }
        }
    }

    /// The caller's terminal is gone: the container is told as any program would be, and has a while to end.
    fn hang_up(&mut self) {
        if self.until.is_none() {
            self.until = Some(Instant::now() + HANG_UP);
            self.ask(Request::Signal(signals::HUP));
        }
    }

    fn hear(&mut self) -> keelbox_sys::Result<Option<Outcome>> {
        match receive::<Event>(&self.control) {
            Ok(Some(received)) => match received.message {
                // Its next run is another's to see.
                Event::Exited(exited) | Event::Restarting { exited, .. } => {
                    Ok(Some(Outcome::Exited(exited)))
                }
                _ => Ok(None),
            },
            Ok(None) => Ok(Some(Outcome::Lost)),
            Err(errno) => Err(errno),
        }
    }

    /// What the container wrote before its end is still in the pipes. A reader may take its time over it, but a signal that
    /// asks for an end is one.
    fn flush(&mut self) {
        self.relays.retain(Relay::is_output);
        loop {
            self.relays.retain(|relay| !relay.is_at_rest());
            if self.relays.is_empty() {
                return;
            }
            let Ok(ready) = self.wait(None, None) else {
                continue;
            };
            if ready.signal && self.signals.any_ends() {
                return;
            }
            self.move_bytes(&ready.relays);
        }
    }
}

/// What is ready.
struct Ready {
    signal: bool,
    relays: Vec<bool>,
    control: bool,
}

/// Sets O_NONBLOCK on an end that only this process has.
fn set_nonblocking(fd: BorrowedFd<'_>) {
    if let Ok(flags) = rustix::fs::fcntl_getfl(fd) {
        let _ = rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK);
    }
}
