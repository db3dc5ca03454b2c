//! The journal of events: `events` and `events.1` in a directory, one JSON object per line.
//!
//! Several processes write it at the same time, each event with one write(2) under a lock. The lock makes the order of the
//! lines that of their times, keeps the size exact, and lets no line end up in a file that was just renamed. It is not
//! waited for without end: a process that was stopped while it held it must not hold up a container.

mod json;
mod reader;

pub use reader::EventsReader;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::{Errno, Result};

use crate::clock::Time;

/// The file that is written to; the older one is `events.1`.
pub(crate) const NAME: &str = "events";
const OLDER: &str = "events.1";
const LOCK: &str = "events.lock";

/// Bytes of one of the two files.
pub(crate) const MAX_SIZE: u64 = 1_000_000;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What it happened to: `container`, `image`, `volume`.
    pub kind: &'a str,
    /// What happened, in docker's words: `create`, `start`, `die`, `health_status: healthy`.
    pub action: &'a str,
    /// The id of what it happened to; for a volume its name.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What else is to be said: `image`, `exitCode`, the labels of a container. `name` is added by itself.
    pub attributes: &'a [(&'a str, &'a str)],
}

/// Records an event, with the time. Best effort: what cannot be written is nobody's failure.
pub fn record(directory: BorrowedFd<'_>, event: &Event<'_>) {
    let _ = write(directory, event);
}

fn write(directory: BorrowedFd<'_>, event: &Event<'_>) -> Result<()> {
    // Released when it is closed.
    let lock = open(directory, LOCK, OFlags::empty())?;
    let is_locked = lock_briefly(lock.as_fd());
    let mut line = Vec::with_capacity(512);
    let mut file = open(directory, NAME, OFlags::APPEND)?;
    json::write(&mut line, Time::now(), event);
    if is_locked && !has_room(&file, line.len())? {
        rustix::fs::renameat(directory, NAME, directory, OLDER)?;
        file = open(directory, NAME, OFlags::APPEND)?;
    }
    if ends_torn(&file)? {
        line.insert(0, b'\n');
    }
    rustix::io::write(&file, &line).map(drop)
}

fn open(directory: BorrowedFd<'_>, name: &str, flags: OFlags) -> Result<OwnedFd> {
    let flags = flags | OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o600))
}

/// How long a writer waits for another, which has the lock for microseconds unless it was stopped.
const PATIENCE: Duration = Duration::from_millis(500);

/// flock(2) has no limit of time of its own, so it is tried. Without the lock, the size waits for the next writer.
fn lock_briefly(lock: BorrowedFd<'_>) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        match rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return true,
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(Duration::from_micros(50)),
            // A file system without locks.
            Err(_) => return false,
        }
    }
    false
}

fn has_room(file: &OwnedFd, length: usize) -> Result<bool> {
    let size = u64::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0);
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    // One byte more, for the newline of a line that was cut short.
    Ok(size == 0 || size.saturating_add(length) < MAX_SIZE)
}

/// Whether a write was cut short by a full disk, or by the end of the machine.
fn ends_torn(file: &OwnedFd) -> Result<bool> {
    let size = u64::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0);
    let mut last = [b'\n'];
    if size > 0 {
        rustix::io::pread(file, &mut last, size - 1)?;
    }
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests;
