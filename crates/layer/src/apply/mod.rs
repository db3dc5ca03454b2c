//! Making files of entries.
//!
//! Rules, for what archives of strangers can ask for (RUSTSEC-2018-0002, RUSTSEC-2021-0080, CVE-2021-29136, CVE-2025-62518,
//! CVE-2026-33056 and their kin):
//!
//! * Nothing is reached but by [`walk::Walk`]: no path leads above the directory, whatever links are in it.
//! * A file is made new (`O_EXCL`) and changed by its fd; what has its name already is unlinked first. So nothing is ever
//!   written through a link, symbolic or hard, and no mode or owner is set through one.
//! * The last entry of a name wins. Directories are kept when both are directories.
//! * A symbolic link on the way to an entry is followed inside the directory, as docker and podman do in their chroot; on the
//!   way to a whiteout it is refused. Directories that an entry implies are made in this layer, and look like the lower
//!   layers' directory of that name. A lower layer's link of that name is hidden by them, as everywhere.
//! * A whiteout hides what the lower layers have; it never removes what this layer brought before it, whatever the order.

mod attributes;
mod names;
mod notes;
mod remove;
mod tree;
mod walk;

use std::io::BufRead;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Uid};
use rustix::io::Errno;

pub(crate) use attributes::{is_portable, list as list_attributes};

use walk::is_whiteout;

use crate::Fault;
use crate::job::{Format, UnpackJob};
use crate::streams::write_all;
use crate::tar::{Entry, Kind, Reader, Time};
use attributes::{Attributes, set_on};
use names::Meaning;
use notes::{Left, Notes};
use walk::{Missing, Walk, c_name, only_modified};

/// Makes the files of one archive.
#[derive(Debug)]
pub(crate) struct Applier {
    walk: Walk,
    lower: Vec<OwnedFd>,
    format: Format,
    single_id: bool,
    attributes: Attributes,
    notes: Notes,
    largest_id: u32,
}

impl Applier {
    /// For an archive that goes into `root`.
    pub(crate) fn new(job: &UnpackJob, root: OwnedFd, lower: Vec<OwnedFd>) -> Result<Self, Fault> {
        let mut applier = Self {
            walk: Walk::new(root, job.limits.depth)?,
            lower,
            format: job.format,
            single_id: job.single_id,
            attributes: Attributes::new(job.format),
            notes: Notes::default(),
            largest_id: 0,
        };
        if job.format != Format::Plain {
            // The archive implies its root directory until it has an entry for it.
            applier.look_as_below()?;
        }
        Ok(applier)
    }

    /// Makes what `entry` says; its data come from `reader`.
    pub(crate) fn apply<R: BufRead>(
        &mut self,
        entry: &Entry,
        reader: &mut Reader<R>,
    ) -> Result<(), Fault> {
        if entry.kind != Kind::HardLink {
            self.largest_id = self.largest_id.max(entry.uid).max(entry.gid);
        }
        let Some((parents, name)) = names::split(&entry.path)? else {
            if entry.kind != Kind::Directory {
                return Err(Fault::archive(
                    "its root is to be something else than a directory",
                ));
            }
            self.go(&[], Missing::Make)?;
            return self.describe_directory(entry);
        };
        if self.format != Format::Plain {
            match names::meaning(&parents, name)? {
                Meaning::Name => {}
                Meaning::Ignored => return Ok(()),
                Meaning::Whiteout(hidden) => return self.hide(&parents, hidden),
                Meaning::Opaque => {
                    self.go(&parents, Missing::MakeWithoutLinks)?;
                    return self.attributes.make_opaque(self.walk.here());
                }
            }
        }
        if entry.kind == Kind::HardLink {
            return self.hard_link(&parents, name, &entry.link);
        }
        self.go(&parents, Missing::Make)?;
        match entry.kind {
            Kind::Directory => self.directory(entry, name),
            Kind::File => self.file(entry, name, reader),
            Kind::SymbolicLink => self.symbolic_link(entry, name),
            _ => self.node(entry, name),
        }
    }

    /// The largest user or group id so far.
    pub(crate) fn largest_id(&self) -> u32 {
        self.largest_id
    }

    /// Puts the times of directories back; what was left out.
    pub(crate) fn finish(self) -> Result<Vec<String>, Fault> {
        self.walk.finish()?;
        Ok(self.notes.lines())
    }

    fn directory(&mut self, entry: &Entry, name: &[u8]) -> Result<(), Fault> {
        let path = c_name(name)?;
        let mut is_opaque = false;
        match rustix::fs::statat(self.walk.here(), &path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
            found => {
                is_opaque = found.is_ok_and(|stat| is_whiteout(&stat));
                self.create("make a directory", &path, |parent| {
                    rustix::fs::mkdirat(parent, &path, Mode::RWXU)
                })?;
            }
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(self.walk.here(), &path, flags, Mode::empty())
            .map_err(|errno| Fault::call("open a directory", errno))?;
        if is_opaque {
            // It comes in the place of a whiteout: the lower layers' files stay gone.
            self.attributes.make_opaque(&directory)?;
        }
        self.walk.enter(name, directory)?;
        self.describe_directory(entry)
    }

    /// Owner, mode, attributes and time of the directory here.
    fn describe_directory(&mut self, entry: &Entry) -> Result<(), Fault> {
        let here = self.walk.here();
        let (uid, gid) = (entry.uid, entry.gid);
        own(self.single_id, &mut self.notes, entry, || {
            rustix::fs::fchown(here, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
        })?;
        self.attributes.clear_inherited(here);
        rustix::fs::fchmod(here, Mode::from_raw_mode(entry.mode))
            .map_err(|errno| Fault::call("set a mode", errno))?;
        let set = |name: &_, value: &_| set_on(here, name, value);
        self.attributes
            .set_all(&entry.xattrs, &mut self.notes, &set)?;
        self.walk.set_time(timespec(entry.mtime))
    }

    fn file<R: BufRead>(
        &mut self,
        entry: &Entry,
        name: &[u8],
        reader: &mut Reader<R>,
    ) -> Result<(), Fault> {
        let path = c_name(name)?;
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        let file = self.create("make a file", &path, |parent| {
            rustix::fs::openat(parent, &path, flags, mode)
        })?;
        fill(&file, entry, reader)?;
        let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
        own(self.single_id, &mut self.notes, entry, || {
            rustix::fs::fchown(&file, Some(uid), Some(gid))
        })?;
        // After the owner: a change of owner takes the set-id bits away (chown(2)).
        let inherited = self.attributes.clear_inherited(file.as_fd());
        if inherited || entry.mode & 0o7000 != 0 {
            rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode))
                .map_err(|errno| Fault::call("set a mode", errno))?;
        }
        // And so does it with capabilities.
        let set = |name: &_, value: &_| set_on(file.as_fd(), name, value);
        self.attributes
            .set_all(&entry.xattrs, &mut self.notes, &set)?;
        rustix::fs::futimens(&file, &only_modified(timespec(entry.mtime)))
            .map_err(|errno| Fault::call("set a file's time", errno))
    }

    fn symbolic_link(&mut self, entry: &Entry, name: &[u8]) -> Result<(), Fault> {
        let (path, target) = (c_name(name)?, c_name(&entry.link)?);
        self.create("make a symbolic link", &path, |parent| {
            rustix::fs::symlinkat(&target, parent, &path)
        })?;
        self.describe(entry, &path)
    }

    /// A device or a named pipe.
    fn node(&mut self, entry: &Entry, name: &[u8]) -> Result<(), Fault> {
        let path = c_name(name)?;
        let kind = match entry.kind {
            Kind::CharacterDevice => FileType::CharacterDevice,
            Kind::BlockDevice => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        let device = rustix::fs::makedev(entry.device.0, entry.device.1);
        let mode = Mode::from_raw_mode(entry.mode);
        let made = self.try_create(&path, |parent| {
            rustix::fs::mknodat(parent, &path, kind, mode, device)
        })?;
        match made {
            Err(Errno::PERM) if kind != FileType::Fifo => {
                self.notes.add(Left::Device, &entry.path);
                return Ok(());
            }
            other => other.map_err(|errno| Fault::call("make a device or a pipe", errno))?,
        }
        self.describe(entry, &path)
    }

    /// Owner, attributes and time of what has no fd: it was made a moment ago, and is no link to elsewhere for these calls.
    fn describe(&mut self, entry: &Entry, path: &std::ffi::CStr) -> Result<(), Fault> {
        let here = self.walk.here();
        let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        own(self.single_id, &mut self.notes, entry, || {
            rustix::fs::chownat(here, path, Some(uid), Some(gid), flags)
        })?;
        if !entry.xattrs.is_empty() {
            // There is no call for this by a directory's fd before Linux 6.13.
            rustix::process::fchdir(here)
                .map_err(|errno| Fault::call("enter a directory", errno))?;
            let set = |name: &std::ffi::CStr, value: &[u8]| {
                rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty())
            };
            self.attributes
                .set_all(&entry.xattrs, &mut self.notes, &set)?;
        }
        let times = only_modified(timespec(entry.mtime));
        rustix::fs::utimensat(here, path, &times, flags)
            .map_err(|errno| Fault::call("set a file's time", errno))
    }
}

/// Gives something to its owner. An id that this process cannot name is the archive's to answer for.
fn own(
    single_id: bool,
    notes: &mut Notes,
    entry: &Entry,
    chown: impl FnOnce() -> Result<(), Errno>,
) -> Result<(), Fault> {
    if single_id {
        if (entry.uid, entry.gid) != (0, 0) {
            notes.add(Left::Owner, &entry.path);
        }
        return Ok(());
    }
    match chown() {
        Err(Errno::INVAL) => {
            let (uid, gid) = (entry.uid, entry.gid);
            let why = format!("its owner {uid}:{gid} is outside the ids that you have");
            Err(Fault::limit("ids", why))
        }
        other => other.map_err(|errno| Fault::call("set an owner", errno)),
    }
}

fn timespec(time: Time) -> Timespec {
    Timespec {
        tv_sec: time.seconds,
        tv_nsec: i64::from(time.nanoseconds),
    }
}

/// Writes a file's data, with its holes.
fn fill<R: BufRead>(file: &OwnedFd, entry: &Entry, reader: &mut Reader<R>) -> Result<(), Fault> {
    let fail = |errno| Fault::call("write a file", errno);
    let Some(extents) = &entry.extents else {
        return copy(file, entry.size, reader);
    };
    for extent in extents {
        rustix::fs::seek(file, rustix::fs::SeekFrom::Start(extent.offset)).map_err(fail)?;
        copy(file, extent.length, reader)?;
    }
    rustix::fs::ftruncate(file, entry.size).map_err(fail)
}

fn copy<R: BufRead>(file: &OwnedFd, mut bytes: u64, reader: &mut Reader<R>) -> Result<(), Fault> {
    while bytes > 0 {
        let data = reader.data()?;
        let most = usize::try_from(bytes).unwrap_or(usize::MAX);
        let data = data.get(..most).unwrap_or(data);
        let count = data.len();
        if count == 0 {
            return Err(Fault::archive("it has less data than it says"));
        }
        write_all(file, data).map_err(|errno| Fault::call("write a file", errno))?;
        reader.consume(count);
        bytes -= u64::try_from(count).unwrap_or(bytes);
    }
    Ok(())
}
