//! What a writable layer changes: as an OCI layer, with whiteouts, or as a list.
//!
//! The layer is an overlay's upper directory: a character device 0/0 says that a name below is gone, and an attribute that a
//! directory hides what the one below it has (overlayfs.rst). Both become the marks of an image's layer (OCI image-spec,
//! "Representing Changes").

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use super::{DEEPEST, DIRECTORY, Packer, attributes, entry, names, open};
use crate::Fault;
use crate::apply::list_attributes;
use crate::tar::{Entry, Kind};

/// What a change is, in docker's letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Changed,
    Deleted,
}

impl Change {
    pub(super) fn letter(self) -> u8 {
        match self {
            Self::Added => b'A',
            Self::Changed => b'C',
            Self::Deleted => b'D',
        }
    }
}

/// A directory of the upper layer beside what is below it.
struct Pair {
    upper: OwnedFd,
    /// The directory of the same name below, unless there is none or it is hidden.
    lower: Option<OwnedFd>,
    /// Below it there was one, and all that it had is gone.
    opaque: bool,
}

impl Pair {
    fn new(upper: OwnedFd, lower: Option<OwnedFd>) -> Result<Self, Fault> {
        let marks = marks(upper.as_fd());
        if marks.moved {
            return Err(Fault::archive(
                "a directory of a lower layer was renamed in it, which only the container's own kernel can follow",
            ));
        }
        let opaque = marks.opaque && lower.is_some();
        Ok(Self {
            upper,
            lower,
            opaque,
        })
    }

    /// What is below under this name.
    fn below(&self, name: &CStr) -> Option<Stat> {
        let lower = self.lower.as_ref()?;
        rustix::fs::statat(lower, name, AtFlags::SYMLINK_NOFOLLOW).ok()
    }

    fn child(&self, name: &CStr) -> Result<Option<Self>, Fault> {
        let upper = match open(self.upper.as_fd(), name, DIRECTORY) {
            Ok(upper) => upper,
            Err(Errno::XDEV | Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(errno) => return Err(Fault::call("open a directory", errno)),
        };
        let lower = self.lower.as_ref().filter(|_| !self.opaque);
        let lower =
            lower.and_then(|lower| rustix::fs::openat(lower, name, DIRECTORY, Mode::empty()).ok());
        Self::new(upper, lower).map(Some)
    }

    /// Names below that the upper directory hides as a whole, and does not have itself.
    fn hidden(&self) -> Vec<CString> {
        let Some(lower) = self.lower.as_ref().filter(|_| self.opaque) else {
            return Vec::new();
        };
        let mut hidden = names(lower).unwrap_or_default();
        hidden.retain(|name| {
            rustix::fs::statat(&self.upper, name, AtFlags::SYMLINK_NOFOLLOW).is_err()
        });
        hidden
    }
}

#[derive(Default)]
struct Marks {
    opaque: bool,
    moved: bool,
}

fn marks(directory: BorrowedFd<'_>) -> Marks {
    let mut marks = Marks::default();
    for name in list_attributes(directory) {
        match name.as_slice() {
            b"trusted.overlay.opaque" | b"user.overlay.opaque" => {
                let mut value = [0; 1];
                let name = CString::new(name).unwrap_or_default();
                let length = rustix::fs::fgetxattr(directory, &name, &mut value[..]);
                marks.opaque = length == Ok(1) && value == *b"y";
            }
            b"trusted.overlay.redirect" | b"user.overlay.redirect" => marks.moved = true,
            _ => {}
        }
    }
    marks
}

pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// What is there only because something was mounted on it: /proc and its like, and the files of /etc that a container gets.
fn is_mount_point(path: &[u8], directory: &OwnedFd, name: &CStr, stat: &Stat) -> bool {
    match path {
        b"proc" | b"sys" | b"dev" => rustix::fs::openat(directory, name, DIRECTORY, Mode::empty())
            .is_ok_and(|directory| names(&directory).is_ok_and(|names| names.is_empty())),
        b"etc/hosts" | b"etc/hostname" | b"etc/resolv.conf" => {
            stat.st_size == 0 && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        }
        _ => false,
    }
}

impl Packer {
    /// The directory `upper` as a layer above `lower`.
    pub(super) fn changes(&mut self, upper: OwnedFd, lower: Option<OwnedFd>) -> Result<(), Fault> {
        self.changed_directory(&Pair::new(upper, lower)?, 0)
    }

    fn changed_directory(&mut self, pair: &Pair, depth: usize) -> Result<(), Fault> {
        let fail = |errno| Fault::call("read a directory", errno);
        let stat = rustix::fs::fstat(&pair.upper).map_err(fail)?;
        let path = if self.path.is_empty() {
            b"./".to_vec()
        } else {
            self.path.clone()
        };
        let mut this = entry(Kind::Directory, path, &stat);
        this.xattrs = attributes(pair.upper.as_fd());
        self.begin(&this)?;
        if pair.opaque {
            self.mark(b".wh..wh..opq")?;
        }
        if depth >= DEEPEST {
            return Err(Fault::archive("the tree is too deep").on(&self.path));
        }
        for name in names(&pair.upper).map_err(fail)? {
            let length = self.path.len();
            self.path.extend_from_slice(name.to_bytes());
            let done = self.changed(pair, &name, depth);
            let done = done.map_err(|fault| fault.on(&self.path));
            self.path.truncate(length);
            done?;
        }
        Ok(())
    }

    fn changed(&mut self, pair: &Pair, name: &CStr, depth: usize) -> Result<(), Fault> {
        let stat = match rustix::fs::statat(&pair.upper, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            other => other.map_err(|errno| Fault::call("look at a file", errno))?,
        };
        let below = pair.below(name);
        if is_whiteout(&stat) {
            if below.is_some() && !pair.opaque {
                let length = self.path.len() - name.to_bytes().len();
                self.path.truncate(length);
                self.mark(&[b".wh.", name.to_bytes()].concat())?;
            }
            return Ok(());
        }
        if below.is_none() && is_mount_point(&self.path, &pair.upper, name, &stat) {
            return Ok(());
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return self.child(pair.upper.as_fd(), name, depth);
        }
        self.path.push(b'/');
        match pair.child(name)? {
            Some(child) => self.changed_directory(&child, depth + 1),
            None => Ok(()),
        }
    }

    /// An empty file of this name in the directory we are in.
    fn mark(&mut self, name: &[u8]) -> Result<(), Fault> {
        let path = [self.path.as_slice(), name].concat();
        self.begin(&Entry::new(Kind::File, path))
    }
}

/// Calls `tell` for each change, parents after what is in them.
pub(super) fn list(
    upper: OwnedFd,
    lower: Option<OwnedFd>,
    tell: &mut dyn FnMut(Change, &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut list = List {
        path: Vec::new(),
        tell,
    };
    list.directory(&Pair::new(upper, lower)?, 0).map(drop)
}

struct List<'a> {
    path: Vec<u8>,
    tell: &'a mut dyn FnMut(Change, &[u8]) -> Result<(), Fault>,
}

impl List<'_> {
    /// True: something in it has changed.
    fn directory(&mut self, pair: &Pair, depth: usize) -> Result<bool, Fault> {
        if depth >= DEEPEST {
            return Err(Fault::archive("the tree is too deep").on(&self.path));
        }
        let mut any = false;
        for name in pair.hidden() {
            any = true;
            self.named(&name, |list| list.tell(Change::Deleted))?;
        }
        let all = names(&pair.upper).map_err(|errno| Fault::call("read a directory", errno))?;
        for name in all {
            any |= self.named(&name, |list| list.entry(pair, &name, depth))?;
        }
        Ok(any)
    }

    fn named<T>(
        &mut self,
        name: &CStr,
        then: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let length = self.path.len();
        if length > 0 {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name.to_bytes());
        let done = then(self);
        let done = done.map_err(|fault| fault.on(&self.path));
        self.path.truncate(length);
        done
    }

    fn tell(&mut self, change: Change) -> Result<(), Fault> {
        (self.tell)(change, &self.path)
    }

    fn entry(&mut self, pair: &Pair, name: &CStr, depth: usize) -> Result<bool, Fault> {
        let stat = match rustix::fs::statat(&pair.upper, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(false),
            other => other.map_err(|errno| Fault::call("look at a file", errno))?,
        };
        let below = pair.below(name);
        if is_whiteout(&stat) {
            if below.is_some() {
                self.tell(Change::Deleted)?;
            }
            return Ok(below.is_some());
        }
        if below.is_none() && is_mount_point(&self.path, &pair.upper, name, &stat) {
            return Ok(false);
        }
        let is_directory =
            |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let inside = if is_directory(&stat) {
            let child = pair.child(name)?;
            child.map_or(Ok(false), |child| self.directory(&child, depth + 1))?
        } else {
            false
        };
        let change = match &below {
            None => Change::Added,
            // A directory is in the layer because of something in it, or of its own attributes.
            Some(below) if is_directory(&stat) && is_directory(below) => {
                let look = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid);
                if !inside && look(&stat) == look(below) {
                    return Ok(false);
                }
                Change::Changed
            }
            Some(_) => Change::Changed,
        };
        self.tell(change)?;
        Ok(true)
    }
}
