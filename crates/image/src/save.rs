//! Writing images out: docker's archive, and OCI layouts as archive or directory. The same images make the same bytes.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use keelbox_layer::decode::{Decoder, detect};
use keelbox_layer::tar::{Entry, Kind, Writer};
use keelbox_spec::failure::{Code, Failure};
use serde::Serialize;

use crate::digest::{Digest, Hasher};
use crate::document::{Compression, Descriptor, Document, Manifest, media_type};
use crate::failures;
use crate::layout::Store;
use crate::record::{ImageRecord, StoredLayer};

/// Bytes moved at once.
const PIECE: usize = 256 << 10;

/// An image to write, and the names that it goes by there.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The image.
    pub image: ImageRecord,
    /// With domain and tag; may be none.
    pub names: Vec<String>,
}

/// Takes files by name.
pub trait Sink {
    /// A file of `length` bytes.
    ///
    /// # Errors
    ///
    /// The content cannot be read, has another length, or cannot be written.
    fn file(&mut self, name: &str, length: u64, content: &mut dyn Read) -> Result<(), Failure>;
}

/// A tar archive.
#[derive(Debug)]
pub struct ArchiveSink<W: Write> {
    writer: Writer<W>,
    directories: HashSet<String>,
    path: PathBuf,
}

impl<W: Write> ArchiveSink<W> {
    /// Writes to `sink`, which `path` names in messages.
    pub fn new(sink: W, path: &Path) -> Self {
        Self {
            writer: Writer::new(sink),
            directories: HashSet::new(),
            path: path.to_owned(),
        }
    }

    /// Ends the archive.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn finish(self) -> Result<W, Failure> {
        let Self { writer, path, .. } = self;
        writer.finish().map_err(|fault| unwritten(&path, &fault))
    }

    fn directories_of(&mut self, name: &str) -> Result<(), Failure> {
        let ends = name.match_indices('/').map(|(end, _)| end);
        for end in ends {
            let directory = name.get(..=end).unwrap_or_default();
            if self.directories.insert(directory.to_owned()) {
                let entry = Entry::new(Kind::Directory, directory);
                self.writer
                    .entry(&entry)
                    .map_err(|fault| unwritten(&self.path, &fault))?;
            }
        }
        Ok(())
    }
}

fn unwritten(path: &Path, fault: &keelbox_layer::Fault) -> Failure {
    if fault.errno != 0 {
        return failures::io(
            "write",
            path,
            &std::io::Error::from_raw_os_error(fault.errno),
        );
    }
    Failure::new(Code::Store, format!("cannot write {}", path.display())).why(fault.to_string())
}

impl<W: Write> Sink for ArchiveSink<W> {
    fn file(&mut self, name: &str, length: u64, content: &mut dyn Read) -> Result<(), Failure> {
        self.directories_of(name)?;
        let mut entry = Entry::new(Kind::File, name);
        (entry.size, entry.stored) = (length, length);
        let writer = &mut self.writer;
        let path = &self.path;
        writer
            .entry(&entry)
            .map_err(|fault| unwritten(path, &fault))?;
        pour(content, name, &mut |piece| {
            writer.data(piece).map_err(|fault| unwritten(path, &fault))
        })
    }
}

/// A directory.
#[derive(Debug)]
pub struct DirectorySink(PathBuf);

impl DirectorySink {
    /// Writes into `path`, which is empty or made.
    ///
    /// # Errors
    ///
    /// It cannot be made, or has something in it.
    pub fn new(path: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(path).map_err(|error| failures::io("make", path, &error))?;
        let mut entries =
            std::fs::read_dir(path).map_err(|error| failures::io("read", path, &error))?;
        if entries.next().is_some() {
            let message = format!("the directory {} is not empty", path.display());
            return Err(Failure::new(Code::InvalidArg, message)
                .hint("name one that is not there yet")
                .path(path));
        }
        Ok(Self(path.to_owned()))
    }
}

impl Sink for DirectorySink {
    fn file(&mut self, name: &str, _length: u64, content: &mut dyn Read) -> Result<(), Failure> {
        let path = self.0.join(name);
        let fail = |error: std::io::Error| failures::io("write", &path, &error);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(fail)?;
        }
        let mut file = File::create(&path).map_err(fail)?;
        pour(content, name, &mut |piece| {
            file.write_all(piece).map_err(fail)
        })
    }
}

fn pour(
    content: &mut dyn Read,
    name: &str,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; PIECE];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => take(buffer.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged(name).why(error.to_string())),
        }
    }
}

fn damaged(what: &str) -> Failure {
    Failure::new(Code::Store, format!("{what} is damaged in the store"))
        .hint("keelbox system check --repair finds and removes what is damaged; then load the image again")
}

/// Reads on, and knows at the end whether it was what it should have been.
struct Verified<R> {
    inner: R,
    hasher: Option<Hasher>,
    expected: Digest,
}

impl<R: Read> Verified<R> {
    fn new(inner: R, expected: &Digest) -> Self {
        Self {
            inner,
            hasher: Some(Hasher::default()),
            expected: expected.clone(),
        }
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(buffer.get(..read).unwrap_or_default());
            }
        } else if let Some(hasher) = self.hasher.take() {
            let found = hasher.finish();
            if found != self.expected {
                return Err(std::io::Error::other(format!("it hashes to {found}")));
            }
        }
        Ok(read)
    }
}

fn open_blob(store: &Store, digest: &Digest) -> Result<(File, u64), Failure> {
    let path = store.blob(digest);
    let open = || -> std::io::Result<(File, u64)> {
        let file = File::open(&path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    };
    open().map_err(|error| failures::io("read", &path, &error))
}

/// What has been written already.
struct Written<'a> {
    store: &'a Store,
    sink: &'a mut dyn Sink,
    names: HashSet<String>,
}

impl Written<'_> {
    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        if !self.names.insert(name.to_owned()) {
            return Ok(());
        }
        let length = u64::try_from(bytes.len()).unwrap_or(0);
        self.sink.file(name, length, &mut &*bytes)
    }

    fn blob(&mut self, name: &str, digest: &Digest) -> Result<(), Failure> {
        if !self.names.insert(name.to_owned()) {
            return Ok(());
        }
        let (file, length) = open_blob(self.store, digest)?;
        self.sink
            .file(name, length, &mut Verified::new(file, digest))
    }

    /// A layer without its compression.
    fn layer(&mut self, name: &str, blob: &Digest, layer: &StoredLayer) -> Result<(), Failure> {
        if !self.names.insert(name.to_owned()) {
            return Ok(());
        }
        let (mut file, _) = open_blob(self.store, blob)?;
        let mut magic = Vec::new();
        let broken = |why: String| damaged(&format!("the layer {blob}")).why(why);
        let read = Read::by_ref(&mut file).take(4).read_to_end(&mut magic);
        read.and_then(|_| std::io::Seek::rewind(&mut file))
            .map_err(|error| broken(error.to_string()))?;
        let compression = detect(&magic).map_err(|fault| broken(fault.to_string()))?;
        let decoder = Decoder::new(BufReader::with_capacity(PIECE, file), compression)
            .map_err(|error| broken(error.to_string()))?;
        self.sink.file(
            name,
            layer.size,
            &mut Verified::new(decoder, &layer.diff_id),
        )
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// Writes docker's archive (`docker image save`, version 1.2): layers without compression, named by their diff ids.
///
/// # Errors
///
/// Something in the store is damaged, or the archive cannot be written.
pub fn save_docker(store: &Store, images: &[Saved], sink: &mut dyn Sink) -> Result<(), Failure> {
    let mut written = Written {
        store,
        sink,
        names: HashSet::new(),
    };
    let mut manifest = Vec::new();
    for Saved { image, names } in images {
        let mut layers = Vec::new();
        for layer in &image.layers {
            let name = format!("{}.tar", layer.diff_id.hex());
            let path = store.layer(&layer.chain_id);
            let stored = StoredLayer::read(&path)
                .ok_or_else(|| damaged(&format!("the layer {}", layer.chain_id)))?;
            written.layer(&name, &layer.blob, &stored)?;
            layers.push(name);
        }
        let config = format!("{}.json", image.id.hex());
        written.blob(&config, &image.id)?;
        manifest.push(DockerImage {
            config,
            repo_tags: names.clone(),
            layers,
        });
    }
    written.bytes("manifest.json", &json(&manifest)?)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewIndex {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

/// Writes an OCI layout (image-spec, "Image Layout Specification").
///
/// # Errors
///
/// As [`save_docker`].
pub fn save_oci(store: &Store, images: &[Saved], sink: &mut dyn Sink) -> Result<(), Failure> {
    let mut written = Written {
        store,
        sink,
        names: HashSet::new(),
    };
    written.bytes("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let place = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let mut manifests = Vec::new();
    for Saved { image, names } in images {
        for layer in &image.layers {
            written.blob(&place(&layer.blob), &layer.blob)?;
        }
        written.blob(&place(&image.id), &image.id)?;
        let manifest = oci_manifest(store, image)?;
        let digest = Digest::of(&manifest);
        written.bytes(&place(&digest), &manifest)?;
        let size = u64::try_from(manifest.len()).unwrap_or(0);
        let described = |annotations| Descriptor {
            media_type: media_type::MANIFEST.into(),
            digest: digest.clone(),
            size,
            platform: Some(image.platform.clone()),
            annotations,
        };
        if names.is_empty() {
            manifests.push(described(BTreeMap::new()));
        }
        for name in names {
            // containerd and docker read the one, all others the other.
            let keys = [
                "io.containerd.image.name",
                "org.opencontainers.image.ref.name",
            ];
            let annotations = keys.map(|key| (key.to_owned(), name.clone()));
            manifests.push(described(annotations.into()));
        }
    }
    let index = NewIndex {
        schema_version: 2,
        media_type: media_type::INDEX,
        manifests,
    };
    written.bytes("index.json", &json(&index)?)
}

/// The manifest as it came, or, of docker's kind, in OCI's words: an OCI layout has no others.
fn oci_manifest(store: &Store, image: &ImageRecord) -> Result<Vec<u8>, Failure> {
    let path = store.blob(&image.manifest);
    let bytes = std::fs::read(&path).map_err(|error| failures::io("read", &path, &error))?;
    let what = format!("the manifest {}", image.manifest);
    if Digest::of(&bytes) != image.manifest {
        return Err(damaged(&what));
    }
    let Document::Manifest(manifest) = Document::parse(&bytes, None, &what)? else {
        return Err(damaged(&what));
    };
    if manifest.media_type == media_type::MANIFEST {
        return Ok(bytes);
    }
    let mut config = manifest.config;
    config.media_type = media_type::CONFIG.into();
    let layers = manifest.layers.into_iter().map(|mut layer| {
        let compression = Compression::of_media_type(&layer.media_type);
        layer.media_type = compression.unwrap_or(Compression::Plain).layer_media_type();
        layer
    });
    json(&Manifest {
        schema_version: 2,
        media_type: media_type::MANIFEST.into(),
        config,
        layers: layers.collect(),
    })
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::new(Code::Internal, error.to_string()))
}
