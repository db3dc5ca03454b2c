//! Everything about one image.

use keelbox_image::{CONFIG_LIMIT, Store, StoredLayer, familiar};
use keelbox_spec::failure::{Code, Failure};
use serde::Serialize;
use serde_json::Value;

use super::{remove, resolve};
use crate::list::number;
use crate::roots::Roots;
use crate::store::store_failure;

/// Everything about one image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageDescription {
    /// `sha256:` and 64 hex digits.
    pub id: String,
    /// The manifest's digest, likewise.
    pub digest: String,
    /// Its names with their tags, as docker shows them.
    pub names: Vec<String>,
    /// Bytes of its layers, unpacked.
    #[serde(serialize_with = "number")]
    pub size: u64,
    /// Lowest first.
    pub layers: Vec<LayerDescription>,
    /// Its configuration as it came.
    pub config: Value,
}

/// A layer of an image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerDescription {
    /// The digest of its tar.
    pub diff_id: String,
    /// Its directory.
    pub path: String,
    /// Bytes of its tar.
    #[serde(serialize_with = "number")]
    pub size: u64,
}

/// Describes an image by name, id or the beginning of one id alone.
///
/// # Errors
///
/// There is no such image, or its configuration is gone.
pub fn describe_image(roots: &Roots, text: &str) -> Result<ImageDescription, Failure> {
    let store = Store::new(&roots.root);
    let image = resolve::find(&store, text)?;
    let path = store.blob(&image.id);
    let bytes = std::fs::read(&path).map_err(|error| store_failure("read", &path, &error))?;
    let broken = || {
        Failure::new(
            Code::Store,
            format!("the configuration of {text} is damaged"),
        )
        .hint("load the image again; keelbox system check finds what else is damaged")
        .path(&path)
    };
    if u64::try_from(bytes.len()).is_ok_and(|length| length > CONFIG_LIMIT) {
        return Err(broken());
    }
    let config = serde_json::from_slice(&bytes).map_err(|_| broken())?;
    let layers = image.layers.iter().map(|layer| {
        let path = store.layer(&layer.chain_id);
        LayerDescription {
            diff_id: layer.diff_id.to_string(),
            size: StoredLayer::read(&path).map_or(0, |layer| layer.size),
            path: path.join("diff").display().to_string(),
        }
    });
    Ok(ImageDescription {
        id: image.id.to_string(),
        digest: image.manifest.to_string(),
        names: remove::names_of(&store, &image)
            .iter()
            .map(|name| familiar(name).to_owned())
            .collect(),
        size: image.size,
        layers: layers.collect(),
        config,
    })
}
