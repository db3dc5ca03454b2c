//! What a plan must know about volumes and devices, read from the machine beforehand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::failure::{Code, Failure};
use crate::request::StorageRequest;

/// The volumes and devices that a request names.
#[derive(Clone, Debug, Default)]
pub struct StorageFacts {
    /// Devices, each node of a directory by itself.
    pub devices: Vec<HostDevice>,
    /// Volumes by name.
    pub volumes: BTreeMap<String, VolumeFacts>,
    /// Images that are mounted, by [`crate::plan::file_key`] of name and path.
    pub images: BTreeMap<String, ImageFacts>,
}

/// An image to mount, or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// Its id.
    pub id: String,
    /// The chain ids of all its layers, in hex.
    pub chain_ids: Vec<String>,
    /// What lies over each other, topmost first; one path for a file.
    pub directories: Vec<PathBuf>,
    /// It is a file.
    pub is_file: bool,
}

/// A device node of the host, and where it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostDevice {
    /// The host's path.
    pub source: String,
    /// The path in the container.
    pub target: String,
    /// Whether it is a block device.
    pub block: bool,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
}

/// A volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeFacts {
    /// Its directory in the store.
    pub directory: PathBuf,
    /// What it consists of.
    pub kind: VolumeKind,
    /// It may still have to be filled with what the image has at its target.
    pub is_fresh: bool,
}

/// What a volume consists of (the options of the driver `local`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VolumeKind {
    /// `data` in its directory.
    #[default]
    Directory,
    /// `o=bind`: a directory of the host, perhaps read-only.
    Bind(String, bool),
    /// `type=tmpfs`: memory, with these options.
    Tmpfs(String),
}

/// Bytes for /dev/shm, as tmpfs takes them.
pub(crate) fn shm_size(request: &StorageRequest) -> Result<Option<String>, Failure> {
    let Some(size) = request.shm_size else {
        return Ok(None);
    };
    // 2^53: above, JavaScript's numbers are no longer whole.
    if size.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&size) {
        return Ok(Some(format!("{size:.0}")));
    }
    Err(Failure::new(
        Code::InvalidArg,
        format!("{size} is not a size for /dev/shm"),
    )
    .hint("give a number of bytes, such as --shm-size 64m; 0 means no limit"))
}
