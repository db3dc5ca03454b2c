//! The supervisor: starts the container, stays beside it, and clears up after it.

mod ended;
mod reporter;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use keelbox_process::{Container, launch, receive, send};
use keelbox_spec::op::{Op, namespace};
use keelbox_spec::start::Start;
use reporter::Reporter;
pub use reporter::tell_failure;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::pty::OpenptFlags;

use crate::leftovers::Leftovers;
use crate::protocol::{Event, Request, SOCKET, VERSION};
use crate::terminal::Saved;
use crate::{deliver, drain, record};

/// The fds that a supervisor is started with (`keelbox_spec::start::fds`).
#[derive(Debug)]
pub struct Inherited {
    /// The first client's socket.
    pub control: OwnedFd,
    /// The locked state directory.
    pub state: OwnedFd,
    /// The data directory.
    pub data: OwnedFd,
    /// The lock on the id range.
    pub ids: OwnedFd,
    /// This side's ends of stdout and stderr.
    pub drains: [OwnedFd; 2],
    /// The caller's terminal.
    pub terminal: OwnedFd,
    /// This side's end of stdin.
    pub stdin: OwnedFd,
    /// The directory of the events' journal.
    pub journal: OwnedFd,
}

/// Clients at a time besides the first; more of them wait until one leaves. A client is sent two messages in all, which its
/// socket has room for, so none can make this process wait.
const MOST_OTHERS: usize = 32;

/// Starts the container of `start`, and returns when it has ended and everything is cleared up.
pub fn supervise(start: Start, inherited: Inherited) {
    let terminal =
        drain::present(inherited.terminal).and_then(|fd| Saved::of(&fd).map(|saved| (fd, saved)));
    let mut reporter = Reporter {
        control: inherited.control.as_fd(),
    };
    let begin = Instant::now();
    let launched = launch(&start, &mut reporter);
    let takes_signals = start.steps.iter().any(|(_, op)| match op {
        Op::Execute(command) => command.init,
        Op::Clone3 { namespaces, .. } => namespaces & namespace::CLONE_NEWPID == 0,
        _ => false,
    });
    let leftovers = Leftovers::new(start);
    match launched {
        Ok(container) => {
            let [stdout, stderr] = inherited.drains;
            let supervisor = Supervisor {
                begin,
                takes_signals,
                peer: container.console.as_ref().and_then(open_peer),
                container,
                client: Some(inherited.control),
                others: Vec::new(),
                listener: listen(inherited.state.as_fd()),
                streams: [drain::present(stdout), drain::present(stderr)],
                terminal,
                replaced: None,
                settled: false,
                leftovers,
                state: inherited.state,
                data: inherited.data,
            };
            supervisor.run();
        }
        Err(failed) => {
            let remove = !leftovers.existing;
            leftovers.clear(inherited.data.as_fd(), inherited.state.as_fd(), remove);
            tell_failure(inherited.control.as_fd(), failed);
        }
    }
    drop(inherited.ids);
}

/// Where other commands reach this supervisor. By way of the directory's fd, since a socket's path is short (unix(7)).
fn listen(state: BorrowedFd<'_>) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .ok()?;
    let address =
        SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", state.as_raw_fd())).ok()?;
    rustix::net::bind(&socket, &address).ok()?;
    rustix::net::listen(&socket, 16).ok()?;
    Some(socket)
}

struct Supervisor {
    begin: Instant,
    /// The kernel keeps no signal from the first process: it is the one of `--init`, or not the first of its pid namespace.
    takes_signals: bool,
    container: Container,
    /// The other side of its terminal: once nobody has that open the terminal is no more, also for a container that closes
    /// it between two messages to /dev/console.
    peer: Option<OwnedFd>,
    client: Option<OwnedFd>,
    others: Vec<OwnedFd>,
    listener: Option<OwnedFd>,
    streams: [Option<OwnedFd>; 2],
    terminal: Option<(OwnedFd, Saved)>,
    /// The signal in whose place SIGKILL was sent.
    replaced: Option<i32>,
    /// Whether it has let go of what it needed to start.
    settled: bool,
    leftovers: Leftovers,
    state: OwnedFd,
    data: OwnedFd,
}

impl Supervisor {
    fn run(mut self) {
        release_stdio();
        record::state(
            self.state.as_fd(),
            self.container.pid,
            &self.leftovers.boot_id,
        );
        self.tell_started();
        while !self.turn() {}
        self.finish();
    }

    fn tell_started(&self) {
        let Some(client) = &self.client else { return };
        let console: Vec<_> = self.container.console.iter().map(AsFd::as_fd).collect();
        let _ = send(
            client,
            &Event::Started {
                pid: self.container.pid,
            },
            &console,
        );
    }

    /// Once, how long nothing may happen until the container is one that stays.
    fn patience(&self) -> Option<&'static Timespec> {
        const SHORT: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        (!self.settled).then_some(&SHORT)
    }

    /// What starting took is let go of: there may be hundreds of supervisors, and each waits with a few pages of code.
    fn settle(&mut self) {
        self.settled = true;
        let _ = keelbox_sys::memory::let_go_of_code();
    }

    /// Waits for something to happen and deals with it. True: the container has ended.
    fn turn(&mut self) -> bool {
        let watched = self.watched();
        let mut fds: Vec<_> = watched
            .iter()
            .map(|(_, fd)| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
            .collect();
        match poll(&mut fds, self.patience()) {
            Ok(0) => {
                self.settle();
                return false;
            }
            Ok(_) => {}
            Err(_) => return false,
        }
        let ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let happened: Vec<_> = watched
            .iter()
            .zip(ready)
            .filter_map(|((source, _), ready)| ready.then_some(*source))
            .collect();
        // From the back, so that removing one of `others` moves none that is still to come.
        happened.into_iter().rev().any(|source| self.attend(source))
    }

    fn watched(&self) -> Vec<(Source, BorrowedFd<'_>)> {
        let mut list = vec![(Source::Init, self.container.pidfd.as_fd())];
        list.extend(self.client.iter().map(|fd| (Source::Client, fd.as_fd())));
        let listener = self.listener.iter();
        let accepting = listener.filter(|_| self.others.len() < MOST_OTHERS);
        list.extend(accepting.map(|fd| (Source::Listener, fd.as_fd())));
        list.extend(
            (0..)
                .zip(&self.others)
                .map(|(number, fd)| (Source::Other(number), fd.as_fd())),
        );
        if self.client.is_none() {
            let streams = (0..).zip(&self.streams);
            list.extend(
                streams.filter_map(|(number, fd)| {
                    Some((Source::Stream(number), fd.as_ref()?.as_fd()))
                }),
            );
            list.extend(
                self.container
                    .console
                    .iter()
                    .map(|fd| (Source::Console, fd.as_fd())),
            );
        }
        list
    }

    fn attend(&mut self, source: Source) -> bool {
        match source {
            Source::Init => return true,
            Source::Client => self.hear_client(),
            Source::Listener => self.accept(),
            Source::Other(number) => self.hear_other(number),
            Source::Stream(number) => {
                if let Some(stream) = self.streams.get_mut(number)
                    && !stream.as_ref().is_some_and(|fd| drain::drain(fd.as_fd()))
                {
                    *stream = None;
                }
            }
            Source::Console => {
                if !self
                    .container
                    .console
                    .as_ref()
                    .is_some_and(|fd| drain::drain(fd.as_fd()))
                {
                    self.container.console = None;
                }
            }
        }
        false
    }

    fn hear_client(&mut self) {
        let Some(client) = &self.client else { return };
        match receive::<Request>(client) {
            Ok(Some(received)) => self.obey(received.message),
            Ok(None) | Err(_) => self.lose_client(),
        }
    }

    /// The client is gone without having seen the end: it was killed, or its terminal was closed.
    fn lose_client(&mut self) {
        self.client = None;
        if let Some((fd, saved)) = self.terminal.take() {
            saved.restore_if_abandoned(fd.as_fd());
        }
        if self.leftovers.tied {
            self.kill();
        }
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        let Ok(other) = rustix::net::accept_with(listener, SocketFlags::CLOEXEC) else {
            return;
        };
        let allowed = rustix::net::sockopt::socket_peercred(&other)
            .is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid());
        if allowed && send(&other, &Event::Hello { version: VERSION }, &[]).is_ok() {
            self.others.push(other);
        }
    }

    fn hear_other(&mut self, number: usize) {
        let Some(other) = self.others.get(number) else {
            return;
        };
        match receive::<Request>(other) {
            Ok(Some(received)) => self.obey(received.message),
            Ok(None) | Err(_) => drop(self.others.swap_remove(number)),
        }
    }

    fn obey(&mut self, request: Request) {
        match request {
            Request::Proceed | Request::Namespaces => {}
            Request::Signal(signal) => self.signal(signal),
            Request::TerminalSignal(signal) => self.terminal_signal(signal),
            Request::CloseStream(number) => {
                if let Some(stream) = self.streams.get_mut(usize::from(number).wrapping_sub(1)) {
                    *stream = None;
                }
            }
            Request::Remove => {
                self.leftovers.remove = true;
                self.kill();
            }
            _ => {}
        }
    }

    fn signal(&mut self, signal: i32) {
        let (pid, pidfd) = (self.container.pid, self.container.pidfd.as_fd());
        if deliver::deliver(pid, pidfd, signal, self.takes_signals) {
            self.replaced = Some(signal);
        }
    }

    /// A key was typed that stands for a signal, which the terminal itself has sent.
    fn terminal_signal(&mut self, signal: i32) {
        let kept = Some(deliver::Disposition::Default);
        if self.terminal_is_for_init() && deliver::disposition(self.container.pid, signal) == kept {
            self.signal(signal);
        }
    }

    /// Whether the first process is in the foreground of the container's terminal, and the kernel kept the signal from it.
    fn terminal_is_for_init(&self) -> bool {
        if self.takes_signals {
            return false;
        }
        let Some(console) = &self.container.console else {
            return false;
        };
        rustix::termios::tcgetpgrp(console)
            .is_ok_and(|group| group.as_raw_nonzero().get() == self.container.pid)
    }

    fn kill(&self) {
        // The first process's end is everybody's in its pid namespace; the group is for those that share the host's.
        let _ = rustix::process::pidfd_send_signal(
            &self.container.pidfd,
            rustix::process::Signal::KILL,
        );
    }

    fn finish(mut self) {
        let exited = self.exited();
        if let Some(namespace) = self.container.members.take() {
            namespace.end();
        }
        self.container.console = None;
        self.peer = None;
        if !self.leftovers.remove {
            record::exit(self.data.as_fd(), &exited);
        }
        self.leftovers
            .clear(self.data.as_fd(), self.state.as_fd(), self.leftovers.remove);
        for client in self.client.iter().chain(&self.others) {
            let _ = send(client, &Event::Exited(exited), &[]);
        }
        self.see_client_off();
    }

    /// A client that has the caller's terminal in raw mode can still be killed before it has set that right.
    fn see_client_off(mut self) {
        if self.terminal.is_none() {
            return;
        }
        self.others.clear();
        if let Some(client) = &self.client {
            while matches!(receive::<Request>(client), Ok(Some(_))) {}
        }
        self.lose_client();
    }
}

#[derive(Clone, Copy)]
enum Source {
    Init,
    Client,
    Listener,
    Other(usize),
    Stream(usize),
    Console,
}

/// The other side of the terminal `master`.
fn open_peer(master: &OwnedFd) -> Option<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    rustix::pty::ioctl_tiocgptpeer(master, flags).ok()
}

/// The container's pipes must close when the container closes them, not when this process ends.
pub(crate) fn release_stdio() {
    let Ok(null) = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
    else {
        return;
    };
    let _ = rustix::stdio::dup2_stdin(&null);
    let _ = rustix::stdio::dup2_stdout(&null);
    let _ = rustix::stdio::dup2_stderr(&null);
}
