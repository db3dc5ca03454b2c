//! Doing something as root of a fresh user namespace: for files of ids that an ordinary user has only through
//! /etc/subuid.

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_spec::op::{IdMap, MapWriter, namespace};
use keelbox_sys::Errno;
use keelbox_sys::clone::{Side, clone3};
use keelbox_sys::exec::exit_now;
use serde::{Deserialize, Serialize};

use crate::credentials;
use crate::ids::write_maps;
use crate::socket::{receive, send, seqpacket_pair};

/// Id maps of a user namespace.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Maps {
    /// User ids.
    pub uids: Vec<IdMap>,
    /// Group ids.
    pub gids: Vec<IdMap>,
}

impl Maps {
    /// The maps as bytes, for the executable.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_stdvec(self).ok()
    }

    /// Whether there is one id only: the caller's own, which needs no program to map it.
    #[must_use]
    pub fn is_single(&self) -> bool {
        let single = |maps: &[IdMap]| matches!(maps, [IdMap { count: 1, .. }]);
        single(&self.uids) && single(&self.gids)
    }

    /// Reads what [`Maps::encode`] made; None: it is something else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

/// Runs `action` in a child that is root of a new user namespace with these ids, and waits for it.
///
/// # Errors
///
/// The namespace cannot be made or mapped; EIO when `action` answers false.
pub fn as_mapped_root(maps: &Maps, action: impl FnOnce() -> bool) -> Outcome {
    let (ours, theirs) = seqpacket_pair().call("socketpair")?;
    let single = maps.is_single();
    let writer = if single {
        MapWriter::Launcher
    } else {
        MapWriter::Programs
    };
    match clone3(namespace::CLONE_NEWUSER, None).call("clone3")? {
        Side::Child => {
            drop(ours);
            // The parent's end closes without a word when it could not map the ids.
            let mapped = matches!(receive::<bool>(&theirs), Ok(Some(_)));
            let done = mapped && credentials::become_root(!single).is_ok() && action();
            exit_now(i32::from(!done))
        }
        Side::Parent { pid, pidfd } => {
            drop(theirs);
            let mapped = write_maps(pid, &maps.uids, &maps.gids, writer, single)
                .and_then(|()| send(&ours, &true, &[]).call("sendmsg"));
            drop(ours);
            let exit = keelbox_sys::wait::wait(std::os::fd::AsFd::as_fd(&pidfd)).call("waitid")?;
            mapped?;
            if exit.code == Some(0) {
                Ok(())
            } else {
                Err(Fault::new("clone3", Errno::EIO))
            }
        }
    }
}
