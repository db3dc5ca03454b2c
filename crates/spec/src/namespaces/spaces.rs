//! Namespaces once containers and paths are looked up: which are new, the caller's, or somebody else's.

use crate::namespaces::{Asked, Source};
use crate::op::{IdMap, namespace};

/// All that a container can have of its own but the user namespace.
const ALL: u64 = namespace::CLONE_NEWNS
    | namespace::CLONE_NEWPID
    | namespace::CLONE_NEWUTS
    | namespace::CLONE_NEWIPC
    | namespace::CLONE_NEWNET
    | namespace::CLONE_NEWCGROUP;

/// A namespace of somebody else's that the container enters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// One of `CLONE_NEW*`.
    pub kind: u64,
    /// Whose it is, for people: `container web`, or a path.
    pub whose: String,
}

/// The ids of a user namespace of somebody else's, as the caller's own namespace sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinedIds {
    /// User ids.
    pub uids: Vec<IdMap>,
    /// Group ids.
    pub gids: Vec<IdMap>,
    /// Whether setgroups(2) is allowed there.
    pub set_groups: bool,
}

/// What looking up containers and paths came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Namespaces that turned out to be the caller's own, as a mask.
    pub host: u64,
    /// Namespaces to enter, the user namespace first.
    pub joins: Vec<Join>,
    /// Those of them that belong to the caller's user namespace, as a mask.
    pub foreign: u64,
    /// A container whose namespaces are entered and that has the caller's user namespace.
    pub without_userns: Option<String>,
    /// The user namespace to enter, when there is one.
    pub ids: Option<JoinedIds>,
    /// The host name of a UTS namespace that is entered.
    pub hostname: Option<String>,
    /// The container whose shared memory comes with its IPC namespace.
    pub shm_of: Option<String>,
}

/// Every namespace's origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spaces {
    /// The caller's, as a mask.
    pub host: u64,
    /// What is entered, in order.
    pub joins: Vec<Join>,
    /// Of `host` and `joins`, those that belong to the caller's user namespace.
    pub foreign: u64,
    /// /dev/shm is left out.
    pub without_shm: bool,
    /// The container whose /dev/shm comes with its IPC namespace.
    pub shm_of: Option<String>,
}

impl Spaces {
    /// Puts together what was asked for and what was found.
    #[must_use]
    pub fn of(asked: &Asked, found: &Found) -> Self {
        let host = asked
            .sources()
            .iter()
            .filter(|(_, source, _)| **source == Source::Host)
            .fold(found.host, |mask, (kind, ..)| mask | kind);
        Self {
            host,
            joins: found.joins.clone(),
            foreign: host | found.foreign,
            without_shm: asked.ipc.without_shm,
            shm_of: found.shm_of.clone(),
        }
    }

    /// Namespaces of the container's own, as a mask; the user namespace not among them.
    #[must_use]
    pub fn own(&self) -> u64 {
        let joined = self.joins.iter().fold(0, |mask, join| mask | join.kind);
        ALL & !self.host & !joined
    }

    /// Whether the container has its own of this kind.
    #[must_use]
    pub fn is_new(&self, kind: u64) -> bool {
        self.own() & kind != 0
    }

    /// Whether it has the caller's.
    #[must_use]
    pub fn is_host(&self, kind: u64) -> bool {
        self.host & kind != 0
    }

    /// Whether root of the container's user namespace has rights over its namespace of this kind. Without a user namespace
    /// of its own it has, whosever it is.
    #[must_use]
    pub fn has_rights(&self, kind: u64, own_userns: bool) -> bool {
        !own_userns || self.foreign & kind == 0
    }
}
