//! What goes into the events' journal about a container, in docker's words.

use std::os::fd::BorrowedFd;

use keelbox_journal::{Event, record, record_all};
use keelbox_spec::start::Life;

/// An action, and what is to be said of it besides the image and the labels.
pub(crate) type Told<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// Records what happens to the container `id` at one moment, in this order.
pub(crate) fn tell(journal: BorrowedFd<'_>, id: &str, life: &Life, told: &[Told<'_>]) {
    let labels = life.labels.iter();
    let labels: Vec<_> = labels
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|(action, more)| {
            let image = [("image", life.image.as_str())];
            (*action, [&image[..], more, &labels].concat())
        })
        .collect();
    let events: Vec<_> = told
        .iter()
        .map(|(action, attributes)| Event {
            kind: "container",
            action,
            id,
            name: &life.name,
            attributes,
        })
        .collect();
    record_all(journal, &events);
}

/// Records that something happened to volumes.
pub(crate) fn tell_volumes(journal: BorrowedFd<'_>, action: &str, names: &[&str]) {
    for &name in names {
        let event = Event {
            kind: "volume",
            action,
            id: name,
            name,
            attributes: &[("driver", "local")],
        };
        record(journal, &event);
    }
}
