//! Freezing the processes of groups, and letting them go on.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use keelbox_sys::Errno;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags};

/// How long the kernel may take: a process in the middle of something that cannot be interrupted freezes when that is over.
const PATIENCE: Duration = Duration::from_secs(10);

/// Freezes all processes of the first of `groups` that can do it, or lets them go on, and waits until that is so.
///
/// v2 freezes by `cgroup.freeze` (Linux 5.2), v1 by `freezer.state`, where that controller is.
///
/// # Errors
///
/// ENOTSUP: none of the groups can. ETIMEDOUT: a process does not stop; they all go on then. The kernel's.
pub fn freeze(groups: &[CString], frozen: bool) -> Result<(), Errno> {
    for group in groups {
        let Ok(directory) = open_at(None, group, OFlags::DIRECTORY) else {
            continue;
        };
        let done = match open_at(Some(&directory), c"cgroup.freeze", OFlags::WRONLY) {
            Ok(file) => Some(freeze_v2(&directory, &file, frozen)),
            Err(_) => open_at(Some(&directory), c"freezer.state", OFlags::RDWR)
                .ok()
                .map(|file| freeze_v1(&file, frozen)),
        };
        if let Some(done) = done {
            return done;
        }
    }
    Err(Errno::EOPNOTSUPP)
}

fn open_at(directory: Option<&OwnedFd>, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let at = directory.map_or(CWD, AsFd::as_fd);
    let flags = flags | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

fn freeze_v2(directory: &OwnedFd, file: &OwnedFd, frozen: bool) -> Result<(), Errno> {
    let events = open_at(Some(directory), c"cgroup.events", OFlags::RDONLY)?;
    let (value, wanted): (&[u8], _) = if frozen {
        (b"1", "frozen 1")
    } else {
        (b"0", "frozen 0")
    };
    rustix::io::write(file, value)?;
    let until = Instant::now() + PATIENCE;
    // The file changes once it has been read: first the look, then the wait for the next.
    while !read(&events)?.lines().any(|line| line == wanted) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            rustix::io::write(file, b"0")?;
            return Err(Errno::ETIMEDOUT);
        }
        let mut fds = [PollFd::new(&events, PollFlags::PRI)];
        let _ = poll(&mut fds, Timespec::try_from(left).ok().as_ref());
    }
    Ok(())
}

/// Nothing tells of the change here, and a process that was forked meanwhile wants the word said again (the kernel's
/// Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst).
fn freeze_v1(file: &OwnedFd, frozen: bool) -> Result<(), Errno> {
    let (value, wanted): (&[u8], _) = if frozen {
        (b"FROZEN", "FROZEN")
    } else {
        (b"THAWED", "THAWED")
    };
    let until = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(100);
    loop {
        rustix::io::pwrite(file, value, 0)?;
        if read(file)?.trim() == wanted {
            return Ok(());
        }
        if Instant::now() >= until {
            rustix::io::pwrite(file, b"THAWED", 0)?;
            return Err(Errno::ETIMEDOUT);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

fn read(file: &OwnedFd) -> Result<String, Errno> {
    let mut buffer = [0; 256];
    let length = rustix::io::pread(file, &mut buffer, 0)?;
    let text = buffer.get(..length).unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}
