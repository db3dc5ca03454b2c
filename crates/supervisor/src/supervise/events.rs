//! What goes into the events' journal, in docker's words.

use std::os::fd::AsFd;

use keelbox_journal::{Event, record};

use super::Supervisor;

impl Supervisor {
    /// Records that something happened to the container.
    pub(super) fn tell(&self, action: &str) {
        self.tell_with(action, &[]);
    }

    /// The same, with more to say.
    pub(super) fn tell_with(&self, action: &str, more: &[(&str, &str)]) {
        let Some(journal) = &self.journal else { return };
        let labels = self.life.labels.iter();
        let labels = labels.map(|(key, value)| (key.as_str(), value.as_str()));
        let attributes: Vec<_> = [("image", self.life.image.as_str())]
            .into_iter()
            .chain(more.iter().copied())
            .chain(labels)
            .collect();
        record(
            journal.as_fd(),
            &Event {
                kind: "container",
                action,
                id: self.leftovers.id(),
                name: &self.life.name,
                attributes: &attributes,
            },
        );
    }
}
