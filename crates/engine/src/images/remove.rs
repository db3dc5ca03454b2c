//! Names of images, and removing images.

use std::fs;

use keelbox_image::{
    ImageRecord, Named, Reference, Store, familiar, names, resolve_name, write_name,
};
use keelbox_spec::failure::{Code, Failure};
use serde::Serialize;

use super::sweep::{containers, sweep};
use super::{lock, open_store, resolve, workspace};
use crate::collect::collect;
use crate::config::Config;
use crate::event::{record_image, record_prune};
use crate::list::number;
use crate::roots::Roots;
use crate::store::store_failure;

/// What a removal did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RemovedImage {
    /// Names that were taken away.
    pub untagged: Vec<String>,
    /// The image's id and the chain ids of the layers that went, if they did.
    pub deleted: Vec<String>,
    /// Bytes of those layers, unpacked, and of their blobs.
    #[serde(serialize_with = "number")]
    pub freed: u64,
}

/// Gives an image another name.
///
/// # Errors
///
/// There is no such image, or the name is none.
pub fn tag_image(roots: &Roots, image: &str, name: &str) -> Result<(), Failure> {
    let reference = Reference::parse(name)?;
    if reference.digest.is_some() {
        return Err(
            Failure::new(Code::InvalidArg, format!("{name:?} has a digest"))
                .why("a digest comes from what an image is, and cannot be given")
                .hint("give a name and a tag"),
        );
    }
    let store = open_store(roots)?;
    let _lock = lock::shared(&store)?;
    let image = resolve::find(&store, image)?;
    let name = reference.name();
    write_name(&store, &name, &image.id)?;
    record_image(roots, "tag", &image.id.to_string(), familiar(&name));
    Ok(())
}

/// Takes names from an image; without names, all of them. The image stays.
///
/// # Errors
///
/// There is no such image, or a name is not one of its names.
pub fn untag_image(roots: &Roots, image: &str, wanted: &[String]) -> Result<Vec<String>, Failure> {
    let store = open_store(roots)?;
    let _lock = lock::exclusive(&store)?;
    let image = resolve::find(&store, image)?;
    let its = names_of(&store, &image);
    let mut gone = Vec::new();
    if wanted.is_empty() {
        gone.clone_from(&its);
    }
    for text in wanted {
        let reference = Reference::parse(text)?;
        let name = reference
            .candidates()
            .into_iter()
            .find(|name| its.contains(name));
        gone.push(name.ok_or_else(|| {
            Failure::new(
                Code::ImageNotFound,
                format!("{text} is not a name of the image {:.12}", image.id.hex()),
            )
            .exit_code(1)
        })?);
    }
    untag(roots, &store, &image, &gone)?;
    Ok(shown(&gone))
}

/// Removes an image by name, id or the beginning of one id alone; by a name that is not its last one, only that name.
///
/// # Errors
///
/// There is no such image (exit code 1); a container was made of it, or an id has several names, and `force` is not given
/// (2).
pub fn remove_image(roots: &Roots, text: &str, force: bool) -> Result<RemovedImage, Failure> {
    let store = open_store(roots)?;
    collect(roots);
    workspace::collect(&store);
    let lock = lock::exclusive(&store)?;
    let image = resolve::find(&store, text).map_err(|failure| match failure.code {
        Code::ImageNotFound => failure.exit_code(1),
        _ => failure,
    })?;
    let its = names_of(&store, &image);
    let by_name = Reference::parse(text)
        .ok()
        .filter(|reference| reference.digest.is_none())
        .and_then(|reference| resolve_name(&store, &reference));
    if let Some(Named { name, .. }) = &by_name
        && its.len() > 1
    {
        untag(roots, &store, &image, std::slice::from_ref(name))?;
        return Ok(RemovedImage {
            untagged: shown(std::slice::from_ref(name)),
            ..RemovedImage::default()
        });
    }
    if !force {
        refuse(roots, text, &image, &its)?;
    }
    delete(roots, &store, &image, &its)?;
    let swept = sweep(roots, &store, &lock)?;
    drop(lock);
    let mut deleted = vec![image.id.to_string()];
    deleted.extend(swept.layers.iter().cloned());
    Ok(RemovedImage {
        untagged: shown(&its),
        deleted,
        freed: swept.freed,
    })
}

fn refuse(roots: &Roots, text: &str, image: &ImageRecord, its: &[String]) -> Result<(), Failure> {
    let id = image.id.to_string();
    let users: Vec<_> = containers(roots)
        .into_iter()
        .filter(|config| config.images().any(|image| *image == id))
        .map(|config| config.name)
        .collect();
    let in_use = |why: String, hint: String| {
        Err(
            Failure::new(Code::ImageInUse, format!("the image {text} is in use"))
                .why(why)
                .hint(hint)
                .exit_code(2),
        )
    };
    if !users.is_empty() {
        return in_use(
            format!("containers were made of it: {}", users.join(", ")),
            format!(
                "remove them first (keelbox rm {}), or take the image from the list with keelbox rmi -f {text}",
                users.join(" ")
            ),
        );
    }
    if its.len() > 1 {
        return in_use(
            format!("it has {} names: {}", its.len(), shown(its).join(", ")),
            format!("remove it by its names, or with all of them: keelbox rmi -f {text}"),
        );
    }
    Ok(())
}

/// Removes images that nothing uses: those without a name, or with `all` those of which there is no container.
///
/// # Errors
///
/// The store cannot be written.
pub fn prune_images(
    roots: &Roots,
    all: bool,
    candidates: Option<&[String]>,
) -> Result<RemovedImage, Failure> {
    let store = open_store(roots)?;
    collect(roots);
    workspace::collect(&store);
    let lock = lock::exclusive(&store)?;
    let containers = containers(roots);
    let used: Vec<_> = containers.iter().flat_map(Config::images).collect();
    let mut removed = RemovedImage::default();
    for image in keelbox_image::images(&store) {
        let (its, id) = (names_of(&store, &image), image.id.to_string());
        let wanted = candidates.is_none_or(|candidates| candidates.contains(&id));
        if used.contains(&&id) || !wanted || !(all || its.is_empty()) {
            continue;
        }
        delete(roots, &store, &image, &its)?;
        removed.untagged.extend(shown(&its));
        removed.deleted.push(id);
    }
    let swept = sweep(roots, &store, &lock)?;
    drop(lock);
    removed.deleted.extend(swept.layers.iter().cloned());
    removed.freed = swept.freed;
    record_prune(roots, "image", removed.freed);
    Ok(removed)
}

pub(super) fn names_of(store: &Store, image: &ImageRecord) -> Vec<String> {
    let named = names(store).into_iter();
    named
        .filter(|named| named.id == image.id)
        .map(|named| named.name)
        .collect()
}

fn shown(names: &[String]) -> Vec<String> {
    names.iter().map(|name| familiar(name).to_owned()).collect()
}

/// Takes names from an image.
fn untag(
    roots: &Roots,
    store: &Store,
    image: &ImageRecord,
    names: &[String],
) -> Result<(), Failure> {
    for name in names {
        let path = store.name_record(name);
        fs::remove_file(&path).map_err(|error| store_failure("remove", &path, &error))?;
        record_image(roots, "untag", &image.id.to_string(), familiar(name));
    }
    Ok(())
}

/// Takes an image away with all its names. Layers are left to the sweep.
fn delete(
    roots: &Roots,
    store: &Store,
    image: &ImageRecord,
    names: &[String],
) -> Result<(), Failure> {
    untag(roots, store, image, names)?;
    let record = store.record(&image.id);
    fs::remove_file(&record).map_err(|error| store_failure("remove", &record, &error))?;
    let id = image.id.to_string();
    record_image(roots, "delete", &id, &id);
    Ok(())
}
