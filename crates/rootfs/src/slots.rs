//! Numbered places for fds.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::{SLOTS, Slot};
use keelbox_sys::Errno;
use keelbox_sys::mount::{Depth, MountAttr};
use serde::{Deserialize, Serialize};

use crate::fault::{Call, Fault, Outcome};
use crate::remount::remount;
use rustix::mount::MountPropagationFlags;

/// Attributes that a mount is to have once it is attached.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Unset {
    /// The mount.
    pub slot: Slot,
    /// `MOUNT_ATTR_*`.
    pub attributes: u64,
    /// For all mounts below it, too.
    pub recursive: bool,
}

/// The fds of one side's operations.
#[derive(Debug)]
pub struct Slots {
    fds: [Option<OwnedFd>; SLOTS],
    unset: Vec<Unset>,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            fds: [const { None }; SLOTS],
            unset: Vec::new(),
        }
    }
}

impl Slots {
    /// Puts an fd in its place.
    ///
    /// # Errors
    ///
    /// EBADF for a slot that does not exist: the plan is wrong.
    pub fn put(&mut self, slot: Slot, fd: OwnedFd) -> Outcome {
        let place = self
            .fds
            .get_mut(usize::from(slot))
            .ok_or_else(|| missing(slot))?;
        *place = Some(fd);
        Ok(())
    }

    /// The fd of a slot.
    ///
    /// # Errors
    ///
    /// EBADF when the slot is empty: the plan is wrong.
    pub fn get(&self, slot: Slot) -> Outcome<BorrowedFd<'_>> {
        self.find(slot).ok_or_else(|| missing(slot))
    }

    /// The fd of a slot, if there is one.
    #[must_use]
    pub fn find(&self, slot: Slot) -> Option<BorrowedFd<'_>> {
        self.fds.get(usize::from(slot))?.as_ref().map(AsFd::as_fd)
    }

    /// Takes the fd out of its place.
    ///
    /// # Errors
    ///
    /// EBADF when the slot is empty: the plan is wrong.
    pub fn take(&mut self, slot: Slot) -> Outcome<OwnedFd> {
        let place = self.fds.get_mut(usize::from(slot));
        place.and_then(Option::take).ok_or_else(|| missing(slot))
    }

    /// Remembers what a mount still lacks.
    pub fn owe(&mut self, unset: Unset) {
        self.unset.push(unset);
    }

    /// What mounts still lack.
    #[must_use]
    pub fn owed(&self) -> &[Unset] {
        &self.unset
    }

    /// Gives a mount that has been attached what it still lacks: before the command can see it.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn settle(&self, slot: Slot) -> Outcome {
        for unset in self.unset.iter().filter(|unset| unset.slot == slot) {
            let depth = if unset.recursive {
                Depth::Tree
            } else {
                Depth::One
            };
            let attributes = MountAttr::from_bits_truncate(unset.attributes);
            let mount = self.get(slot)?;
            remount(mount, attributes, depth)?;
            // It was cloned as a peer of its source.
            let name = format!("/proc/self/fd/{}", mount.as_raw_fd());
            let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            rustix::mount::mount_change(name, flags).call("mount")?;
        }
        Ok(())
    }

    /// All filled slots, in order.
    pub fn filled(&self) -> impl Iterator<Item = (Slot, BorrowedFd<'_>)> {
        (0..)
            .zip(&self.fds)
            .filter_map(|(slot, fd)| Some((slot, fd.as_ref()?.as_fd())))
    }

    /// Closes everything.
    pub fn clear(&mut self) {
        self.fds.iter_mut().for_each(|fd| *fd = None);
    }
}

fn missing(slot: Slot) -> Fault {
    Fault::new("slot", Errno::EBADF).on(format!("slot {slot} is empty"))
}
