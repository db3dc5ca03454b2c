//! Waiting until there is more to read, without asking again and again (inotify(7)).

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::{Errno, Result};

use crate::clock::Time;

/// Changes in directories. Its fd is readable when there were any.
#[derive(Debug)]
pub struct Watch {
    inotify: OwnedFd,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    ///
    /// EMFILE: the user has `fs.inotify.max_user_instances` of them already, or too many open files.
    pub fn new() -> Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { inotify })
    }

    /// Watches what is written, made and renamed in a directory.
    ///
    /// # Errors
    ///
    /// ENOSPC: `fs.inotify.max_user_watches` is reached. ENOENT: there is no /proc.
    pub fn writes(&self, directory: BorrowedFd<'_>) -> Result<()> {
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        self.add(directory, flags)
    }

    /// Watches what is removed from a directory.
    ///
    /// # Errors
    ///
    /// As [`writes`](Self::writes).
    pub fn removals(&self, directory: BorrowedFd<'_>) -> Result<()> {
        self.add(directory, WatchFlags::DELETE | WatchFlags::MOVED_FROM)
    }

    fn add(&self, directory: BorrowedFd<'_>, flags: WatchFlags) -> Result<()> {
        // A directory is watched by its path; this one is right whatever it is called by now.
        let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
        let flags = flags | WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
        inotify::add_watch(&self.inotify, path, flags).map(drop)
    }

    /// Forgets the changes so far: whoever looks afterwards sees them.
    pub fn clear(&self) {
        let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
        while let Ok((bytes, _)) = rustix::io::read(&self.inotify, &mut buffer) {
            if bytes.is_empty() {
                return;
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// What [`wait`] waits for.
#[derive(Clone, Copy, Debug)]
pub enum For<'a> {
    /// Something to read, or the end of a process.
    Input(BorrowedFd<'a>),
    /// Something can be written here.
    Room(BorrowedFd<'a>),
    /// Nobody reads what is written here any more.
    NoReader(BorrowedFd<'a>),
}

/// Waits until something of it is so, or until a time. Answers which of them are so.
///
/// # Errors
///
/// The kernel's.
pub fn wait(what: &[For<'_>], until: Option<Time>) -> Result<Vec<bool>> {
    let mut fds: Vec<_> = what.iter().map(poll_fd).collect();
    loop {
        let limit = until.map(|until| until.from_now());
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(limit.subsec_nanos()),
        });
        match poll(&mut fds, limit.as_ref()) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => return Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect()),
        }
    }
}

fn poll_fd<'a>(what: &For<'a>) -> PollFd<'a> {
    match *what {
        For::Input(fd) => PollFd::from_borrowed_fd(fd, PollFlags::IN),
        For::Room(fd) => PollFd::from_borrowed_fd(fd, PollFlags::OUT),
        // Errors and hang-ups are always told.
        For::NoReader(fd) => PollFd::from_borrowed_fd(fd, PollFlags::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::{Bounds, LogWriter, Stream};

    fn soon() -> Option<Time> {
        Some(Time::from_nanos(Time::now().nanos() + 20_000_000))
    }

    #[test]
    fn a_write_wakes_whoever_waits_and_nothing_else_does() {
        let (scratch, other) = (Scratch::new(), Scratch::new());
        let watch = Watch::new().unwrap();
        watch.writes(scratch.fd()).unwrap();
        watch.removals(other.fd()).unwrap();
        let changed = || wait(&[For::Input(watch.as_fd())], soon()).unwrap() == [true];
        assert!(!changed());
        let mut log = LogWriter::open(scratch.fd(), Bounds::default()).unwrap();
        assert!(changed());
        watch.clear();
        log.write(Stream::Stdout, b"one\n");
        assert!(changed());
        watch.clear();
        std::fs::create_dir(other.path.join("id")).unwrap();
        assert!(!changed());
        std::fs::remove_dir(other.path.join("id")).unwrap();
        assert!(changed());
    }

    #[test]
    fn a_pipe_whose_reader_has_gone_is_told() {
        let (reader, writer) = std::io::pipe().unwrap();
        let gone = || wait(&[For::NoReader(writer.as_fd())], soon()).unwrap() == [true];
        assert!(!gone());
        drop(reader);
        assert!(gone());
    }
}
