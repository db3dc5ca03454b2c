//! What the supervisor is told about the time after the start.

use serde::{Deserialize, Serialize};

use crate::op::{Op, Side};

/// How the container lives once it is started.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Life {
    /// Its name when it was started, for events.
    pub name: String,
    /// Its image, likewise.
    pub image: String,
    /// Its labels, likewise.
    pub labels: Vec<(String, String)>,
    /// Where its output goes.
    pub log: Log,
    /// What happens when it ends by itself.
    pub restart: Restart,
    /// How often that has happened already.
    pub restarts: u32,
    /// The signal of `stop`.
    pub stop_signal: i32,
    /// Milliseconds between that signal and SIGKILL; None: for ever.
    pub stop_timeout: Option<u64>,
    /// Milliseconds after which it is ended (`--timeout`); 0: never.
    pub timeout: u64,
    /// The first client's stdin is the only one: when that ends, the container's does.
    pub stdin_once: bool,
    /// It was there before this start, and stays when the start fails.
    pub existing: bool,
    /// The check of its health.
    pub health: Option<Health>,
}

/// Where a container's output goes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub enum Log {
    /// To the client that started it, which has the other ends of its stdio; nobody else sees it.
    #[default]
    Passthrough,
    /// To the clients that are there, if any.
    None,
    /// To files in the data directory as well (`keelbox-journal`).
    File {
        /// Bytes of one file.
        max_size: u64,
        /// Files.
        max_files: u32,
    },
    /// To journald as well.
    Journald {
        /// `CONTAINER_TAG`.
        tag: String,
    },
}

/// What happens when a container ends by itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub enum Restart {
    /// Nothing.
    #[default]
    No,
    /// It is started again when its exit code is not 0, so many times; 0: for ever.
    OnFailure(u32),
    /// It is started again, unless `stop` or `kill` ended it.
    Always,
    /// Likewise; the two differ after a reboot only.
    UnlessStopped,
}

/// A check of a container's health. Times are milliseconds.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The steps of the check, which end in a command; `Join` steps are for the container's own namespaces.
    pub steps: Vec<(Side, Op)>,
    /// Between checks.
    pub interval: u64,
    /// That one may take.
    pub timeout: u64,
    /// After the start, in which failures do not count.
    pub start_period: u64,
    /// Between checks during that time.
    pub start_interval: u64,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// What happens then.
    pub on_failure: Unhealthy,
}

/// What happens to a container that has become unhealthy.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub enum Unhealthy {
    /// Nothing but an event.
    #[default]
    Nothing,
    /// SIGKILL.
    Kill,
    /// As `stop` does.
    Stop,
    /// It is stopped and started again.
    Restart,
}
