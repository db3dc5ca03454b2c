//! A terminal becomes a session's controlling terminal.
//!
//! # Safety
//!
//! `TIOCSCTTY` takes a number.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::errno::{Result, check};

/// Makes `tty` the controlling terminal of the calling session leader (`TIOCSCTTY`).
///
/// # Errors
///
/// EPERM: the caller is not a session leader, has a terminal already, or the terminal belongs to another session.
///
/// See [TIOCSCTTY(2const)](https://man7.org/linux/man-pages/man2/TIOCSCTTY.2const.html).
pub fn set_controlling(tty: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: takes a number (0: do not steal) and touches no memory.
    check(libc::c_long::from(unsafe {
        libc::ioctl(tty.as_raw_fd(), libc::TIOCSCTTY, 0)
    }))
    .map(drop)
}
