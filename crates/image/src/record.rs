//! What the store remembers of an image and of a layer: small files, one each, written last and whole.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use keelbox_spec::failure::Failure;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::document::RunConfig;
use crate::failures;
use crate::layout::Store;
use crate::platform::Platform;

/// The version of the records; later ones are not read by this version.
const VERSION: u32 = 1;

/// An image: all that `images` and `run` need, so that neither opens a document of a stranger's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRecord {
    /// The version of this format.
    pub version: u32,
    /// The digest of its configuration.
    pub id: Digest,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// RFC 3339; empty when the image does not say.
    pub created: String,
    /// What it is for.
    pub platform: Platform,
    /// Bytes of its layers, unpacked.
    pub size: u64,
    /// The largest user or group id that a file of it has.
    #[serde(default)]
    pub largest_id: u32,
    /// Lowest first.
    pub layers: Vec<LayerRecord>,
    /// How to run it.
    pub config: RunConfig,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerRecord {
    /// The digest of its tar.
    pub diff_id: Digest,
    /// Names its directory.
    pub chain_id: Digest,
    /// The blob that it came as.
    pub blob: Digest,
}

/// `layer.json` beside a layer's `diff`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredLayer {
    /// The version of this format.
    pub version: u32,
    /// Names its directory.
    pub chain_id: Digest,
    /// The digest of its tar.
    pub diff_id: Digest,
    /// The blob that it was unpacked from.
    pub blob: Digest,
    /// Bytes of its tar.
    pub size: u64,
    /// Entries of its tar.
    pub entries: u64,
    /// The largest user or group id in it.
    #[serde(default)]
    pub largest_id: u32,
}

/// What was found when a layer was unpacked.
#[derive(Clone, Copy, Debug)]
pub struct LayerShape {
    /// Bytes of its tar.
    pub size: u64,
    /// Entries of its tar.
    pub entries: u64,
    /// The largest user or group id in it.
    pub largest_id: u32,
}

impl StoredLayer {
    /// The record of a layer.
    #[must_use]
    pub fn new(chain_id: Digest, diff_id: Digest, blob: Digest, shape: LayerShape) -> Self {
        Self {
            version: VERSION,
            chain_id,
            diff_id,
            blob,
            size: shape.size,
            entries: shape.entries,
            largest_id: shape.largest_id,
        }
    }

    /// Reads the record of a layer that is there.
    #[must_use]
    pub fn read(directory: &Path) -> Option<Self> {
        let bytes = fs::read(directory.join("layer.json")).ok()?;
        let layer: Self = serde_json::from_slice(&bytes).ok()?;
        let named = directory.file_name().and_then(|name| name.to_str());
        (layer.version == VERSION && named == Some(layer.chain_id.hex())).then_some(layer)
    }

    /// Writes it into the layer's directory, before that gets its name.
    ///
    /// # Errors
    ///
    /// The directory cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), Failure> {
        write_whole(&directory.join("layer.json"), self)
    }
}

impl ImageRecord {
    /// The version that this program writes.
    pub const VERSION: u32 = VERSION;

    /// Writes it down: from now on there is this image.
    ///
    /// # Errors
    ///
    /// The store cannot be written.
    pub fn write(&self, store: &Store) -> Result<(), Failure> {
        write_whole(&store.record(&self.id), self)
    }

    /// The directories of its layers, topmost first.
    #[must_use]
    pub fn layer_paths(&self, store: &Store) -> Vec<std::path::PathBuf> {
        let paths = self.layers.iter().rev();
        paths
            .map(|layer| store.layer(&layer.chain_id).join("diff"))
            .collect()
    }
}

/// The image of this id.
#[must_use]
pub fn read_image(store: &Store, id: &Digest) -> Option<ImageRecord> {
    let image: ImageRecord = serde_json::from_slice(&fs::read(store.record(id)).ok()?).ok()?;
    (image.version == VERSION && image.id == *id).then_some(image)
}

/// All images, by id.
#[must_use]
pub fn images(store: &Store) -> Vec<ImageRecord> {
    hex_names(&store.records(), ".json")
        .iter()
        .filter_map(|id| read_image(store, id))
        .collect()
}

/// The digests that the entries of a directory are named by.
pub(crate) fn hex_names(directory: &Path, suffix: &str) -> Vec<Digest> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Digest::from_hex(name.strip_suffix(suffix)?)
        })
        .collect()
}

/// Another name, then the right one: a record is whole or not there, also after a power cut.
pub(crate) fn write_whole<T: Serialize>(path: &Path, value: &T) -> Result<(), Failure> {
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    let fail = |error: std::io::Error| failures::io("write", path, &error);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_file_name(format!(".draft-{}-{number}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&draft)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_data()?;
        fs::rename(&draft, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&draft);
        fail(error)
    })
}
