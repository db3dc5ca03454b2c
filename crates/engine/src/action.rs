//! Everything that can be done with one container, as one value: what a verb of the command line and a method of the
//! library come to. Mirrors `src/border/containers.ts`, where each is explained for TypeScript.

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::request::RunRequest;
use serde::Deserialize;
use serde_json::Value;

use crate::roots::Roots;

/// One thing to do with one container, by name, id or the beginning of one id alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "verb", rename_all = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// Make it.
    Create {
        /// What it is made with.
        request: Box<RunRequest>,
    },
    /// Make it and start it, without a client.
    Run {
        /// What it is made with.
        request: Box<RunRequest>,
    },
    /// Start it.
    Start {
        /// Which.
        reference: String,
    },
    /// End it.
    Stop {
        /// Which.
        reference: String,
        /// The signal, by name or number.
        signal: Option<String>,
        /// Seconds until SIGKILL; -1: never.
        timeout: Option<i64>,
    },
    /// End it, and start it again.
    Restart {
        /// Which.
        reference: String,
        /// See `Stop`.
        signal: Option<String>,
        /// See `Stop`.
        timeout: Option<i64>,
    },
    /// Send it a signal.
    Kill {
        /// Which.
        reference: String,
        /// The signal, by name or number.
        signal: String,
    },
    /// Freeze it.
    Pause {
        /// Which.
        reference: String,
    },
    /// Let it go on.
    Unpause {
        /// Which.
        reference: String,
    },
    /// Give it another name.
    Rename {
        /// Which.
        reference: String,
        /// The name.
        name: String,
    },
    /// Wait for it.
    Wait {
        /// Which.
        reference: String,
        /// What for.
        condition: Condition,
    },
    /// Everything about it.
    Inspect {
        /// Which.
        reference: String,
    },
    /// What a reference means.
    Find {
        /// The reference.
        reference: String,
    },
    /// Remove those that do not run.
    Prune {
        /// Only these ids.
        candidates: Option<Vec<String>>,
    },
    /// Change it.
    Update {
        /// Which.
        reference: String,
        /// The words of `--restart`.
        restart: Option<String>,
    },
    /// Check its health now.
    Healthcheck {
        /// Which.
        reference: String,
    },
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// It does not run.
    Stopped,
    /// It runs.
    Running,
    /// Its check says so.
    Healthy,
    /// It is no more.
    Removed,
}

/// Does it; the answer is what `src/border/containers.ts` says.
///
/// # Errors
///
/// No such container (exit code 1), one in a state that does not allow it, or what the kernel says.
pub fn act(_roots: &Roots, action: Action) -> Result<Value, Failure> {
    Err(Failure::new(Code::NotYet, format!("not yet: {action:?}")))
}
