//! The configuration of a container, as it is kept in its data directory.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The version of [`Config`]; a later one is not touched by this version.
pub(crate) const VERSION: u32 = 1;

/// What a container was made with.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    /// [`VERSION`].
    pub(crate) version: u32,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    /// Milliseconds since the epoch.
    pub(crate) created_at: u64,
    /// It goes when it ends.
    pub(crate) rm: bool,
    /// Control groups that were made for it.
    pub(crate) cgroups: Vec<String>,
}

/// `state.json`, which the supervisor writes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    pub(crate) pid: i32,
    pub(crate) start_time: u64,
    pub(crate) supervisor: i32,
    pub(crate) boot_id: String,
    pub(crate) started_at: u64,
}

/// `exit.json`, which the supervisor writes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exit {
    pub(crate) exit_code: u8,
    pub(crate) finished_at: u64,
}

/// Reads a record; None: there is none, or it is not whole.
pub(crate) fn read<T: serde::de::DeserializeOwned>(directory: &Path, name: &str) -> Option<T> {
    serde_json::from_slice(&std::fs::read(directory.join(name)).ok()?).ok()
}

/// Milliseconds since the epoch; JavaScript's numbers hold it exactly.
pub(crate) fn now() -> u64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    time.ok()
        .and_then(|time| u64::try_from(time.as_millis()).ok())
        .unwrap_or(0)
}
