//! What a supervisor tells the events' journal.

use std::os::fd::AsFd;

use super::Supervisor;
use crate::events;

impl Supervisor {
    /// Records that something happened to the container.
    pub(super) fn tell(&self, action: &str) {
        self.tell_with(action, &[]);
    }

    /// The same, with more to say.
    pub(super) fn tell_with(&self, action: &str, more: &[(&str, &str)]) {
        self.tell_all(&[(action, more)]);
    }

    /// What happens at one moment.
    pub(super) fn tell_all(&self, told: &[events::Told<'_>]) {
        let Some(journal) = &self.journal else { return };
        events::tell(journal.as_fd(), self.leftovers.id(), &self.life, told);
    }
}
