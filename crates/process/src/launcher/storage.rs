//! The launcher's part of volumes: binds that need the host's rights.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_spec::op::{BindIds, IdMap, MapWriter, Storage, namespace};
use keelbox_sys::Errno;
use keelbox_sys::clone::{Side, clone3};
use keelbox_sys::exec::exit_now;

use super::Launcher;
use crate::ids::write_maps;
use crate::socket::{receive, seqpacket_pair};

impl Launcher<'_> {
    pub(super) fn storage(&mut self, step: &Storage) -> Outcome {
        let Storage::Bind(bind) = step else {
            return Err(Fault::new("plan", Errno::EPROTO).on("a step for the init"));
        };
        let given = match &bind.ids {
            BindIds::Given { uids, gids } => Some(namespace_with(uids, gids)?),
            BindIds::Plain | BindIds::Container => None,
        };
        let userns = match &bind.ids {
            BindIds::Container => self.userns.as_ref(),
            _ => given.as_ref(),
        };
        keelbox_rootfs::bind_into(&mut self.slots, bind, userns.map(AsFd::as_fd))
    }
}

/// A user namespace with these maps, which nobody is in any more: an id map for a mount (mount_setattr(2)).
fn namespace_with(uids: &[IdMap], gids: &[IdMap]) -> Outcome<OwnedFd> {
    let (ours, theirs) = seqpacket_pair().call("socketpair")?;
    match clone3(namespace::CLONE_NEWUSER, None).call("clone3")? {
        Side::Child => {
            drop(ours);
            // It lives for as long as the other end is open.
            let _ = receive::<bool>(&theirs);
            exit_now(0)
        }
        Side::Parent { pid, pidfd } => {
            drop(theirs);
            let opened = write_maps(pid, uids, gids, MapWriter::Launcher, false)
                .and_then(|()| File::open(format!("/proc/{pid}/ns/user")).call("openat"))
                .map_err(|fault| fault.on("idmap"));
            drop(ours);
            let _ = keelbox_sys::wait::wait(pidfd.as_fd());
            Ok(opened?.into())
        }
    }
}
