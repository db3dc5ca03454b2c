//! Numbered places for fds.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::{SLOTS, Slot};
use keelbox_sys::Errno;

use crate::fault::{Fault, Outcome};

/// The fds of one side's operations.
#[derive(Debug)]
pub struct Slots {
    fds: [Option<OwnedFd>; SLOTS],
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            fds: [const { None }; SLOTS],
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
