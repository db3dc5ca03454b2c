//! File descriptors as a set: those a caller leaked into us, and those that must not reach a container.
//!
//! # Safety
//!
//! Closing a number that some value owns would let that value close somebody else's file later. So fds are closed in bulk
//! only where nobody can own them: once, first thing in `main` ([`inherit`]), and on the way into a function that never
//! returns ([`close_from_for_good`]).
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::errno::{Errno, Result, check};

const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;

/// Takes over the fds `first` to `first + N - 1` that this process was started with, marks them close-on-exec, and closes
/// every fd above them: a caller's leaked directory would be a way out of a container (CVE-2024-21626).
///
/// To be called first thing in `main`, before anything else can own an fd.
///
/// # Errors
///
/// EALREADY: called twice. EBADF: the process was started without one of them.
pub fn inherit<const N: usize>(first: RawFd) -> Result<[OwnedFd; N]> {
    inherit_all(first, N)?.try_into().map_err(|_| Errno::EINVAL)
}

/// The same, for a number of fds that is only known at run time.
///
/// # Errors
///
/// As [`inherit`].
pub fn inherit_all(first: RawFd, count: usize) -> Result<Vec<OwnedFd>> {
    static CALLED: AtomicBool = AtomicBool::new(false);
    if CALLED.swap(true, Ordering::Relaxed) {
        return Err(Errno::from_raw(libc::EALREADY));
    }
    let count = RawFd::try_from(count).map_err(|_| Errno::EINVAL)?;
    let end = first.checked_add(count).ok_or(Errno::EINVAL)?;
    close_from(end.cast_unsigned())?;
    cloexec_from(first.cast_unsigned())?;
    check_open(first..end)?;
    // SAFETY: the fds are open (just checked), and nobody else owns them: this function runs once, before anything else
    // opens files.
    let own = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
    Ok((first..end).map(own).collect())
}

/// All of them in one call: poll(2) marks a number that is not open.
fn check_open(range: std::ops::Range<RawFd>) -> Result<()> {
    let mut fds: Vec<_> = range
        .map(|fd| libc::pollfd {
            fd,
            events: 0,
            revents: 0,
        })
        .collect();
    let count = libc::nfds_t::try_from(fds.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: reads and writes `count` elements of `fds`, which outlives the call.
    check(libc::c_long::from(unsafe {
        libc::poll(fds.as_mut_ptr(), count, 0)
    }))?;
    if fds.iter().any(|fd| fd.revents & libc::POLLNVAL != 0) {
        return Err(Errno::from_raw(libc::EBADF));
    }
    Ok(())
}

/// Closes every fd from `first` on and goes on in `then`, which never returns: no owner of one of them is ever dropped.
pub fn close_from_for_good(first: u32, then: fn(i32) -> !, argument: i32) -> ! {
    let _ = close_from(first);
    then(argument)
}

/// Puts copies of `fds` at the numbers `first`, `first + 1`, ..., to survive execve, and marks everything above them to be
/// closed by it.
///
/// For the moment before execve: what was at those numbers is closed, whoever owned it. When execve fails after all, an
/// owner of one of them is left with a file that is not its own, so the process should end.
///
/// # Errors
///
/// The kernel's.
pub fn replace_from(first: RawFd, fds: &[OwnedFd]) -> Result<()> {
    let mut target = first;
    for fd in fds {
        // SAFETY: dup2 touches no memory; that it closes what was at `target` is what this function is for.
        check(libc::c_long::from(unsafe {
            libc::dup2(fd.as_raw_fd(), target)
        }))?;
        target += 1;
    }
    cloexec_from(target.cast_unsigned())
}

/// Before Linux 5.9 (ENOSYS) the fds are closed one at a time.
fn close_from(first: u32) -> Result<()> {
    // SAFETY: closes numbers; both callers see to it that no value that owns one of them is used or dropped afterwards.
    match check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0u32) }) {
        Err(Errno::ENOSYS) => each_open_fd(first, |fd| {
            // SAFETY: as above.
            unsafe { libc::close(fd) };
        }),
        other => other.map(drop),
    }
}

/// Marks every fd from `first` on to be closed by execve (CVE-2024-21626: a leaked directory fd is a way out).
///
/// # Errors
///
/// The kernel's. Before Linux 5.11 (EINVAL, ENOSYS) the fds are marked one at a time.
pub fn cloexec_from(first: u32) -> Result<()> {
    // SAFETY: sets a flag on fds; closes nothing and touches no memory.
    match check(unsafe {
        libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC)
    }) {
        Err(Errno::ENOSYS | Errno::EINVAL) => each_open_fd(first, |fd| {
            // SAFETY: sets a flag on an fd number; EBADF for one that is not open.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }),
        other => other.map(drop),
    }
}

fn each_open_fd(first: u32, mut action: impl FnMut(RawFd)) -> Result<()> {
    let open: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd: &RawFd| u32::try_from(*fd).is_ok_and(|fd| fd >= first))
        .collect();
    for fd in open {
        action(fd);
    }
    Ok(())
}
