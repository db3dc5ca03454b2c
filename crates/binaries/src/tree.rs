//! The files of a root directory before they are copied, and a key that changes when any of them does.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use keelbox_spec::failure::Failure;
use sha2::{Digest, Sha256};

use crate::failures::{unreadable, unusable};
use crate::host::{Host, Way};

/// Changes when a root is made differently of the same files.
const FORM: &[u8] = b"keelbox binaries 1\0";

/// What every root has (hier(7)), whatever else is in it.
const SKELETON: [(&str, u32); 10] = [
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/proc", 0o555),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/var", 0o755),
    ("/var/tmp", 0o1777),
];

/// What a container mounts over.
const MOUNTED_OVER: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Which file it was, and in which state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Device, inode, size, seconds and nanoseconds of the last change.
    numbers: [u64; 3],
    changed: [i64; 2],
}

impl Identity {
    /// Of a file that is there.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            numbers: [metadata.dev(), metadata.ino(), metadata.size()],
            changed: [metadata.mtime(), metadata.mtime_nsec()],
        }
    }
}

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory with this mode.
    Directory(u32),
    /// A symbolic link, and what is in it.
    Link(PathBuf),
    /// A copy of a file.
    File {
        /// Where it lies for this process.
        source: PathBuf,
        /// What it was when the tree was put together.
        identity: Identity,
        /// Its permissions. Set-id bits stay behind: a root of a few programs has no use for them.
        mode: u32,
    },
    /// A file of our own.
    Text(Vec<u8>),
}

/// Absolute path to what lies there. The directory above every entry is itself one.
#[derive(Clone, Debug)]
pub struct Tree {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Tree {
    /// The directories that every root has.
    pub(crate) fn skeleton() -> Self {
        let directories = SKELETON
            .iter()
            .map(|(path, mode)| (PathBuf::from(path), Entry::Directory(*mode)));
        Self {
            entries: directories.collect(),
        }
    }

    /// All entries, a directory before what is in it.
    pub fn entries(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_path(), entry))
    }

    /// Takes a file of the host with the links that lead to it. A directory comes without what is in it.
    pub(crate) fn include(&mut self, host: &Host, path: &Path) -> Result<Way, Failure> {
        let way = host.way(path).map_err(|error| unreadable(path, &error))?;
        if let Some(over) = MOUNTED_OVER.iter().find(|over| way.end.starts_with(over)) {
            return Err(unusable(
                path,
                format!("it lies below {over}, where a container has files of its own"),
            ));
        }
        for (at, target) in &way.links {
            self.put(at, Entry::Link(target.clone()))?;
        }
        let metadata = std::fs::symlink_metadata(host.real(&way.end))
            .map_err(|error| unreadable(path, &error))?;
        let entry = if metadata.is_dir() {
            Entry::Directory(0o755)
        } else if metadata.is_file() {
            Entry::File {
                source: host.real(&way.end),
                identity: Identity::of(&metadata),
                mode: metadata.mode() & 0o777,
            }
        } else {
            return Err(unusable(path, "it is not a regular file"));
        };
        self.put(&way.end, entry)?;
        Ok(way)
    }

    /// A file of our own.
    pub(crate) fn text(&mut self, path: &str, text: impl Into<Vec<u8>>) -> Result<(), Failure> {
        self.put(Path::new(path), Entry::Text(text.into()))
    }

    /// The directories above come with it. A directory of the skeleton gives way to a link of the host's.
    fn put(&mut self, path: &Path, entry: Entry) -> Result<(), Failure> {
        for above in path
            .ancestors()
            .skip(1)
            .filter(|above| above.parent().is_some())
        {
            let here = self.entries.entry(above.to_owned());
            if !matches!(here.or_insert(Entry::Directory(0o755)), Entry::Directory(_)) {
                let why = format!("{} is a link on this machine", above.display());
                return Err(unusable(path, why));
            }
        }
        let is_directory = matches!(entry, Entry::Directory(_));
        match self.entries.get(path) {
            Some(Entry::Directory(_)) if is_directory => Ok(()),
            Some(Entry::Directory(_)) if self.has_children(path) => {
                let why = format!("{} is a link on this machine", path.display());
                Err(unusable(path, why))
            }
            _ if path.parent().is_none() => Ok(()),
            _ => {
                self.entries.insert(path.to_owned(), entry);
                Ok(())
            }
        }
    }

    fn has_children(&self, path: &Path) -> bool {
        let behind = self
            .entries
            .range::<Path, _>((std::ops::Bound::Excluded(path), std::ops::Bound::Unbounded));
        behind
            .map(|(other, _)| other)
            .any(|other| other.starts_with(path))
    }

    /// A name for this content: 64 hex digits.
    #[must_use]
    pub fn key(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(FORM);
        for (path, entry) in &self.entries {
            field(&mut hasher, path.as_os_str().as_bytes());
            match entry {
                Entry::Directory(mode) => field(&mut hasher, format!("d{mode:o}").as_bytes()),
                Entry::Link(target) => {
                    field(&mut hasher, b"l");
                    field(&mut hasher, target.as_os_str().as_bytes());
                }
                Entry::File {
                    source,
                    identity,
                    mode,
                } => {
                    field(&mut hasher, format!("f{mode:o}{identity:?}").as_bytes());
                    field(&mut hasher, source.as_os_str().as_bytes());
                }
                Entry::Text(text) => field(&mut hasher, text),
            }
        }
        let digest = hasher.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// With its length, so that no two lists of fields are the same bytes.
fn field(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update(bytes.len().to_le_bytes());
    hasher.update(bytes);
}
