//! Events of the engine's own: those of containers that have no supervisor at that moment, of images and of volumes.

use std::os::fd::AsFd;

use keelbox_journal::Event;

use crate::config::{self, Config};
use crate::journal::directory;
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

/// Records what happened to an image: `load`, `import`, `tag`, `untag`, `delete`. `name`: the one that it is about, else the id.
pub(crate) fn record_image(roots: &Roots, action: &str, id: &str, name: &str) {
    record_thing(roots, ("image", action), (id, name), &[]);
}

/// Records what happened to a volume: `create`, `destroy`.
pub(crate) fn record_volume(roots: &Roots, action: &str, name: &str) {
    record_thing(
        roots,
        ("volume", action),
        (name, name),
        &[("driver", "local")],
    );
}

/// Records that `kind` of thing were tidied up, and how many bytes that made free. Docker does so whatever it comes to.
pub(crate) fn record_prune(roots: &Roots, kind: &str, bytes: u64) {
    let bytes = bytes.to_string();
    record_thing(roots, (kind, "prune"), ("", ""), &[("reclaimed", &bytes)]);
}

fn record_thing(
    roots: &Roots,
    (kind, action): (&str, &str),
    (id, name): (&str, &str),
    attributes: &[(&str, &str)],
) {
    let Ok(journal) = directory(roots) else {
        return;
    };
    let event = Event {
        kind,
        action,
        id,
        name,
        attributes,
    };
    keelbox_journal::record(journal.as_fd(), &event);
}
