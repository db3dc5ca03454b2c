//! The init: the container's first process, from its birth to the command.
//!
//! It is a copy of the launcher with one thread, so it may allocate; it reports, and never prints.

pub(crate) mod confine;
mod enter;
mod mounts;
mod storage;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use keelbox_rootfs as rootfs;
use keelbox_rootfs::{Call, Covers, Fault, Outcome, Slots};
use keelbox_spec::op::{Command, Op, Side, Slot, User};
use keelbox_spec::start::Start;
use keelbox_sys::Errno;
use keelbox_sys::exec::{CStringArray, exit_now};
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

use crate::handshake::Message;
use crate::launcher::Serve;
use crate::socket::{receive, send};
use crate::user::Identity;
use crate::{accounts, clocks, console, credentials, exec, limits, user};

/// What the launcher leaves to the init.
pub(crate) struct Given<'a> {
    /// This end of the socket to the launcher.
    pub(crate) socket: Option<OwnedFd>,
    /// Files of groups to enter.
    pub(crate) tasks: Vec<OwnedFd>,
    /// It was born into its group.
    pub(crate) in_cgroup: bool,
    /// Groups that it may not enter are left out.
    pub(crate) may_stay_out: bool,
    /// The host's /proc, for one that enters a container which runs.
    pub(crate) proc: Option<Outcome<OwnedFd>>,
    /// What to do in the place of a command.
    pub(crate) serve: Option<Serve<'a>>,
}

/// Runs the init's steps and becomes the command. Ends the process when one fails.
pub(crate) fn main(start: &Start, given: Given<'_>) -> ! {
    let Given {
        socket,
        tasks,
        in_cgroup,
        may_stay_out,
        proc,
        serve,
    } = given;
    let Some(socket) = socket else { exit_now(1) };
    let mut init = Init {
        explain: start.explain,
        proc,
        serve,
        slots: Slots::default(),
        root: None,
        dev: None,
        covers: Covers::default(),
        identity: Identity::default(),
        set_groups: true,
        set_home: false,
        tasks,
        in_cgroup,
        may_stay_out,
        socket,
    };
    let (index, fault) = init.run(start);
    let note = cut(fault.note);
    let message = Message::Failed {
        index,
        call: fault.call.to_owned(),
        errno: fault.errno.raw(),
        note,
    };
    let _ = send(&init.socket, &message, &[]);
    exit_now(1)
}

struct Init<'a> {
    explain: bool,
    proc: Option<Outcome<OwnedFd>>,
    serve: Option<Serve<'a>>,
    slots: Slots,
    root: Option<OwnedFd>,
    dev: Option<OwnedFd>,
    covers: Covers,
    identity: Identity,
    set_groups: bool,
    set_home: bool,
    tasks: Vec<OwnedFd>,
    in_cgroup: bool,
    may_stay_out: bool,
    socket: OwnedFd,
}

impl Init<'_> {
    /// Returns only with the step that failed.
    fn run(&mut self, start: &Start) -> (u32, Fault) {
        // Until the last step sets it for good: changing ids clears it (prctl(2), PR_SET_PDEATHSIG).
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        for (index, (side, op)) in (0..).zip(&start.steps) {
            if *side == Side::Init
                && let Err(fault) = self.timed(index, op)
            {
                return (index, fault);
            }
        }
        (
            0,
            Fault::new("plan", Errno::EPROTO).on("it does not end with a command"),
        )
    }

    fn timed(&mut self, index: u32, op: &Op) -> Outcome {
        if !self.explain {
            return self.apply(op);
        }
        let begin = Instant::now();
        self.apply(op)?;
        let nanoseconds = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        send(&self.socket, &Message::Done { index, nanoseconds }, &[]).call("sendmsg")
    }

    fn apply(&mut self, op: &Op) -> Outcome {
        match op {
            Op::CloneTree { .. }
            | Op::Overlay { .. }
            | Op::MemoryLayer { .. }
            | Op::NewMount { .. } => self.make_mount(op),
            Op::AttachRoot { .. }
            | Op::Attach { .. }
            | Op::AttachInside { .. }
            | Op::AttachDevices { .. }
            | Op::EtcFiles { .. }
            | Op::Mask { .. }
            | Op::ReadOnlyPaths { .. }
            | Op::ReadOnlyRoot { .. }
            | Op::PrivateMounts
            | Op::PivotRoot => self.arrange(op),
            Op::Storage(step) => self.storage(step),
            Op::ReceiveMounts => self.receive_mounts(),
            Op::EnterCgroups => self.enter_cgroups(),
            Op::Unshare { namespaces } => unshare(*namespaces),
            Op::BecomeRoot { set_groups } => credentials::become_root(*set_groups),
            Op::TimeOffsets { lines } => clocks::set(lines),
            Op::AddAccount(account) => accounts::add(self.root()?, account),
            Op::FindUser(user) => self.find_user(user),
            Op::SetCredentials { capabilities, last } => {
                credentials::drop_to(&self.identity, *capabilities, *last, self.set_groups)
            }
            Op::Terminal { columns, rows } => self.terminal(*columns, *rows),
            Op::DieWithLauncher => self.die_with_launcher(),
            Op::Confine(op) => self.confine(op),
            Op::Execute(command) => self.execute(command),
            Op::Enter(op) => self.enter(op),
            _ => self.set(op),
        }
    }

    fn set(&self, op: &Op) -> Outcome {
        match op {
            Op::Sysctl { proc, path, value } => rootfs::sysctl(self.slots.get(*proc)?, path, value),
            Op::SetHostname { name } => {
                nix::unistd::sethostname(std::ffi::OsStr::new(&*name.to_string_lossy()))
                    .call("sethostname")
            }
            Op::LoopbackUp => loopback_up(),
            Op::NewSession => rustix::process::setsid().map(drop).call("setsid"),
            Op::NewKeyring { name } => new_keyring(name),
            Op::SetRlimit {
                resource,
                soft,
                hard,
            } => limits::set(*resource, *soft, *hard),
            Op::ChangeDirectory { path } => self.change_directory(path),
            Op::NoNewPrivileges => {
                rustix::thread::set_no_new_privs(true).call("prctl(PR_SET_NO_NEW_PRIVS)")
            }
            Op::Seccomp { filter, flags } => {
                keelbox_sys::seccomp::set_filter(filter, *flags).call("seccomp")
            }
            Op::CloseFds => keelbox_sys::fd::cloexec_from(3).call("close_range"),
            _ => Err(Fault::new("plan", Errno::EPROTO).on("a step for the launcher")),
        }
    }

    fn root(&self) -> Outcome<BorrowedFd<'_>> {
        self.root
            .as_ref()
            .map(AsFd::as_fd)
            .ok_or_else(|| Fault::new("plan", Errno::EPROTO).on("there is no root yet"))
    }

    /// /dev may have been made here, outside the slots.
    fn base(&self, slot: Slot) -> Outcome<BorrowedFd<'_>> {
        if slot == keelbox_spec::plan::DEV_SLOT {
            self.dev()
        } else {
            self.slots.get(slot)
        }
    }

    fn dev(&self) -> Outcome<BorrowedFd<'_>> {
        self.dev
            .as_ref()
            .map(AsFd::as_fd)
            .ok_or_else(|| Fault::new("plan", Errno::EPROTO).on("there is no /dev yet"))
    }

    fn enter_cgroups(&mut self) -> Outcome {
        for tasks in self.tasks.drain(..) {
            match rustix::io::write(&tasks, b"0") {
                Ok(_) => self.in_cgroup = true,
                Err(rustix::io::Errno::ACCESS) if self.may_stay_out => {}
                Err(errno) => return Err(Fault::new("write", errno).on("tasks")),
            }
        }
        Ok(())
    }

    fn find_user(&mut self, wanted: &User) -> Outcome {
        self.identity = user::find(self.root()?, wanted)?;
        self.set_groups = wanted.set_groups;
        self.set_home = wanted.set_home;
        Ok(())
    }

    fn terminal(&self, columns: u16, rows: u16) -> Outcome {
        let pts = self.slots.get(keelbox_spec::plan::PTS_SLOT)?;
        let master = console::make(pts, self.dev()?, columns, rows)?;
        send(&self.socket, &Message::Console, &[master.as_fd()]).call("sendmsg")
    }

    fn change_directory(&self, path: &CStr) -> Outcome {
        let target = rootfs::resolve_target(
            self.root()?,
            path,
            keelbox_spec::op::Target::Directory,
            true,
        )?;
        let named = |fault: Fault| fault.on(path.to_string_lossy());
        rustix::process::fchdir(&target)
            .call("fchdir")
            .map_err(named)
    }

    /// The launcher may have died before the kernel knew to end this process with it: then its socket is closed.
    fn die_with_launcher(&self) -> Outcome {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .call("prctl(PR_SET_PDEATHSIG)")?;
        let mut fds = [PollFd::new(&self.socket, PollFlags::empty())];
        rustix::event::poll(
            &mut fds,
            Some(&rustix::time::Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        )
        .call("poll")?;
        if fds.iter().any(|fd| fd.revents().contains(PollFlags::HUP)) {
            exit_now(1);
        }
        Ok(())
    }

    fn execute(&mut self, command: &Command) -> Outcome {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(command.umask));
        let argv = CStringArray::new(command.argv.clone());
        let mut env = command.env.clone();
        if self.set_home {
            env.push(CString::new(format!("HOME={}", self.identity.home)).unwrap_or_default());
        }
        let envp = CStringArray::new(env);
        if self.explain {
            send(&self.socket, &Message::Ready, &[]).call("sendmsg")?;
            if receive::<Message>(&self.socket).call("recvmsg")?.is_none() {
                exit_now(1);
            }
        }
        if command.stays && command.argv.is_empty() {
            send(&self.socket, &Message::Executing, &[]).call("sendmsg")?;
            exec::stay_alone()?;
        }
        if command.init {
            exec::stay_as_init(command.stays)?;
        }
        send(&self.socket, &Message::Executing, &[]).call("sendmsg")?;
        Err(exec::try_all(&command.candidates, &argv, &envp))
    }
}

/// As much of a text as a message has room for.
#[must_use]
pub fn cut(mut text: String) -> String {
    const MOST: usize = 1024;
    let end = (0..=MOST.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

fn unshare(namespaces: u64) -> Outcome {
    let flags = i32::try_from(namespaces).unwrap_or(0);
    nix::sched::unshare(nix::sched::CloneFlags::from_bits_retain(flags)).call("unshare")
}

fn loopback_up() -> Outcome {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .call("socket")?;
    keelbox_sys::net::loopback_up(socket.as_fd()).call("ioctl(SIOCSIFFLAGS)")
}

/// A host may hide key management or be out of quota; then keyctl is denied to the container all the same.
fn new_keyring(name: &CStr) -> Outcome {
    match keelbox_sys::keyring::join_session_keyring(name) {
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EDQUOT) => Ok(()),
        other => other.call("keyctl"),
    }
}
