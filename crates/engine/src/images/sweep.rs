//! Removing what nothing needs.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use keelbox_image::{Store, StoredLayer, images, unused};
use keelbox_spec::failure::Failure;
use rustix::fs::FlockOperation;

use super::lock::Exclusive;
use super::workspace::Workspace;
use crate::collect::entries;
use crate::config::{self, Config};
use crate::roots::Roots;
use crate::store::{open_directory, store_failure};

/// The containers that were need stored images.
pub(super) fn containers(roots: &Roots) -> Vec<Config> {
    entries(&roots.containers())
        .iter()
        .filter_map(|id| config::read(&roots.containers().join(id), "config.json"))
        .filter(|config: &Config| config.images().next().is_some())
        .collect()
}

/// The files and directories of the store that nothing needs. The caller holds the lock.
pub(super) fn orphans(roots: &Roots, store: &Store) -> Vec<PathBuf> {
    let found = unused(store, &images(store), &needed(roots));
    let layers = found.layers.into_iter().map(|(_, path)| path);
    found.files.into_iter().chain(layers).collect()
}

fn needed(roots: &Roots) -> HashSet<String> {
    let containers = containers(roots).into_iter();
    containers.flat_map(|config| config.layers).collect()
}

/// What commands that were killed have left: their workspaces, and what they had put in place for an image that did not
/// come. Somebody else who is at it does it as well.
pub(super) fn tidy(roots: &Roots, store: &Store) -> Result<(), Failure> {
    super::workspace::collect(store);
    let swept = match super::lock::try_exclusive(store)? {
        Some(lock) => Some(sweep(roots, store, &lock)?),
        None => None,
    };
    drop(swept);
    Ok(())
}

/// What is left to do when the lock is free again: the directories of layers that are no more.
pub(super) struct Swept {
    /// The chain ids of the layers that went.
    pub(super) layers: Vec<String>,
    /// Bytes of theirs, unpacked, and of their blobs.
    pub(super) freed: u64,
    /// Gone with this value.
    _trash: Option<Workspace>,
}

/// Takes everything out of the store that neither an image nor a container needs. What takes long, the removal of layers, is
/// left for when the lock is free: a layer is out of the store once it has another name.
pub(super) fn sweep(roots: &Roots, store: &Store, _lock: &Exclusive) -> Result<Swept, Failure> {
    let found = unused(store, &images(store), &needed(roots));
    let mut freed = 0u64;
    for path in &found.files {
        freed += fs::symlink_metadata(path).map_or(0, |stat| stat.len());
        fs::remove_file(path).map_err(|error| store_failure("remove", path, &error))?;
    }
    let mut layers = Vec::new();
    if found.layers.is_empty() {
        return Ok(Swept {
            layers,
            freed,
            _trash: None,
        });
    }
    let trash = Workspace::make(store)?;
    for (chain_id, path) in found.layers {
        // A `load` that builds on it has it locked, and will refer to it or leave it to the next sweep.
        let directory = open_directory(&path)?;
        if rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        freed += StoredLayer::read(&path).map_or(0, |layer| layer.size);
        let aside = trash.path().join(chain_id.hex());
        fs::rename(&path, &aside).map_err(|error| store_failure("move", &path, &error))?;
        layers.push(chain_id.to_string());
    }
    Ok(Swept {
        layers,
        freed,
        _trash: Some(trash),
    })
}

/// After a container of an image that was removed with force: its layers were kept for it.
pub(crate) fn after_container(roots: &Roots, image_id: &str) {
    let store = Store::new(&roots.root);
    let Ok(id) = keelbox_image::Digest::parse(image_id) else {
        return;
    };
    if !store.record(&id).exists()
        && let Ok(lock) = super::lock::exclusive(&store)
    {
        let swept = sweep(roots, &store, &lock);
        drop((lock, swept));
    }
}
