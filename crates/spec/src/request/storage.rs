//! What a caller asks for of mounts, volumes and devices. Mirrors `src/border/storage.ts`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::op::Travel;

/// Mounts and devices beside the list of mounts itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StorageRequest {
    /// Bytes that /dev/shm may hold; 0: no limit. A JavaScript number, so a whole one below 2^53.
    pub shm_size: Option<f64>,
    /// Devices of the host.
    #[serde(default)]
    pub devices: Vec<DeviceRequest>,
    /// Containers whose mounts this one gets as well.
    #[serde(default)]
    pub volumes_from: Vec<VolumesFrom>,
}

/// A device, or a directory of them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceRequest {
    /// The path on the host.
    pub source: String,
    /// The path in the container.
    pub target: String,
}

/// A container whose mounts another one gets.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumesFrom {
    /// Its name or id.
    pub container: String,
    /// Nothing can be written through them, whatever they were.
    #[serde(default)]
    pub readonly: bool,
}

/// Something to mount.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum MountRequest {
    /// A file or directory of the host.
    Bind {
        /// The path on the host.
        source: String,
        /// The path in the container.
        target: String,
        /// Nothing can be written through it.
        readonly: bool,
        /// The rest.
        #[serde(default)]
        options: MountOptions,
    },
    /// A volume of the store's.
    Volume {
        /// Its name; none: a new one that goes with the container.
        name: Option<String>,
        /// The path in the container.
        target: String,
        /// Nothing can be written through it.
        readonly: bool,
        /// The rest.
        #[serde(default)]
        options: MountOptions,
        /// What it is made with when there is none of that name.
        #[serde(default)]
        settings: VolumeSettings,
        /// It was made for this container, and goes with it.
        #[serde(default)]
        anonymous: bool,
    },
    /// A fresh tmpfs.
    Tmpfs {
        /// The path in the container.
        target: String,
        /// Mount options as `--tmpfs` has them.
        options: String,
    },
    /// A stored image, as a whole or a part of it.
    Image {
        /// Its name, its id or the beginning of that.
        source: String,
        /// The path in the container.
        target: String,
        /// What is written goes to a layer that goes with the container.
        #[serde(default)]
        writable: bool,
        /// A path in the image.
        #[serde(default)]
        subpath: Option<String>,
    },
}

impl MountRequest {
    /// The path in the container.
    #[must_use]
    pub fn target(&self) -> &str {
        match self {
            Self::Bind { target, .. }
            | Self::Volume { target, .. }
            | Self::Tmpfs { target, .. }
            | Self::Image { target, .. } => target,
        }
    }

    /// The path in the container of what is not to be written.
    #[must_use]
    pub fn read_only(&self) -> Option<&str> {
        match self {
            Self::Bind {
                target, readonly, ..
            }
            | Self::Volume {
                target, readonly, ..
            } => readonly.then_some(target.as_str()),
            Self::Image {
                target, writable, ..
            } => (!writable).then_some(target.as_str()),
            Self::Tmpfs { .. } => None,
        }
    }

    /// The options that binds and volumes have.
    #[must_use]
    pub fn options(&self) -> Option<&MountOptions> {
        match self {
            Self::Bind { options, .. } | Self::Volume { options, .. } => Some(options),
            Self::Tmpfs { .. } | Self::Image { .. } => None,
        }
    }
}

/// What a volume is made with.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeSettings {
    /// Options of the driver `local`: `type`, `device`, `o`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// How a bind or a volume is mounted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of `docker run --mount`"
)]
pub struct MountOptions {
    /// How later mounts travel.
    pub propagation: Travel,
    /// The mounts below the source.
    pub submounts: Submounts,
    /// Device nodes work.
    pub dev: bool,
    /// Programs cannot be executed.
    pub noexec: bool,
    /// Set-user-id bits do not count.
    pub nosuid: bool,
    /// Everything is given to the container's user.
    pub chown: bool,
    /// Another map of ids than the container's.
    pub idmap: Option<IdmapRequest>,
    /// A path below the source.
    pub subpath: Option<String>,
    /// An empty volume stays empty.
    pub nocopy: bool,
    /// A missing source is made.
    pub create_source: bool,
    /// Writes go to a layer of the container's own.
    pub overlay: bool,
    /// SELinux's label is changed, where there is SELinux.
    pub relabel: bool,
}

/// What becomes of the mounts below a bind's source.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Submounts {
    /// They come along, read-only where the bind is.
    #[default]
    Same,
    /// They come along, and stay writable.
    Writable,
    /// They do not come along.
    None,
}

/// A map of ids of its own; empty: the container's.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IdmapRequest {
    /// User ids.
    pub uids: Vec<IdmapRange>,
    /// Group ids; none: as the user ids.
    pub gids: Vec<IdmapRange>,
}

/// One range of ids.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdmapRange {
    /// The first id on disk.
    pub from: u32,
    /// The first id on the host, or in the container.
    pub to: u32,
    /// How many.
    pub count: u32,
    /// `to` is an id of the container.
    #[serde(default)]
    pub relative: bool,
}
