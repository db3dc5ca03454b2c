//! The way to an entry: open directories from the root down, one name at a time, none of them a link.
//!
//! No path of an archive's is ever given to the kernel whole, so no link in it can be followed but by [`Walk`] itself, which
//! reads it and goes on from the root or from where it lies, and `..` in a link closes one directory and never leaves the
//! first one. Archives list a directory's files one after the other, so most of the way is open already.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use crate::Fault;

/// Links on one way before it is taken for a loop, as the kernel's own limit.
const LINKS: u32 = 40;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Debug)]
struct Level {
    name: Vec<u8>,
    directory: OwnedFd,
    /// The modification time to put back, once something was made in it.
    mtime: Option<Timespec>,
    changed: bool,
}

/// What is done about a directory that is missing, and about a link on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is made, and links are followed.
    Make,
    /// It is an error; links are followed.
    Refuse,
    /// It is made; a link is an error.
    MakeWithoutLinks,
}

/// What stands in the way where a directory should be.
pub(crate) enum Obstacle {
    /// Nothing is there.
    Nothing,
    /// overlayfs's mark that the lower layers' file of this name is gone.
    Whiteout,
}

/// Makes a directory that is missing, in the directory where the walk is.
pub(crate) type Make<'a> = &'a mut dyn FnMut(&mut Walk, &[u8], Obstacle) -> Result<(), Fault>;

/// The open directories.
#[derive(Debug)]
pub(crate) struct Walk {
    root: Level,
    levels: Vec<Level>,
    /// The deepest that a way may be, links followed.
    depth: usize,
}

impl Walk {
    pub(crate) fn new(root: OwnedFd, depth: u32) -> Result<Self, Fault> {
        let root = rustix::fs::openat(&root, c".", DIRECTORY, Mode::empty())
            .map_err(|errno| Fault::call("open the directory", errno))?;
        Ok(Self {
            root: Level::new(Vec::new(), root),
            levels: Vec::new(),
            depth: usize::try_from(depth).unwrap_or(usize::MAX),
        })
    }

    /// The directory where the way has led.
    pub(crate) fn here(&self) -> BorrowedFd<'_> {
        self.levels.last().unwrap_or(&self.root).directory.as_fd()
    }

    /// The names from the root to here.
    pub(crate) fn names(&self) -> Vec<&[u8]> {
        self.levels
            .iter()
            .map(|level| level.name.as_slice())
            .collect()
    }

    /// Goes to the directory with these names, from where it is. What is missing is made by `make`, here, with the name
    /// given.
    pub(crate) fn go(
        &mut self,
        names: &[&[u8]],
        missing: Missing,
        make: Make<'_>,
    ) -> Result<(), Fault> {
        let common = self
            .levels
            .iter()
            .zip(names)
            .take_while(|(level, name)| level.name == **name)
            .count();
        self.leave_below(common)?;
        let rest = names.get(common..).unwrap_or_default();
        let mut ahead: Vec<Vec<u8>> = rest.iter().rev().map(|name| name.to_vec()).collect();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            match name.as_slice() {
                b"" | b"." => {}
                b".." => self.leave_below(self.levels.len().saturating_sub(1))?,
                name => {
                    if let Some(target) = self.step(name, missing, make)? {
                        links += 1;
                        self.follow(&target, links, &mut ahead)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts what a link says before the names ahead; an absolute one starts at the root.
    fn follow(&mut self, target: &[u8], links: u32, ahead: &mut Vec<Vec<u8>>) -> Result<(), Fault> {
        if links > LINKS || ahead.len() > self.depth + 2048 {
            return Err(Fault::archive("its way leads through too many links"));
        }
        if target.starts_with(b"/") {
            self.leave_below(0)?;
        }
        let names = target.split(|byte| *byte == b'/').rev();
        ahead.extend(names.map(<[u8]>::to_vec));
        Ok(())
    }

    /// One name down. A link's target instead, when it is one.
    fn step(
        &mut self,
        name: &[u8],
        missing: Missing,
        make: Make<'_>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let path = c_name(name)?;
        for _ in 0..2 {
            let obstacle = match rustix::fs::openat(self.here(), &path, DIRECTORY, Mode::empty()) {
                Ok(directory) => return self.enter(name, directory).map(|()| None),
                Err(Errno::NOENT) => Obstacle::Nothing,
                Err(Errno::NOTDIR | Errno::LOOP) => match self.obstacle(&path, name, missing)? {
                    Ok(obstacle) => obstacle,
                    Err(target) => return Ok(Some(target)),
                },
                Err(errno) => return Err(Fault::call("open a directory", errno)),
            };
            if missing == Missing::Refuse {
                return Err(Fault::call("open a directory", Errno::NOENT));
            }
            make(self, name, obstacle)?;
        }
        Err(Fault::call("make a directory", Errno::NOENT))
    }

    /// What a name is that is no directory: a mark that may be replaced, or (as the inner error) a link's target.
    fn obstacle(
        &self,
        path: &CString,
        name: &[u8],
        missing: Missing,
    ) -> Result<Result<Obstacle, Vec<u8>>, Fault> {
        match rustix::fs::readlinkat(self.here(), path, Vec::new()) {
            Ok(_) if missing == Missing::MakeWithoutLinks => {
                Err(Fault::archive("a whiteout behind a symbolic link"))
            }
            Ok(target) => Ok(Err(target.into_bytes())),
            Err(_) if self.is_whiteout(path) => Ok(Ok(Obstacle::Whiteout)),
            Err(_) => {
                let name = String::from_utf8_lossy(name);
                let why = format!("{name:?} on its way is no directory");
                Err(Fault::archive(why))
            }
        }
    }

    fn is_whiteout(&self, path: &CString) -> bool {
        rustix::fs::statat(self.here(), path, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| is_whiteout(&stat))
    }

    /// Goes into a directory that was just opened here.
    pub(crate) fn enter(&mut self, name: &[u8], directory: OwnedFd) -> Result<(), Fault> {
        if self.levels.len() > self.depth {
            return Err(Fault::limit(
                "depth",
                format!("it lies below more than {} directories", self.depth),
            ));
        }
        self.levels.push(Level::new(name.to_vec(), directory));
        Ok(())
    }

    /// Says that something is about to be made or removed here: the directory's time is put back afterwards.
    pub(crate) fn change(&mut self) -> Result<(), Fault> {
        let level = self.levels.last_mut().unwrap_or(&mut self.root);
        if level.mtime.is_none() {
            let stat = rustix::fs::fstat(&level.directory)
                .map_err(|errno| Fault::call("look at a directory", errno))?;
            level.mtime = Some(mtime(&stat));
        }
        level.changed = true;
        Ok(())
    }

    /// Sets the time of the directory here, now and again when it is left.
    pub(crate) fn set_time(&mut self, time: Timespec) -> Result<(), Fault> {
        let level = self.levels.last_mut().unwrap_or(&mut self.root);
        level.mtime = Some(time);
        level.restore()
    }

    fn leave_below(&mut self, count: usize) -> Result<(), Fault> {
        while self.levels.len() > count {
            if let Some(level) = self.levels.pop()
                && level.changed
            {
                level.restore()?;
            }
        }
        Ok(())
    }

    /// Closes all.
    pub(crate) fn finish(mut self) -> Result<(), Fault> {
        self.leave_below(0)?;
        if self.root.changed {
            self.root.restore()?;
        }
        Ok(())
    }
}

impl Level {
    fn new(name: Vec<u8>, directory: OwnedFd) -> Self {
        Self {
            name,
            directory,
            mtime: None,
            changed: false,
        }
    }

    fn restore(&self) -> Result<(), Fault> {
        let Some(mtime) = self.mtime else {
            return Ok(());
        };
        match rustix::fs::futimens(&self.directory, &only_modified(mtime)) {
            // Somebody else's, which was there before (of `cp`): its time tells of what was made in it.
            Err(Errno::PERM) => Ok(()),
            other => other.map_err(|errno| Fault::call("set a directory's time", errno)),
        }
    }
}

/// Sets the modification time and leaves the access time.
pub(crate) fn only_modified(time: Timespec) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: time,
    }
}

/// When a file was last modified.
pub(crate) fn mtime(stat: &rustix::fs::Stat) -> Timespec {
    Timespec {
        tv_sec: stat.st_mtime,
        tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or_default(),
    }
}

/// overlayfs's mark: a character device 0:0 (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories").
pub(crate) fn is_whiteout(stat: &rustix::fs::Stat) -> bool {
    let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
    kind == rustix::fs::FileType::CharacterDevice && stat.st_rdev == 0
}

/// A name for the kernel.
pub(crate) fn c_name(name: &[u8]) -> Result<CString, Fault> {
    CString::new(name).map_err(|_| Fault::archive("a name with a NUL in it"))
}
