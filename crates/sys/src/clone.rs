//! clone3(2): a child with its own namespaces, a pidfd, and a place in a cgroup, in one call.
//!
//! # Safety
//!
//! A child made without `CLONE_VM` is a copy of the calling thread alone. In a process with more threads it would copy
//! locks that nobody will release, so [`clone3`] refuses to run in one.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::errno::{Errno, Result, check};

/// Puts the child into the cgroup v2 directory of `clone_args.cgroup`.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which side of the clone the caller is on.
#[derive(Debug)]
pub enum Side {
    /// The caller; owns the child's pidfd.
    Parent {
        /// The child's process id as the caller's pid namespace counts.
        pid: i32,
        /// Refers to the child for as long as it is open.
        pidfd: OwnedFd,
    },
    /// The new process.
    Child,
}

/// `clone3(CLONE_PIDFD | namespaces [| CLONE_INTO_CGROUP])`.
///
/// `namespaces` is a mask of `CLONE_NEW*`; `cgroup` is a cgroup v2 directory.
///
/// # Errors
///
/// The kernel's, among them EPERM (namespaces forbidden), ENOSPC (too many), EBUSY or EOPNOTSUPP (the cgroup cannot
/// take processes; or the kernel hides clone3, and clone(2) cannot name one). EDEADLK when the process has several threads.
///
/// See [clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html).
pub fn clone3(namespaces: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Side> {
    // The parent hears of the end of a child of its own; of a sibling's, that one's parent, by the same signal.
    make(&Alone::check()?, namespaces, libc::SIGCHLD, cgroup)
}

/// That the process had one thread when it was looked at. A thread does not come about by itself, so who looks and makes
/// none can clone later, also from a root whose /proc does not show it.
#[derive(Debug)]
pub struct Alone(());

impl Alone {
    /// Looks.
    ///
    /// # Errors
    ///
    /// EDEADLK: there are several threads, or /proc does not say.
    pub fn check() -> Result<Self> {
        if is_single_threaded() {
            Ok(Self(()))
        } else {
            Err(Errno::from_raw(libc::EDEADLK))
        }
    }
}

/// A sibling: a child of the caller's parent (`CLONE_PARENT`), in new namespaces. The pidfd is the caller's.
///
/// # Errors
///
/// As [`clone3`]; EINVAL in a pid 1.
pub fn clone_sibling(alone: &Alone, namespaces: u64) -> Result<Side> {
    make(
        alone,
        namespaces | u64::from(libc::CLONE_PARENT.cast_unsigned()),
        0,
        None,
    )
}

fn make(
    _alone: &Alone,
    namespaces: u64,
    exit_signal: libc::c_int,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Side> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: `clone_args` is plain old data, for which all zeroes is a valid value meaning "nothing asked for".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces | u64::from(libc::CLONE_PIDFD.cast_unsigned());
    args.pidfd = std::ptr::addr_of_mut!(pidfd) as u64;
    args.exit_signal = u64::from(exit_signal.cast_unsigned());
    if let Some(dir) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(dir.as_raw_fd().cast_unsigned());
    }
    // SAFETY: clone3 reads `args` for the size given and writes one int to `args.pidfd`, which outlives the call. Without
    // CLONE_VM and with no stack given, the child runs on a copy of this stack; the process has one thread (`Alone`).
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    let result = match check(result) {
        Err(Errno::ENOSYS) => clone(namespaces, exit_signal, cgroup, &mut pidfd),
        other => other,
    };
    match result? {
        0 => Ok(Side::Child),
        pid => {
            // SAFETY: on success in the parent the kernel has stored a new fd that nobody else knows of.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent { pid, pidfd })
        }
    }
}

/// The older call, for kernels and seccomp filters (docker's, and ours) that hide clone3. It cannot name a cgroup.
fn clone(
    namespaces: u64,
    exit_signal: libc::c_int,
    cgroup: Option<BorrowedFd<'_>>,
    pidfd: &mut libc::c_int,
) -> Result<i32> {
    if cgroup.is_some() {
        return Err(Errno::EOPNOTSUPP);
    }
    let flags = namespaces | u64::from((libc::CLONE_PIDFD | exit_signal).cast_unsigned());
    let (none, pidfd) = (0usize, std::ptr::from_mut(pidfd));
    // SAFETY: with CLONE_PIDFD the third argument, on every architecture that we build for, is where one int is written;
    // it outlives the call. No CLONE_VM and no stack: the child runs on a copy of this one, as with clone3.
    check(unsafe { libc::syscall(libc::SYS_clone, flags, none, pidfd, none, none) })
}

/// `clone3` without namespaces: fork(2) that also gives a pidfd.
///
/// # Errors
///
/// As [`clone3`].
pub fn fork() -> Result<Side> {
    clone3(0, None)
}

fn is_single_threaded() -> bool {
    // The link count of /proc/self/task is its number of entries plus two: one call, no directory to read.
    rustix::fs::stat(c"/proc/self/task").is_ok_and(|stat| stat.st_nlink == 3)
}
