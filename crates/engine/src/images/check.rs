//! Whether the store is what it should be: names lead to images, images to blobs that hash to their names, layers are whole,
//! and nothing is left over. With `repair`, what is broken or left over is removed, and a layer whose blob is sound is
//! unpacked again.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use keelbox_image::{Digest, ImageRecord, Member, Store, StoredLayer, images, names};
use keelbox_spec::failure::Failure;
use serde::Serialize;

use super::lock::{self, Exclusive};
use super::stage::restore_layer;
use super::sweep::{containers, orphans, sweep};
use super::{open_store, workspace};
use crate::collect::{collect, entries};
use crate::roots::Roots;
use crate::store::{open_directory, try_lock};

/// Something that is not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// With what file or directory.
    pub path: String,
    /// Whether it is right again.
    pub repaired: bool,
}

/// How to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// Blobs are there and have a size; they are not hashed.
    pub quick: bool,
    /// What is broken or left over goes.
    pub repair: bool,
}

struct Check<'a> {
    store: &'a Store,
    options: CheckOptions,
    problems: Vec<Problem>,
    /// Blobs that were hashed: whether each is what it is called.
    sound: std::collections::HashMap<Digest, bool>,
}

/// Looks at everything in the store.
///
/// # Errors
///
/// The store cannot be read at all.
pub fn check(roots: &Roots, options: CheckOptions) -> Result<Vec<Problem>, Failure> {
    let store = open_store(roots)?;
    collect(roots);
    let lock = lock::exclusive(&store)?;
    let mut check = Check {
        store: &store,
        options,
        problems: Vec::new(),
        sound: std::collections::HashMap::new(),
    };
    check.left_over();
    check.records();
    check.names();
    check.orphans(roots, &lock)?;
    check.containers(roots);
    Ok(check.problems)
}

impl Check<'_> {
    fn problem(&mut self, what: impl Into<String>, path: &Path, repaired: bool) {
        self.problems.push(Problem {
            what: what.into(),
            path: path.display().to_string(),
            repaired,
        });
    }

    /// Removes a file when repairing.
    fn remove(&self, path: &Path) -> bool {
        self.options.repair && fs::remove_file(path).is_ok()
    }

    fn left_over(&mut self) {
        let mut found = Vec::new();
        for name in entries(&self.store.tmp()) {
            let path = self.store.tmp().join(name);
            if open_directory(&path).is_ok_and(|directory| try_lock(&directory)) {
                found.push(path);
            }
        }
        if self.options.repair {
            workspace::collect(self.store);
        }
        for path in found {
            let gone = !path.exists();
            self.problem("left over by a command that was killed", &path, gone);
        }
    }

    fn records(&mut self) {
        for name in entries(&self.store.records()) {
            let id = name.strip_suffix(".json").and_then(Digest::from_hex);
            let known = id.is_some_and(|id| keelbox_image::read_image(self.store, &id).is_some());
            if !known && !name.starts_with('.') {
                let path = self.store.records().join(&name);
                let gone = self.remove(&path);
                self.problem("the record of an image cannot be read", &path, gone);
            }
        }
        for image in images(self.store) {
            self.image(&image);
        }
    }

    fn image(&mut self, image: &ImageRecord) {
        let before = self.problems.len();
        for digest in [&image.id, &image.manifest] {
            self.blob(digest);
        }
        for (index, layer) in image.layers.iter().enumerate() {
            let blob_is_sound = self.blob(&layer.blob);
            let path = self.store.layer(&layer.chain_id);
            let whole = StoredLayer::read(&path).is_some_and(|stored| {
                stored.diff_id == layer.diff_id && path.join("diff").is_dir()
            });
            if whole {
                continue;
            }
            let below = image.layers.get(..index).unwrap_or_default();
            let restored = self.options.repair
                && blob_is_sound
                && restore_layer(self.store, layer, below).is_ok();
            self.problem("a layer is missing or not whole", &path, restored);
        }
        let broken = self
            .problems
            .iter()
            .skip(before)
            .any(|found| !found.repaired);
        if broken {
            let path = self.store.record(&image.id);
            let gone = self.remove(&path);
            for problem in self.problems.iter_mut().skip(before) {
                problem.repaired |= gone;
            }
            let what = format!("the image {:.12} is damaged", image.id.hex());
            self.problem(what, &path, gone);
        }
    }

    fn blob(&mut self, digest: &Digest) -> bool {
        if let Some(sound) = self.sound.get(digest) {
            return *sound;
        }
        let path = self.store.blob(digest);
        let member = File::open(&path)
            .ok()
            .and_then(|file| Member::whole(Arc::new(file)).ok());
        let (what, sound) = match member {
            None => ("a blob is missing", false),
            Some(member) if member.length == 0 => ("a blob is empty", false),
            Some(_) if self.options.quick => ("", true),
            Some(member) => (
                "a blob has another digest than its name",
                member
                    .digest("the blob", None)
                    .is_ok_and(|found| found == *digest),
            ),
        };
        if !sound {
            // Removed or not, the image that needs it is not whole.
            self.remove(&path);
            self.problem(what, &path, false);
        }
        self.sound.insert(digest.clone(), sound);
        sound
    }

    fn names(&mut self) {
        let good: Vec<_> = names(self.store)
            .into_iter()
            .filter(|named| self.store.record(&named.id).exists())
            .map(|named| self.store.name_record(&named.name))
            .collect();
        for name in entries(&self.store.name_records()) {
            let path = self.store.name_records().join(&name);
            if !good.contains(&path) && !name.starts_with('.') {
                let gone = self.remove(&path);
                self.problem("a name leads to no image", &path, gone);
            }
        }
    }

    fn orphans(&mut self, roots: &Roots, lock: &Exclusive) -> Result<(), Failure> {
        let found = orphans(roots, self.store);
        if self.options.repair {
            drop(sweep(roots, self.store, lock)?);
        }
        for path in found {
            let gone = !path.exists();
            self.problem("nothing needs it", &path, gone);
        }
        Ok(())
    }

    fn containers(&mut self, roots: &Roots) {
        for config in containers(roots) {
            let lost = config.layers.iter().any(|layer| {
                Digest::from_hex(layer)
                    .is_none_or(|layer| StoredLayer::read(&self.store.layer(&layer)).is_none())
            });
            if lost {
                let what = format!("the container {} has lost a layer", config.name);
                self.problem(what, &roots.containers().join(&config.id), false);
            }
        }
    }
}
