//! Signals for a container's first process. As pid 1 of its namespace it is not sent a signal that it has no handler for:
//! the kernel drops it (pid_namespaces(7)), and a `sleep` or `node app.js` would run on for ever. Such a signal becomes
//! SIGKILL here, and is reported as if it had worked.

use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

/// What a process does with a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It has a handler, or blocks the signal to take it by sigwait(3) or signalfd(2), as systemd does: the kernel keeps it
    /// for that.
    Caught,
    /// It said that it wants none of it.
    Ignored,
    /// The default action, which the kernel keeps from pid 1.
    Default,
}

/// How often a blocked signal is looked at, 2 ms apart.
const LOOKS: u32 = 8;

/// What `pid` does with `signal` (proc_pid_status(5), `SigCgt`, `SigBlk`, `SigIgn`). None: there is no such process.
///
/// Blocked once says nothing: a shell blocks everything for a moment around each fork. Blocked at every look does.
#[must_use]
pub fn disposition(pid: i32, signal: i32) -> Option<Disposition> {
    for _ in 0..LOOKS {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        match in_status(&status, signal)? {
            // While a process waits for signals the kernel shows them as not blocked.
            Shown::Default if waits_for(pid, signal) != Some(true) => {
                return Some(Disposition::Default);
            }
            Shown::Ignored => return Some(Disposition::Ignored),
            Shown::Blocked => std::thread::sleep(Duration::from_millis(2)),
            Shown::Caught | Shown::Default => return Some(Disposition::Caught),
        }
    }
    Some(Disposition::Caught)
}

/// Whether `pid` is in rt_sigtimedwait(2) for `signal` (proc_pid_syscall(5); its first argument is the set).
fn waits_for(pid: i32, signal: i32) -> Option<bool> {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
    let mut words = call.split(' ');
    if words.next()?.parse() != Ok(nix::libc::SYS_rt_sigtimedwait) {
        return None;
    }
    let address = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    let mut set = [0; 8];
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    memory.read_exact_at(&mut set, address).ok()?;
    Some(u64::from_ne_bytes(set) & bit(signal)? != 0)
}

fn bit(signal: i32) -> Option<u64> {
    1u64.checked_shl(u32::try_from(signal).ok()?.checked_sub(1)?)
}

/// What one look at a process shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Caught,
    Blocked,
    Ignored,
    Default,
}

fn in_status(status: &str, signal: i32) -> Option<Shown> {
    let bit = bit(signal)?;
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    Some(if set("SigIgn:")? & bit != 0 {
        Shown::Ignored
    } else if set("SigCgt:")? & bit != 0 {
        Shown::Caught
    } else if set("SigBlk:")? & bit != 0 {
        Shown::Blocked
    } else {
        Shown::Default
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

/// Sends `signal`. True: it was SIGKILL that was sent in its place. `takes_signals`: the first process is the one of
/// `--init`, which passes everything on to a child that the kernel spares nothing, or it is spared nothing itself.
pub(crate) fn deliver(pid: i32, pidfd: BorrowedFd<'_>, signal: i32, takes_signals: bool) -> bool {
    if !takes_signals
        && ends_by_default(signal)
        && signal != Signal::KILL.as_raw()
        && disposition(pid, signal) == Some(Disposition::Default)
    {
        return pidfd_send_signal(pidfd, Signal::KILL).is_ok();
    }
    let _ = keelbox_sys::signal::send_by_fd(pidfd, signal);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tsh\nSigPnd:\t0000000000000000\nSigBlk:\t0000000000000200\n\
        SigIgn:\t0000000000000004\nSigCgt:\t0000000000004002\n";

    #[test]
    fn a_status_shows_what_is_done_with_a_signal() {
        let of = |signal| in_status(STATUS, signal);
        assert_eq!(of(2), Some(Shown::Caught));
        assert_eq!(of(15), Some(Shown::Caught));
        assert_eq!(of(3), Some(Shown::Ignored));
        assert_eq!(of(10), Some(Shown::Blocked));
        assert_eq!(of(1), Some(Shown::Default));
    }

    #[test]
    fn a_number_that_is_no_signal_has_no_disposition() {
        assert_eq!(in_status(STATUS, 0), None);
        assert_eq!(in_status(STATUS, 65), None);
        assert_eq!(in_status(STATUS, -1), None);
    }
}
