//! What an image's configuration says about running it (OCI image-spec, "Image Configuration"). Data, never policy.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::request::HealthRequest;

/// The parts of an image that a plan is made of.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageConfig {
    /// The name that the user gave, for people.
    pub name: String,
    /// Goes before the command.
    pub entrypoint: Vec<String>,
    /// The command when the user gives none.
    pub cmd: Vec<String>,
    /// `KEY=value`.
    pub env: Vec<String>,
    /// Where the command starts.
    pub working_dir: Option<String>,
    /// `name|uid[:group|gid]`.
    pub user: Option<String>,
    /// What the root directory is made of.
    pub root: Root,
    /// Directories that get a volume each when the user mounts nothing there.
    pub volumes: Vec<String>,
    /// Ports that it listens on, `80/tcp`. Data, for those who ask.
    pub exposed_ports: Vec<String>,
    /// The signal that ends it: a name or a number.
    pub stop_signal: Option<String>,
    /// How to find out whether it is well.
    pub healthcheck: HealthRequest,
    /// Data, for those who ask.
    pub labels: BTreeMap<String, String>,
    /// What the store has of it; None: it is not in the store.
    pub stored: Option<StoredImage>,
}

/// An image in the store.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoredImage {
    /// `sha256:` and 64 hex digits: the digest of its configuration.
    pub id: String,
    /// The chain ids of its layers in hex, lowest first.
    pub layers: Vec<String>,
    /// The largest user or group id that a file of it has.
    pub largest_id: u32,
    /// What its programs are for, in Go's word, e.g. `amd64`.
    pub architecture: String,
}

/// What a root directory is made of.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Root {
    /// A directory as it is.
    InPlace(PathBuf),
    /// Directories, topmost first, under a writable layer.
    Layers(Vec<PathBuf>),
    /// This machine as any user of it may see it (the reserved image `host`).
    Host(HostRoot),
}

impl Default for Root {
    fn default() -> Self {
        Self::Layers(Vec::new())
    }
}

/// What the image `host` shows of this machine.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostRoot {
    /// The lowest layer of the root: empty directories, and the machine's own links such as /bin.
    pub skeleton: PathBuf,
    /// Directories of programs and libraries, by name under `/`: each under a writable layer of its own.
    pub copy_on_write: Vec<String>,
    /// Directories that are shown read-only and with the owners that they have.
    pub read_only: Vec<String>,
    /// Paths in those that are not for everybody, where the kernel does not keep the container's root from them.
    pub private: Vec<String>,
}
