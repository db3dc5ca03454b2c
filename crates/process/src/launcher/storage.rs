//! The launcher's part of volumes: binds that need the host's rights.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_spec::op::{BindIds, IdMap, MapWriter, Op, Side as PlanSide, Storage, namespace};
use keelbox_sys::Errno;
use keelbox_sys::clone::{Side, clone3};
use keelbox_sys::exec::exit_now;

use super::{Failed, Launcher, failed};
use crate::ids::write_maps;
use crate::socket::{receive, seqpacket_pair};

impl Launcher<'_> {
    /// The id maps that volumes bring along. Before all else: once the layers of an overlay are attached over `/`, as older
    /// kernels want them, this process looks like one in a chroot, which must not make user namespaces (clone(2), EPERM).
    pub(super) fn make_id_maps(&mut self) -> Result<(), Failed> {
        for (index, (side, op)) in (0..).zip(&self.start.steps) {
            if let (PlanSide::Launcher, Op::Storage(Storage::Bind(bind))) = (side, op)
                && let BindIds::Given { uids, gids } = &bind.ids
            {
                let made = namespace_with(uids, gids).map_err(|fault| failed(index, fault))?;
                self.id_maps.push_back(made);
            }
        }
        Ok(())
    }

    pub(super) fn storage(&mut self, step: &Storage) -> Outcome {
        let Storage::Bind(bind) = step else {
            return Err(Fault::new("plan", Errno::EPROTO).on("a step for the init"));
        };
        let given = match &bind.ids {
            BindIds::Given { .. } => {
                let missing = || Fault::new("plan", Errno::EPROTO).on("no id map");
                Some(self.id_maps.pop_front().ok_or_else(missing)?)
            }
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
