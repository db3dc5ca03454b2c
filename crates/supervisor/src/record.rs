//! The two records that a supervisor writes, each whole or not at all (temporary name, then rename).

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};

use crate::protocol::Exited;

/// Milliseconds since the epoch.
pub(crate) fn now() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis())
}

/// `state.json` in the state directory: who the first process is. Its start time, and this boot's id, tell it from a later
/// process of the same number (proc_pid_stat(5), `starttime`).
pub(crate) fn state(directory: BorrowedFd<'_>, pid: i32, boot_id: &str) {
    let start_time = start_time(pid).unwrap_or(0);
    let supervisor = rustix::process::getpid().as_raw_nonzero();
    let text = format!(
        "{{\"pid\":{pid},\"startTime\":{start_time},\"supervisor\":{supervisor},\"bootId\":\"{boot_id}\",\"startedAt\":{}}}\n",
        now()
    );
    write(directory, c"state.json", &text);
}

/// When a process was started, in clock ticks since boot (proc_pid_stat(5)).
#[must_use]
pub fn start_time(pid: i32) -> Option<u64> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(format!("/proc/{pid}/stat"), flags, Mode::empty()).ok()?;
    // One line of at most 52 numbers and a name of at most 16 bytes, which the kernel gives whole.
    let mut buffer = [0; 1024];
    let length = rustix::io::read(&file, &mut buffer).ok()?;
    let stat = String::from_utf8_lossy(buffer.get(..length)?);
    // The second field is the name in parentheses, and may have anything in it.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// `exit.json` in the data directory: how the container ended.
pub(crate) fn exit(directory: BorrowedFd<'_>, exited: &Exited) {
    let text = format!(
        "{{\"exitCode\":{},\"signal\":{},\"oomKilled\":{},\"finishedAt\":{}}}\n",
        exited.exit_code(),
        exited
            .signal
            .map_or_else(|| "null".to_owned(), |signal| signal.to_string()),
        exited.oom_killed,
        now()
    );
    write(directory, c"exit.json", &text);
}

/// A record that cannot be written (a full disk) is a container of unknown state, never a container that is not cleaned up.
fn write(directory: BorrowedFd<'_>, name: &CStr, text: &str) {
    let flags =
        OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let Ok(file) = rustix::fs::openat(directory, c".record", flags, Mode::from_raw_mode(0o600))
    else {
        return;
    };
    if rustix::io::write(file.as_fd(), text.as_bytes()) == Ok(text.len()) {
        let _ = rustix::fs::renameat(directory, c".record", directory, name);
    }
}
