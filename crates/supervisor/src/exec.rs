//! The process that stays beside a command of `exec`: it starts the command in the container, holds its terminal, passes on
//! what its client asks for, and says how it ended.
//!
//! Nothing of it is on disk but what it adds to the events' journal, and nobody else can talk to it: it belongs to one client. When that dies the command lives on
//! and its output is thrown away, as docker has it, or ends with it, as the library wants. The container's end is the
//! command's too: the kernel sees to that.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use keelbox_process::{Container, Report, launch, receive, send};
use keelbox_spec::op::Op;
use keelbox_spec::start::{Life, Start};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use rustix::termios::Winsize;

use crate::hub::{self, ClientId, Ends, Hub, Port, Sink};
use crate::protocol::{Event, Exited, Request};
use crate::supervise::{open_peer, release_stdio, tell_failure};
use crate::terminal::Saved;
use crate::{drain, events};

/// The fds that it is started with.
#[derive(Debug)]
pub struct ExecInherited {
    /// The client's socket.
    pub control: OwnedFd,
    /// This side's ends of stdout and stderr, or /dev/null.
    pub drains: [OwnedFd; 2],
    /// The caller's terminal, or /dev/null.
    pub terminal: OwnedFd,
    /// The directory of the events' journal, or /dev/null.
    pub journal: OwnedFd,
}

/// Starts the command of `start`, and returns when it has ended. The pidfd of the container's process comes over the socket.
pub fn exec(start: &Start, inherited: ExecInherited) {
    let terminal =
        drain::present(inherited.terminal).and_then(|fd| Saved::of(&fd).map(|saved| (fd, saved)));
    let begin = Instant::now();
    let mut reporter = Reporter {
        control: inherited.control.as_fd(),
    };
    let mut command = match launch(start, &mut reporter) {
        Ok(command) => command,
        Err(failed) => return tell_failure(inherited.control.as_fd(), failed),
    };
    let console = command.console.take();
    let relay = console.as_ref().and_then(relay);
    Keeper {
        begin,
        events: Events::new(start, inherited.journal),
        peer: console
            .as_ref()
            .filter(|_| relay.is_some())
            .and_then(open_peer),
        relay,
        console,
        command,
        client: Some(inherited.control),
        streams: inherited.drains.map(drain::present),
        terminal,
        tied: start.tied_to_client,
    }
    .run();
}

struct Reporter<'a> {
    control: BorrowedFd<'a>,
}

impl Report for Reporter<'_> {
    fn done(&mut self, _index: u32, _nanoseconds: u64) {}

    fn namespaces(&mut self) -> Vec<OwnedFd> {
        let received = receive::<Request>(self.control).ok().flatten();
        received.map(|received| received.fds).unwrap_or_default()
    }

    fn ready(&mut self) {}
}

/// What is told of the command.
struct Events {
    journal: OwnedFd,
    /// The container's id.
    id: String,
    exec_id: String,
    /// The words of the command.
    words: String,
    life: Life,
}

impl Events {
    fn new(start: &Start, journal: OwnedFd) -> Self {
        let argv = start.steps.iter().find_map(|(_, op)| match op {
            Op::Execute(command) => Some(&command.argv),
            _ => None,
        });
        let words: Vec<_> = argv
            .into_iter()
            .flatten()
            .map(|word| word.to_string_lossy())
            .collect();
        Self {
            journal,
            id: start.id.clone(),
            exec_id: start.exec_id.clone(),
            words: words.join(" "),
            life: start.life.clone(),
        }
    }

    /// In docker's words. One whose program is not there has not happened.
    fn begun(&self) {
        let more = [("execID", self.exec_id.as_str())];
        let create = format!("exec_create: {}", self.words);
        let start = format!("exec_start: {}", self.words);
        self.tell(&[(&create, &more), (&start, &more)]);
    }

    fn ended(&self, exited: &Exited) {
        let code = exited.exit_code().to_string();
        let more = [("execID", self.exec_id.as_str()), ("exitCode", &code)];
        self.tell(&[("exec_die", &more)]);
    }

    fn tell(&self, told: &[events::Told<'_>]) {
        events::tell(self.journal.as_fd(), &self.id, &self.life, told);
    }
}

/// A client that wants pipes instead of the terminal itself (the library) has their other ends at fds 0 and 1, which no
/// command with a terminal needs: this process moves the bytes.
fn relay(console: &OwnedFd) -> Option<(Hub, ClientId)> {
    let pipe = |fd: BorrowedFd<'_>| {
        let copy = rustix::io::fcntl_dupfd_cloexec(fd, 3).ok();
        copy.and_then(drain::present)
    };
    let input = pipe(rustix::stdio::stdin());
    let output = pipe(rustix::stdio::stdout())?;
    keelbox_process::outlive_broken_pipes();
    let master = || rustix::io::fcntl_dupfd_cloexec(console, 3).ok();
    let terminal = hub::Container {
        stdin: master(),
        outputs: [master(), None],
        is_terminal: true,
    };
    let mut hub = Hub::new(terminal, Sink::None);
    let client = hub.add(Ends {
        input,
        outputs: [Some(output), None],
        closes_stdin: false,
    });
    Some((hub, client))
}

struct Keeper {
    begin: Instant,
    events: Events,
    /// What moves the bytes of its terminal.
    relay: Option<(Hub, ClientId)>,
    command: Container,
    console: Option<OwnedFd>,
    /// The other side of a terminal whose bytes it moves: while that is open, a command that closes its own for a while has
    /// not ended its output.
    peer: Option<OwnedFd>,
    client: Option<OwnedFd>,
    streams: [Option<OwnedFd>; 2],
    terminal: Option<(OwnedFd, Saved)>,
    tied: bool,
}

#[derive(Clone, Copy)]
enum Source {
    Command,
    Client,
    Stream(usize),
    Console,
    Hub(Port, PollFlags),
}

type Watched<'a> = (Source, BorrowedFd<'a>, PollFlags);

impl Keeper {
    fn run(mut self) {
        release_stdio();
        let pid = self.command.pid;
        // Before anybody is told: who has started it sees its events, in this order.
        self.events.begun();
        let console = self.console.iter().filter(|_| self.relay.is_none());
        let console: Vec<_> = console.map(AsFd::as_fd).collect();
        if let Some(client) = &self.client {
            let _ = send(client, &Event::Started { pid }, &console);
        }
        let _ = keelbox_sys::memory::let_go_of_code();
        while !self.turn() {}
        self.finish();
    }

    /// Waits for something to happen and deals with it. True: the command has ended.
    fn turn(&mut self) -> bool {
        let mut watched = self.watched();
        watched.push((Source::Command, self.command.pidfd.as_fd(), PollFlags::IN));
        let happened = happened(&watched);
        happened.into_iter().any(|source| self.attend(source))
    }

    /// All but the command's end.
    fn watched(&self) -> Vec<Watched<'_>> {
        let mut list = Vec::new();
        let ports = self.relay.iter().flat_map(|(hub, _)| hub.watched());
        list.extend(
            ports.map(|(port, fd, flags)| (Source::Hub(port, PollFlags::empty()), fd, flags)),
        );
        if let Some(client) = &self.client {
            list.push((Source::Client, client.as_fd(), PollFlags::IN));
            return list;
        }
        let streams = (0..).zip(&self.streams);
        list.extend(streams.filter_map(|(number, fd)| {
            Some((Source::Stream(number), fd.as_ref()?.as_fd(), PollFlags::IN))
        }));
        let console = self.console.iter().filter(|_| self.relay.is_none());
        list.extend(console.map(|fd| (Source::Console, fd.as_fd(), PollFlags::IN)));
        list
    }

    fn attend(&mut self, source: Source) -> bool {
        let dry = |fd: &Option<OwnedFd>| !fd.as_ref().is_some_and(|fd| drain::drain(fd.as_fd()));
        match source {
            Source::Command => return true,
            Source::Client => self.hear_client(),
            Source::Stream(number) => {
                if let Some(stream) = self.streams.get_mut(number).filter(|stream| dry(stream)) {
                    *stream = None;
                }
            }
            Source::Console => {
                if dry(&self.console) {
                    self.console = None;
                }
            }
            Source::Hub(port, ready) => {
                if let Some((hub, _)) = &mut self.relay {
                    hub.step(port, ready);
                    // What stands for a signal has sent it: see `obey`.
                    drop(hub.take_keys());
                }
            }
        }
        false
    }

    fn hear_client(&mut self) {
        let Some(client) = &self.client else { return };
        match receive::<Request>(client) {
            Ok(Some(received)) => self.obey(&received.message),
            Ok(None) | Err(_) => self.lose_client(),
        }
    }

    fn obey(&mut self, request: &Request) {
        match request {
            Request::Signal(signal) => self.signal(*signal),
            Request::CloseStream(number) => {
                if let Some(stream) = self.streams.get_mut(usize::from(*number).wrapping_sub(1)) {
                    *stream = None;
                }
            }
            Request::Resize { columns, rows } => self.resize(*columns, *rows),
            Request::Detach => {
                self.tied = false;
                self.lose_client();
            }
            // A key that stands for a signal: the terminal has sent it, and the kernel keeps none from a command of `exec`.
            _ => {}
        }
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        if let Some(console) = &self.console {
            let _ = rustix::termios::tcsetwinsize(console, size);
        }
    }

    fn signal(&self, signal: i32) {
        if signal == Signal::KILL.as_raw() {
            return self.kill();
        }
        let _ = keelbox_sys::signal::send_by_fd(self.command.pidfd.as_fd(), signal);
    }

    /// With its process group: it has a session of its own, and what it started has nobody who would end it. The number is
    /// its own until this process has reaped it.
    fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(&self.command.pidfd, Signal::KILL);
        if let Some(pid) = rustix::process::Pid::from_raw(self.command.pid) {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
    }

    /// The client is gone without having seen the end.
    fn lose_client(&mut self) {
        self.client = None;
        if let Some((hub, client)) = &mut self.relay {
            hub.remove(*client);
        }
        if let Some((fd, saved)) = self.terminal.take() {
            saved.restore_if_abandoned(fd.as_fd());
        }
        if self.tied {
            self.kill();
        }
    }

    fn finish(mut self) {
        let exited = self.exited();
        self.events.ended(&exited);
        (self.console, self.peer) = (None, None);
        self.serve();
        if let Some(client) = &self.client {
            let _ = send(client, &Event::Exited(exited), &[]);
        }
        // A client that has the caller's terminal in raw mode can still be killed before it has set that right.
        if self.terminal.is_some() {
            if let Some(client) = &self.client {
                while matches!(receive::<Request>(client), Ok(Some(_))) {}
            }
            self.tied = false;
            self.lose_client();
        }
    }

    /// A client hears of the end when it has read everything that came before.
    fn serve(&mut self) {
        if let Some((hub, _)) = &mut self.relay {
            hub.drain();
        }
        while self.client.is_some() && self.is_owed() {
            for source in happened(&self.watched()) {
                self.attend(source);
            }
        }
    }

    fn is_owed(&self) -> bool {
        let relay = self.relay.as_ref();
        relay.is_some_and(|(hub, client)| !hub.is_served(*client))
    }

    fn exited(&self) -> Exited {
        let wall_micros = u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let Ok(exit) = keelbox_sys::wait::wait(self.command.pidfd.as_fd()) else {
            return Exited {
                signal: Some(Signal::KILL.as_raw()),
                wall_micros,
                ..Exited::default()
            };
        };
        Exited {
            code: exit.code,
            signal: exit.signal,
            wall_micros,
            cpu_micros: exit.cpu_micros,
            max_memory: exit.max_rss,
            oom_killed: false,
        }
    }
}

/// Waits for one of these at least.
fn happened(watched: &[Watched<'_>]) -> Vec<Source> {
    let mut fds: Vec<_> = watched
        .iter()
        .map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
        .collect();
    if poll(&mut fds, None).is_err() {
        return Vec::new();
    }
    let ready = fds.iter().map(PollFd::revents);
    let sources = watched.iter().map(|(source, ..)| *source);
    let sources = sources.zip(ready).filter(|(_, ready)| !ready.is_empty());
    sources
        .map(|(source, ready)| match source {
            Source::Hub(port, _) => Source::Hub(port, ready),
            other => other,
        })
        .collect()
}
