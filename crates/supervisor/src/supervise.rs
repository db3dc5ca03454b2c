//! The supervisor: starts the container, stays beside it, and clears up after it.

mod again;
mod checks;
mod ended;
mod events;
mod peers;
mod reporter;
mod requests;
mod setup;
mod turn;

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use keelbox_process::{Container, launch};
use keelbox_spec::op::{Op, namespace};
use keelbox_spec::start::{Life, Log, Start};

use crate::health::{Health, Rules};
use crate::hub::Hub;
use crate::leftovers::Leftovers;
use crate::protocol::Exited;
use crate::record;
use crate::restart::BackOff;
use crate::terminal::Saved;
pub use again::{Again, again};
use checks::Check;
use peers::Peer;
pub use reporter::tell_failure;
use reporter::{Reporter, failure};
use setup::Shape;
pub(crate) use setup::{open_peer, release_stdio};

/// The fds that a supervisor is started with (`keelbox_spec::start::fds`).
#[derive(Debug)]
pub struct Inherited {
    /// The first client's socket.
    pub control: OwnedFd,
    /// The start message.
    pub message: OwnedFd,
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
    /// What came from the supervisor's life before, when the container is started again.
    pub again: Option<Again>,
}

/// What makes the container this process's own; others may have it once these are closed.
struct Held {
    state: OwnedFd,
    data: OwnedFd,
    ids: OwnedFd,
}

/// What it is doing.
#[derive(Clone, Copy)]
enum Phase {
    /// The container runs.
    Running,
    /// It has ended, and is started again then.
    Waiting { until: Instant, exited: Exited },
    /// It has ended, and some client has not read everything yet; another process waits for that from then on.
    Over { until: Option<Instant> },
}

/// Moments in which something is to be done.
#[derive(Default)]
struct Timers {
    /// Nothing has happened for a while.
    settle: Option<Instant>,
    /// The next wait may be a long one.
    rests: bool,
    /// SIGKILL for a container that is to stop.
    stop: Option<Instant>,
    /// SIGKILL for one that has run long enough.
    limit: Option<Instant>,
}

impl Timers {
    fn with_limit(limit: Option<Instant>) -> Self {
        Self {
            limit,
            settle: Some(Instant::now() + turn::REST),
            ..Self::default()
        }
    }
}

/// What was asked for.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent of each other")]
struct Asked {
    /// Its end.
    stop: bool,
    /// By `stop`, which has an event of its own.
    by_stop: bool,
    /// Another start after that.
    again: bool,
    /// Not to be started again after all.
    give_up: bool,
}

struct Supervisor {
    begin: Instant,
    /// Milliseconds since the epoch.
    started_at: u64,
    /// The kernel keeps no signal from the first process: it is the one of `--init`, or not the first of its pid namespace.
    takes_signals: bool,
    /// Its steps name namespaces of others.
    joins: bool,
    container: Container,
    /// The other side of its terminal: once nobody has that open the terminal is no more, also for a container that closes
    /// it between two messages to /dev/console.
    peer: Option<OwnedFd>,
    peers: Vec<Peer>,
    listener: Option<OwnedFd>,
    /// What moves its output; None: the first client has the other ends.
    hub: Option<Hub>,
    streams: [Option<OwnedFd>; 2],
    shape: Shape,
    terminal: Option<(OwnedFd, Saved)>,
    /// The signal in whose place SIGKILL was sent.
    replaced: Option<i32>,
    phase: Phase,
    timers: Timers,
    asked: Asked,
    frozen: bool,
    back_off: BackOff,
    /// This start was asked for, after another.
    was_restarted: bool,
    health: Option<Health>,
    check: Option<Check>,
    life: Life,
    leftovers: Leftovers,
    message: OwnedFd,
    held: Option<Held>,
    journal: Option<OwnedFd>,
    /// Those of others, when a start to come may need them.
    namespaces: Vec<OwnedFd>,
}

/// Starts the container of `start`, and returns when it has ended and everything is cleared up.
pub fn supervise(start: Start, mut inherited: Inherited) {
    let again = inherited.again.take();
    if again.is_some() {
        // An old record would be taken for this run's. Before the first one, the engine has put it away.
        record::withdraw(inherited.data.as_fd(), c"exit.json");
    }
    let bound = match &again {
        Some(_) => None,
        None => match setup::bind(inherited.state.as_fd()) {
            Ok(socket) => Some(socket),
            Err(errno) => {
                let life = start.life.clone();
                let event = setup::unreachable(errno);
                return setup::refuse(inherited, None, &life, &Leftovers::new(start), event);
            }
        },
    };
    let shape = if start.life.log == Log::Passthrough {
        Shape::default()
    } else {
        Shape::of(&inherited)
    };
    let mut reporter = Reporter::new(&inherited.control, again.as_ref());
    let begin = Instant::now();
    let launched = launch(&start, &mut reporter);
    let reporter::Heard { queued, namespaces } = reporter.into_heard();
    let facts = Facts::of(&start);
    let mut life = start.life.clone();
    let rules = life.health.as_ref().map(Rules::of);
    if let Some(health) = &mut life.health {
        // Read again for each check: nothing else needs them.
        health.steps = Vec::new();
    }
    let leftovers = Leftovers::new(start);
    match launched {
        Ok(container) => {
            let parts = setup::Parts {
                container,
                inherited,
                again,
                bound,
                shape,
                begin,
            };
            let mut supervisor = Supervisor::new(parts, &facts, life, leftovers);
            supervisor.health = rules.map(Health::new);
            supervisor.keep(namespaces);
            supervisor.run(queued);
        }
        Err(failed) => setup::refuse(inherited, again, &life, &leftovers, failure(failed)),
    }
}

/// What the steps say that is asked for later.
struct Facts {
    tty: bool,
    tied: bool,
    takes_signals: bool,
    joins: bool,
}

impl Facts {
    fn of(start: &Start) -> Self {
        let takes = |op: &Op| match op {
            Op::Execute(command) => command.init || command.stays,
            Op::Clone3 { namespaces, .. } => namespaces & namespace::CLONE_NEWPID == 0,
            _ => false,
        };
        let joins = |op: &Op| matches!(op, Op::Join { .. } | Op::BorrowMount { .. });
        Self {
            tty: start
                .steps
                .iter()
                .any(|(_, op)| matches!(op, Op::Terminal { .. })),
            tied: start.tied_to_client,
            takes_signals: start.steps.iter().any(|(_, op)| takes(op)),
            joins: start.steps.iter().any(|(_, op)| joins(op)),
        }
    }
}

impl Supervisor {
    /// Until everything is over.
    fn run(mut self, queued: Vec<peers::Received>) {
        if self.hub.is_some() {
            keelbox_process::outlive_broken_pipes();
        }
        release_stdio();
        self.write_state();
        self.write_health();
        // Whoever can connect finds the record.
        setup::listen(self.listener.as_ref());
        self.tell_started();
        self.listen_to_first(queued);
        self.tell("start");
        if self.was_restarted {
            self.tell("restart");
        }
        loop {
            match self.phase {
                Phase::Running => {
                    if self.turn() {
                        self.end();
                    }
                }
                Phase::Waiting { until, exited } => {
                    self.turn();
                    if self.asked.give_up {
                        // It had ended by itself; that it stays so was asked for.
                        self.record_exit(&exited);
                        self.finish(exited);
                    } else if self.asked.again || Instant::now() >= until {
                        self.start_again();
                    }
                }
                Phase::Over { until } => {
                    if self.peers.iter().all(Peer::is_told) {
                        break;
                    }
                    if until.is_some_and(|until| until <= Instant::now()) {
                        self.leave_slow_clients();
                    } else {
                        self.turn();
                    }
                }
            }
        }
        if self.terminal.is_none() {
            // The kernel closes what is open, all at once.
            keelbox_sys::exec::exit_now(0);
        }
        self.see_client_off();
    }

    /// The whole of `state.json`.
    fn write_state(&self) {
        let Some(held) = &self.held else { return };
        let is_waiting = matches!(self.phase, Phase::Waiting { .. });
        let state = record::State {
            pid: if is_waiting { 0 } else { self.container.pid },
            boot_id: &self.leftovers.boot_id,
            started_at: self.started_at,
            paused: self.frozen,
            restarting: is_waiting,
            restart_count: self.life.restarts,
            health: self.health.as_ref().map(|health| health.status().name()),
        };
        record::state(held.state.as_fd(), &state);
    }

    /// The container's control groups.
    fn groups(&self) -> &[CString] {
        &self.leftovers.cgroups
    }
}
