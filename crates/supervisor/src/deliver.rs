//! Signals for a container's first process. As pid 1 of its namespace it is not sent a signal that it has no handler for:
//! the kernel drops it (pid_namespaces(7)), and a `sleep` or `node app.js` would run on for ever. Such a signal becomes
//! SIGKILL here, and is reported as if it had worked.

use std::os::fd::BorrowedFd;

use rustix::process::{Signal, pidfd_send_signal};

/// What a process does with a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It has a handler.
    Caught,
    /// It said that it wants none of it.
    Ignored,
    /// The default action, which the kernel keeps from pid 1.
    Default,
}

/// What `pid` does with `signal` (proc_pid_status(5), `SigCgt`, `SigIgn`). None: there is no such process.
#[must_use]
pub fn disposition(pid: i32, signal: i32) -> Option<Disposition> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let bit = 1u64.checked_shl(u32::try_from(signal).ok()?.checked_sub(1)?)?;
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    if set("SigCgt:")? & bit != 0 {
        return Some(Disposition::Caught);
    }
    Some(if set("SigIgn:")? & bit != 0 {
        Disposition::Ignored
    } else {
        Disposition::Default
    })
}

/// Whether the default action of `signal` would end a process (signal(7)).
#[must_use]
pub(crate) fn ends_by_default(signal: i32) -> bool {
    let harmless = [
        Signal::CHILD,
        Signal::CONT,
        Signal::URG,
        Signal::WINCH,
        Signal::STOP,
        Signal::TSTP,
        Signal::TTIN,
        Signal::TTOU,
    ];
    !harmless.iter().any(|other| other.as_raw() == signal)
}

/// Sends `signal`. True: it was SIGKILL that was sent in its place.
pub(crate) fn deliver(pid: i32, pidfd: BorrowedFd<'_>, signal: i32) -> bool {
    if ends_by_default(signal)
        && signal != Signal::KILL.as_raw()
        && disposition(pid, signal) == Some(Disposition::Default)
    {
        return pidfd_send_signal(pidfd, Signal::KILL).is_ok();
    }
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ = pidfd_send_signal(pidfd, signal);
    }
    false
}
