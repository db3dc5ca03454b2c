//! What a caller asks for. The shapes mirror `src/native.ts`, where each key is explained for TypeScript.

mod confinement;
mod life;
mod namespaces;
mod storage;

pub use confinement::ConfinementRequest;
pub use life::{HealthRequest, LifeRequest};
use serde::{Deserialize, Serialize};

pub use namespaces::NamespacesRequest;
pub use storage::{
    DeviceRequest, IdmapRange, IdmapRequest, MountOptions, MountRequest, StorageRequest, Submounts,
    VolumeSettings, VolumesFrom,
};

/// Everything that `run` was told.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of `docker run`"
)]
pub struct RunRequest {
    /// What the root directory is made of.
    pub root: RootRequest,
    /// What follows IMAGE.
    #[serde(default)]
    pub command: Vec<String>,
    /// Replaces the image's entry point; empty clears it.
    pub entrypoint: Option<Vec<String>>,
    /// The container's name.
    pub name: Option<String>,
    /// The container's host name.
    pub hostname: Option<String>,
    /// `KEY=value`, later ones win.
    #[serde(default)]
    pub env: Vec<String>,
    /// The working directory.
    pub cwd: Option<String>,
    /// `name|uid[:group|gid]`.
    pub user: Option<String>,
    /// Binds, volumes and tmpfs mounts.
    #[serde(default)]
    pub mounts: Vec<MountRequest>,
    /// Devices, shared memory, other containers' mounts.
    #[serde(default)]
    pub storage: StorageRequest,
    /// Nothing of the root can be written.
    #[serde(default)]
    pub readonly_root: bool,
    /// All capabilities, no seccomp, no masks, no user namespace.
    #[serde(default)]
    pub privileged: bool,
    /// Capabilities to add, with or without `CAP_`, or `ALL`.
    #[serde(default)]
    pub cap_add: Vec<String>,
    /// Capabilities to drop, likewise.
    #[serde(default)]
    pub cap_drop: Vec<String>,
    /// Set-user-id programs gain nothing.
    #[serde(default = "yes")]
    pub no_new_privileges: bool,
    /// The system call filter.
    #[serde(default)]
    pub seccomp: SeccompRequest,
    /// Whether the usual paths of /proc and /sys are hidden or read-only.
    #[serde(default = "yes")]
    pub masked_paths: bool,
    /// The user namespace, in the words of `--userns`.
    pub userns: Option<String>,
    /// The network namespace, in the words of `--network`.
    pub network: Option<String>,
    /// The other namespaces.
    #[serde(default)]
    pub namespaces: NamespacesRequest,
    /// An init of ours as pid 1.
    #[serde(default)]
    pub init: bool,
    /// Remove everything at the end.
    #[serde(default)]
    pub rm: bool,
    /// Keep stdin open.
    #[serde(default)]
    pub interactive: bool,
    /// A terminal of its own.
    #[serde(default)]
    pub tty: bool,
    /// The terminal's size before the command starts.
    pub terminal_size: Option<TerminalSize>,
    /// TERM for a container with a terminal.
    pub term: Option<String>,
    /// A file that gets the id.
    pub cidfile: Option<String>,
    /// A file that gets the first process's id.
    pub pidfile: Option<String>,
    /// Where stdin, stdout and stderr lead.
    #[serde(default)]
    pub stdio: StdioRequest,
    /// Report each step as it is done.
    #[serde(default)]
    pub explain: bool,
    /// Limits, groups, kernel settings, masks and security modules.
    #[serde(default)]
    pub confinement: ConfinementRequest,
    /// Detached or not, logs, restarts, health.
    #[serde(default)]
    pub life: LifeRequest,
}

fn yes() -> bool {
    true
}

/// What the container's root directory is made of.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum RootRequest {
    /// An image by name.
    Image {
        /// The name.
        name: String,
    },
    /// Programs of this machine, their loader and libraries, and nothing else.
    Binaries {
        /// Absolute paths, or names to be looked up in PATH.
        programs: Vec<String>,
    },
    /// A directory of the caller's.
    Rootfs {
        /// The directory.
        path: String,
        /// Writes go to a layer above it.
        overlay: bool,
    },
}

/// Which system call filter.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SeccompRequest {
    /// Ours.
    #[default]
    Default,
    /// None.
    Unconfined,
    /// A file in docker's format.
    Profile(String),
}

/// Columns and rows of a terminal.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// Where the container's stdin, stdout and stderr lead.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum StdioRequest {
    /// The caller's fds 0-2.
    #[default]
    Inherit,
    /// Pipes whose other ends the caller gets.
    Pipe {
        /// Whether stdin is a pipe too, or /dev/null.
        stdin: bool,
    },
}
