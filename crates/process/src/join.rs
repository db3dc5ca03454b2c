//! Entering namespaces of others.
//!
//! setns(2) into a user namespace cannot be taken back, and the launcher has the host's work still to do. So a process of
//! its own enters them, and makes the init as the launcher's child (`CLONE_PARENT`): a new process is also what a pid
//! namespace takes effect in.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_spec::op::namespace;
use keelbox_sys::Errno;
use keelbox_sys::clone::{Alone, Side, clone_sibling, clone3};
use keelbox_sys::exec::exit_now;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::mount::OpenTreeFlags;
use rustix::process::DumpableBehavior;
use serde::{Deserialize, Serialize};

use crate::enter::{Target, setns};
use crate::socket::{receive, send, seqpacket_pair};

/// Namespaces of others, as the plan's steps name them.
#[derive(Debug, Default)]
pub(crate) struct Joins {
    /// What came with the start message and no step has asked for yet.
    given: std::collections::VecDeque<OwnedFd>,
    /// What the init is to be in; the user namespace first, since the right to enter the others comes with it.
    entered: Vec<(u64, OwnedFd)>,
    /// The init's mount namespace, when it has no pid namespace of its own.
    pub(crate) mounts: Option<OwnedFd>,
    /// The process whose namespaces the init is to be in, all of them.
    pub(crate) target: Option<Target>,
}

/// What the process in between says.
#[derive(Debug, Deserialize, Serialize)]
enum Message {
    /// The init is there; its pidfd comes along. Or the mount that was asked for.
    Made(i32),
    /// From the init, when it has no pid namespace of its own: its mount namespace.
    Mounts,
    /// A call failed.
    Failed { setns: bool, errno: i32, kind: u64 },
}

impl Joins {
    /// With the fds that came with the start message, in the order of the steps that need them.
    pub(crate) fn new(given: Vec<OwnedFd>) -> Self {
        Self {
            given: given.into(),
            entered: Vec::new(),
            mounts: None,
            target: None,
        }
    }

    /// The process that came with the start message, as a pidfd.
    ///
    /// # Errors
    ///
    /// ESRCH: it is gone.
    pub(crate) fn target(&mut self) -> Outcome<&mut Target> {
        if self.target.is_none() {
            self.target = Some(Target::new(self.next()?)?);
        }
        let lost = || Fault::new("pidfd", Errno::ESRCH);
        self.target.as_mut().ok_or_else(lost)
    }

    /// Notes that the init is to be in the next one.
    pub(crate) fn add(&mut self, kind: u64) -> Outcome {
        let namespace = self.next()?;
        self.entered.push((kind, namespace));
        Ok(())
    }

    fn next(&mut self) -> Outcome<OwnedFd> {
        let missing = || Fault::new("recvmsg", Errno::EPROTO).on("a namespace did not come");
        self.given.pop_front().ok_or_else(missing)
    }

    /// The user namespace that is entered.
    pub(crate) fn user(&self) -> Option<BorrowedFd<'_>> {
        let user = |(kind, _): &&(u64, OwnedFd)| *kind == namespace::CLONE_NEWUSER;
        self.entered.iter().find(user).map(|(_, fd)| fd.as_fd())
    }

    /// `clone3`, of a child that is in these namespaces.
    ///
    /// # Errors
    ///
    /// Those of clone3, and `setns`: EPERM without rights over one of them.
    pub(crate) fn clone(
        &mut self,
        namespaces: u64,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Outcome<Side> {
        if self.entered.is_empty() && self.target.is_none() {
            return clone3(namespaces, cgroup).call("clone3");
        }
        let shows = self.shows_mounts(namespaces);
        let (ours, theirs) = seqpacket_pair().call("socketpair")?;
        match clone3(0, cgroup).call("clone3")? {
            Side::Child => {
                drop(ours);
                self.make_init(&theirs, namespaces);
                Ok(Side::Child)
            }
            Side::Parent { pidfd, .. } => {
                drop(theirs);
                let made = hear(&ours, shows);
                let _ = keelbox_sys::wait::wait(pidfd.as_fd());
                let made = made?;
                self.mounts = made.mounts;
                Ok(Side::Parent {
                    pid: made.pid,
                    pidfd: made.fd,
                })
            }
        }
    }

    /// Whether the init's mount namespace is to be known: it is its own, and its pid namespace is not.
    pub(crate) fn shows_mounts(&self, namespaces: u64) -> bool {
        namespaces & namespace::CLONE_NEWPID == 0 && self.target.is_none()
    }

    /// Returns in the init only.
    fn make_init(&self, parent: &OwnedFd, namespaces: u64) {
        // From now on somebody else's processes may see this one, which has the host's directories open (CVE-2016-9962).
        let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
        // Now: the /proc of another's mount namespace does not show this process.
        let alone = Alone::check().unwrap_or_else(|errno| fail(parent, false, errno, 0));
        if let Some(target) = &self.target
            && let Err((errno, kind)) = target.enter()
        {
            fail(parent, true, errno, kind);
        }
        for (kind, fd) in &self.entered {
            if let Err(errno) = setns(fd.as_fd(), *kind) {
                fail(parent, true, errno, *kind);
            }
        }
        match clone_sibling(&alone, namespaces) {
            Ok(Side::Child) if self.shows_mounts(namespaces) => show_mounts(parent),
            Ok(Side::Child) => {}
            Ok(Side::Parent { pid, pidfd }) => {
                let _ = send(parent, &Message::Made(pid), &[pidfd.as_fd()]);
                exit_now(0)
            }
            Err(errno) => fail(parent, false, errno, 0),
        }
    }

    /// Clones the mount at `path` in the next mount namespace, from a process that enters it for that.
    ///
    /// # Errors
    ///
    /// ENOENT: there is none. EINVAL: it is not a tmpfs.
    pub(crate) fn borrow_mount(&mut self, path: &std::ffi::CStr) -> Outcome<OwnedFd> {
        let mounts = self.next()?;
        let (ours, theirs) = seqpacket_pair().call("socketpair")?;
        match clone3(0, None).call("clone3")? {
            Side::Child => {
                let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
                let user = self.user().map(|user| (user, namespace::CLONE_NEWUSER));
                for (fd, kind) in user
                    .into_iter()
                    .chain([(mounts.as_fd(), namespace::CLONE_NEWNS)])
                {
                    if let Err(errno) = setns(fd, kind) {
                        fail(&theirs, true, errno, kind);
                    }
                }
                match clone_mount(path) {
                    Ok(mount) => drop(send(&theirs, &Message::Made(0), &[mount.as_fd()])),
                    Err(errno) => fail(&theirs, false, errno, 0),
                }
                exit_now(0)
            }
            Side::Parent { pidfd, .. } => {
                drop(theirs);
                let made = hear(&ours, false);
                let _ = keelbox_sys::wait::wait(pidfd.as_fd());
                let made = made.map_err(|fault| {
                    if fault.call == "clone3" {
                        Fault::new("open_tree", fault.errno).on(path.to_string_lossy())
                    } else {
                        fault
                    }
                })?;
                Ok(made.fd)
            }
        }
    }
}

/// What the process in between has made.
struct Made {
    pid: i32,
    fd: OwnedFd,
    mounts: Option<OwnedFd>,
}

/// Hears the process in between, and the init that it makes when that shows its mount namespace.
fn hear(socket: &OwnedFd, with_mounts: bool) -> Outcome<Made> {
    let lost =
        || Fault::new("clone3", Errno::EPIPE).on("the process that enters namespaces is gone");
    let (mut made, mut mounts) = (None, None);
    while made.is_none() || with_mounts && mounts.is_none() {
        let received = receive::<Message>(socket).call("recvmsg")?;
        let received = received.ok_or_else(lost)?;
        let fd = received.fds.into_iter().next();
        match received.message {
            Message::Made(pid) => made = Some((pid, fd.ok_or_else(lost)?)),
            Message::Mounts => mounts = Some(fd.ok_or_else(lost)?),
            Message::Failed { setns, errno, kind } => {
                let call = if setns { "setns" } else { "clone3" };
                return Err(Fault::new(call, Errno::from_raw(errno)).on(name(kind)));
            }
        }
    }
    let (pid, fd) = made.ok_or_else(lost)?;
    Ok(Made { pid, fd, mounts })
}

/// Its processes are known by its mount namespace, which an ordinary user's launcher cannot see from outside: the init is
/// hidden even from that until it executes the command.
fn show_mounts(parent: &OwnedFd) {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match rustix::fs::open(c"/proc/self/ns/mnt", flags, Mode::empty()) {
        Ok(mounts) => drop(send(parent, &Message::Mounts, &[mounts.as_fd()])),
        Err(errno) => fail(parent, false, errno.into(), 0),
    }
}

fn name(kind: u64) -> &'static str {
    let named = namespace::ALL.iter().find(|(bit, ..)| *bit == kind);
    named.map_or("", |(_, _, name)| name)
}

fn fail(parent: &OwnedFd, setns: bool, errno: Errno, kind: u64) -> ! {
    let errno = errno.raw();
    let _ = send(parent, &Message::Failed { setns, errno, kind }, &[]);
    exit_now(1)
}

/// Of a path in the root that setns(2) has brought. What is there is somebody else's: no link is followed, and only what
/// can be nothing but memory is taken.
fn clone_mount(path: &std::ffi::CStr) -> Result<OwnedFd, Errno> {
    /// TMPFS_MAGIC (`linux/magic.h`).
    const TMPFS: i64 = 0x0102_1994;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    let root = rustix::fs::open(c"/", flags, Mode::empty())?;
    let target = rustix::fs::openat2(&root, path, flags, Mode::empty(), resolve)?;
    if rustix::fs::fstatfs(&target)?.f_type != TMPFS {
        return Err(Errno::EINVAL);
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    Ok(rustix::mount::open_tree(&target, c"", flags)?)
}
