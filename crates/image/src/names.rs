//! The names of images: one record each.

use std::fs;

use keelbox_spec::failure::Failure;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::layout::Store;
use crate::record::{hex_names, write_whole};
use crate::reference::Reference;

/// A name and what it names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Named {
    /// With domain and tag.
    pub name: String,
    /// The image's id.
    pub id: Digest,
}

/// Gives a name to an image; what had it before loses it.
///
/// # Errors
///
/// The store cannot be written.
pub fn write_name(store: &Store, name: &str, id: &Digest) -> Result<(), Failure> {
    let named = Named {
        name: name.to_owned(),
        id: id.clone(),
    };
    write_whole(&store.name_record(name), &named)
}

fn read(store: &Store, name: &str) -> Option<Named> {
    let bytes = fs::read(store.name_record(name)).ok()?;
    let named: Named = serde_json::from_slice(&bytes).ok()?;
    (named.name == name).then_some(named)
}

/// What a reference names, by the first of its candidates that is there.
#[must_use]
pub fn resolve_name(store: &Store, reference: &Reference) -> Option<Named> {
    reference
        .candidates()
        .iter()
        .find_map(|name| read(store, name))
}

/// All names, in their order.
#[must_use]
pub fn names(store: &Store) -> Vec<Named> {
    let mut found: Vec<Named> = hex_names(&store.name_records(), ".json")
        .iter()
        .filter_map(|hex| {
            let path = store.name_records().join(format!("{}.json", hex.hex()));
            let named: Named = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
            (Digest::of(named.name.as_bytes()) == *hex).then_some(named)
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}
