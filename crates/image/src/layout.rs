//! Where what is in the store.

use std::path::{Path, PathBuf};

use crate::digest::Digest;

/// The image part of a state directory.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// All directories that there must be.
    #[must_use]
    pub fn directories(&self) -> [PathBuf; 5] {
        [
            self.blobs(),
            self.layers(),
            self.records(),
            self.name_records(),
            self.tmp(),
        ]
    }

    /// Held shared by who refers to something in the store while writing that down, exclusively by who removes.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("images/lock")
    }

    /// What is being made, each in a directory that its maker has locked.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Manifests, configurations and layers as they came.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    /// Unpacked layers, by chain id.
    #[must_use]
    pub fn layers(&self) -> PathBuf {
        self.root.join("layers/sha256")
    }

    /// One record for each image, by id.
    #[must_use]
    pub fn records(&self) -> PathBuf {
        self.root.join("images/sha256")
    }

    /// One record for each name.
    #[must_use]
    pub fn name_records(&self) -> PathBuf {
        self.root.join("images/names")
    }

    /// A blob's file.
    #[must_use]
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    /// A layer's directory: `diff/` and `layer.json`.
    #[must_use]
    pub fn layer(&self, chain_id: &Digest) -> PathBuf {
        self.layers().join(chain_id.hex())
    }

    /// An image's record.
    #[must_use]
    pub fn record(&self, id: &Digest) -> PathBuf {
        self.records().join(format!("{}.json", id.hex()))
    }

    /// A name's record. Names hold slashes and may be longer than a file name: the digest of one never is.
    #[must_use]
    pub fn name_record(&self, name: &str) -> PathBuf {
        let digest = Digest::of(name.as_bytes());
        self.name_records().join(format!("{}.json", digest.hex()))
    }
}
