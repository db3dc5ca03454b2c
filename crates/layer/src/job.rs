//! What the engine tells the executable's roles `unpack` and `pack`, and what they answer.

use serde::{Deserialize, Serialize};

use crate::fault::shorten;
use crate::{Fault, Limits};

/// Fds that the roles find at their start.
pub mod fds {
    use std::os::fd::RawFd;

    /// The control socket's end: one answer, and its closing is the engine's death.
    pub const CONTROL: RawFd = 3;
    /// The id maps of the user namespace to work in; an empty file: work as the caller.
    pub const MAPS: RawFd = 4;
    /// The job.
    pub const JOB: RawFd = 5;
    /// The archive.
    pub const ARCHIVE: RawFd = 6;
    /// Where the archive's bytes are written on to as they come, or /dev/null.
    pub const BLOB: RawFd = 7;
    /// The directory.
    pub const DIRECTORY: RawFd = 8;
    /// How many there are, without the lower layers' directories that follow.
    pub const COUNT: usize = 6;
}

/// How an archive is compressed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip (RFC 1952), of any number of members.
    Gzip,
    /// zstd (RFC 8878), of any number of frames.
    Zstd,
}

/// What the directory is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Format {
    /// A layer of an overlay: `.wh.` names become overlayfs's marks, in `user.overlay.*` or in `trusted.overlay.*`.
    Overlay {
        /// `user.overlay.*`.
        userxattr: bool,
    },
    /// A directory as it is: `.wh.` names are names.
    Plain,
}

/// One archive to unpack.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct UnpackJob {
    /// Where in the file the archive begins; 0 for a pipe.
    pub offset: u64,
    /// Bytes of it; None: to the end.
    pub length: Option<u64>,
    /// None: whatever its first bytes say.
    pub compression: Option<Compression>,
    /// What the directory is.
    pub format: Format,
    /// Whether the blob fd is to get the archive's bytes.
    pub has_blob: bool,
    /// Whether the process runs with one id only: everything is then its own, and owners are not kept.
    pub single_id: bool,
    /// What the archive may ask for.
    pub limits: Limits,
    /// What is done otherwise than the archive says.
    pub adjust: Adjust,
}

/// How files are made otherwise than an archive says.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Adjust {
    /// Who owns everything.
    pub owner: Option<(u32, u32)>,
    /// What becomes of the first name of each path.
    pub rename: Rename,
    /// The directory itself stays as it is, whatever the archive says of it.
    pub keep_root: bool,
    /// No file is set-user-id or set-group-id, and none is a device.
    pub without_set_ids: bool,
}

/// What becomes of the first name of each path of an archive.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub enum Rename {
    /// It stays.
    #[default]
    Nothing,
    /// It is left out.
    Strip,
    /// It becomes this one.
    To(Vec<u8>),
}

/// What was unpacked.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Unpacked {
    /// SHA-256 of the bytes as they came, in hex.
    pub digest: String,
    /// SHA-256 of the tar without its compression, in hex.
    pub diff_id: String,
    /// Bytes as they came.
    pub size: u64,
    /// Bytes of tar.
    pub tar_size: u64,
    /// Entries.
    pub entries: u64,
    /// The largest user or group id that an entry has.
    pub largest_id: u32,
    /// Lines for the user about what was left out, e.g. device nodes.
    pub notes: Vec<String>,
}

/// One tree to pack.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum PackJob {
    /// The directory as it is.
    Directory,
    /// The directory is the topmost of an overlay's layers; the others follow as lower layers.
    Layers {
        /// The layers' marks are in `user.overlay.*`.
        userxattr: bool,
    },
    /// What the first directory, a writable layer, changes of the layers that follow.
    Changes {
        /// The layers' marks are in `user.overlay.*`.
        userxattr: bool,
    },
    /// A file or directory of the caller's, for `cp`: in the directory, under this name (None: the directory itself).
    Entry {
        /// Its name there.
        name: Option<Vec<u8>>,
        /// Its name in the archive; empty: what is in the directory, under `./`.
        as_name: Vec<u8>,
    },
    /// The names of that.
    List {
        /// The layers' marks are in `user.overlay.*`.
        userxattr: bool,
    },
}

/// What was packed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Packed {
    /// Entries.
    pub entries: u64,
    /// Sockets, which were left out.
    pub sockets: u64,
}

impl Unpacked {
    /// With texts that fit a message.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        self.notes.truncate(8);
        for note in &mut self.notes {
            shorten(note, 300);
        }
        self
    }
}

/// The one message of a role.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Answer<T> {
    /// It is done.
    Done(T),
    /// It could not be done.
    Failed(Fault),
}

/// A message as bytes; None never happens with the types of this module.
#[must_use]
pub fn encode<T: Serialize>(message: &T) -> Option<Vec<u8>> {
    postcard::to_stdvec(message).ok()
}

/// Reads what [`encode`] made; None: it is something else.
#[must_use]
pub fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}
