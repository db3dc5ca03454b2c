//! Mounts that are made on the host's side, and their way to the init.

use std::os::fd::{AsFd, BorrowedFd};

use keelbox_rootfs::{
    Call, Fault, Ids, Mapped, Outcome, Staging, clone_into, make_devices, memory_layer, overlay,
};
use keelbox_spec::op::{Op, Slot};
use keelbox_sys::Errno;

use super::Launcher;
use crate::fresh;
use crate::handshake::Message;
use crate::socket::send;

impl Launcher<'_> {
    pub(super) fn make_mount(&mut self, op: &Op) -> Outcome {
        let ids = |map_ids: bool| self.ids().filter(|_| map_ids);
        let (slot, mount) = match op {
            Op::CloneTree {
                slot,
                source,
                recursive,
                attributes,
                map_ids,
            } => {
                let userns = self.userns.as_ref().filter(|_| *map_ids).map(AsFd::as_fd);
                let (slots, attributes) = (&mut self.slots, *attributes);
                return clone_into(slots, *slot, source, *recursive, attributes, userns);
            }
            Op::MemoryLayer {
                slot,
                directories,
                map_ids,
            } => (*slot, memory_layer(directories, ids(*map_ids))?),
            Op::MakeDevices {
                slot,
                devices,
                map_ids,
            } => match make_devices(devices, ids(*map_ids))? {
                Some(mount) => (*slot, mount),
                None => return Ok(()),
            },
            Op::Overlay { slot, upper, .. } => {
                // A layer in memory has no path, either.
                let staged = self.start.base != 0 || upper.path.is_empty();
                let mapped = staged.then_some(Mapped {
                    owner: (self.start.base, self.start.group_base),
                    staging: &mut self.staging,
                });
                (*slot, overlay(&self.slots, op, mapped)?)
            }
            _ => return Err(Fault::new("plan", Errno::EPROTO).on("a step for the init")),
        };
        self.slots.put(slot, mount)
    }

    /// The container's ids, when they are not the host's.
    fn ids(&self) -> Option<Ids<'_>> {
        let (process, _) = self.child.as_ref()?;
        Some(Ids {
            userns: self.userns.as_ref()?.as_fd(),
            process: *process,
        })
    }

    /// Sends what the init attaches. The layers of an overlay stay here and are let go: an init that held the last fd of a
    /// detached mount would wait for its end in execve.
    pub(super) fn send_mounts(&mut self) -> Outcome {
        let wanted = |slot| self.start.steps.iter().any(|(_, op)| attaches(op, slot));
        let (slots, fds): (Vec<_>, Vec<BorrowedFd<'_>>) = self
            .slots
            .filled()
            .filter(|(slot, _)| wanted(*slot))
            .unzip();
        let unset = self.slots.owed().to_vec();
        send(&self.socket, &Message::Mounts { slots, unset }, &fds).call("sendmsg")?;
        self.slots.clear();
        self.staging = Staging::default();
        Ok(())
    }

    /// Makes what the init may not make; nothing, where this process may not either.
    pub(super) fn help(&self, slot: Slot) -> keelbox_sys::Result<()> {
        let unset = Vec::new();
        let made = self
            .child
            .as_ref()
            .map(|(_, init)| fresh::make(&self.start.steps, slot, init));
        match made {
            Some(Ok(mount)) => {
                let slots = vec![slot];
                send(
                    &self.socket,
                    &Message::Mounts { slots, unset },
                    &[mount.as_fd()],
                )
            }
            _ => {
                let slots = Vec::new();
                send(&self.socket, &Message::Mounts { slots, unset }, &[])
            }
        }
    }
}

/// Whether an operation attaches the mount of a slot.
fn attaches(op: &Op, wanted: Slot) -> bool {
    match op {
        Op::AttachRoot { slot }
        | Op::Attach { slot, .. }
        | Op::AttachInside { slot, .. }
        | Op::AttachDevices { slot, .. } => *slot == wanted,
        Op::Storage(step) => step.needs() == Some(wanted),
        _ => false,
    }
}
