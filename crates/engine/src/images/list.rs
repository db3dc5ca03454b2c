//! Which images there are.

use std::collections::HashMap;

use keelbox_image::{Store, familiar, names};
use keelbox_spec::failure::Failure;
use serde::Serialize;

use crate::list::number;
use crate::roots::Roots;

/// An image, for a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSummary {
    /// `sha256:` and 64 hex digits.
    pub id: String,
    /// The manifest's digest, likewise.
    pub digest: String,
    /// Its names with their tags, as docker shows them.
    pub names: Vec<String>,
    /// RFC 3339; empty when it does not say.
    pub created: String,
    /// Bytes of its layers, unpacked.
    #[serde(serialize_with = "number")]
    pub size: u64,
    /// Its labels.
    pub labels: std::collections::BTreeMap<String, String>,
}

/// Lists the images, in no order.
///
/// # Errors
///
/// None: what cannot be read is not there.
pub fn images(roots: &Roots) -> Result<Vec<ImageSummary>, Failure> {
    let store = Store::new(&roots.root);
    let mut named: HashMap<_, Vec<String>> = HashMap::new();
    for name in names(&store) {
        named
            .entry(name.id)
            .or_default()
            .push(familiar(&name.name).to_owned());
    }
    let images = keelbox_image::images(&store);
    let summaries = images.into_iter().map(|image| ImageSummary {
        names: named.remove(&image.id).unwrap_or_default(),
        id: image.id.to_string(),
        digest: image.manifest.to_string(),
        created: image.created,
        size: image.size,
        labels: image.config.labels,
    });
    Ok(summaries.collect())
}
