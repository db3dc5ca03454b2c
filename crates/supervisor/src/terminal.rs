//! The caller's terminal in raw mode, and back.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal's settings before they were changed.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    before: Termios,
    raw: Termios,
}

impl Saved {
    /// The settings of `fd`; None: it is no terminal.
    pub(crate) fn of(fd: impl AsFd) -> Option<Self> {
        let before = tcgetattr(fd).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        Some(Self { before, raw })
    }

    /// Every byte passes as it is, in both directions. At once: a terminal that is stopped (Ctrl-S) never drains.
    pub(crate) fn set_raw(&self, fd: BorrowedFd<'_>) {
        let _ = tcsetattr(fd, OptionalActions::Now, &self.raw);
    }

    /// As it was.
    pub(crate) fn restore(&self, fd: BorrowedFd<'_>) {
        let _ = tcsetattr(fd, OptionalActions::Now, &self.before);
    }

    /// As it was, if it is still as [`Saved::set_raw`] left it: its owner died. A shell that has set it already for its
    /// own line editor is left alone.
    pub(crate) fn restore_if_abandoned(&self, fd: BorrowedFd<'_>) {
        let abandoned = tcgetattr(fd).is_ok_and(|now| {
            now.local_modes == self.raw.local_modes && now.input_modes == self.raw.input_modes
        });
        if abandoned && self.raw.local_modes != self.before.local_modes {
            self.restore(fd);
        }
    }
}
