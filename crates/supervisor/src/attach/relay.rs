//! One direction of a container's stdio: from the caller's fd 0 in, or out to fd 1 or 2.
//!
//! splice(2) where the kernel can, read and write where it cannot (terminals, files opened for appending).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::pipe::SpliceFlags;
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetattr};

use super::set_nonblocking;

/// As much as a pipe may hold without privileges (pipe(7), `pipe-max-size`).
const PIPE: usize = 1 << 20;
const BLOCK: usize = 16 * 1024;
/// A write to a terminal that was found ready must not block on one that is stopped (Ctrl-S) half-way.
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
}

/// The keys of the container's terminal that stand for signals.
#[derive(Debug, Default)]
pub(super) struct Keys {
    typed: Vec<u8>,
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
}

impl Relay {
    /// From the caller's stdin to `end`.
    pub(super) fn input(end: OwnedFd, keys: Option<Keys>) -> Self {
        set_nonblocking(end.as_fd());
        let can_splice = keys.is_none();
        Self {
            number: 0,
            end,
            buffer: Vec::new(),
            can_splice,
            keys,
            writing: false,
            block: BLOCK,
        }
    }

    /// From `end` to the caller's stdout or stderr.
    pub(super) fn output(number: u8, end: OwnedFd) -> Self {
        let _ = rustix::pipe::fcntl_setpipe_size(&end, PIPE);
        let mut relay = Self {
            number,
            end,
            buffer: Vec::new(),
            can_splice: true,
            keys: None,
            writing: false,
            block: BLOCK,
        };
        if rustix::termios::isatty(relay.target()) {
            relay.block = TERMINAL_BLOCK;
            relay.can_splice = false;
        }
        relay
    }

    pub(super) fn number(&self) -> u8 {
        self.number
    }

    pub(super) fn is_output(&self) -> bool {
        self.number != 0
    }

    fn source(&self) -> BorrowedFd<'_> {
        if self.is_output() {
            self.end.as_fd()
        } else {
            rustix::stdio::stdin()
        }
    }

    fn target(&self) -> BorrowedFd<'_> {
        match self.number {
            1 => rustix::stdio::stdout(),
            2 => rustix::stdio::stderr(),
            _ => self.end.as_fd(),
        }
    }

    /// What must be ready for the next step.
    pub(super) fn waits_for(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        if self.writing || !self.buffer.is_empty() {
            return Some((self.target(), PollFlags::OUT));
        }
        Some((self.source(), PollFlags::IN))
    }

    /// Moves some bytes.
    pub(super) fn step(&mut self) -> State {
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
                    keys.typed.clone_from(&buffer);
                }
                self.buffer = buffer;
                State::Open
            }
            Err(Errno::AGAIN | Errno::INTR) => State::Open,
            Err(_) => State::Ended,
        }
    }

    fn write(&mut self) -> State {
        match rustix::io::write(self.target(), &self.buffer) {
            Ok(length) => {
                self.buffer.drain(..length);
                State::Open
            }
            Err(Errno::AGAIN | Errno::INTR) => State::Open,
            Err(Errno::PIPE | Errno::IO) => State::ReaderGone,
            Err(_) => State::Ended,
        }
    }

    /// Moves everything that is left.
    pub(super) fn finish(&mut self) {
        set_nonblocking(self.end.as_fd());
        loop {
            let at_rest = self.buffer.is_empty();
            match self.drain_step() {
                State::Open => {}
                _ if at_rest => return,
                State::ReaderGone => return,
                State::Ended => {}
            }
        }
    }

    /// Like [`Relay::step`], but an empty source is its end: nobody is left to write.
    fn drain_step(&mut self) -> State {
        if !self.buffer.is_empty() {
            return self.write_ready();
        }
        self.can_splice = false;
        match self.read() {
            State::Open if self.buffer.is_empty() => State::Ended,
            other => other,
        }
    }

    /// Writes when the target takes something.
    fn write_ready(&mut self) -> State {
        let mut fds = [rustix::event::PollFd::from_borrowed_fd(
            self.target(),
            PollFlags::OUT,
        )];
        let _ = rustix::event::poll(&mut fds, None);
        self.write()
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
        let Ok(modes) = tcgetattr(console) else {
            return Vec::new();
        };
        if !modes.local_modes.contains(LocalModes::ISIG) {
            return Vec::new();
        }
        let keys = [(SpecialCodeIndex::VINTR, 2), (SpecialCodeIndex::VQUIT, 3)];
        keys.into_iter()
            .filter(|(code, _)| typed.contains(&modes.special_codes[*code]))
            .map(|(_, signal)| signal)
            .collect()
    }
}
