//! Operations for what the user has mounted: binds, volumes, their contents and owners.

use std::ffi::{CStr, CString};

use serde::{Deserialize, Serialize};

use super::{IdMap, Slot};

/// The mark of a volume that is being filled, beside its `data`.
pub const FILLING: &CStr = c"filling";

/// One operation of a volume's.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Storage {
    /// Clone files of the host, detached.
    Bind(Bind),
    /// Let mounts of the host come in, but none go out: instead of `PrivateMounts`, for an ordinary user's container that is
    /// to see later mounts.
    FollowHost,
    /// Fill an empty directory with what the root has at its target: a volume's at its first use.
    CopyUp {
        /// What is filled.
        into: CopySource,
        /// Path in the new root.
        target: CString,
    },
    /// Give everything of a mount to the container's user.
    Chown {
        /// The mount.
        slot: Slot,
        /// `name|uid[:group|gid]`, looked up in the container's own /etc/passwd and /etc/group.
        user: CString,
        /// Make it read-only afterwards.
        read_only: bool,
    },
}

/// What a copy-up fills.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum CopySource {
    /// The directory `data` of the volume whose directory is mounted in this slot; done once, by one container at a time.
    Volume(Slot),
    /// The mount itself, which is the container's own.
    Fresh(Slot),
}

impl CopySource {
    /// The slot.
    #[must_use]
    pub fn slot(self) -> Slot {
        match self {
            Self::Volume(slot) | Self::Fresh(slot) => slot,
        }
    }
}

/// Files of the host, to be shown in the container.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Bind {
    /// Where the mount goes.
    pub slot: Slot,
    /// The path on the host.
    pub source: CString,
    /// A path below it; a link in it must not lead out (CVE-2021-25741).
    pub subpath: Option<CString>,
    /// With the mounts below it or not.
    pub depth: Depth,
    /// `MOUNT_ATTR_*` for all of it.
    pub attributes: u64,
    /// `MOUNT_ATTR_*` for its top alone.
    pub top_attributes: u64,
    /// How mounts travel.
    pub travel: Travel,
    /// Whose its files are.
    pub ids: BindIds,
}

/// Whether a bind has the mounts below its source.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Depth {
    /// It has.
    Tree,
    /// It has not: their mount points are empty.
    One,
}

/// How later mounts travel between a bind and its source (mount_namespaces(7)).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Travel {
    /// Neither way.
    #[default]
    Private,
    /// From the host into the container.
    Slave,
    /// Both ways.
    Shared,
    /// Neither way, and it cannot be bound again.
    Unbindable,
}

impl Travel {
    /// The kernel's flag for it (mount(2)).
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Private => "MS_PRIVATE",
            Self::Slave => "MS_SLAVE",
            Self::Shared => "MS_SHARED",
            Self::Unbindable => "MS_UNBINDABLE",
        }
    }
}

/// How the ids of a bind's files are shown.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum BindIds {
    /// As they are.
    Plain,
    /// The ids on disk are the container's own: mapped through its user namespace.
    Container,
    /// As said: ids on disk (`inside`) to ids of the host (`outside`).
    Given {
        /// User ids.
        uids: Vec<IdMap>,
        /// Group ids.
        gids: Vec<IdMap>,
    },
}

impl Storage {
    /// The slot whose mount the init needs for it.
    #[must_use]
    pub fn needs(&self) -> Option<Slot> {
        match self {
            Self::CopyUp { into, .. } => Some(into.slot()),
            Self::Chown { slot, .. } => Some(*slot),
            Self::Bind(_) | Self::FollowHost => None,
        }
    }
}
