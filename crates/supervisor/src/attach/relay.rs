//! One direction of a container's stdio: from the caller's fd 0 in, or out to fd 1 or 2.
//!
//! splice(2) where the kernel can, read and write where it cannot (terminals, files opened for appending, sockets). Nothing here
//! waits: a step moves what can be moved now.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::pipe::SpliceFlags;

use super::{DetachKeys, set_nonblocking};
use crate::terminal::typed_signals;

/// As much as a pipe may hold without privileges (pipe(7), `pipe-max-size`).
const PIPE: usize = 1 << 20;
const BLOCK: usize = 64 * 1024;
/// A write to a terminal that was found ready must not block on one that is stopped (Ctrl-S) half-way; only for one that
/// cannot be opened again without blocking.
const TERMINAL_BLOCK: usize = 1024;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There may be more.
    Open,
    /// The source has ended.
    Ended,
    /// Nobody reads what is written.
    ReaderGone,
    /// It cannot be written: a full disk.
    Unwritable(Errno),
    /// The keys that leave the container alone were typed.
    Detached,
}

/// What is typed into the container's terminal.
#[derive(Debug, Default)]
struct Keys {
    typed: Vec<u8>,
    detach: Option<DetachKeys>,
    is_detached: bool,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Relay {
    /// 0, 1 or 2: which of the caller's.
    number: u8,
    /// The container's end.
    end: OwnedFd,
    buffer: Vec<u8>,
    can_splice: bool,
    keys: Option<Keys>,
    /// What to wait for next: to be able to write, or to read.
    writing: bool,
    block: usize,
    is_terminal: bool,
    /// Splicing into a socket waits for room whatever the flags say; sending need not.
    is_socket: bool,
    /// The caller's terminal, opened again: O_NONBLOCK on its own fd would be everybody's who shares that.
    terminal: Option<OwnedFd>,
    /// What is read goes nowhere.
    discards: bool,
}

impl Relay {
    /// From the caller's stdin to `end`.
    pub(super) fn input(end: OwnedFd) -> Self {
        set_nonblocking(end.as_fd());
        Self::new(0, end)
    }

    /// From the caller's stdin to a terminal, but for the keys that leave it alone.
    pub(super) fn keyboard(end: OwnedFd, detach: Option<DetachKeys>) -> Self {
        Self {
            can_splice: false,
            keys: Some(Keys {
                detach,
                ..Keys::default()
            }),
            ..Self::input(end)
        }
    }

    /// From `end` to the caller's stdout or stderr.
    pub(super) fn output(number: u8, end: OwnedFd) -> Self {
        let _ = rustix::pipe::fcntl_setpipe_size(&end, PIPE);
        let mut relay = Self::new(number, end);
        if rustix::termios::isatty(relay.target()) {
            relay.can_splice = false;
            relay.is_terminal = true;
            relay.terminal = open_again(number);
            if relay.terminal.is_none() {
                relay.block = TERMINAL_BLOCK;
            }
        }
        if is_socket(relay.target()) {
            relay.can_splice = false;
            relay.is_socket = true;
        }
        relay
    }

    fn new(number: u8, end: OwnedFd) -> Self {
        Self {
            number,
            end,
            buffer: Vec::new(),
            can_splice: true,
            keys: None,
            writing: false,
            block: BLOCK,
            is_terminal: false,
            is_socket: false,
            terminal: None,
            discards: false,
        }
    }

    pub(super) fn number(&self) -> u8 {
        self.number
    }

    pub(super) fn is_output(&self) -> bool {
        self.number != 0
    }

    /// The caller's end is a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    fn source(&self) -> BorrowedFd<'_> {
        if self.is_output() {
            self.end.as_fd()
        } else {
            rustix::stdio::stdin()
        }
    }

    fn target(&self) -> BorrowedFd<'_> {
        if let Some(terminal) = &self.terminal {
            return terminal.as_fd();
        }
        match self.number {
            1 => rustix::stdio::stdout(),
            2 => rustix::stdio::stderr(),
            _ => self.end.as_fd(),
        }
    }

    /// What must be ready for the next step.
    pub(super) fn waits_for(&self) -> (BorrowedFd<'_>, PollFlags) {
        if self.writing || !self.buffer.is_empty() {
            return (self.target(), PollFlags::OUT);
        }
        (self.source(), PollFlags::IN)
    }

    /// Moves some bytes.
    pub(super) fn step(&mut self) -> State {
        if self.discards {
            let state = self.read();
            self.buffer.clear();
            return state;
        }
        if self.can_splice && self.buffer.is_empty() {
            return self.splice();
        }
        if self.buffer.is_empty() {
            self.read()
        } else {
            self.write()
        }
    }

    fn splice(&mut self) -> State {
        let (source, target) = (self.source(), self.target());
        match rustix::pipe::splice(
            source,
            None,
            target,
            None,
            PIPE,
            SpliceFlags::NONBLOCK | SpliceFlags::MOVE,
        ) {
            Ok(0) => State::Ended,
            Ok(_) => {
                self.writing = false;
                State::Open
            }
            Err(Errno::AGAIN) => {
                // Which side is not ready, splice does not say: wait for each in turn.
                self.writing = !self.writing;
                State::Open
            }
            Err(Errno::INTR) => State::Open,
            Err(Errno::PIPE) => State::ReaderGone,
            Err(_) => {
                self.can_splice = false;
                self.writing = false;
                State::Open
            }
        }
    }

    fn read(&mut self) -> State {
        self.writing = false;
        let mut buffer = vec![0; self.block];
        match rustix::io::read(self.source(), &mut buffer) {
            // A terminal whose other side is closed answers EIO: all programs on it have ended.
            Ok(0) | Err(Errno::IO) => State::Ended,
            Ok(length) => {
                buffer.truncate(length);
                if let Some(keys) = &mut self.keys {
                    let detach = keys.detach.as_mut();
                    keys.is_detached = detach.is_some_and(|detach| detach.filter(&mut buffer));
                    keys.typed.clone_from(&buffer);
                }
                self.buffer = buffer;
                self.after_keys()
            }
            Err(Errno::AGAIN | Errno::INTR) => State::Open,
            Err(_) => State::Ended,
        }
    }

    fn write(&mut self) -> State {
        let written = if self.is_socket {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            rustix::net::send(self.target(), &self.buffer, flags)
        } else {
            rustix::io::write(self.target(), &self.buffer)
        };
        match written {
            Ok(length) => {
                self.buffer.drain(..length);
                self.after_keys()
            }
            Err(Errno::AGAIN | Errno::INTR) => State::Open,
            Err(Errno::PIPE | Errno::CONNRESET) => State::ReaderGone,
            // A terminal that was closed.
            Err(Errno::IO) if self.keys.is_some() || self.is_terminal => State::ReaderGone,
            Err(errno) => State::Unwritable(errno),
        }
    }

    /// What was typed before the keys that leave the container alone is written first.
    fn after_keys(&self) -> State {
        let is_detached = self.keys.as_ref().is_some_and(|keys| keys.is_detached);
        if is_detached && self.buffer.is_empty() {
            State::Detached
        } else {
            State::Open
        }
    }

    /// Keeps reading, for nobody: what writes into a terminal waits for ever once that is full.
    pub(super) fn discard(&mut self) {
        self.discards = true;
        self.buffer.clear();
        self.writing = false;
    }

    /// Whether nothing is left to move, now that nobody writes any more.
    pub(super) fn is_at_rest(&self) -> bool {
        self.buffer.is_empty() && !is_readable(self.source())
    }

    /// The signals that the keys just typed stand for in the container's terminal, as that is set now (termios(3), `ISIG`).
    pub(super) fn typed_signals(&mut self, console: Option<&OwnedFd>) -> Vec<i32> {
        let (Some(keys), Some(console)) = (&mut self.keys, console) else {
            return Vec::new();
        };
        let typed = std::mem::take(&mut keys.typed);
        if typed.is_empty() || !self.buffer.is_empty() {
            keys.typed = typed;
            return Vec::new();
        }
        typed_signals(console, &typed)
    }
}

/// The caller's fd `number` as an open file of this process alone, which does not block; None: it may not be opened.
fn open_again(number: u8) -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/self/fd/{number}"), flags, Mode::empty()).ok()
}

fn is_socket(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket)
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)).is_ok() && fds.iter().any(|fd| fd.revents().contains(PollFlags::IN))
}
