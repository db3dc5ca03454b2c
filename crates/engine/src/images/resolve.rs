//! From what a user calls an image to the image.

use std::os::fd::OwnedFd;

use keelbox_image::{
    Digest, Healthcheck, ImageRecord, Reference, Store, images, read_image, resolve_name,
};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::{ImageConfig, Root, StoredImage};
use keelbox_spec::request::HealthRequest;

use super::lock;
use crate::roots::Roots;

/// The image that a name, an id or the beginning of one id alone means; a name goes before an id.
pub(super) fn find(store: &Store, text: &str) -> Result<ImageRecord, Failure> {
    if let Some(image) = named(store, text) {
        return Ok(image);
    }
    let prefix = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hex = !prefix.is_empty()
        && prefix.len() <= 64
        && prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found: Vec<_> = if is_hex {
        by_prefix(store, prefix)
    } else {
        Vec::new()
    };
    match found.as_slice() {
        [image] => Ok(image.clone()),
        [] => Err(not_found(text)),
        many => Err(ambiguous(text, many)),
    }
}

fn named(store: &Store, text: &str) -> Option<ImageRecord> {
    let reference = Reference::parse(text).ok()?;
    let Some(digest) = &reference.digest else {
        return read_image(store, &resolve_name(store, &reference)?.id);
    };
    // The digest is what counts; the name in front of it says where it came from.
    images(store)
        .into_iter()
        .find(|image| image.manifest == *digest)
}

fn by_prefix(store: &Store, prefix: &str) -> Vec<ImageRecord> {
    if let Some(id) = Digest::from_hex(prefix) {
        return read_image(store, &id).into_iter().collect();
    }
    let mut found = images(store);
    found.retain(|image| image.id.hex().starts_with(prefix));
    found
}

pub(super) fn not_found(text: &str) -> Failure {
    Failure::new(Code::ImageNotFound, format!("no such image: {text}"))
        .why("it is not in the store")
        .hint("keelbox images lists what there is; keelbox load -i FILE reads an archive. Two things need no image: the image `host`, and a directory: --rootfs DIR")
}

fn ambiguous(text: &str, found: &[ImageRecord]) -> Failure {
    let ids: Vec<_> = found
        .iter()
        .map(|image| format!("{:.12}", image.id.hex()))
        .collect();
    Failure::new(
        Code::AmbiguousId,
        format!("{text} could be any of {} images", found.len()),
    )
    .why(ids.join(", "))
    .hint("write more of the id, or the name")
}

/// The lock that keeps layers from being removed until they are written down as a container's. None: there is no store.
pub(crate) fn hold(roots: &Roots) -> Result<Option<OwnedFd>, Failure> {
    let store = Store::new(&roots.root);
    if !store.records().is_dir() {
        return Ok(None);
    }
    lock::shared(&store).map(Some)
}

/// The image of a request, by its name.
pub(crate) fn image_config(roots: &Roots, name: &str) -> Result<ImageConfig, Failure> {
    let store = Store::new(&roots.root);
    let image = find(&store, name)?;
    let layers = image.layer_paths(&store);
    if let Some(missing) = layers.iter().find(|path| !path.is_dir()) {
        return Err(Failure::new(
            Code::Store,
            format!("a layer of the image {name} is missing"),
        )
        .hint("load the image again; keelbox system check finds what else is missing")
        .path(missing));
    }
    let stored = StoredImage {
        id: image.id.to_string(),
        layers: image
            .layers
            .iter()
            .map(|layer| layer.chain_id.hex().to_owned())
            .collect(),
        largest_id: image.largest_id,
        architecture: image.platform.architecture.clone(),
    };
    let config = image.config;
    let given = |text: String| (!text.is_empty()).then_some(text);
    Ok(ImageConfig {
        name: name.to_owned(),
        entrypoint: config.entrypoint,
        cmd: config.cmd,
        env: config.env,
        working_dir: given(config.working_dir),
        user: given(config.user),
        root: Root::Layers(layers),
        volumes: config.volumes.into_keys().collect(),
        exposed_ports: config.exposed_ports.into_keys().collect(),
        stop_signal: config.stop_signal,
        healthcheck: config.healthcheck.map(health).unwrap_or_default(),
        labels: config.labels,
        stored: Some(stored),
    })
}

/// An image's nanoseconds as milliseconds.
fn health(check: Healthcheck) -> HealthRequest {
    let milliseconds = |time: i64| {
        u64::try_from(time / 1_000_000)
            .ok()
            .filter(|time| *time > 0)
    };
    HealthRequest {
        test: (!check.test.is_empty()).then_some(check.test),
        interval: milliseconds(check.interval),
        timeout: milliseconds(check.timeout),
        start_period: milliseconds(check.start_period),
        start_interval: milliseconds(check.start_interval),
        retries: u32::try_from(check.retries).ok(),
        on_failure: None,
    }
}
