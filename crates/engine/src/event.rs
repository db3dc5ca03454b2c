//! Events of the engine's own: those of containers that have no supervisor at that moment.

use std::os::fd::AsFd;

use keelbox_journal::Event;

use crate::config::{self, Config};
use crate::roots::Roots;
use crate::store::open_directory;

/// Records what happened to the container `id`.
pub(crate) fn record(roots: &Roots, action: &str, id: &str) {
    let config = config::read::<Config>(&roots.containers().join(id), "config.json");
    if let Some(config) = config {
        record_of(roots, action, &config, &[]);
    }
}

/// The same, of one whose configuration is at hand.
pub(crate) fn record_of(roots: &Roots, action: &str, config: &Config, more: &[(&str, &str)]) {
    let Ok(journal) = open_directory(&roots.journal()) else {
        return;
    };
    let mut attributes = vec![("image", config.image.as_str())];
    attributes.extend(more);
    let labels = config.labels.iter();
    attributes.extend(labels.map(|(key, value)| (key.as_str(), value.as_str())));
    let event = Event {
        kind: "container",
        action,
        id: &config.id,
        name: &config.name,
        attributes: &attributes,
    };
    keelbox_journal::record(journal.as_fd(), &event);
}
