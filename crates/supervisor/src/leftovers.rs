//! What a container leaves on the host: its control groups, its name, its two directories.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};

use keelbox_process::Maps;
use keelbox_spec::op::{MapWriter, Op};
use keelbox_spec::start::Start;
use rustix::fs::{AtFlags, Mode, OFlags};

use crate::{cleanup, volumes};

/// What is to be removed at the end.
pub(crate) struct Leftovers {
    id: String,
    pub(crate) cgroups: Vec<CString>,
    pub(crate) name_link: CString,
    /// Volumes that go with it.
    volumes: Vec<CString>,
    pub(crate) remove: bool,
    pub(crate) tied: bool,
    pub(crate) boot_id: String,
    /// It was there before this start.
    pub(crate) existing: bool,
    /// Ids of an ordinary user's container, mapped by newuidmap.
    maps: Maps,
}

impl Leftovers {
    /// Keeps what the loop needs of the start message, and lets the rest of it go.
    pub(crate) fn new(start: Start) -> Self {
        Self {
            id: start.id,
            cgroups: start.cgroups,
            name_link: start.name_link,
            volumes: start.volumes,
            remove: start.remove,
            tied: start.tied_to_client,
            boot_id: start.boot_id,
            existing: start.life.existing,
            maps: start
                .steps
                .into_iter()
                .find_map(|(_, op)| subordinate(op))
                .unwrap_or_default(),
        }
    }

    /// The container's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Removes it. `remove`: the container's data and name as well. The volumes that went with it.
    pub(crate) fn clear(
        &self,
        data: BorrowedFd<'_>,
        state: BorrowedFd<'_>,
        remove: bool,
    ) -> Vec<&str> {
        cleanup::remove_cgroups(&self.cgroups);
        let mut volumes = Vec::new();
        if remove {
            // While its configuration still says that they are its own.
            volumes = volumes::remove_unused(data, &self.id, &self.volumes, &self.maps);
            if !self.tied {
                // Cut short from here on, what is left is no container that has ended.
                let _ = rustix::fs::unlinkat(data, c"config.json", AtFlags::empty());
            }
            let _ = rustix::fs::unlinkat(data, &self.name_link, AtFlags::empty());
            remove_self(data, &self.id, &self.maps);
        }
        // Last: a state directory tells every other command that there is something to clear up.
        remove_self(state, &self.id, &Maps::default());
        volumes
    }
}

fn subordinate(op: Op) -> Option<Maps> {
    match op {
        // All ids of the caller's, also those that the container does not have. It comes first.
        Op::OwnLayers { uids, gids, .. } => Some(Maps { uids, gids }),
        Op::MapIds {
            uids,
            gids,
            writer: MapWriter::Programs,
            ..
        } => Some(Maps { uids, gids }),
        _ => None,
    }
}

/// Removes the directory that `directory` refers to, which is called `id`.
fn remove_self(directory: BorrowedFd<'_>, id: &str, maps: &Maps) {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let (Ok(parent), Ok(name)) = (
        rustix::fs::openat(directory, c"..", flags, Mode::empty()),
        CString::new(id),
    ) else {
        return;
    };
    let _ = cleanup::remove_mapped(parent.as_fd(), &name, maps);
}
