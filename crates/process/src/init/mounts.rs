//! Mounts: those that the init makes, those that come from the launcher, and where they go.

use std::ffi::CStr;

use keelbox_rootfs::{self as rootfs, Call, Fault, Mapped, Outcome, Staging};
use keelbox_spec::op::{Op, Slot};
use keelbox_sys::Errno;
use keelbox_sys::exec::exit_now;
use rustix::mount::MountPropagationFlags;

use super::Init;
use crate::fresh;
use crate::handshake::Message;
use crate::socket::{receive, send};

impl Init<'_> {
    pub(super) fn make_mount(&mut self, op: &Op) -> Outcome {
        let (slot, mount) = match op {
            Op::CloneTree {
                slot,
                source,
                recursive,
                attributes,
                ..
            } => {
                let (slots, attributes) = (&mut self.slots, *attributes);
                return rootfs::clone_into(slots, *slot, source, *recursive, attributes, None);
            }
            Op::Overlay { slot, upper, .. } => {
                let mut staging = Staging::default();
                let in_memory = upper.path.is_empty().then_some(Mapped {
                    owner: (0, 0),
                    staging: &mut staging,
                });
                (*slot, rootfs::overlay(&self.slots, op, in_memory)?)
            }
            Op::MemoryLayer {
                slot, directories, ..
            } => (*slot, rootfs::memory_layer(directories, None)?),
            // Without a group of its own, what would be mounted is everybody's.
            Op::NewMount { fstype, .. } if is_cgroup(fstype) && !self.in_cgroup => return Ok(()),
            Op::NewMount {
                slot,
                fstype,
                options,
                attributes,
            } => match rootfs::new_mount(fstype, options, *attributes) {
                Err(fault) if fault.errno == Errno::EPERM && fresh::may_be_hidden(fstype) => {
                    return self.ask_for(*slot, fault);
                }
                made => (*slot, made?),
            },
            _ => return Err(Fault::new("plan", Errno::EPROTO)),
        };
        self.slots.put(slot, mount)
    }

    pub(super) fn arrange(&mut self, op: &Op) -> Outcome {
        match op {
            Op::PrivateMounts => rootfs::private_mounts(MountPropagationFlags::PRIVATE),
            Op::AttachRoot { slot } => {
                let mount = self.slots.get(*slot)?;
                rootfs::attach_root(mount)?;
                self.slots.settle(*slot)?;
                self.root = Some(rustix::io::dup(mount).call("dup")?);
                Ok(())
            }
            Op::Attach {
                slot,
                target,
                create,
                follow,
            } => match self.slots.find(*slot) {
                Some(mount) => rootfs::attach(self.root()?, mount, target, *create, *follow)
                    .and_then(|()| self.slots.settle(*slot)),
                // It was passed over when it was to be made.
                None => Ok(()),
            },
            Op::AttachInside {
                slot,
                base,
                path,
                create,
            } => match self.slots.find(*slot) {
                Some(mount) => rootfs::attach_inside(self.base(*base)?, mount, path, *create)
                    .and_then(|()| self.slots.settle(*slot)),
                None => Ok(()),
            },
            Op::AttachDevices { slot, devices } => {
                self.dev = Some(rootfs::attach_devices(
                    self.root()?,
                    self.slots.find(*slot),
                    devices,
                )?);
                Ok(())
            }
            Op::EtcFiles { files } => rootfs::etc_files(self.root()?, files),
            Op::Mask { base, paths } => {
                let mut covers = std::mem::take(&mut self.covers);
                let masked = rootfs::mask(&mut covers, self.slots.get(*base)?, self.dev()?, paths);
                self.covers = covers;
                masked
            }
            Op::ReadOnlyPaths { base, paths } => {
                rootfs::read_only_paths(self.slots.get(*base)?, paths)
            }
            Op::ReadOnlyRoot { slots } => slots
                .iter()
                .try_for_each(|slot| rootfs::read_only_root(self.slots.get(*slot)?)),
            Op::PivotRoot => rootfs::pivot(self.root()?),
            _ => Err(Fault::new("plan", Errno::EPROTO)),
        }
    }

    pub(super) fn receive_mounts(&mut self) -> Outcome {
        match receive::<Message>(&self.socket).call("recvmsg")? {
            Some(received) => {
                let Message::Mounts { slots, unset } = received.message else {
                    return Err(Fault::new("recvmsg", Errno::EPROTO));
                };
                unset.into_iter().for_each(|unset| self.slots.owe(unset));
                slots
                    .into_iter()
                    .zip(received.fds)
                    .try_for_each(|(slot, fd): (Slot, _)| self.slots.put(slot, fd))
            }
            // The launcher is gone, and this process is about to follow.
            None => exit_now(1),
        }
    }

    /// The launcher may have the right to a mount that the init is refused.
    fn ask_for(&mut self, slot: Slot, refused: Fault) -> Outcome {
        send(&self.socket, &Message::Wanted(slot), &[]).call("sendmsg")?;
        self.receive_mounts()?;
        self.slots.get(slot).map(drop).map_err(|_| refused)
    }
}

fn is_cgroup(fstype: &CStr) -> bool {
    fstype == c"cgroup" || fstype == c"cgroup2"
}
