//! waitid(2) with the resource use of the process, which the C library's wrapper leaves out.
//!
//! # Safety
//!
//! The call fills two plain structs.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::errno::{Errno, Result, check};

/// How a process ended, and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit status, when it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it, otherwise.
    pub signal: Option<i32>,
    /// CPU time of it and of the children that it waited for, in microseconds.
    pub cpu_micros: u64,
    /// The largest resident set among them, in bytes.
    pub max_rss: u64,
}

/// How often a call is repeated that failed in a way that says nothing about the child.
const TRIES: u32 = 4;

/// Waits for the child that `pidfd` refers to, and reaps it (`waitid(P_PIDFD, ..., WEXITED)`).
///
/// Only ECHILD says that there is nothing to wait for. After any other failure, which the kernel itself does not know but a
/// filter or a tracer around this process may make up, the child is there still, and how it ended can still be learned.
///
/// # Errors
///
/// ECHILD: it is not the caller's child, or reaped already. Another: the call fails each time.
///
/// See [waitid(2)](https://man7.org/linux/man-pages/man2/waitid.2.html).
pub fn wait(pidfd: BorrowedFd<'_>) -> Result<Exit> {
    let mut tries = 1;
    loop {
        match wait_once(pidfd) {
            Err(Errno::EINTR) => {}
            Err(errno) if errno != Errno::ECHILD && tries < TRIES => tries += 1,
            other => return other,
        }
    }
}

fn wait_once(pidfd: BorrowedFd<'_>) -> Result<Exit> {
    // SAFETY: `siginfo_t` is plain old data; all zeroes is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `rusage` is plain old data; all zeroes is valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let (which, fd) = (libc::P_PIDFD, pidfd.as_raw_fd());
    // SAFETY: writes one `siginfo_t` and one `rusage`, which outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_waitid,
            which,
            fd,
            &raw mut info,
            libc::WEXITED,
            &raw mut usage,
        )
    })?;
    // SAFETY: after a successful waitid the child's fields of the union are the ones in use.
    let status = unsafe { info.si_status() };
    let exited = info.si_code == libc::CLD_EXITED;
    let micros =
        |time: libc::timeval| u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).unwrap_or(0);
    Ok(Exit {
        code: exited.then_some(status),
        signal: (!exited).then_some(status),
        cpu_micros: micros(usage.ru_utime) + micros(usage.ru_stime),
        max_rss: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    })
}
