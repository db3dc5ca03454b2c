//! Reading images from an archive or directory.

use std::path::PathBuf;

use keelbox_image::{familiar, read_archive};
use keelbox_spec::failure::Failure;
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use super::sweep::tidy;
use super::{open, open_store};
use crate::event::record_image;
use crate::roots::Roots;

/// What is to be loaded.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Loading {
    /// An archive or a directory; None: stdin.
    pub path: Option<PathBuf>,
}

/// An image that was loaded.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedImage {
    /// `sha256:` and 64 hex digits.
    pub id: String,
    /// Its names with their tags, as docker shows them.
    pub names: Vec<String>,
    /// Lines about what was left out.
    pub notes: Vec<String>,
}

/// Loads every image of an archive, or none.
///
/// # Errors
///
/// The archive is not one, something in it is not what it says, or the store cannot be written.
pub fn load(roots: &Roots, loading: &Loading) -> Result<Vec<LoadedImage>, Failure> {
    let store = open_store(roots)?;
    tidy(roots, &store)?;
    let mut stage = Stage::new(&store)?;
    let source = open::open(&store, loading.path.as_deref())?;
    let mut loaded = Vec::new();
    for candidate in read_archive(&source)? {
        let names = candidate.names.clone();
        let image = stage.add(candidate)?;
        loaded.push(LoadedImage {
            id: image.id.to_string(),
            names: names.iter().map(|name| familiar(name).to_owned()).collect(),
            notes: stage.notes(),
        });
    }
    stage.publish()?;
    for image in &loaded {
        // Docker has one event, with the name that was loaded.
        let first = image.names.first().unwrap_or(&image.id);
        record_image(roots, "load", &image.id, first);
    }
    Ok(loaded)
}
