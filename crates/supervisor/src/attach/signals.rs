//! The client's signals, as something to wait for.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::deliver::ends_by_default;

pub(super) const HUP: i32 = Signal::SIGHUP as i32;
pub(super) const WINCH: i32 = Signal::SIGWINCH as i32;
pub(super) const CONT: i32 = Signal::SIGCONT as i32;
pub(super) const CHLD: i32 = Signal::SIGCHLD as i32;
pub(super) const PIPE: i32 = Signal::SIGPIPE as i32;
pub(super) const URG: i32 = Signal::SIGURG as i32;

/// Blocked signals, read from a signalfd(2).
#[derive(Debug)]
pub(super) struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks every signal but those of job control, which stop and continue this process as any other, and those that
    /// mean a bug.
    pub(super) fn block() -> keelbox_sys::Result<Self> {
        let mut set = SigSet::all();
        for signal in [
            Signal::SIGTSTP,
            Signal::SIGTTIN,
            Signal::SIGTTOU,
            Signal::SIGSEGV,
            Signal::SIGBUS,
            Signal::SIGILL,
            Signal::SIGFPE,
            Signal::SIGABRT,
            Signal::SIGTRAP,
        ] {
            set.remove(signal);
        }
        set.thread_block()?;
        Ok(Self {
            fd: SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?,
        })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The next one that has come.
    pub(super) fn next(&self) -> Option<i32> {
        let info = self.fd.read_signal().ok().flatten()?;
        i32::try_from(info.ssi_signo).ok()
    }

    /// Whether one has come that ends a process which does nothing about it.
    pub(super) fn any_ends(&self) -> bool {
        std::iter::from_fn(|| self.next()).any(|signal| signal != PIPE && ends_by_default(signal))
    }
}
