//! What in the store nothing needs.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::layout::Store;
use crate::record::{ImageRecord, hex_names};

/// Paths that nothing refers to.
#[derive(Debug, Default)]
pub struct Unused {
    /// Blobs, and records that were never finished: files.
    pub files: Vec<PathBuf>,
    /// Layers: directories.
    pub layers: Vec<(Digest, PathBuf)>,
}

/// Looks for what neither an image nor, by chain id, a container refers to. The caller holds the store's lock exclusively:
/// whoever refers to something new holds it shared.
#[must_use]
pub fn unused<S: std::hash::BuildHasher>(
    store: &Store,
    images: &[ImageRecord],
    containers: &HashSet<String, S>,
) -> Unused {
    let layers = || images.iter().flat_map(|image| &image.layers);
    let blobs: HashSet<&Digest> = images
        .iter()
        .flat_map(|image| [&image.id, &image.manifest])
        .chain(layers().map(|layer| &layer.blob))
        .collect();
    let chains: HashSet<&Digest> = layers().map(|layer| &layer.chain_id).collect();
    let mut found = Unused::default();
    for digest in hex_names(&store.blobs(), "") {
        if !blobs.contains(&digest) {
            found.files.push(store.blob(&digest));
        }
    }
    for digest in hex_names(&store.layers(), "") {
        if !chains.contains(&digest) && !containers.contains(digest.hex()) {
            let path = store.layer(&digest);
            found.layers.push((digest, path));
        }
    }
    for directory in [store.records(), store.name_records()] {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let drafts = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."));
        found.files.extend(drafts.map(|entry| entry.path()));
    }
    found
}
