//! One control group.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::{Cgroup, CgroupEntry};
use keelbox_sys::Errno;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A failed step: the call, what it was about, and its errno.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The system call.
    pub call: &'static str,
    /// The directory or file.
    pub path: String,
    /// Its errno.
    pub errno: Errno,
}

impl Fault {
    fn new(call: &'static str, path: &CStr, errno: impl Into<Errno>) -> Self {
        Self {
            call,
            path: path.to_string_lossy().into_owned(),
            errno: errno.into(),
        }
    }
}

/// A group that was made.
#[derive(Debug)]
pub struct Made {
    /// v2: the directory, for `CLONE_INTO_CGROUP`. v1: its `tasks`, open for writing.
    pub entry: OwnedFd,
    /// Which of the two.
    pub kind: CgroupEntry,
}

/// Makes a group below its parent, with its limits.
///
/// # Errors
///
/// The kernel's: EROFS or EACCES (not ours to make), ENOENT (the controller has no such file), EINVAL or ERANGE (a value).
pub fn make(group: &Cgroup) -> Result<Made, Fault> {
    let directory = match make_directory(&group.directory) {
        Err(fault) if fault.errno == Errno::ENOENT => {
            make_parent(group)?;
            make_directory(&group.directory)?
        }
        other => other?,
    };
    for (name, value) in &group.files {
        write(directory.as_fd(), name, value)?;
    }
    let entry = match group.entry {
        CgroupEntry::Clone => directory,
        CgroupEntry::Tasks => open(directory.as_fd(), c"tasks", OFlags::WRONLY)?,
    };
    Ok(Made {
        entry,
        kind: group.entry,
    })
}

fn make_parent(group: &Cgroup) -> Result<(), Fault> {
    let parent = make_directory(&group.parent)?;
    if group.enable.is_empty() {
        return Ok(());
    }
    write(parent.as_fd(), c"cgroup.subtree_control", &group.enable)
}

/// Makes a directory, or takes the one that is there: parents are shared.
fn make_directory(path: &CStr) -> Result<OwnedFd, Fault> {
    match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(errno) => return Err(Fault::new("mkdir", path, errno)),
    }
    open(CWD, path, OFlags::DIRECTORY | OFlags::NOFOLLOW)
}

fn open(at: BorrowedFd<'_>, path: &CStr, flags: OFlags) -> Result<OwnedFd, Fault> {
    rustix::fs::openat(at, path, flags | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Fault::new("openat", path, errno))
}

fn write(directory: BorrowedFd<'_>, name: &CStr, value: &CStr) -> Result<(), Fault> {
    let file = open(directory, name, OFlags::WRONLY)?;
    rustix::io::write(&file, value.to_bytes())
        .map(drop)
        .map_err(|errno| Fault::new("write", name, errno))
}

/// The process ids in the group and below it.
#[must_use]
pub fn members(directory: &CStr) -> Vec<i32> {
    let path = String::from_utf8_lossy(directory.to_bytes()).into_owned();
    let own = std::fs::read_to_string(format!("{path}/cgroup.procs")).unwrap_or_default();
    let mut found: Vec<i32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    found.extend(children(&path).iter().flat_map(|child| members(child)));
    found
}

fn children(path: &str) -> Vec<CString> {
    let Ok(entries) = std::fs::read_dir(path) else {
        return Vec::new();
    };
    let directories = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories
        .filter_map(|entry| CString::new(entry.path().into_os_string().into_encoded_bytes()).ok())
        .collect()
}

/// Ends every process of the group: at once on v2 (`cgroup.kill`, Linux 5.14), else one after the other until none is left.
pub fn empty(directory: &CStr) {
    if let Ok(group) = open(CWD, directory, OFlags::DIRECTORY)
        && write(group.as_fd(), c"cgroup.kill", c"1").is_ok()
    {
        return;
    }
    // A fork bomb meets its pids limit, so a few rounds by the caller end it.
    for pids in members(directory).chunks(HELD_AT_ONCE) {
        let held: Vec<Held> = pids.iter().copied().filter_map(Held::of).collect();
        // A number that had become another's before its pidfd was made is not in the group's list after that.
        let still: HashSet<i32> = members(directory).into_iter().collect();
        for Held { pid, pidfd } in held {
            if still.contains(&pid) {
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            }
        }
    }
}

/// There may be more processes in a group than this one may have fds.
const HELD_AT_ONCE: usize = 256;

/// A process that can be signalled without mistaking another for it (`pidfd_open(2)`).
struct Held {
    pid: i32,
    pidfd: OwnedFd,
}

impl Held {
    /// None: it is gone, or in a pid namespace that this process does not see (0 in the list).
    fn of(pid: i32) -> Option<Self> {
        let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        Some(Self { pid, pidfd })
    }
}

/// Removes the group and those below it. False: something is still in it.
#[must_use]
pub fn remove(directory: &CStr) -> bool {
    match rustix::fs::unlinkat(CWD, directory, AtFlags::REMOVEDIR) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => true,
        Err(_) => {
            let path = String::from_utf8_lossy(directory.to_bytes()).into_owned();
            let below = children(&path);
            !below.is_empty()
                && below.iter().all(|child| remove(child))
                && rustix::fs::unlinkat(CWD, directory, AtFlags::REMOVEDIR).is_ok()
        }
    }
}
