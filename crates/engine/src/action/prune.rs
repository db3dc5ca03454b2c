//! Removing all containers that do not run.

use serde::Serialize;

use keelbox_spec::failure::Failure;

use crate::event::record_prune;
use crate::list::{list, number};
use crate::remove::{Removal, remove};
use crate::roots::Roots;

/// What went.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Pruned {
    ids: Vec<String>,
    /// Bytes of their writable layers.
    #[serde(serialize_with = "number")]
    freed: u64,
}

/// Removes those that do not run; with `candidates`, only those of them.
pub(crate) fn prune(roots: &Roots, candidates: Option<&[String]>) -> Result<Pruned, Failure> {
    let mut pruned = Pruned::default();
    for container in list(roots, true)? {
        let runs = !matches!(container.status, "created" | "exited");
        if runs || candidates.is_some_and(|ids| !ids.contains(&container.id)) {
            continue;
        }
        let size = size(&roots.containers().join(&container.id));
        // One that another command has started or removed meanwhile is left alone.
        if remove(roots, &container.id, Removal::default()).is_ok() {
            pruned.freed = pruned.freed.saturating_add(size);
            pruned.ids.push(container.id);
        }
    }
    record_prune(roots, "container", pruned.freed);
    Ok(pruned)
}

/// Bytes of the files below a directory, as far as they can be seen.
fn size(directory: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(stat) if stat.is_dir() => size(&entry.path()),
        Ok(stat) => stat.len(),
        Err(_) => 0,
    });
    sizes.fold(0, u64::saturating_add)
}
