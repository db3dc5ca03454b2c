//! The processes of a container that has no pid namespace of its own: there, the end of the first one ends no other.
//!
//! All of them have its mount namespace, which nobody else has and which none can leave without a right that it does not
//! have. Control groups end them as well, but an ordinary user has none.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How often processes are looked for, at most: one that forks as fast as it can is ended by its group, if by anything.
const ROUNDS: u32 = 200;

/// A mount namespace, by which a container's processes are known.
///
/// It is held open: its number would be that of the next container's as soon as the last of its processes is gone.
#[derive(Debug)]
pub struct MountNamespace {
    _held: File,
    number: (u64, u64),
}

impl MountNamespace {
    /// That of `pid`. None: the process is gone, or has this process's own.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Self::held(File::open(format!("/proc/{pid}/ns/mnt")).ok()?)
    }

    /// The one that a file refers to.
    pub(crate) fn held(held: File) -> Option<Self> {
        let stat = held.metadata().ok()?;
        let number = (stat.dev(), stat.ino());
        (number_of("self")? != number).then_some(Self {
            _held: held,
            number,
        })
    }

    /// Ends all processes that have it.
    pub fn end(self) {
        for round in 0..ROUNDS {
            if !self.kill_all() {
                return;
            }
            std::thread::sleep(Duration::from_millis(u64::from(round.min(10))));
        }
    }

    /// Sends SIGKILL to each. False: there is none left.
    fn kill_all(&self) -> bool {
        let mut any = false;
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            any |= self.kill(pid);
        }
        any
    }

    /// By a pidfd that is there before the look, so that the signal goes to the process that was looked at.
    fn kill(&self, pid: i32) -> bool {
        let Some(number) = Pid::from_raw(pid) else {
            return false;
        };
        if number_of(&pid.to_string()) != Some(self.number) {
            return false;
        }
        let Ok(pidfd) = pidfd_open(number, PidfdFlags::empty()) else {
            return false;
        };
        number_of(&pid.to_string()) == Some(self.number)
            && pidfd_send_signal(&pidfd, Signal::KILL).is_ok()
    }
}

/// Device and inode number of a process's mount namespace; a dead process has none.
fn number_of(process: &str) -> Option<(u64, u64)> {
    let stat = fs::metadata(format!("/proc/{process}/ns/mnt")).ok()?;
    Some((stat.dev(), stat.ino()))
}
