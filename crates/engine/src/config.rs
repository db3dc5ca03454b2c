//! The configuration of a container, as it is kept in its data directory.

use std::collections::BTreeMap;
use std::path::Path;

use keelbox_spec::image::ImageConfig;
use keelbox_spec::plan::ExecRecord;
use keelbox_spec::request::{MountRequest, RunRequest};
use serde::{Deserialize, Serialize};

use crate::export::RootRecord;

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
    /// Data of the user's; nothing reads them to decide anything.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// Control groups that were made for it.
    pub(crate) cgroups: Vec<String>,
    /// What is mounted in it; its volumes stay as long as it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mounts: Vec<MountRequest>,
    /// What its root directory is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<RootRecord>,
    /// The id of the stored image that it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image_id: Option<String>,
    /// The ids of stored images that are mounted in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mounted_images: Vec<String>,
    /// The chain ids of those images' layers: they stay as long as this container does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<String>,
    /// The key of its root, when that is made of programs (`binaries`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) binaries: Option<String>,
    /// Everything that it was made with; its volumes have names. None: an earlier version made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Box<RunRequest>>,
    /// What its command was given, for those that are started beside it. None: an earlier version made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exec: Option<Box<ExecRecord>>,
    /// What its stored image said then: the image may be gone, or its name another's, when it is started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image_config: Option<Box<ImageConfig>>,
    /// It has been started: until then it is `created`, and with `rm` it stays.
    #[serde(default = "yes")]
    pub(crate) begun: bool,
    /// The restart policy that `update` has given it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restart: Option<String>,
}

fn yes() -> bool {
    true
}

impl Config {
    /// The ids of the stored images that it needs.
    pub(crate) fn images(&self) -> impl Iterator<Item = &String> {
        self.image_id.iter().chain(&self.mounted_images)
    }
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
    #[serde(default)]
    pub(crate) paused: bool,
    /// It has ended, and its supervisor will start it again.
    #[serde(default)]
    pub(crate) restarting: bool,
    #[serde(default)]
    pub(crate) restart_count: u32,
    /// `starting`, `healthy` or `unhealthy`.
    #[serde(default)]
    pub(crate) health: Option<String>,
}

/// `exit.json`, which the supervisor writes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exit {
    pub(crate) exit_code: u8,
    pub(crate) finished_at: u64,
    #[serde(default)]
    pub(crate) signal: Option<i32>,
    #[serde(default)]
    pub(crate) oom_killed: bool,
    #[serde(default)]
    pub(crate) started_at: Option<u64>,
    #[serde(default)]
    pub(crate) restart_count: u32,
    /// A user's command has ended it.
    #[serde(default)]
    pub(crate) stopped: bool,
    /// Why it could not be started.
    #[serde(default)]
    pub(crate) error: Option<String>,
}

/// `KEY=VALUE`, later ones win; no value is an empty one, as docker has it.
pub(crate) fn pairs(texts: &[String]) -> BTreeMap<String, String> {
    texts
        .iter()
        .map(|text| {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            (key.to_owned(), value.to_owned())
        })
        .collect()
}

/// The name of `exit.json` while a start may still come to nothing.
pub(crate) const LAST_EXIT: &str = ".exit.last";

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

/// Writes a record, whole or not at all: on an error it is left as it was.
pub(crate) fn write<T: Serialize>(directory: &Path, name: &str, record: &T) -> std::io::Result<()> {
    let draft = directory.join(format!(".{name}.draft"));
    let text = serde_json::to_vec(record)?;
    std::fs::write(&draft, text)
        .and_then(|()| std::fs::rename(&draft, directory.join(name)))
        .inspect_err(|_| drop(std::fs::remove_file(&draft)))
}
