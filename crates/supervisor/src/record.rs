//! The records that a supervisor writes, each whole or not at all (temporary name, then rename).

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Mode, OFlags};

use keelbox_spec::start::Life;
use keelbox_sys::Errno;

use crate::health::Health;
use crate::protocol::{Event, Exited};

/// Milliseconds since the epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|time| u64::try_from(time.as_millis()).ok())
        .unwrap_or(0)
}

/// What `state.json` says.
pub(crate) struct State<'a> {
    /// The first process; 0: there is none, it is about to be started again.
    pub(crate) pid: i32,
    pub(crate) boot_id: &'a str,
    /// Milliseconds since the epoch.
    pub(crate) started_at: u64,
    pub(crate) paused: bool,
    pub(crate) restarting: bool,
    pub(crate) restart_count: u32,
    pub(crate) health: Option<&'a str>,
}

/// `state.json` in the state directory: who the first process is. Its start time, and this boot's id, tell it from a later
/// process of the same number (proc_pid_stat(5), `starttime`).
pub(crate) fn state(directory: BorrowedFd<'_>, state: &State<'_>) {
    let State {
        pid,
        boot_id,
        started_at,
        paused,
        restarting,
        restart_count,
        health,
    } = state;
    let start_time = start_time(*pid).unwrap_or(0);
    let supervisor = rustix::process::getpid().as_raw_nonzero();
    let health = health.map_or_else(|| "null".to_owned(), |health| format!("\"{health}\""));
    let text = format!(
        "{{\"pid\":{pid},\"startTime\":{start_time},\"supervisor\":{supervisor},\"bootId\":\"{boot_id}\",\
         \"startedAt\":{started_at},\"paused\":{paused},\"restarting\":{restarting},\
         \"restartCount\":{restart_count},\"health\":{health}}}\n"
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

/// What `exit.json` says besides how the first process ended.
#[derive(Default)]
pub(crate) struct Exit<'a> {
    /// Milliseconds since the epoch; 0: it did not start.
    pub(crate) started_at: u64,
    pub(crate) restart_count: u32,
    /// Somebody asked for its end.
    pub(crate) stopped: bool,
    /// Why it could not be started.
    pub(crate) error: Option<&'a str>,
}

/// `exit.json` in the data directory: how the container ended.
pub(crate) fn exit(directory: BorrowedFd<'_>, exited: &Exited, more: &Exit<'_>) {
    let or_null = |text: Option<String>| text.unwrap_or_else(|| "null".to_owned());
    let text = format!(
        "{{\"exitCode\":{},\"signal\":{},\"oomKilled\":{},\"startedAt\":{},\"finishedAt\":{},\
         \"restartCount\":{},\"stopped\":{},\"error\":{}}}\n",
        exited.exit_code(),
        or_null(exited.signal.map(|signal| signal.to_string())),
        exited.oom_killed,
        more.started_at,
        now(),
        more.restart_count,
        more.stopped,
        or_null(more.error.map(quoted)),
    );
    write(directory, c"exit.json", &text);
}

/// `exit.json` of a container that has run before, and could not be started again.
pub(crate) fn refused(directory: BorrowedFd<'_>, life: &Life, event: &Event) {
    let Event::Failed {
        call, errno, note, ..
    } = event
    else {
        return;
    };
    let errno = Errno::from_raw(*errno);
    let exited = Exited {
        code: Some(if errno == Errno::ENOENT { 127 } else { 126 }),
        ..Exited::default()
    };
    let more = Exit {
        restart_count: life.restarts,
        error: Some(&format!("{call}: {}: {note}", errno.text())),
        ..Exit::default()
    };
    exit(directory, &exited, &more);
}

/// `health.json` in the state directory.
pub(crate) fn health(directory: BorrowedFd<'_>, health: &Health) {
    let log: Vec<_> = health
        .log()
        .map(|checked| {
            format!(
                "{{\"start\":{},\"end\":{},\"exitCode\":{},\"output\":{}}}",
                checked.start,
                checked.end,
                checked.exit_code,
                quoted(&checked.output)
            )
        })
        .collect();
    let text = format!(
        "{{\"status\":\"{}\",\"failingStreak\":{},\"log\":[{}]}}\n",
        health.status().name(),
        health.failing_streak(),
        log.join(",")
    );
    write(directory, c"health.json", &text);
}

/// A string by RFC 8259, section 7.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            other if other.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(other)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The draft of every record. Before a start the engine makes one with room for it, so that a disk that is full by then
/// does not keep the first record from being written.
const DRAFT: &CStr = c".record";

/// Puts a record away that is true no more; the next one has its room.
pub(crate) fn withdraw(directory: BorrowedFd<'_>, name: &CStr) {
    if rustix::fs::renameat(directory, name, directory, DRAFT).is_err() {
        let _ = rustix::fs::unlinkat(directory, name, AtFlags::empty());
    }
}

/// Writes a record beside the old one, which it replaces; on a full disk over it, which is better than a record that is
/// wrong. What cannot be written at all is a container of unknown state, never a container that is not cleaned up.
fn write(directory: BorrowedFd<'_>, name: &CStr, text: &str) {
    let _ = match draft(directory, text) {
        Ok(()) => rustix::fs::renameat(directory, DRAFT, directory, name),
        Err(_) => {
            let _ = rustix::fs::unlinkat(directory, DRAFT, AtFlags::empty());
            over(directory, name, text)
        }
    };
}

fn draft(directory: BorrowedFd<'_>, text: &str) -> rustix::io::Result<()> {
    // Not cut short first: that would give the room away.
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(directory, DRAFT, flags, Mode::from_raw_mode(0o600))?;
    put(&file, text)
}

fn over(directory: BorrowedFd<'_>, name: &CStr, text: &str) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    // Half of one would be none.
    let room = rustix::fs::fstat(&file)?.st_blocks.saturating_mul(512);
    if i64::try_from(text.len()).is_ok_and(|length| length <= room) {
        put(&file, text)
    } else {
        Err(rustix::io::Errno::NOSPC)
    }
}

fn put(file: &OwnedFd, text: &str) -> rustix::io::Result<()> {
    if rustix::io::write(file, text.as_bytes())? != text.len() {
        return Err(rustix::io::Errno::NOSPC);
    }
    rustix::fs::ftruncate(file, u64::try_from(text.len()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn any_text_is_a_string() {
        assert_eq!(
            quoted("a\"b\\\n\u{1b}\u{7f}é"),
            "\"a\\\"b\\\\\\n\\u001b\\u007fé\""
        );
    }
}
