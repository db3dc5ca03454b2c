//! Entering a container that runs: its control groups, and all its namespaces at once.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_spec::op::{CgroupEntry, Limit, namespace};
use keelbox_sys::Errno;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};

use crate::limits;

/// A process whose namespaces are entered.
#[derive(Debug)]
pub(crate) struct Target {
    /// Refers to it.
    pidfd: OwnedFd,
    /// Its number in this process's pid namespace, where that has one for it.
    pid: i32,
    /// What is entered; 0 until a step says.
    namespaces: u64,
    /// This process's own /proc, which shows it also to a process that has entered another's root.
    proc: OwnedFd,
}

/// Groups to be entered.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// v2: the group to be born into.
    pub(crate) into: Option<OwnedFd>,
    /// v1: `tasks` files.
    pub(crate) tasks: Vec<OwnedFd>,
}

impl Target {
    /// The process that a pidfd refers to.
    ///
    /// # Errors
    ///
    /// ESRCH: it is gone.
    pub(crate) fn new(pidfd: OwnedFd) -> Outcome<Self> {
        let proc = rustix::fs::open(
            c"/proc",
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let target = Self {
            pid: number(&pidfd),
            pidfd,
            namespaces: 0,
            proc: proc.call("openat")?,
        };
        target.check_alive()?;
        Ok(target)
    }

    /// Notes what is to be entered.
    pub(crate) fn enter_later(&mut self, namespaces: u64) {
        self.namespaces = namespaces;
    }

    /// This process's own /proc.
    pub(crate) fn proc(&self) -> Outcome<OwnedFd> {
        rustix::io::fcntl_dupfd_cloexec(&self.proc, 3).call("fcntl")
    }

    fn check_alive(&self) -> Outcome {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match rustix::event::poll(&mut fds, Some(&now)).call("poll")? {
            0 => Ok(()),
            _ => Err(Fault::new("pidfd", Errno::ESRCH)),
        }
    }

    /// Opens the groups that it is in now. An ordinary user may not enter those that somebody else has made for it; root
    /// may.
    ///
    /// # Errors
    ///
    /// ESRCH: it is gone. EBUSY, of the call `cgroup.freeze`: it is frozen, and so would be what enters. The kernel's.
    pub(crate) fn groups(&self) -> Outcome<Groups> {
        let found = keelbox_cgroups::current(self.pid).call("openat")?;
        self.check_alive()?;
        let mut groups = Groups::default();
        let may_fail = !rustix::process::geteuid().is_root();
        for group in found {
            if group.is_frozen() {
                let name = group.name();
                return Err(Fault::new("cgroup.freeze", Errno::EBUSY).on(name.to_string_lossy()));
            }
            match (group.open(), group.entry) {
                (Ok(directory), CgroupEntry::Clone) => groups.into = Some(directory),
                (Ok(tasks), CgroupEntry::Tasks) => groups.tasks.push(tasks),
                (Err(_), _) if may_fail => {}
                (Err(fault), _) => return Err(Fault::new(fault.call, fault.errno).on(fault.path)),
            }
        }
        Ok(groups)
    }

    /// Enters. All at once, so that a namespace which belongs to the caller's user namespace is entered with the rights that
    /// go with entering the other's (setns(2)).
    ///
    /// # Errors
    ///
    /// ESRCH: it is gone. EPERM.
    pub(crate) fn enter(&self) -> Result<(), (Errno, u64)> {
        match setns(self.pidfd.as_fd(), self.namespaces) {
            // Before Linux 5.8 a pidfd is no namespace.
            Err(Errno::EINVAL) => self.enter_each(),
            other => other.map_err(|errno| (errno, 0)),
        }
    }

    fn enter_each(&self) -> Result<(), (Errno, u64)> {
        let wanted = namespace::ALL
            .iter()
            .filter(|(kind, ..)| self.namespaces & kind != 0);
        let opened: Vec<_> = wanted
            .map(|(kind, ..)| Ok((*kind, self.open(*kind).map_err(|errno| (errno, *kind))?)))
            .collect::<Result<_, (Errno, u64)>>()?;
        self.check_alive().map_err(|fault| (fault.errno, 0))?;
        // The user namespace is first in the list: rights over the others come with it. The mount namespace takes /proc
        // away, but all are open by then.
        opened
            .iter()
            .try_for_each(|(kind, file)| setns(file.as_fd(), *kind).map_err(|errno| (errno, *kind)))
    }

    fn open(&self, kind: u64) -> Result<OwnedFd, Errno> {
        let name = match kind {
            namespace::CLONE_NEWNS => "mnt",
            kind => namespace::ALL
                .iter()
                .find(|(known, ..)| *known == kind)
                .map_or("", |(_, _, name)| name),
        };
        let path = CString::new(format!("{}/ns/{name}", self.pid)).unwrap_or_default();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.proc, path, flags, Mode::empty())?)
    }
}

pub(crate) fn setns(namespace: BorrowedFd<'_>, kinds: u64) -> Result<(), Errno> {
    let flags = nix::sched::CloneFlags::from_bits_retain(i32::try_from(kinds).unwrap_or(0));
    Ok(nix::sched::setns(namespace, flags)?)
}

/// The number of the process that a pidfd refers to (proc_pid_fdinfo(5), `Pid`).
fn number(pidfd: &OwnedFd) -> i32 {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()));
    let text = text.unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Pid:"));
    lines
        .next()
        .and_then(|pid| pid.trim().parse().ok())
        .unwrap_or(-1)
}

/// Raises this process's hard limits to what its child is to have, if it may.
pub(crate) fn raise(wanted: &[Limit]) {
    for limit in wanted {
        if let Some(hard) = limit.hard {
            limits::raise(limit.resource, hard);
        }
    }
}
