//! The processes of a container that has no pid namespace of its own: there, the end of the first one ends no other.
//!
//! All of them have its mount namespace, which nobody else has and which none can leave without a right that it does not
//! have. Control groups end them as well, but an ordinary user has none.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How often processes are looked for, at most: one that forks as fast as it can is ended by its group, if by anything.
const ROUNDS: u32 = 200;

/// A mount namespace, by which a container's processes are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MountNamespace {
    device: u64,
    inode: u64,
}

impl MountNamespace {
    /// That of `pid`. None: the process is gone, or has this process's own.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let namespace = Self::read(&pid.to_string())?;
        (Self::read("self")? != namespace).then_some(namespace)
    }

    /// A dead process has none.
    fn read(process: &str) -> Option<Self> {
        let stat = fs::metadata(format!("/proc/{process}/ns/mnt")).ok()?;
        let (device, inode) = (stat.dev(), stat.ino());
        Some(Self { device, inode })
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
    fn kill_all(self) -> bool {
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
    fn kill(self, pid: i32) -> bool {
        let Some(number) = Pid::from_raw(pid) else {
            return false;
        };
        if Self::read(&pid.to_string()) != Some(self) {
            return false;
        }
        let Ok(pidfd) = pidfd_open(number, PidfdFlags::empty()) else {
            return false;
        };
        Self::read(&pid.to_string()) == Some(self)
            && pidfd_send_signal(&pidfd, Signal::KILL).is_ok()
    }
}
