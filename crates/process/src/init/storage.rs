//! The init's part of volumes: what needs the container's root and ids.

use std::ffi::CStr;
use std::os::fd::AsFd;

use keelbox_rootfs::Outcome;
use keelbox_spec::op::{CopySource, Slot, Storage, User};
use rustix::mount::MountPropagationFlags;

use super::Init;
use crate::user;

impl Init<'_> {
    pub(super) fn storage(&mut self, step: &Storage) -> Outcome {
        match step {
            Storage::Bind(bind) => keelbox_rootfs::bind_into(&mut self.slots, bind, None),
            Storage::FollowHost => {
                keelbox_rootfs::private_mounts(MountPropagationFlags::DOWNSTREAM)
            }
            Storage::CopyUp { into, target } => self.copy_up(*into, target),
            Storage::Chown {
                slot,
                user,
                read_only,
            } => self.chown(*slot, user, *read_only),
        }
    }

    fn copy_up(&mut self, into: CopySource, target: &CStr) -> Outcome {
        match into {
            CopySource::Volume(slot) => {
                // Not needed any more: the volume's data is another mount.
                let volume = self.slots.take(slot)?;
                keelbox_rootfs::fill_volume(volume.as_fd(), self.root()?, target)
            }
            CopySource::Fresh(slot) => {
                keelbox_rootfs::fill_fresh(self.slots.get(slot)?, self.root()?, target)
            }
        }
    }

    fn chown(&self, slot: Slot, user: &CStr, read_only: bool) -> Outcome {
        let wanted = User {
            spec: user.to_owned(),
            add_groups: Vec::new(),
            set_groups: false,
            set_home: false,
        };
        let identity = user::find(self.root()?, &wanted)?;
        let mount = self.slots.get(slot)?;
        keelbox_rootfs::chown_tree(mount, identity.uid, identity.gid)?;
        if read_only {
            keelbox_rootfs::make_read_only(mount)?;
        }
        Ok(())
    }
}
