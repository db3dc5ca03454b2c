//! The launcher: the half of a start that runs on the host.

mod accounting;
mod mounts;
mod storage;

use std::collections::VecDeque;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use accounting::Accounting;
use keelbox_rootfs::{Call, Fault, Outcome, Slots, Staging};
use keelbox_spec::op::{
    Cgroup, CgroupEntry, Enter, IdMap, MapWriter, Op, Side as PlanSide, namespace,
};
use keelbox_spec::start::Start;
use keelbox_sys::Errno;
use keelbox_sys::clone::Side;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::DupFlags;
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::clocks;
use crate::enter;
use crate::handshake::Message;
use crate::ids::write_maps;
use crate::init;
use crate::init::confine;
use crate::join::Joins;
use crate::layers;
use crate::limits;
use crate::members::MountNamespace;
use crate::socket::{receive, send, seqpacket_pair};
use crate::stdio;

/// A container whose command runs.
#[derive(Debug)]
pub struct Container {
    /// Its first process, as this pid namespace counts.
    pub pid: i32,
    /// Refers to it.
    pub pidfd: OwnedFd,
    /// The master side of its terminal.
    pub console: Option<OwnedFd>,
    /// Its mount namespace, when it has no pid namespace of its own: by that its processes are known.
    pub members: Option<MountNamespace>,
}

/// A start that failed; nothing of it is left but what the caller made.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The step's place in the plan.
    pub index: u32,
    /// What went wrong.
    pub fault: Fault,
}

/// Hears of a start's progress.
pub trait Report {
    /// A step is done.
    fn done(&mut self, index: u32, nanoseconds: u64);
    /// The namespaces of others that the plan's steps name, in their order; asked only when there are any.
    fn namespaces(&mut self) -> Vec<OwnedFd>;
    /// All that is left is to become the command; returns when that may happen.
    fn ready(&mut self);
}

/// What a process does that is in a container for files instead of a command ([`Enter::Serve`]). It is given the container's
/// root, and answers its exit code.
pub type Serve<'a> = &'a dyn Fn(OwnedFd) -> i32;

/// Starts a container: applies the launcher's steps, and sees the init through to the command.
///
/// # Errors
///
/// The step that failed, on either side.
pub fn launch(start: &Start, report: &mut dyn Report) -> Result<Container, Failed> {
    launch_serving(start, report, None)
}

/// The same, for a plan whose last step may be [`Enter::Serve`].
///
/// # Errors
///
/// As [`launch`].
pub fn launch_serving(
    start: &Start,
    report: &mut dyn Report,
    serve: Option<Serve<'_>>,
) -> Result<Container, Failed> {
    // Nodes and directories get the permissions that the plan names; the command starts with the usual mask again.
    rustix::process::umask(rustix::fs::Mode::empty());
    stdio::adopt(start);
    let (ours, theirs) =
        seqpacket_pair().map_err(|errno| failed(0, Fault::new("socketpair", errno)))?;
    let others = |op: &Op| match op {
        Op::Join { .. } | Op::BorrowMount { .. } => true,
        Op::Enter(op) => matches!(op, Enter::Cgroups { .. } | Enter::Process { .. }),
        _ => false,
    };
    let joins = if start.steps.iter().any(|(_, op)| others(op)) {
        Joins::new(report.namespaces())
    } else {
        Joins::default()
    };
    let launcher = Launcher {
        start,
        serve,
        joins,
        slots: Slots::default(),
        staging: Staging::default(),
        tasks: Vec::new(),
        into: None,
        userns: None,
        id_maps: VecDeque::new(),
        socket: ours,
        init_socket: Some(theirs),
        child: None,
        members: None,
    };
    launcher.run(report)
}

fn failed(index: u32, fault: Fault) -> Failed {
    Failed { index, fault }
}

struct Launcher<'a> {
    start: &'a Start,
    serve: Option<Serve<'a>>,
    joins: Joins,
    slots: Slots,
    staging: Staging,
    /// `tasks` files of v1 groups.
    tasks: Vec<OwnedFd>,
    /// The v2 group that the init is born into.
    into: Option<OwnedFd>,
    userns: Option<OwnedFd>,
    /// Of volumes, in the order of their steps.
    id_maps: VecDeque<OwnedFd>,
    socket: OwnedFd,
    init_socket: Option<OwnedFd>,
    child: Option<(i32, OwnedFd)>,
    members: Option<MountNamespace>,
}

impl Launcher<'_> {
    fn run(mut self, report: &mut dyn Report) -> Result<Container, Failed> {
        let result = self
            .make_id_maps()
            .and_then(|()| self.apply_all(report))
            .and_then(|()| self.see_through(report));
        let Some((pid, pidfd)) = self.child else {
            return Err(result
                .err()
                .unwrap_or_else(|| failed(0, Fault::new("clone3", Errno::ESRCH))));
        };
        match result {
            Ok(console) => Ok(Container {
                pid,
                pidfd,
                console,
                members: self.members,
            }),
            Err(failed) => {
                end(&pidfd);
                Err(failed)
            }
        }
    }

    fn apply_all(&mut self, report: &mut dyn Report) -> Result<(), Failed> {
        let start = self.start;
        for (index, (side, op)) in (0..).zip(&start.steps) {
            if *side == PlanSide::Launcher {
                let begin = start.explain.then(Instant::now);
                self.apply(op).map_err(|fault| self.cause(index, fault))?;
                if let Some(begin) = begin {
                    report.done(index, nanoseconds(begin));
                }
            }
        }
        Ok(())
    }

    /// An init that failed first is why the launcher's step failed.
    fn cause(&self, index: u32, fault: Fault) -> Failed {
        if has_message(&self.socket)
            && let Ok(Some(received)) = receive::<Message>(&self.socket)
            && let Message::Failed {
                index,
                call,
                errno,
                note,
            } = received.message
        {
            return failed(index, told(&call, errno, note));
        }
        failed(index, fault)
    }

    fn apply(&mut self, op: &Op) -> Outcome {
        match op {
            Op::MakeCgroup(group) => self.make_cgroup(group),
            Op::Clone3 { namespaces, base } => self.clone(*namespaces, *base),
            Op::MapIds {
                uids,
                gids,
                writer,
                deny_setgroups,
            } => self.map_ids(uids, gids, *writer, *deny_setgroups),
            Op::TimeOffsets { lines } => clocks::set_for_children(lines),
            Op::Join { kind, .. } => self.join(*kind),
            Op::BorrowMount { slot, path, .. } => {
                let mount = self.joins.borrow_mount(path)?;
                self.slots.put(*slot, mount)
            }
            Op::SendMounts => self.send_mounts(),
            Op::Storage(step) => self.storage(step),
            Op::SetRlimit {
                resource,
                soft,
                hard,
            } => limits::set(*resource, *soft, *hard),
            Op::Confine(op) => confine::on_host(op),
            Op::OwnLayers { .. } => layers::own(op),
            Op::Enter(op) => self.enter(op),
            _ => self.make_mount(op),
        }
    }

    fn make_cgroup(&mut self, group: &Cgroup) -> Outcome {
        match keelbox_cgroups::make(group) {
            Ok(made) if made.kind == CgroupEntry::Clone => self.into = Some(made.entry),
            Ok(made) => self.tasks.push(made.entry),
            Err(_) if group.best_effort => {}
            Err(fault) => return Err(Fault::new(fault.call, fault.errno).on(fault.path)),
        }
        Ok(())
    }

    fn clone(&mut self, namespaces: u64, base: u32) -> Outcome {
        let counted = Accounting::assume(base)?;
        // An ordinary user's processes move within the part of the tree that is the user's, and no further: not from a
        // session to a service, say (cgroups(7), "Delegation containment"). Asked here: the child may be root in its own.
        let may_stay_out = !rustix::process::geteuid().is_root();
        let into = self.into.as_ref().map(AsFd::as_fd);
        let side = match self.joins.clone(namespaces, into) {
            // The group cannot take processes, or the kernel has no CLONE_INTO_CGROUP (before 5.7).
            Err(fault) if is_no_cgroup(&fault) && self.into.is_some() => {
                self.enter_later();
                self.joins.clone(namespaces, None)
            }
            other => other,
        };
        match side? {
            Side::Child => {
                let socket = self.init_socket.take();
                // A copy of the launcher's end in this process would keep it from ever seeing the launcher's death. No `?`:
                // the child must not return into the launcher.
                if let Some(theirs) = &socket {
                    let _ = rustix::io::dup3(theirs, &mut self.socket, DupFlags::CLOEXEC);
                }
                let given = init::Given {
                    socket,
                    tasks: std::mem::take(&mut self.tasks),
                    in_cgroup: self.into.is_some(),
                    may_stay_out,
                    proc: self.joins.target.as_ref().map(enter::Target::proc),
                    serve: self.serve,
                };
                init::main(self.start, given)
            }
            Side::Parent { pid, pidfd } => {
                drop(counted);
                if self.joins.shows_mounts(namespaces) {
                    // Now, while it waits for its mounts: later it may have ended.
                    let shown = self.joins.mounts.take();
                    self.members = match shown {
                        Some(mounts) => MountNamespace::held(mounts.into()),
                        None => MountNamespace::of(pid),
                    };
                }
                self.init_socket = None;
                self.child = Some((pid, pidfd));
                Ok(())
            }
        }
    }

    fn enter(&mut self, op: &Enter) -> Outcome {
        match op {
            Enter::Raise { limits } => enter::raise(limits),
            Enter::Cgroups { .. } => {
                let groups = self.joins.target()?.groups()?;
                self.into = groups.into;
                self.tasks.extend(groups.tasks);
            }
            Enter::Process { namespaces, .. } => self.joins.target()?.enter_later(*namespaces),
            _ => return Err(Fault::new("plan", Errno::EPROTO).on("a step for the init")),
        }
        Ok(())
    }

    /// A child that cannot be born into a group of somebody else's moves itself there. Into one of its own it need not: that
    /// is a default of ours.
    fn enter_later(&mut self) {
        let Some(group) = self.into.take() else {
            return;
        };
        if self.joins.target.is_none() {
            return;
        }
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
        let mode = rustix::fs::Mode::empty();
        let processes = rustix::fs::openat(&group, c"cgroup.procs", flags, mode);
        self.tasks.extend(processes.ok());
    }

    fn join(&mut self, kind: u64) -> Outcome {
        self.joins.add(kind)?;
        if kind == namespace::CLONE_NEWUSER {
            let user = self.joins.user().map(rustix::io::dup);
            self.userns = user.transpose().call("dup")?;
        }
        Ok(())
    }

    fn pid(&self) -> Outcome<i32> {
        self.child
            .as_ref()
            .map(|(pid, _)| *pid)
            .ok_or_else(|| Fault::new("plan", Errno::ESRCH))
    }

    fn map_ids(
        &mut self,
        uids: &[IdMap],
        gids: &[IdMap],
        writer: MapWriter,
        deny_setgroups: bool,
    ) -> Outcome {
        let pid = self.pid()?;
        write_maps(pid, uids, gids, writer, deny_setgroups)?;
        let namespace = fs::File::open(format!("/proc/{pid}/ns/user"));
        self.userns = Some(
            namespace
                .call("openat")
                .map_err(|fault| fault.on("/proc/PID/ns/user"))?
                .into(),
        );
        Ok(())
    }

    /// Hears the init out until execve has closed its end.
    fn see_through(&mut self, report: &mut dyn Report) -> Result<Option<OwnedFd>, Failed> {
        let mut console = None;
        let mut executing = false;
        let mut last = 0;
        let mut proceeded = None;
        loop {
            let received = receive::<Message>(&self.socket)
                .map_err(|errno| failed(last, Fault::new("recvmsg", errno)))?;
            let Some(received) = received else { break };
            match received.message {
                Message::Done { index, nanoseconds } => {
                    last = index;
                    report.done(index, nanoseconds);
                }
                Message::Console => console = received.fds.into_iter().next(),
                Message::Ready => {
                    report.ready();
                    proceeded = Some(Instant::now());
                    let proceed = send(&self.socket, &Message::Proceed, &[]);
                    proceed.map_err(|errno| failed(last, Fault::new("sendmsg", errno)))?;
                }
                Message::Wanted(slot) => self
                    .help(slot)
                    .map_err(|errno| failed(last, Fault::new("sendmsg", errno)))?,
                Message::Executing => executing = true,
                Message::Serving => return Ok(console),
                Message::Failed {
                    index,
                    call,
                    errno,
                    note,
                } => return Err(failed(index, told(&call, errno, note))),
                Message::Mounts { .. } | Message::Proceed => {}
            }
        }
        if executing {
            if let Some(begin) = proceeded {
                report.done(last + 1, nanoseconds(begin));
            }
            return Ok(console);
        }
        Err(failed(
            last,
            Fault::new("recvmsg", Errno::EPIPE)
                .on("the init ended before it could run the command"),
        ))
    }
}

fn is_no_cgroup(fault: &Fault) -> bool {
    let errnos = [Errno::EBUSY, Errno::EOPNOTSUPP, Errno::E2BIG, Errno::EACCES];
    fault.call == "clone3" && errnos.contains(&fault.errno)
}

fn has_message(socket: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

fn nanoseconds(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn told(call: &str, errno: i32, note: String) -> Fault {
    Fault {
        call: known(call),
        errno: Errno::from_raw(errno),
        note,
    }
}

/// The name of a call that came as text; calls are few, and live as long as the process.
fn known(call: &str) -> &'static str {
    String::from(call).leak()
}

/// Ends a half-made container and waits until it is gone.
fn end(pidfd: &OwnedFd) {
    let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
    let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
}
