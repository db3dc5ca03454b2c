//! The caller's terminal in raw mode, and back.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

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

/// The signals that the keys just typed stand for in the container's terminal, as that is set now (termios(3), `ISIG`).
pub(crate) fn typed_signals(console: impl AsFd, typed: &[u8]) -> Vec<i32> {
    if typed.is_empty() {
        return Vec::new();
    }
    let Ok(modes) = tcgetattr(console) else {
        return Vec::new();
    };
    if !modes.local_modes.contains(LocalModes::ISIG) {
        return Vec::new();
    }
    let keys = [(SpecialCodeIndex::VINTR, 2), (SpecialCodeIndex::VQUIT, 3)];
    // 0 says that there is no such key (termios(3), `_POSIX_VDISABLE`).
    keys.into_iter()
        .filter(|(code, _)| {
            let key = modes.special_codes[*code];
            key != 0 && typed.contains(&key)
        })
        .map(|(_, signal)| signal)
        .collect()
}
