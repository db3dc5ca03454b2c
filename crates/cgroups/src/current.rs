//! The groups that a process is in.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use keelbox_spec::op::CgroupEntry;
use keelbox_sys::Errno;
use rustix::fs::{Mode, OFlags};

use crate::Fault;

/// A group that a process is in, and the caller is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// Its directory.
    pub directory: PathBuf,
    /// How others get in.
    pub entry: CgroupEntry,
    /// Whether it is in the hierarchy that freezes processes.
    freezes: bool,
}

/// The groups that `pid` is in and the caller is not, one for each hierarchy that the caller can see.
///
/// # Errors
///
/// ESRCH: there is no such process.
pub fn current(pid: i32) -> Result<Vec<Current>, Errno> {
    let read = |process: &str| std::fs::read_to_string(format!("/proc/{process}/cgroup"));
    let theirs = read(&pid.to_string()).map_err(|_| Errno::ESRCH)?;
    let own = read("self").unwrap_or_default();
    if theirs == own {
        return Ok(Vec::new());
    }
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    Ok(between(&theirs, &own, &table))
}

fn between(theirs: &str, own: &str, table: &str) -> Vec<Current> {
    let differs = |line: &&str| !own.lines().any(|other| other == *line);
    theirs
        .lines()
        .filter(differs)
        .filter_map(|line| located(line, table))
        .collect()
}

/// One line of proc_pid_cgroup(5), `NUMBER:CONTROLLERS:PATH`, as a directory.
fn located(line: &str, table: &str) -> Option<Current> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let mut mounts = table.lines().filter_map(mount);
    let entry = if controllers.is_empty() {
        CgroupEntry::Clone
    } else {
        CgroupEntry::Tasks
    };
    let found = mounts.find(|mount| match entry {
        CgroupEntry::Clone => mount.fstype == "cgroup2",
        CgroupEntry::Tasks => mount.fstype == "cgroup" && has(mount.options, controllers),
    })?;
    // Of a mount that shows a part of the hierarchy, only what is below that part has a path.
    let below = Path::new(path).strip_prefix(found.root).ok()?;
    let is_plain = !below.components().any(|part| part.as_os_str() == "..");
    is_plain.then(|| Current {
        directory: Path::new(found.point).join(below),
        entry,
        freezes: entry == CgroupEntry::Clone || has(found.options, "freezer"),
    })
}

/// Whether a v1 mount's options name all of `controllers`.
fn has(options: &str, controllers: &str) -> bool {
    controllers
        .split(',')
        .all(|name| options.split(',').any(|option| option == name))
}

struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    fstype: &'a str,
    options: &'a str,
}

/// The fields before ` - ` vary in number (proc_pid_mountinfo(5)).
fn mount(line: &str) -> Option<Mount<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let mut after = after.split(' ');
    Some(Mount {
        root: before.next()?,
        point: before.next()?,
        fstype: after.next()?,
        options: after.nth(1)?,
    })
}

impl Current {
    /// Opens it for a process that is to enter: the directory on v2, `tasks` on v1.
    ///
    /// # Errors
    ///
    /// ENOENT: it is gone. EACCES: it is not the caller's.
    pub fn open(&self) -> Result<OwnedFd, Fault> {
        let (path, flags) = match self.entry {
            CgroupEntry::Clone => (self.directory.clone(), OFlags::DIRECTORY),
            CgroupEntry::Tasks => (self.directory.join("tasks"), OFlags::WRONLY),
        };
        rustix::fs::open(&path, flags | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| Fault {
            call: "openat",
            path: path.display().to_string(),
            errno: errno.into(),
        })
    }

    /// Whether what is in it does not run: it, or a group above it, is frozen, or is about to be.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        if !self.freezes {
            return false;
        }
        let read =
            |name: &str| std::fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        match self.entry {
            CgroupEntry::Clone => {
                read("cgroup.freeze").trim() == "1"
                    || read("cgroup.events").lines().any(|line| line == "frozen 1")
            }
            CgroupEntry::Tasks => {
                let state = read("freezer.state");
                !state.is_empty() && state.trim() != "THAWED"
            }
        }
    }

    /// Its directory, for a message.
    #[must_use]
    pub fn name(&self) -> CString {
        CString::new(self.directory.as_os_str().as_bytes()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
24 30 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
32 24 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:5 - cgroup cgroup rw,cpu,cpuacct\n\
33 24 0:30 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
34 24 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
35 24 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn a_group_is_found_where_its_hierarchy_is_mounted() {
        let theirs =
            "5:pids:/docker/abc/keelbox/1\n3:cpu,cpuacct:/\n1:name=systemd:/x\n0::/keelbox/1/sub\n";
        let own = "5:pids:/docker/abc\n3:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n";
        let found = between(theirs, own, TABLE);
        let directories: Vec<_> = found.iter().map(|group| group.directory.to_str()).collect();
        assert_eq!(
            directories,
            [
                Some("/sys/fs/cgroup/pids/keelbox/1"),
                Some("/sys/fs/cgroup/systemd/x"),
                Some("/sys/fs/cgroup/unified/keelbox/1/sub"),
            ]
        );
        assert_eq!(found[2].entry, CgroupEntry::Clone);
    }

    #[test]
    fn what_the_mounts_do_not_show_is_passed_over() {
        assert_eq!(between("5:pids:/elsewhere\n", "", TABLE), []);
        assert_eq!(between("0::/../x\n", "", TABLE), []);
        assert_eq!(between("7:memory:/x\n", "", TABLE), []);
    }
}
