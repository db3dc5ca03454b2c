//! The control protocol: what a supervisor and its clients say to each other, one datagram each, over SEQPACKET sockets.
//!
//! The first client comes with the start, on an inherited socket; others connect to `ctl.sock` in the container's state
//! directory. A running supervisor outlives an upgrade of the package, so a variant is never changed or removed, only added
//! at the end, and [`Event::Hello`] tells a client which version it talks to.

use keelbox_spec::start::Restart;
use serde::{Deserialize, Serialize};

/// Grows with each variant that is added.
pub const VERSION: u32 = 2;

/// The socket's name in the state directory.
pub const SOCKET: &str = "ctl.sock";

/// What a client asks for.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Request {
    /// All steps have been shown: run the command.
    Proceed,
    /// Send a signal to the first process; one that it would not receive becomes SIGKILL.
    Signal(i32),
    /// A key that stands for a signal was typed into the container's terminal. The terminal itself has sent the signal;
    /// when the first process is the one that it was meant for, and the kernel drops it, it becomes SIGKILL.
    TerminalSignal(i32),
    /// The client reads this output (1 or 2) no more: let a writer know.
    CloseStream(u8),
    /// End the container at once and remove it, whatever it was started with.
    Remove,
    /// Before the start: the namespaces of others that the plan names come along.
    Namespaces,
    /// Take part in the container's stdio, by the client's own pipes, whose other ends come along in this order: one to read
    /// the client's input from, one for stdout, one for stderr (a terminal has stdout only). A container whose output is
    /// passed through has none for others: `Answer` EBUSY. What was printed before is in the log.
    Attach {
        /// An fd for the container's stdin comes along.
        stdin: bool,
        /// An fd for its stdout comes along.
        stdout: bool,
        /// An fd for its stderr comes along.
        stderr: bool,
        /// The end of this input is the end of the container's stdin.
        closes_stdin: bool,
    },
    /// The client goes, and the container lives on without it, also one that was started to end with its client. One that
    /// was passed through belongs to the supervisor from now on, as with the log `None`.
    Detach,
    /// The size of the container's terminal.
    Resize {
        /// Characters in a line.
        columns: u16,
        /// Lines.
        rows: u16,
    },
    /// End it: this signal (0: its own stop signal), then SIGKILL after so many milliseconds (None: its own time; `u64::MAX`:
    /// never). It is not started again by its policy. A signal that its first process would not receive becomes SIGKILL at
    /// once. A frozen container is thawed first. The client hears `Exited`.
    Stop {
        /// The signal.
        signal: i32,
        /// Until SIGKILL.
        milliseconds: Option<u64>,
    },
    /// Freeze every process of it (true), or let them go on. `Answer` when that is so.
    Freeze(bool),
    /// It has another name now. `Answer` 0.
    Renamed(String),
    /// It has another restart policy now. `Answer` 0.
    Policy(Restart),
    /// Tell `Health` events to this client from now on, the current state first.
    WatchHealth,
}

/// What the supervisor tells.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Event {
    /// First of all, to clients that connect.
    Hello {
        /// [`VERSION`].
        version: u32,
    },
    /// A step is done.
    Done {
        /// Its place in the plan.
        index: u32,
        /// How long it took.
        nanoseconds: u64,
    },
    /// All that is left is to become the command; waits for `Proceed`.
    Ready,
    /// The command runs. The fd that may come along is the master side of its terminal.
    Started {
        /// The first process, as the supervisor's pid namespace counts.
        pid: i32,
    },
    /// The start failed; everything made for it is gone.
    Failed {
        /// The step's place in the plan.
        index: u32,
        /// The system call.
        call: String,
        /// Its errno.
        errno: i32,
        /// What it was about.
        note: String,
    },
    /// The container has ended, and everything that was to be removed is.
    Exited(Exited),
    /// What became of a request that asks for an answer: 0, or an errno.
    Answer {
        /// Of the request.
        errno: i32,
        /// What it was about, for people.
        note: String,
    },
    /// It has ended, and will be started again after so many milliseconds.
    Restarting {
        /// How it ended.
        exited: Exited,
        /// Until then.
        milliseconds: u64,
    },
    /// `starting`, `healthy`, `unhealthy` or `none`.
    Health(String),
}

/// How a container ended.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Exited {
    /// The exit status of the first process, when it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it, otherwise; also the one that ended it in place of a signal that the kernel drops.
    pub signal: Option<i32>,
    /// From the command's start to its end, in microseconds.
    pub wall_micros: u64,
    /// CPU time, in microseconds.
    pub cpu_micros: u64,
    /// The largest resident set of one process, in bytes; of the whole container where its cgroup counts that.
    pub max_memory: u64,
    /// The kernel ended it for want of memory.
    pub oom_killed: bool,
}

impl Exited {
    /// The exit code that a shell would show: the command's own, or 128+n for signal n.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let number = self
            .signal
            .map_or_else(|| self.code.unwrap_or(0), |signal| 128 + signal);
        u8::try_from(number & 0xff).unwrap_or(u8::MAX)
    }
}
