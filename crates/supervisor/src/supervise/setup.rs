//! From a start to a supervisor in its loop, or to a start that failed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use keelbox_process::{Container, receive, send};
use keelbox_spec::start::{Life, Log};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::pty::OpenptFlags;

use super::peers::Peer;
use super::{Again, Asked, Facts, Held, Inherited, Phase, Supervisor, Timers};
use crate::drain::{is_present, present};
use crate::events;
use crate::hub::{self, Hub, Sink};
use crate::leftovers::Leftovers;
use crate::protocol::{Event, Request, SOCKET};
use crate::record;
use crate::restart::BackOff;
use crate::terminal::Saved;

/// Which stdio a container was given, to give it the like again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    /// One pipe for both outputs.
    pub(super) merged: bool,
}

impl Shape {
    /// As it is now, before the container is started. A terminal comes from a step, and needs none.
    pub(super) fn of(inherited: &Inherited) -> Self {
        let [stdout, stderr] = &inherited.drains;
        let (stdout, stderr) = (is_present(stdout), is_present(stderr));
        let same = same_file(rustix::stdio::stdout(), rustix::stdio::stderr());
        Self {
            stdin: is_present(&inherited.stdin),
            stdout,
            stderr,
            merged: stdout && !stderr && same,
        }
    }
}

fn same_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let id = |fd| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
    id(one).is_ok_and(|one| id(other) == Ok(one))
}

/// What there is from the container's run before, or in its place.
struct Before {
    listener: Option<OwnedFd>,
    peers: Vec<Peer>,
    back_off: BackOff,
    is_asked: bool,
}

impl Before {
    /// `control` is the socket of who starts it; a container that is started again has none that it began with.
    fn of(again: Option<Again>, control: OwnedFd, bound: Option<OwnedFd>) -> Self {
        match again {
            Some(again) => Self {
                listener: present(again.listener),
                peers: again
                    .peers
                    .into_iter()
                    .map(Peer::again)
                    .chain(present(control).map(Peer::first))
                    .collect(),
                back_off: BackOff::after(again.pause),
                is_asked: again.is_asked,
            },
            None => Self {
                listener: bound,
                peers: vec![Peer::first(control)],
                back_off: BackOff::default(),
                is_asked: false,
            },
        }
    }
}

/// What a supervisor is made of.
pub(super) struct Parts {
    pub(super) container: Container,
    pub(super) inherited: Inherited,
    pub(super) again: Option<Again>,
    /// What others will connect to, at the first start.
    pub(super) bound: Option<OwnedFd>,
    pub(super) shape: Shape,
    pub(super) begin: Instant,
}

impl Supervisor {
    pub(super) fn new(parts: Parts, facts: &Facts, life: Life, leftovers: Leftovers) -> Self {
        let Parts {
            container,
            inherited,
            again,
            bound,
            shape,
            begin,
        } = parts;
        // What goes through a client that it ends with is no business of this process's.
        let has_ends = !(facts.tied && life.log == Log::Passthrough);
        let end = |fd: OwnedFd| Some(fd).filter(|fd| has_ends && is_present(fd));
        let streams = inherited.drains.map(end);
        let stdin = end(inherited.stdin);
        let sink = Sink::open(&life, leftovers.id(), inherited.data.as_fd());
        let (hub, streams) = if life.log == Log::Passthrough {
            (None, streams)
        } else {
            let hub = make_hub(&container, stdin, streams, sink);
            (Some(hub), [None, None])
        };
        let before = Before::of(again, inherited.control, bound);
        let limit = Some(life.timeout).filter(|limit| *limit > 0);
        Self {
            begin,
            started_at: record::now(),
            takes_signals: facts.takes_signals,
            joins: facts.joins,
            peer: container.console.as_ref().and_then(open_peer),
            container,
            peers: before.peers,
            listener: before.listener,
            hub,
            streams,
            shape,
            terminal: callers(inherited.terminal, facts.tty),
            replaced: None,
            phase: Phase::Running,
            timers: Timers::with_limit(limit.map(|limit| begin + Duration::from_millis(limit))),
            asked: Asked::default(),
            was_restarted: before.is_asked,
            frozen: false,
            back_off: before.back_off,
            health: None,
            check: None,
            life,
            leftovers,
            message: inherited.message,
            held: Some(Held {
                state: inherited.state,
                data: inherited.data,
                ids: inherited.ids,
            }),
            journal: Some(inherited.journal),
            namespaces: Vec::new(),
        }
    }

    /// Keeps the namespaces of others when the container may be started again: held open, they would keep everything alive
    /// that is in them.
    pub(super) fn keep(&mut self, namespaces: Vec<OwnedFd>) {
        if self.life.restart != keelbox_spec::start::Restart::No {
            self.namespaces = namespaces;
        }
    }

    /// The first client is gone, and left its container: from now on its output is this process's.
    pub(super) fn adopt(&mut self) {
        if self.hub.is_none() {
            let streams = std::mem::take(&mut self.streams);
            self.hub = Some(make_hub(&self.container, None, streams, Sink::None));
        }
    }
}

/// The caller's terminal as it is now, for a container that has one.
fn callers(terminal: OwnedFd, has_one: bool) -> Option<(OwnedFd, Saved)> {
    let terminal = present(terminal).filter(|_| has_one)?;
    let saved = Saved::of(&terminal)?;
    Some((terminal, saved))
}

fn make_hub(
    container: &Container,
    stdin: Option<OwnedFd>,
    streams: [Option<OwnedFd>; 2],
    sink: Sink,
) -> Hub {
    let console = || {
        let console = container.console.as_ref()?;
        rustix::io::fcntl_dupfd_cloexec(console, 3).ok()
    };
    let ends = if container.console.is_some() {
        hub::Container {
            stdin: console(),
            outputs: [console(), None],
            is_terminal: true,
        }
    } else {
        hub::Container {
            stdin,
            outputs: streams,
            is_terminal: false,
        }
    };
    Hub::new(ends, sink)
}

/// A start that failed: clears up, and tells everybody.
pub(super) fn refuse(
    inherited: Inherited,
    again: Option<Again>,
    life: &Life,
    leftovers: &Leftovers,
    event: Event,
) {
    // One that has run before is a container that ended.
    let remove = !leftovers.existing || again.is_some() && leftovers.remove;
    if !remove && again.is_some() {
        record::refused(inherited.data.as_fd(), life, &event);
    }
    let volumes = leftovers.clear(inherited.data.as_fd(), inherited.state.as_fd(), remove);
    events::tell_volumes(inherited.journal.as_fd(), "destroy", &volumes);
    let first = present(inherited.control);
    if let Some(first) = &first {
        drop_requests(first);
    }
    let others = again.into_iter().flat_map(|again| again.peers);
    for socket in others.map(|(socket, _)| socket).chain(first) {
        let _ = send(&socket, &event, &[]);
    }
    drop(inherited.ids);
}

/// A socket that is closed with something unread in it resets the other end, which then never sees the last word.
fn drop_requests(socket: &OwnedFd) {
    if let Ok(flags) = rustix::fs::fcntl_getfl(socket) {
        let _ = rustix::fs::fcntl_setfl(socket, flags | OFlags::NONBLOCK);
    }
    while matches!(receive::<Request>(socket), Ok(Some(_))) {}
}

/// Where other commands reach this supervisor, before anything is started: a container that nobody can reach is none. By way
/// of the directory's fd, since a socket's path is short (unix(7)).
pub(super) fn bind(state: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", state.as_raw_fd()))?;
    // Its mode would be the caller's umask's otherwise, and connecting takes the right to write; its directory is private.
    rustix::process::umask(rustix::fs::Mode::empty());
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

/// From now on others can connect.
pub(super) fn listen(socket: Option<&OwnedFd>) {
    if let Some(socket) = socket {
        let _ = rustix::net::listen(socket, 16);
    }
}

/// There is no place for the socket.
pub(super) fn unreachable(errno: rustix::io::Errno) -> Event {
    Event::Failed {
        index: u32::MAX,
        call: "bind".to_owned(),
        errno: errno.raw_os_error(),
        note: format!("no place for {SOCKET} in the container's state directory"),
    }
}

/// The other side of the terminal `master`.
pub(crate) fn open_peer(master: &OwnedFd) -> Option<OwnedFd> {
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
