//! What an archive says of one file.

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// Another name of an entry before it.
    HardLink,
    /// A symbolic link.
    SymbolicLink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

/// A time, as timespec(3type) has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds since the epoch; negative before it.
    pub seconds: i64,
    /// Nanoseconds after that, below 10^9.
    pub nanoseconds: u32,
}

/// A piece of a sparse file that is no hole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
}

/// One entry. Names are bytes, as the archive has them: nothing here has been made safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub path: Vec<u8>,
    /// Where a link leads; of a hard link, the name of another entry.
    pub link: Vec<u8>,
    /// Permissions, with the set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last modification.
    pub mtime: Time,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes, by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of the file, holes included.
    pub size: u64,
    /// Bytes of it in the archive.
    pub stored: u64,
    /// Of a sparse file: what is no hole, in order. The data in the archive are these pieces one after the other.
    pub extents: Option<Vec<Extent>>,
    /// Where its data begin in the archive, in bytes from the archive's beginning.
    pub position: u64,
}

impl Entry {
    /// An entry with nothing but a name: root's, from the epoch, empty.
    #[must_use]
    pub fn new(kind: Kind, path: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            path: path.into(),
            link: Vec::new(),
            mode: if kind == Kind::Directory {
                0o755
            } else {
                0o644
            },
            uid: 0,
            gid: 0,
            mtime: Time::default(),
            device: (0, 0),
            xattrs: Vec::new(),
            size: 0,
            stored: 0,
            extents: None,
            position: 0,
        }
    }
}
