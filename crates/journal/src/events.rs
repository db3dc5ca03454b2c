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
    record_all(directory, std::slice::from_ref(event));
}

/// Records what happened at one moment, in this order.
pub fn record_all(directory: BorrowedFd<'_>, events: &[Event<'_>]) {
    let _ = write(directory, events);
}

fn write(directory: BorrowedFd<'_>, events: &[Event<'_>]) -> Result<()> {
    let mut lines = Vec::with_capacity(512);
    loop {
        // Closing it lets its lock go.
        let file = open(directory)?;
        let is_locked = lock_briefly(file.as_fd());
        let stat = rustix::fs::fstat(&file)?;
        if stat.st_mode & SEALED.as_raw_mode() != 0 {
            // Another process has renamed it between the opening and the lock.
            continue;
        }
        lines.clear();
        let now = Time::now();
        for event in events {
            // Begun with a newline: the last write may have been cut short, by a full disk or the end of the machine.
            lines.push(b'\n');
            json::write(&mut lines, now, event);
        }
        if is_locked && !has_room(stat.st_size, lines.len()) {
            seal(&file)?;
            rustix::fs::renameat(directory, NAME, directory, OLDER)?;
            continue;
        }
        return rustix::io::write(&file, &lines).map(drop);
    }
}

/// What marks a file that gets no more lines: a bit of its mode that means nothing else here.
const SEALED: Mode = Mode::SVTX;

fn seal(file: &OwnedFd) -> Result<()> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(0o600) | SEALED)
}

fn open(directory: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = OFlags::APPEND | OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(directory, NAME, flags, Mode::from_raw_mode(0o600))
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

fn has_room(size: i64, length: usize) -> bool {
    let size = u64::try_from(size).unwrap_or(0);
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    size == 0 || size.saturating_add(length) < MAX_SIZE
}

#[cfg(test)]
mod tests;
