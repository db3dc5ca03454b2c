//! Another container that runs, as one whose namespaces are to be entered.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::namespaces::JoinedIds;
use keelbox_spec::op::namespace;
use keelbox_spec::plan::is_hostname;
use keelbox_spec::start::fds;
use keelbox_sys::Errno;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::config::{self, State};
use crate::namespaces::file;
use crate::roots::Roots;
use crate::store::{is_unlinked, open_directory, try_lock};
use crate::{facts, list};

/// A container that runs.
#[derive(Debug)]
pub(crate) struct Other {
    /// As the user called it.
    pub(crate) name: String,
    /// Its id.
    pub(crate) id: String,
    state: State,
    directory: OwnedFd,
    init: OwnedFd,
}

impl Other {
    /// Finds a container by name or id.
    ///
    /// # Errors
    ///
    /// There is none of that name, or it does not run.
    pub(crate) fn find(roots: &Roots, name: &str) -> Result<Self, Failure> {
        let id = list::find(roots, name).map_err(|failure| failure.exit_code(125))?;
        Self::running(roots, name, id).ok_or_else(|| not_running(name))
    }

    /// The container called `name`, if it runs. Its first process is held by a pidfd before its start time is looked at, so
    /// a number that is another's by now is noticed.
    pub(crate) fn running(roots: &Roots, name: &str, id: String) -> Option<Self> {
        let path = roots.running().join(&id);
        let directory = open_directory(&path).ok()?;
        let state: State = config::read(&path, "state.json")?;
        let init = pidfd_open(Pid::from_raw(state.pid)?, PidfdFlags::empty()).ok()?;
        let other = Self {
            name: name.to_owned(),
            id,
            state,
            directory,
            init,
        };
        let same = other.state.boot_id == facts::boot_id()
            && keelbox_supervisor::start_time(other.state.pid) == Some(other.state.start_time);
        same.then_some(other)
    }

    /// Its first process.
    pub(crate) fn init(&self) -> BorrowedFd<'_> {
        self.init.as_fd()
    }

    /// The number of its first process.
    pub(crate) fn pid(&self) -> i32 {
        self.state.pid
    }

    /// Whether its supervisor is there, and its first process runs.
    pub(crate) fn is_alive(&self) -> bool {
        let supervised = !is_unlinked(&self.directory) && !try_lock(&self.directory);
        supervised && self.check_alive().is_ok()
    }

    /// Its namespaces that are not the caller's, as a mask.
    ///
    /// # Errors
    ///
    /// It is somebody else's.
    pub(crate) fn namespaces(&self) -> Result<u64, Errno> {
        let process = self.process();
        let mut mask = 0;
        for (kind, ..) in namespace::ALL {
            match (file::number("self", kind), file::number(&process, kind)) {
                // The kernel has no such kind.
                (Err(_), _) => {}
                (Ok(own), Ok(its)) if own == its => {}
                (Ok(_), Ok(_)) => mask |= kind,
                (Ok(_), Err(errno)) => return Err(errno),
            }
        }
        Ok(mask)
    }

    /// `container NAME`, for people.
    pub(crate) fn whose(&self) -> String {
        format!("container {}", self.name)
    }

    /// One of its namespaces.
    ///
    /// # Errors
    ///
    /// It has ended; or it is somebody else's, who has not let the caller look.
    pub(crate) fn open(&self, kind: u64) -> Result<OwnedFd, Failure> {
        let opened = file::of_process(&self.process(), kind);
        // The number was still its own when the file was opened if it is alive after that.
        self.check_alive()?;
        opened.map_err(|errno| {
            Failure::new(
                Code::Permission,
                format!("cannot join the namespaces of {}", self.whose()),
            )
            .why(errno.text())
            .hint("run keelbox as the user whose container it is")
        })
    }

    /// The ids of its user namespace.
    pub(crate) fn ids(&self) -> Result<JoinedIds, Failure> {
        let ids = file::ids(&self.process());
        self.check_alive()?;
        ids.ok_or_else(|| not_running(&self.name))
    }

    /// Its host name, as its own file has it: only that is to be had from outside.
    pub(crate) fn hostname(&self) -> Option<String> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = format!("/proc/{}/root", self.process());
        let root = rustix::fs::open(root, flags, Mode::empty()).ok()?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let file =
            rustix::fs::openat2(&root, c"etc/hostname", flags, Mode::empty(), resolve).ok()?;
        let mode = rustix::fs::fstat(&file).ok()?.st_mode;
        if FileType::from_raw_mode(mode) != FileType::RegularFile {
            return None;
        }
        let mut buffer = [0; 80];
        let length = rustix::io::read(&file, &mut buffer).ok()?;
        let name = std::str::from_utf8(buffer.get(..length)?).ok()?.trim();
        is_hostname(name).then(|| name.to_owned())
    }

    /// A share in what holds its range of ids, so that nobody else gets the ids while either container runs.
    ///
    /// # Errors
    ///
    /// The kernel does not let its supervisor's fd be shared (before Linux 5.6, or without `CAP_SYS_PTRACE`).
    pub(crate) fn share_range(&self) -> Result<OwnedFd, Failure> {
        let fail = |errno: rustix::io::Errno| {
            Failure::new(
                Code::Userns,
                format!("cannot hold the ids of {}", self.whose()),
            )
            .why(keelbox_sys::Errno::from(errno).text())
            .hint("join its namespaces with a kernel since 5.6 and CAP_SYS_PTRACE")
        };
        let supervisor =
            Pid::from_raw(self.state.supervisor).ok_or_else(|| not_running(&self.name))?;
        let supervisor = pidfd_open(supervisor, PidfdFlags::empty()).map_err(fail)?;
        // It holds the lock for as long as it lives, so the number was its own.
        if is_unlinked(&self.directory) || try_lock(&self.directory) {
            return Err(not_running(&self.name));
        }
        pidfd_getfd(&supervisor, fds::IDS, PidfdGetfdFlags::empty()).map_err(fail)
    }

    fn process(&self) -> String {
        self.state.pid.to_string()
    }

    fn check_alive(&self) -> Result<(), Failure> {
        if self.ends_within(0) {
            return Err(not_running(&self.name));
        }
        Ok(())
    }

    /// Whether its first process ends in so many seconds. The first process of a pid namespace ends all others before it is
    /// gone itself.
    pub(crate) fn ends_within(&self, seconds: i64) -> bool {
        let mut fds = [PollFd::new(&self.init, PollFlags::IN)];
        let patience = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        !matches!(poll(&mut fds, Some(&patience)), Ok(0))
    }

    /// Whether its user namespace is the caller's.
    pub(crate) fn has_callers_ids(&self) -> Result<bool, Failure> {
        let user = self.open(namespace::CLONE_NEWUSER)?;
        let own = file::own(namespace::CLONE_NEWUSER);
        Ok(own.is_some_and(|own| file::is_same(own.as_fd(), user.as_fd())))
    }
}

fn not_running(name: &str) -> Failure {
    Failure::new(Code::NotFound, format!("container {name} is not running"))
        .why("its namespaces are gone with its processes")
        .hint("start it first, or leave the flag out that names it")
        .exit_code(125)
}
