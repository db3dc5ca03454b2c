//! Signal dispositions as a fresh process would have them.
//!
//! # Safety
//!
//! A disposition that points to a handler of the C library would be lost; this is for our executable's first moments.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::errno::{Result, check};

/// Sets the signals of `ignored` (bit n-1 for signal n) to their default action and unblocks all signals.
///
/// Handlers do not survive execve but ignored signals do, and Node leaves SIGPIPE, SIGXFSZ and others ignored in what
/// it starts. By raw `rt_sigaction`: the C library refuses 32 and 33.
///
/// See [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html), [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html).
pub fn reset(ignored: u64) {
    // The kernel's `struct sigaction` with SIG_DFL, no flags, no restorer and an empty mask, on every architecture.
    let default = [0u64; 8];
    for signal in (1..=64).filter(|n| ignored & (1 << (n - 1)) != 0) {
        let null = std::ptr::null_mut::<u64>();
        // SAFETY: reads a kernel sigaction of at most 64 bytes, all zero, with an 8-byte mask; stores no old one.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                null,
                8usize,
            )
        };
    }
    let none = 0u64;
    let null = std::ptr::null_mut::<u64>();
    // SAFETY: reads an 8-byte mask and stores no old one.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const none,
            null,
            8usize,
        )
    };
}

/// Sends any signal, real-time ones too, which the enums of nix and rustix do not name.
///
/// # Errors
///
/// ESRCH: there is no such process. EINVAL: no such signal.
///
/// See [kill(2)](https://man7.org/linux/man-pages/man2/kill.2.html).
pub fn send(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: takes two numbers and touches no memory.
    check(libc::c_long::from(unsafe { libc::kill(pid, signal) })).map(drop)
}

/// Sends any signal to the process that `pidfd` refers to.
///
/// # Errors
///
/// As [`send`].
///
/// See [pidfd_send_signal(2)](https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html).
pub fn send_by_fd(pidfd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    let (fd, nothing) = (pidfd.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: without a siginfo the call touches no memory.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, nothing, 0u32) })
        .map(drop)
}
