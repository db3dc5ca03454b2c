//! What concerns more than one name: the way to an entry, what is in its place, hard links, whiteouts, lower layers.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::remove::remove;
use super::walk::{Missing, Obstacle, c_name, is_whiteout, mtime};
use super::{Applier, names};
use crate::Fault;
use crate::job::Format;

impl Applier {
    /// Goes to an entry's directory; what is missing of it is made.
    pub(super) fn go(&mut self, parents: &[&[u8]], missing: Missing) -> Result<(), Fault> {
        let Self {
            walk,
            lower,
            attributes,
            notes,
            ..
        } = self;
        walk.go(parents, missing, &mut |walk, name, obstacle| {
            let path = c_name(name)?;
            walk.change()?;
            let fail = |errno| Fault::call("make a directory", errno);
            let hides = matches!(obstacle, Obstacle::Whiteout);
            if hides {
                remove(walk.here(), &path).map_err(fail)?;
            }
            let mode = Mode::from_raw_mode(0o755);
            rustix::fs::mkdirat(walk.here(), &path, mode).map_err(fail)?;
            let directory = open(walk.here(), &path).map_err(fail)?;
            if hides {
                return attributes.make_opaque(&directory);
            }
            let mut way = walk.names();
            way.push(name);
            let model = below(lower, &way);
            if let Some(model) = model {
                imitate(&model, &directory)?;
                attributes.copy(model.as_fd(), directory.as_fd(), notes)?;
            }
            Ok(())
        })
    }

    /// Makes the directory here look like the topmost lower layer's; without one, like a new root directory.
    pub(super) fn look_as_below(&mut self) -> Result<(), Fault> {
        let here = self.walk.here();
        if let Some(model) = self.lower.first() {
            imitate(model, here)?;
            self.attributes.copy(model.as_fd(), here, &mut self.notes)?;
            let stat = rustix::fs::fstat(model)
                .map_err(|errno| Fault::call("look at a lower layer", errno))?;
            return self.walk.set_time(mtime(&stat));
        }
        rustix::fs::fchmod(here, Mode::from_raw_mode(0o755))
            .map_err(|errno| Fault::call("set a mode", errno))
    }

    /// Makes something here; what has its name goes first.
    pub(super) fn create<T>(
        &mut self,
        what: &str,
        path: &CStr,
        make: impl Fn(BorrowedFd<'_>) -> Result<T, Errno>,
    ) -> Result<T, Fault> {
        self.try_create(path, make)?
            .map_err(|errno| Fault::call(what, errno))
    }

    /// The same, with the error of `make` as the inner one.
    pub(super) fn try_create<T>(
        &mut self,
        path: &CStr,
        make: impl Fn(BorrowedFd<'_>) -> Result<T, Errno>,
    ) -> Result<Result<T, Errno>, Fault> {
        self.walk.change()?;
        match make(self.walk.here()) {
            Err(Errno::EXIST) => {
                remove(self.walk.here(), path)
                    .map_err(|errno| Fault::call("replace what was there", errno))?;
                Ok(make(self.walk.here()))
            }
            other => Ok(other),
        }
    }

    /// Another name for what this archive has brought, or what a volume has: never for anything outside, since the way there
    /// is [`super::walk::Walk`]'s.
    pub(super) fn hard_link(
        &mut self,
        parents: &[&[u8]],
        name: &[u8],
        target: &[u8],
    ) -> Result<(), Fault> {
        let refuse = |why: &str| {
            let target = String::from_utf8_lossy(target);
            Fault::archive(format!("a hard link to {target:?}, {why}"))
        };
        let (target_parents, target_name) =
            names::split(target)?.ok_or_else(|| refuse("which is a directory"))?;
        let missing = |_| refuse("which does not come before it in this archive");
        self.go(&target_parents, Missing::Refuse).map_err(missing)?;
        let from = rustix::io::fcntl_dupfd_cloexec(self.walk.here(), 0)
            .map_err(|errno| Fault::call("keep a directory open", errno))?;
        let (target_name, path) = (c_name(target_name)?, c_name(name)?);
        let look = |directory: BorrowedFd<'_>, name: &CStr| {
            rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
        };
        let stat = look(from.as_fd(), &target_name)
            .map_err(|_| refuse("which does not come before it in this archive"))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(refuse("which is a directory"));
        }
        if self.format != Format::Plain && is_whiteout(&stat) {
            return Err(refuse("which this archive has removed"));
        }
        self.go(parents, Missing::Make)?;
        match look(self.walk.here(), &path) {
            // Both names are one file already; to make room would remove the only one.
            Ok(found) if (found.st_dev, found.st_ino) == (stat.st_dev, stat.st_ino) => {
                return Ok(());
            }
            _ => {}
        }
        self.create("make a hard link", &path, |parent| {
            rustix::fs::linkat(&from, &target_name, parent, &path, AtFlags::empty())
        })
    }

    /// Hides a name of the lower layers.
    pub(super) fn hide(&mut self, parents: &[&[u8]], hidden: &[u8]) -> Result<(), Fault> {
        self.go(parents, Missing::MakeWithoutLinks)?;
        let path = c_name(hidden)?;
        match rustix::fs::statat(self.walk.here(), &path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                let directory = open(self.walk.here(), &path)
                    .map_err(|errno| Fault::call("open a directory", errno))?;
                return self.attributes.make_opaque(&directory);
            }
            // What this layer has brought hides the lower layers' as it is.
            Ok(_) => return Ok(()),
            Err(_) => {}
        }
        self.walk.change()?;
        let kind = FileType::CharacterDevice;
        rustix::fs::mknodat(self.walk.here(), &path, kind, Mode::empty(), 0)
            .map_err(|errno| Fault::call("mark a file as removed", errno))
    }
}

fn open(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// The topmost lower layer's directory of this name, unless something else of that name hides it.
fn below(lower: &[OwnedFd], names: &[&[u8]]) -> Option<OwnedFd> {
    let names: Vec<_> = names
        .iter()
        .filter_map(|name| CString::new(*name).ok())
        .collect();
    for layer in lower {
        match descend(layer.as_fd(), &names) {
            Ok(directory) => return Some(directory),
            Err(Errno::NOENT) => {}
            Err(_) => return None,
        }
    }
    None
}

fn descend(layer: BorrowedFd<'_>, names: &[CString]) -> Result<OwnedFd, Errno> {
    let mut directory = open(layer, c".")?;
    for name in names {
        directory = open(directory.as_fd(), name)?;
    }
    Ok(directory)
}

/// Gives a new directory the owner and mode of another one.
fn imitate(model: impl AsFd, directory: impl AsFd) -> Result<(), Fault> {
    let stat =
        rustix::fs::fstat(model).map_err(|errno| Fault::call("look at a lower layer", errno))?;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::fchown(&directory, Some(uid), Some(gid))
        .map_err(|errno| Fault::call("set an owner", errno))?;
    rustix::fs::fchmod(&directory, Mode::from_raw_mode(stat.st_mode & 0o7777))
        .map_err(|errno| Fault::call("set a mode", errno))
}
