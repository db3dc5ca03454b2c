//! Getting an image ready: everything of it is made and verified in a workspace, and then put in place.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keelbox_image::{
    Candidate, Compression, Descriptor, Digest, ImageRecord, LayerRecord, LayerShape, LayerSource,
    Manifest, Member, Store, StoredLayer, invalid, media_type, read_image, write_name,
};
use keelbox_spec::failure::{Code, Failure};
use rustix::fs::FlockOperation;

use super::lock;
use super::workspace::Workspace;
use crate::store::{open_directory, remove_path, store_failure};
use crate::unpack::{self, Target, Unpack, unpack};
use keelbox_layer::job::Adjust;

/// What is ready to be put in place.
pub(super) struct Stage<'a> {
    store: &'a Store,
    work: Workspace,
    /// Layers by chain id.
    layers: HashMap<Digest, Layer>,
    /// Blobs of this workspace.
    blobs: HashMap<Digest, PathBuf>,
    /// Blobs of the store that need not be looked at again.
    trusted: HashSet<Digest>,
    /// How many files of blobs were begun: each has a name of its own.
    begun: usize,
    images: Vec<(ImageRecord, Vec<String>)>,
    notes: Vec<String>,
}

struct Layer {
    record: StoredLayer,
    /// Its `diff`, open; locked when it is one of the store's, so that nobody removes it.
    diff: OwnedFd,
    _lock: Option<OwnedFd>,
    /// Where it was made; None: it is in the store already.
    made: Option<PathBuf>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(store: &'a Store) -> Result<Self, Failure> {
        Ok(Self {
            store,
            work: Workspace::make(store)?,
            layers: HashMap::new(),
            blobs: HashMap::new(),
            trusted: HashSet::new(),
            begun: 0,
            images: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// Takes blobs of the store as they are: those of an image that is there, and was verified when it came.
    pub(super) fn trust(&mut self, blobs: impl Iterator<Item = Digest>) {
        self.trusted.extend(blobs);
    }

    /// Lines about what was left out of layers.
    pub(super) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Makes everything that an image needs and that the store does not have, and verifies all of it.
    pub(super) fn add(&mut self, candidate: Candidate) -> Result<ImageRecord, Failure> {
        let mut layers: Vec<LayerRecord> = Vec::new();
        let mut blobs: Vec<Descriptor> = Vec::new();
        let (mut size, mut largest_id) = (0u64, 0);
        for source in &candidate.layers {
            let chain_id = source
                .diff_id
                .chained(layers.last().map(|layer| &layer.chain_id));
            let blob = self.layer(source, &chain_id, &layers)?;
            if let Some(layer) = self.layers.get(&chain_id) {
                size = size.saturating_add(layer.record.size);
                largest_id = largest_id.max(layer.record.largest_id);
            }
            blobs.push(descriptor(
                source.compression.layer_media_type(),
                &blob,
                source.member.length,
            ));
            layers.push(LayerRecord {
                diff_id: source.diff_id.clone(),
                chain_id,
                blob,
            });
        }
        let config = &candidate.config;
        let manifest = match candidate.manifest {
            Some(bytes) => bytes,
            None => manifest_of(&candidate.id, candidate.config_bytes.len(), blobs)?,
        };
        let image = ImageRecord {
            version: ImageRecord::VERSION,
            id: candidate.id,
            manifest: self.write_blob(&manifest)?,
            created: config.created.clone().unwrap_or_default(),
            platform: config.platform(),
            size,
            largest_id,
            layers,
            config: config.config.clone(),
        };
        self.write_blob(&candidate.config_bytes)?;
        self.images.push((image.clone(), candidate.names));
        Ok(image)
    }

    /// Makes a layer, or finds it; answers the digest of its blob, which is verified either way.
    fn layer(
        &mut self,
        source: &LayerSource,
        chain_id: &Digest,
        below: &[LayerRecord],
    ) -> Result<Digest, Failure> {
        if !self.layers.contains_key(chain_id)
            && let Some(layer) = existing(self.store, chain_id)
        {
            self.layers.insert(chain_id.clone(), layer);
        }
        let known = self
            .layers
            .get(chain_id)
            .map(|layer| layer.record.blob.clone());
        // A blob that this layer was unpacked from holds it: only its bytes need to be looked at again.
        let same = known.filter(|known| match &source.digest {
            Some(digest) => digest == known,
            None => source.compression == Compression::Plain && *known == source.diff_id,
        });
        if let Some(blob) = same {
            self.copy_blob(source, &blob)?;
            return Ok(blob);
        }
        let layer = self.unpack(source, chain_id, below)?;
        let blob = layer.record.blob.clone();
        self.layers.entry(chain_id.clone()).or_insert(layer);
        Ok(blob)
    }

    /// Hashes a layer's bytes, and keeps them where the store does not have them.
    fn copy_blob(&mut self, source: &LayerSource, digest: &Digest) -> Result<(), Failure> {
        if self.trusted.contains(digest) && self.link_blob(digest) {
            return Ok(());
        }
        let what = format!("the layer {digest}");
        let found = if self.blobs.contains_key(digest) || self.link_blob(digest) {
            source.member.digest(&what, None)?
        } else {
            let (file, path) = self.new_blob()?;
            let found = source.member.digest(&what, Some((&file, &path)))?;
            self.keep_blob(found.clone(), path);
            found
        };
        same(&found, digest, &what, "digest")
    }

    /// A name of our own for a blob of the store: whoever removes what it belongs to before this image is there takes the
    /// other one away. False: the store has none, or its file system knows no hard links.
    fn link_blob(&mut self, digest: &Digest) -> bool {
        let path = self.blob_path();
        let linked = std::fs::hard_link(self.store.blob(digest), &path).is_ok();
        if linked {
            self.blobs.insert(digest.clone(), path);
        }
        linked
    }

    fn blob_path(&mut self) -> PathBuf {
        self.begun += 1;
        self.work.path().join(format!("blob-{}", self.begun))
    }

    fn new_blob(&mut self) -> Result<(File, PathBuf), Failure> {
        let path = self.blob_path();
        let mut options = File::options();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path);
        let file = file.map_err(|error| store_failure("make", &path, &error))?;
        Ok((file, path))
    }

    /// Of two files with the same bytes, one is enough.
    fn keep_blob(&mut self, digest: Digest, path: PathBuf) {
        match self.blobs.entry(digest) {
            Entry::Vacant(place) => drop(place.insert(path)),
            Entry::Occupied(_) => drop(std::fs::remove_file(path)),
        }
    }

    fn unpack(
        &mut self,
        source: &LayerSource,
        chain_id: &Digest,
        below: &[LayerRecord],
    ) -> Result<Layer, Failure> {
        let directory = self.work.path().join(format!("layer-{}", chain_id.hex()));
        let diff = make_layer(&directory)?;
        let (blob, blob_path) = self.new_blob()?;
        let lower: Vec<BorrowedFd<'_>> = below
            .iter()
            .rev()
            .filter_map(|layer| self.layers.get(&layer.chain_id))
            .map(|layer| layer.diff.as_fd())
            .collect();
        let unpacked = unpack(&Unpack {
            input: source.member.file.as_fd(),
            offset: source.member.offset,
            length: Some(source.member.length),
            blob: Some(blob.as_fd()),
            directory: diff.as_fd(),
            target: Target::Layer,
            lower: &lower,
            compression: None,
            limits: unpack::limits()?,
            adjust: Adjust::default(),
        })?;
        let digest = |text: &str| Digest::parse(text).map_err(invalid);
        let (blob, diff_id) = (digest(&unpacked.digest)?, digest(&unpacked.diff_id)?);
        if let Some(expected) = &source.digest {
            same(&blob, expected, &format!("the layer {expected}"), "digest")?;
        }
        same(
            &diff_id,
            &source.diff_id,
            &format!("the layer {}", source.diff_id),
            "diff id",
        )?;
        self.notes.extend(unpacked.notes);
        self.keep_blob(blob.clone(), blob_path);
        let shape = LayerShape {
            size: unpacked.tar_size,
            entries: unpacked.entries,
            largest_id: unpacked.largest_id,
        };
        let record = StoredLayer::new(chain_id.clone(), diff_id, blob, shape);
        record.write(&directory)?;
        Ok(Layer {
            record,
            diff,
            _lock: None,
            made: Some(directory),
        })
    }

    fn write_blob(&mut self, bytes: &[u8]) -> Result<Digest, Failure> {
        let digest = Digest::of(bytes);
        if !self.blobs.contains_key(&digest) {
            let (_, path) = self.new_blob()?;
            std::fs::write(&path, bytes).map_err(|error| store_failure("write", &path, &error))?;
            self.blobs.insert(digest.clone(), path);
        }
        Ok(digest)
    }

    /// Puts everything in place, the records last: from then on the images are there.
    pub(super) fn publish(self) -> Result<(), Failure> {
        self.work.flush()?;
        let _lock = lock::shared(self.store)?;
        let new: Vec<_> = self
            .images
            .iter()
            .filter(|(image, _)| !is_whole(self.store, &image.id))
            .map(|(image, _)| image)
            .collect();
        let needed: HashSet<&Digest> = new
            .iter()
            .flat_map(|image| {
                let layers = image.layers.iter().map(|layer| &layer.blob);
                [&image.id, &image.manifest].into_iter().chain(layers)
            })
            .collect();
        for (chain_id, layer) in &self.layers {
            if let Some(made) = &layer.made {
                place_layer(made, &self.store.layer(chain_id))?;
            }
        }
        for (digest, path) in self
            .blobs
            .iter()
            .filter(|(digest, _)| needed.contains(digest))
        {
            let place = self.store.blob(digest);
            std::fs::rename(path, &place).map_err(|error| store_failure("make", &place, &error))?;
        }
        if let Some(lost) = needed.iter().find(|blob| !self.store.blob(blob).exists()) {
            // Each is ours, if only by another name: what takes one away is not a command of ours.
            return Err(Failure::new(
                Code::Store,
                format!("the blob {lost} was removed meanwhile"),
            )
            .hint("load the image again"));
        }
        for image in new {
            image.write(self.store)?;
        }
        for (image, names) in &self.images {
            for name in names {
                write_name(self.store, name, &image.id)?;
            }
        }
        Ok(())
    }
}

/// Whether there is this image with all that it needs: it then stays as it is, also when the same came in other blobs now.
fn is_whole(store: &Store, id: &Digest) -> bool {
    read_image(store, id).is_some_and(|image| {
        let layers = image.layers.iter().map(|layer| &layer.blob);
        let mut blobs = [&image.id, &image.manifest].into_iter().chain(layers);
        blobs.all(|blob| store.blob(blob).exists())
    })
}

/// Unpacks a layer of an image again, from its blob.
pub(super) fn restore_layer(
    store: &Store,
    layer: &LayerRecord,
    below: &[LayerRecord],
) -> Result<(), Failure> {
    let mut stage = Stage::new(store)?;
    for lower in below {
        let found = existing(store, &lower.chain_id)
            .ok_or_else(|| invalid(format!("the layer {} is missing", lower.chain_id)))?;
        stage.layers.insert(lower.chain_id.clone(), found);
    }
    let path = store.blob(&layer.blob);
    let file = File::open(&path).map_err(|error| store_failure("read", &path, &error))?;
    let member = Member::whole(Arc::new(file))?;
    let source = LayerSource {
        diff_id: layer.diff_id.clone(),
        digest: Some(layer.blob.clone()),
        compression: Compression::of_magic(&member.magic()),
        member,
    };
    let made = stage.unpack(&source, &layer.chain_id, below)?;
    stage.work.flush()?;
    match &made.made {
        Some(made) => place_layer(made, &store.layer(&layer.chain_id)),
        None => Ok(()),
    }
}

fn descriptor(media_type: String, digest: &Digest, size: u64) -> Descriptor {
    Descriptor {
        media_type,
        digest: digest.clone(),
        size,
        platform: None,
        annotations: std::collections::BTreeMap::new(),
    }
}

fn manifest_of(id: &Digest, length: usize, layers: Vec<Descriptor>) -> Result<Vec<u8>, Failure> {
    let length = u64::try_from(length).unwrap_or(0);
    let manifest = Manifest {
        schema_version: 2,
        media_type: media_type::MANIFEST.into(),
        config: descriptor(media_type::CONFIG.into(), id, length),
        layers,
    };
    serde_json::to_vec(&manifest).map_err(|error| invalid(error.to_string()))
}

fn same(found: &Digest, expected: &Digest, what: &str, kind: &str) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(invalid(format!("{what} has another {kind} than the image says")).why(found.to_string()))
}

/// A layer of the store that is whole, locked against removal.
fn existing(store: &Store, chain_id: &Digest) -> Option<Layer> {
    let path = store.layer(chain_id);
    let lock = open_directory(&path).ok()?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared).ok()?;
    // It may have been moved away before it was locked, and another one made in its place.
    let (locked, there) = (
        rustix::fs::fstat(&lock).ok()?,
        rustix::fs::stat(&path).ok()?,
    );
    if locked.st_ino != there.st_ino {
        return None;
    }
    let record = StoredLayer::read(&path)?;
    Some(Layer {
        record,
        diff: open_directory(&path.join("diff")).ok()?,
        _lock: Some(lock),
        made: None,
    })
}

fn make_layer(directory: &Path) -> Result<OwnedFd, Failure> {
    let diff = directory.join("diff");
    let fail = |error: std::io::Error| store_failure("make", &diff, &error);
    remove_path(directory);
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(directory)
        .map_err(fail)?;
    std::fs::create_dir(&diff).map_err(fail)?;
    // Whatever the caller's umask: an image that says nothing about its root has this one.
    std::fs::set_permissions(&diff, std::fs::Permissions::from_mode(0o755)).map_err(fail)?;
    open_directory(&diff)
}

/// A layer that somebody else has put there meanwhile is the same; one that is broken makes way.
fn place_layer(made: &Path, place: &Path) -> Result<(), Failure> {
    if StoredLayer::read(place).is_some() && place.join("diff").is_dir() {
        return Ok(());
    }
    if place.exists() {
        let aside = made.with_extension("broken");
        std::fs::rename(place, &aside).map_err(|error| store_failure("move", place, &error))?;
    }
    match std::fs::rename(made, place) {
        Err(_) if StoredLayer::read(place).is_some() => Ok(()),
        other => other.map_err(|error| store_failure("make", place, &error)),
    }
}
