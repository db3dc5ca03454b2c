//! Packing: a directory tree as a tar archive.
//!
//! The same tree makes the same bytes: names are sorted, and nothing of this machine (inode numbers, access times, names of
//! users) is in them. Other file systems that are mounted in the tree are left out, sockets too, which tar cannot have.

mod changes;
mod file;
mod holes;

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::io::{BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::Fault;
use crate::apply::{is_portable, list_attributes};
use crate::job::Packed;
use crate::streams::Output;
use crate::tar::{Entry, Kind, Time, Writer};

/// Levels of a tree; each is an open directory.
const DEEPEST: usize = 900;
/// Bytes that are written at once.
const CHUNK: usize = 1 << 20;
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Writes the tree below `root` to `output`. The process should be confined already ([`crate::confine`]).
///
/// # Errors
///
/// The output cannot be written (EPIPE: nobody reads it), or the tree cannot be read. What was written is not whole then.
pub fn pack(root: &OwnedFd, output: OwnedFd) -> Result<Packed, Fault> {
    let sink = BufWriter::with_capacity(CHUNK, Output(output));
    let mut packer = Packer::new(Writer::new(sink));
    packer.directory(top(root)?, 0)?;
    packer.writer.finish()?;
    Ok(packer.packed)
}

/// Writes what the layer `upper` changes of `lower`, the layers below as one, to `output`: a layer of an image. The process
/// should be confined to `upper` already.
///
/// # Errors
///
/// As [`pack`].
pub fn pack_changes(
    upper: &OwnedFd,
    lower: Option<OwnedFd>,
    output: OwnedFd,
) -> Result<Packed, Fault> {
    let sink = BufWriter::with_capacity(CHUNK, Output(output));
    let mut packer = Packer::new(Writer::new(sink));
    packer.changes(top(upper)?, lower)?;
    packer.writer.finish()?;
    Ok(packer.packed)
}

/// Writes the names of what the layer `upper` changes of `lower` to `output`, each as docker's letter for it, the path from
/// the root, and a NUL byte.
///
/// # Errors
///
/// As [`pack`].
pub fn list_changes(
    upper: &OwnedFd,
    lower: Option<OwnedFd>,
    output: OwnedFd,
) -> Result<Packed, Fault> {
    let mut sink = BufWriter::with_capacity(CHUNK, Output(output));
    let mut packed = Packed::default();
    let fail = |error: std::io::Error| {
        let errno = keelbox_sys::Errno::from_raw(error.raw_os_error().unwrap_or(0));
        Fault::call("write the list", errno)
    };
    changes::list(top(upper)?, lower, &mut |change, path| {
        packed.entries += 1;
        let parts = [&[change.letter(), b'/'], path, b"\0"];
        sink.write_all(&parts.concat()).map_err(fail)
    })?;
    sink.flush().map_err(fail)?;
    Ok(packed)
}

/// Writes what is in `directory` under `name` to `output`, called `as_name` there, with what is mounted in it; without a name
/// it is the directory itself, and without another one what is in it.
///
/// # Errors
///
/// As [`pack`]; ENOENT.
pub fn pack_entry(
    directory: &OwnedFd,
    name: Option<&CStr>,
    as_name: &[u8],
    output: OwnedFd,
) -> Result<Packed, Fault> {
    let sink = BufWriter::with_capacity(CHUNK, Output(output));
    let mut packer = Packer::new(Writer::new(sink));
    packer.crosses = true;
    packer.path = as_name.to_vec();
    match name {
        Some(name) => {
            rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| Fault::call("look at", errno).on(name.to_bytes()))?;
            packer.child(directory.as_fd(), name, 0)?;
        }
        None => {
            if !as_name.is_empty() {
                packer.path.push(b'/');
            }
            packer.directory(top(directory)?, 0)?;
        }
    }
    packer.writer.finish()?;
    Ok(packer.packed)
}

/// Whether a directory is of one of the kernel's own file systems, which have no files that could be kept.
fn is_kernels(directory: &OwnedFd) -> bool {
    /// PROC, SYSFS, CGROUP, CGROUP2, DEBUGFS, TRACEFS, SECURITYFS, BPF (`linux/magic.h`).
    const KINDS: [i64; 8] = [
        0x9fa0,
        0x6265_6572,
        0x0027_e0eb,
        0x6367_7270,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0xcafe_4a11,
    ];
    rustix::fs::fstatfs(directory).is_ok_and(|found| KINDS.contains(&found.f_type))
}

fn top(root: &OwnedFd) -> Result<OwnedFd, Fault> {
    rustix::fs::openat(root, c".", DIRECTORY, Mode::empty())
        .map_err(|errno| Fault::call("open the directory", errno))
}

struct Packer {
    writer: Writer<BufWriter<Output>>,
    /// The name of the directory we are in, with its slash.
    path: Vec<u8>,
    /// Files with several names that have been written, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
    buffer: Vec<u8>,
    packed: Packed,
    /// What is mounted in the tree belongs to it.
    crosses: bool,
}

impl Packer {
    fn new(writer: Writer<BufWriter<Output>>) -> Self {
        Self {
            writer,
            path: Vec::new(),
            links: HashMap::new(),
            buffer: vec![0; CHUNK],
            packed: Packed::default(),
            crosses: false,
        }
    }

    /// As [`open`]; with what is mounted there, if that is wanted.
    fn open(&self, parent: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
        if !self.crosses {
            return open(parent, name, flags);
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        rustix::fs::openat2(parent, name, flags, Mode::empty(), resolve)
    }

    /// A directory and all below it.
    fn directory(&mut self, directory: OwnedFd, depth: usize) -> Result<(), Fault> {
        let fail = |errno| Fault::call("read a directory", errno);
        let stat = rustix::fs::fstat(&directory).map_err(fail)?;
        let path = if self.path.is_empty() {
            b"./".to_vec()
        } else {
            self.path.clone()
        };
        let mut entry = entry(Kind::Directory, path, &stat);
        entry.xattrs = attributes(directory.as_fd());
        self.begin(&entry)?;
        if depth >= DEEPEST {
            return Err(Fault::archive("the tree is too deep").on(&self.path));
        }
        for name in names(&directory).map_err(fail)? {
            let length = self.path.len();
            self.path.extend_from_slice(name.to_bytes());
            let done = self.child(directory.as_fd(), &name, depth);
            let done = done.map_err(|fault| fault.on(&self.path));
            self.path.truncate(length);
            done?;
        }
        Ok(())
    }

    fn child(&mut self, parent: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<(), Fault> {
        let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            // Removed since its directory was read: of a running container.
            Err(Errno::NOENT) => return Ok(()),
            other => other.map_err(|errno| Fault::call("look at a file", errno))?,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                self.path.push(b'/');
                match self.open(parent, name, DIRECTORY) {
                    Ok(directory) if self.crosses && is_kernels(&directory) => {
                        let entry = entry(Kind::Directory, self.path.clone(), &stat);
                        self.begin(&entry)
                    }
                    Ok(directory) => self.directory(directory, depth + 1),
                    // Something is mounted there: the place stays, what is in it is not this tree's.
                    Err(Errno::XDEV) => {
                        let entry = entry(Kind::Directory, self.path.clone(), &stat);
                        self.begin(&entry)
                    }
                    Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
                    Err(errno) => Err(Fault::call("open a directory", errno)),
                }
            }
            FileType::Socket | FileType::Unknown => {
                self.packed.sockets += 1;
                Ok(())
            }
            _ if self.is_link(&stat) => self.hard_link(&stat),
            FileType::RegularFile => self.file(parent, name),
            _ => self.special(parent, name, &stat),
        }
    }

    fn is_link(&self, stat: &Stat) -> bool {
        stat.st_nlink > 1 && self.links.contains_key(&(stat.st_dev, stat.st_ino))
    }

    /// Remembers a file that has other names, which may come later.
    fn remember(&mut self, stat: &Stat) {
        if stat.st_nlink > 1 {
            let path = self.path.clone();
            self.links.insert((stat.st_dev, stat.st_ino), path);
        }
    }

    fn hard_link(&mut self, stat: &Stat) -> Result<(), Fault> {
        let mut entry = entry(Kind::HardLink, self.path.clone(), stat);
        if let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)) {
            entry.link.clone_from(first);
        }
        self.begin(&entry)
    }

    /// A symbolic link, a device or a named pipe.
    fn special(&mut self, parent: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<(), Fault> {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => Kind::SymbolicLink,
            FileType::CharacterDevice => Kind::CharacterDevice,
            FileType::BlockDevice => Kind::BlockDevice,
            _ => Kind::Fifo,
        };
        let mut entry = entry(kind, self.path.clone(), stat);
        match kind {
            Kind::SymbolicLink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new())
                    .map_err(|errno| Fault::call("read a symbolic link", errno))?;
                entry.link = target.into_bytes();
            }
            Kind::Fifo => {}
            _ => {
                entry.device = (
                    rustix::fs::major(stat.st_rdev),
                    rustix::fs::minor(stat.st_rdev),
                );
            }
        }
        self.remember(stat);
        self.begin(&entry)
    }

    fn begin(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.packed.entries += 1;
        self.writer.entry(entry)
    }
}

/// Opens what is in this very file system and mount: EXDEV for a mount point, be it of the same file system.
fn open(parent: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match rustix::fs::openat2(parent, name, flags, Mode::empty(), resolve) {
        // Before Linux 5.6, or hidden by a seccomp filter.
        Err(Errno::NOSYS) => rustix::fs::openat(parent, name, flags, Mode::empty()),
        other => other,
    }
}

/// The names in a directory, in the order of their bytes.
fn names(directory: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn entry(kind: Kind, path: Vec<u8>, stat: &Stat) -> Entry {
    Entry {
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Time {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        },
        ..Entry::new(kind, path)
    }
}

/// The attributes that mean the same on another machine.
fn attributes(file: BorrowedFd<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut names = list_attributes(file);
    names.retain(|name| is_portable(name));
    names.sort_unstable();
    let value = |name: Vec<u8>| {
        let mut value = vec![0; 1 << 16];
        let length =
            rustix::fs::fgetxattr(file, &*CString::new(&*name).ok()?, &mut value[..]).ok()?;
        value.truncate(length);
        Some((name, value))
    };
    names.into_iter().filter_map(value).collect()
}
