//! An image that is another one and a layer more.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use keelbox_image::{
    Candidate, Compression, ConfigFile, Digest, ImageRecord, LayerSource, Member, Reference,
    RunConfig, Store, invalid, machine, read_image,
};
use keelbox_journal::Time;
use keelbox_spec::failure::{Code, Failure};
use serde_json::{Map, Value, json};

use super::open::nameless;
use super::open_store;
use super::stage::Stage;
use super::sweep::tidy;
use crate::roots::Roots;
use crate::store::store_failure;

/// An image to be made.
#[derive(Debug)]
pub(crate) struct NewImage<'a> {
    /// The id of the image that it comes from, if it comes from one of the store's.
    pub(crate) base: Option<&'a str>,
    /// It has that one's layers, and one more; else one layer in all.
    pub(crate) shares: bool,
    /// What it is to be called.
    pub(crate) name: Option<&'a str>,
    /// For its history.
    pub(crate) author: &'a str,
    /// See `author`.
    pub(crate) comment: &'a str,
    /// See `author`.
    pub(crate) created_by: String,
    /// In docker's words: `Env`, `Cmd`, ...
    pub(crate) config: Map<String, Value>,
}

/// How the image with this id is run; the default without one.
///
/// # Errors
///
/// It is gone.
pub(crate) fn run_config(roots: &Roots, id: Option<&str>) -> Result<RunConfig, Failure> {
    let store = Store::new(&roots.root);
    match id {
        Some(id) => Ok(record(&store, id)?.config),
        None => Ok(RunConfig::default()),
    }
}

/// Makes the image; `write` writes its new layer. The id.
///
/// # Errors
///
/// The image that it comes from is gone; the store cannot be written.
pub(crate) fn commit_image(
    roots: &Roots,
    image: &NewImage<'_>,
    write: impl FnOnce(BorrowedFd<'_>) -> Result<(), Failure>,
) -> Result<String, Failure> {
    let name = image.name.map(Reference::parse).transpose()?;
    let store = open_store(roots)?;
    tidy(roots, &store)?;
    let base = image.base.map(|id| record(&store, id)).transpose()?;
    let mut stage = Stage::new(&store)?;
    let mut layers = match &base {
        Some(base) if image.shares => shared(&store, &mut stage, base)?,
        _ => Vec::new(),
    };
    let file = nameless(&store)?;
    write(file.as_fd())?;
    let member = Member::whole(Arc::new(file))?;
    let diff_id = member.digest("the layer", None)?;
    layers.push(LayerSource {
        diff_id,
        digest: None,
        compression: Compression::Plain,
        member,
    });
    let document = document(&store, base.as_ref(), image, &layers)?;
    let config_bytes = serde_json::to_vec(&document)
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let made = stage.add(Candidate {
        names: name.map(|name| name.name()).into_iter().collect(),
        id: Digest::of(&config_bytes),
        config: ConfigFile::parse(&config_bytes, layers.len())?,
        config_bytes,
        manifest: None,
        layers,
    })?;
    stage.publish()?;
    Ok(made.id.to_string())
}

fn record(store: &Store, id: &str) -> Result<ImageRecord, Failure> {
    let found = Digest::parse(id).ok().and_then(|id| read_image(store, &id));
    found.ok_or_else(|| {
        Failure::new(
            Code::ImageNotFound,
            format!("the image that the container was made of is gone: {id:.19}"),
        )
        .hint("load or import it again, or make an image of everything with --squash or keelbox export")
    })
}

/// The layers of an image, which the store has looked at before.
fn shared(
    store: &Store,
    stage: &mut Stage<'_>,
    base: &ImageRecord,
) -> Result<Vec<LayerSource>, Failure> {
    let source = |layer: &keelbox_image::LayerRecord| {
        let path = store.blob(&layer.blob);
        let file = File::open(&path).map_err(|error| store_failure("read", &path, &error))?;
        let member = Member::whole(Arc::new(file))?;
        Ok(LayerSource {
            diff_id: layer.diff_id.clone(),
            digest: Some(layer.blob.clone()),
            compression: Compression::of_magic(&member.magic()),
            member,
        })
    };
    let layers: Vec<_> = base
        .layers
        .iter()
        .map(source)
        .collect::<Result<_, Failure>>()?;
    stage.trust(base.layers.iter().map(|layer| layer.blob.clone()));
    Ok(layers)
}

/// The configuration: the other image's own document, with what is new.
fn document(
    store: &Store,
    base: Option<&ImageRecord>,
    image: &NewImage<'_>,
    layers: &[LayerSource],
) -> Result<Value, Failure> {
    let mut document = match base {
        Some(base) => {
            let path = store.blob(&base.id);
            let bytes =
                std::fs::read(&path).map_err(|error| store_failure("read", &path, &error))?;
            let read: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|error| {
                invalid("the image's configuration cannot be read").why(error.to_string())
            })?;
            read
        }
        None => Map::new(),
    };
    let created = String::from_utf8_lossy(&Time::now().text()).into_owned();
    let mut history = match document.remove("history") {
        Some(Value::Array(history)) if image.shares => history,
        _ => Vec::new(),
    };
    history.push(json!({
        "created": created,
        "author": image.author,
        "created_by": image.created_by,
        "comment": image.comment,
    }));
    // What docker keeps of the container that an image was made of would be another one's.
    for key in ["container", "container_config", "id", "parent"] {
        document.remove(key);
    }
    let mut set = |key: &str, value: Value| drop(document.insert(key.to_owned(), value));
    let diff_ids: Vec<_> = layers
        .iter()
        .map(|layer| layer.diff_id.to_string())
        .collect();
    set("created", json!(created));
    set("author", json!(image.author));
    set("rootfs", json!({"type": "layers", "diff_ids": diff_ids}));
    set("history", Value::Array(history));
    let mut config = match document.remove("config") {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    // Keys that this version does not know stay.
    for known in RUN_KEYS {
        config.remove(known);
    }
    config.extend(image.config.clone());
    document.insert("config".into(), Value::Object(config));
    document
        .entry("architecture")
        .or_insert_with(|| json!(machine()));
    document.entry("os").or_insert_with(|| json!("linux"));
    Ok(Value::Object(document))
}

/// The keys of [`RunConfig`].
const RUN_KEYS: [&str; 10] = [
    "User",
    "Env",
    "Entrypoint",
    "Cmd",
    "WorkingDir",
    "Volumes",
    "ExposedPorts",
    "Labels",
    "StopSignal",
    "Healthcheck",
];
