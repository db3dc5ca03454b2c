//! What goes into the events' journal, in docker's words.

use std::os::fd::AsFd;

use keelbox_journal::{Event, record_all};

use super::Supervisor;

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
    pub(super) fn tell_all(&self, told: &[(&str, &[(&str, &str)])]) {
        let Some(journal) = &self.journal else { return };
        let attributes = |more: &[(&'_ str, &'_ str)]| {
            let labels = self.life.labels.iter();
            let labels = labels.map(|(key, value)| (key.clone(), value.clone()));
            let more = more
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            let image = ("image".to_owned(), self.life.image.clone());
            std::iter::once(image)
                .chain(more)
                .chain(labels)
                .collect::<Vec<_>>()
        };
        let owned: Vec<_> = told
            .iter()
            .map(|(action, more)| (*action, attributes(more)))
            .collect();
        let borrowed: Vec<Vec<_>> = owned
            .iter()
            .map(|(_, list)| {
                list.iter()
                    .map(|(key, value)| (key.as_str(), value.as_str()))
                    .collect()
            })
            .collect();
        let events: Vec<_> = owned
            .iter()
            .zip(&borrowed)
            .map(|((action, _), attributes)| Event {
                kind: "container",
                action,
                id: self.leftovers.id(),
                name: &self.life.name,
                attributes,
            })
            .collect();
        record_all(journal.as_fd(), &events);
    }
}
