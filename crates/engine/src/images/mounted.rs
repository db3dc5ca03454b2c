//! Images that are mounted into a container of something else.

use std::collections::BTreeSet;
use std::fs::{self, FileType};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::Root;
use keelbox_spec::plan::{ImageFacts, StorageFacts, file_key};
use keelbox_spec::request::MountRequest;
use keelbox_sys::Errno;

use crate::roots::Roots;

/// Looks up the images that a request mounts.
///
/// # Errors
///
/// There is no such image; its subpath leads out of it, goes through a link, or is not there.
pub(crate) fn mounted(
    roots: &Roots,
    mounts: &[MountRequest],
    facts: &mut StorageFacts,
) -> Result<(), Failure> {
    for mount in mounts {
        let MountRequest::Image {
            source, subpath, ..
        } = mount
        else {
            continue;
        };
        let image = super::image_config(roots, source)?;
        let (Root::Layers(layers), Some(stored)) = (image.root, image.stored) else {
            return Err(super::resolve::not_found(source));
        };
        let (directories, is_file) = match subpath {
            Some(subpath) => below(source, &layers, subpath)?,
            None => (layers, false),
        };
        let found = ImageFacts {
            id: stored.id,
            chain_ids: stored.layers,
            directories,
            is_file,
        };
        let key = file_key(source, subpath.as_deref());
        facts.images.insert(key, found);
    }
    Ok(())
}

/// The ids of the images that a container mounts, and the chain ids of their layers.
pub(crate) fn kept(facts: &StorageFacts) -> (BTreeSet<String>, BTreeSet<String>) {
    let images = facts.images.values();
    let ids = images.clone().map(|image| image.id.clone()).collect();
    let layers = images.flat_map(|image| image.chain_ids.iter().cloned());
    (ids, layers.collect())
}

/// What the layers, topmost first, have at a path: directories that lie one over the other, or one file (true).
///
/// The rules are overlayfs's. Layers never change, so what was looked at is what will be mounted.
fn below(image: &str, layers: &[PathBuf], subpath: &str) -> Result<(Vec<PathBuf>, bool), Failure> {
    let path = Path::new(subpath);
    let stays = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if subpath.is_empty() || !path.components().all(stays) {
        return Err(crate::storage::escapes(subpath));
    }
    let mut found = Vec::new();
    for layer in layers {
        match descend(layer, path).map_err(|why| refuse(image, subpath, why))? {
            Found::Directory { whole, is_last } => {
                found.push(whole);
                if is_last {
                    break;
                }
            }
            // A directory hides what is called so below it.
            Found::File(file) if found.is_empty() => return Ok((vec![file], true)),
            Found::Nothing { is_last: false } => {}
            Found::File(_) | Found::Nothing { is_last: true } => break,
        }
    }
    if found.is_empty() {
        return Err(refuse(image, subpath, Errno::ENOENT.text()));
    }
    Ok((found, false))
}

/// What one layer has at a path; `is_last`: nothing of the layers below it counts.
enum Found {
    Directory { whole: PathBuf, is_last: bool },
    File(PathBuf),
    Nothing { is_last: bool },
}

fn descend(layer: &Path, path: &Path) -> Result<Found, &'static str> {
    let mut whole = layer.to_owned();
    let mut is_last = false;
    let mut parts = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .peekable();
    while let Some(part) = parts.next() {
        whole.push(part);
        let stat = match fs::symlink_metadata(&whole) {
            Ok(stat) => stat,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Found::Nothing { is_last });
            }
            Err(error) => return Err(Errno::from(error).text()),
        };
        let kind: FileType = stat.file_type();
        if kind.is_symlink() {
            return Err("a symbolic link is on the way");
        }
        if kind.is_dir() {
            is_last |= is_opaque(&whole)?;
            continue;
        }
        let is_whiteout = kind.is_char_device() && stat.rdev() == 0;
        if is_whiteout || parts.peek().is_some() {
            return Ok(Found::Nothing { is_last: true });
        }
        return Ok(Found::File(whole));
    }
    Ok(Found::Directory { whole, is_last })
}

fn is_opaque(directory: &Path) -> Result<bool, &'static str> {
    let mut value = [0u8; 2];
    for name in [c"trusted.overlay.opaque", c"user.overlay.opaque"] {
        match rustix::fs::lgetxattr(directory, name, &mut value[..]) {
            Ok(length) if value.get(..length) == Some(b"y") => return Ok(true),
            // An ordinary user cannot look into what a subordinate id keeps for itself.
            Err(rustix::io::Errno::ACCESS) => {
                return Err("a directory on the way can be read only in a container");
            }
            _ => {}
        }
    }
    Ok(false)
}

fn refuse(image: &str, subpath: &str, why: &str) -> Failure {
    Failure::new(
        Code::Mount,
        format!("cannot mount {subpath:?} of the image {image}"),
    )
    .why(why)
    .hint("name a file or directory of the image by its real path, without links in it; or mount the whole image")
}
