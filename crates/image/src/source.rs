//! Where an image is read from: a directory, or an archive whose members are found by name in memory. Nothing of an archive
//! becomes a file by the name that it has there, so its `..` and links lead nowhere (CVE-2014-9356).

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keelbox_spec::failure::Failure;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};

use crate::digest::{Digest, Hasher};
use crate::failures::{self, invalid};

/// Bytes read at once.
const PIECE: usize = 256 << 10;

/// A range of a file.
#[derive(Clone, Debug)]
pub struct Member {
    /// The file that it is in.
    pub file: Arc<File>,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

/// What an archive has under a name.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Bytes of the archive's file.
    File {
        /// Where they begin.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// A symbolic link to another name.
    Link(String),
}

/// An archive or a directory.
#[derive(Debug)]
pub enum Source {
    /// Members by name.
    Archive {
        /// The archive.
        file: Arc<File>,
        /// What it has.
        entries: HashMap<String, Entry>,
    },
    /// An OCI layout as a directory.
    Directory {
        /// Open.
        directory: OwnedFd,
        /// For messages.
        path: PathBuf,
    },
}

impl Source {
    /// Opens a directory.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn directory(path: &Path) -> Result<Self, Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|errno| failures::io("open", path, &errno.into()))?;
        Ok(Self::Directory {
            directory,
            path: path.to_owned(),
        })
    }

    /// What is there under a name, if anything.
    ///
    /// # Errors
    ///
    /// It is no regular file, or cannot be read.
    pub fn find(&self, name: &str) -> Result<Option<Member>, Failure> {
        match self {
            Self::Archive { file, entries } => {
                let Some((offset, length)) = in_archive(entries, name) else {
                    return Ok(None);
                };
                let file = Arc::clone(file);
                Ok(Some(Member {
                    file,
                    offset,
                    length,
                }))
            }
            Self::Directory { directory, path } => {
                in_directory(directory, name).map_err(|error| match error.raw_os_error() {
                    Some(_) => failures::io("read", &path.join(name), &error),
                    None => invalid(format!("{} is no regular file", path.join(name).display())),
                })
            }
        }
    }

    /// As [`Source::find`], of something that must be there.
    ///
    /// # Errors
    ///
    /// Also when it is not.
    pub fn need(&self, name: &str) -> Result<Member, Failure> {
        self.find(name)?
            .ok_or_else(|| invalid(format!("{name:?} is not in the archive")))
    }
}

/// Old docker wrote a layer that it had already written as a link to that. One such step, and only to another member.
fn in_archive(entries: &HashMap<String, Entry>, name: &str) -> Option<(u64, u64)> {
    let target;
    let entry = match entries.get(name)? {
        Entry::Link(to) => {
            target = beside(name, to)?;
            entries.get(&target)?
        }
        entry => entry,
    };
    match entry {
        Entry::File { offset, length } => Some((*offset, *length)),
        Entry::Link(_) => None,
    }
}

/// The name that a relative link in the directory of `name` means.
fn beside(name: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    if link.starts_with('/') {
        return None;
    }
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn in_directory(directory: &OwnedFd, name: &str) -> std::io::Result<Option<Member>> {
    // Not to wait for the other end of a pipe that somebody put there.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let opened = match rustix::fs::openat2(directory, name, flags, Mode::empty(), resolve) {
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        other => other?,
    };
    let stat = rustix::fs::fstat(&opened)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(std::io::Error::other("not a regular file"));
    }
    Ok(Some(Member {
        file: Arc::new(opened.into()),
        offset: 0,
        length: u64::try_from(stat.st_size).unwrap_or(0),
    }))
}

impl Member {
    /// All of a file.
    ///
    /// # Errors
    ///
    /// Its length cannot be read.
    pub fn whole(file: Arc<File>) -> Result<Self, Failure> {
        let length = file
            .metadata()
            .map_err(|error| unreadable("the archive", &error))?
            .len();
        Ok(Self {
            file,
            offset: 0,
            length,
        })
    }

    /// All of it, when it is not larger than `limit`.
    ///
    /// # Errors
    ///
    /// It is larger, or cannot be read.
    pub fn read_all(&self, what: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        if self.length > limit {
            return Err(invalid(format!("{what} is too large"))
                .why(format!("{} bytes, of at most {limit}", self.length)));
        }
        let mut bytes = Vec::new();
        let read = self.reader().read_to_end(&mut bytes);
        let read = read.map_err(|error| unreadable(what, &error))?;
        if u64::try_from(read) == Ok(self.length) {
            return Ok(bytes);
        }
        Err(cut_short(what))
    }

    /// Reads it from its beginning.
    #[must_use]
    pub fn reader(&self) -> MemberReader {
        MemberReader {
            member: self.clone(),
            at: 0,
        }
    }

    /// Its first bytes, at most four.
    #[must_use]
    pub fn magic(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.reader().take(4).read_to_end(&mut bytes);
        bytes
    }

    /// The digest of all of it; the bytes are written to `copy`, if there is one.
    ///
    /// # Errors
    ///
    /// It cannot be read, or the copy cannot be written.
    pub fn digest(&self, what: &str, mut copy: Option<(&File, &Path)>) -> Result<Digest, Failure> {
        let mut hasher = Hasher::default();
        let mut reader = self.reader();
        let mut buffer = vec![0; PIECE];
        let mut left = self.length;
        while left > 0 {
            let read = reader
                .read(&mut buffer)
                .map_err(|error| unreadable(what, &error))?;
            if read == 0 {
                return Err(cut_short(what));
            }
            let piece = buffer.get(..read).unwrap_or_default();
            hasher.update(piece);
            if let Some((file, path)) = &mut copy {
                file.write_all(piece)
                    .map_err(|error| failures::io("write", path, &error))?;
            }
            left = left.saturating_sub(u64::try_from(read).unwrap_or(left));
        }
        Ok(hasher.finish())
    }
}

fn unreadable(what: &str, error: &std::io::Error) -> Failure {
    invalid(format!("cannot read {what}")).why(error.to_string())
}

fn cut_short(what: &str) -> Failure {
    invalid(format!("{what} has been cut short"))
}

/// Reads a member by position: several readers of one file do not disturb one another.
#[derive(Debug)]
pub struct MemberReader {
    member: Member,
    at: u64,
}

impl Read for MemberReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.member.length.saturating_sub(self.at);
        let most = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let piece = buffer.get_mut(..most).unwrap_or_default();
        let read = self
            .member
            .file
            .read_at(piece, self.member.offset.saturating_add(self.at))?;
        self.at += u64::try_from(read).unwrap_or(0);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_member_or_nowhere() {
        assert_eq!(
            beside("a/layer.tar", "../b/layer.tar").as_deref(),
            Some("b/layer.tar")
        );
        assert_eq!(beside("a/layer.tar", "../../etc/passwd"), None);
        assert_eq!(beside("a/layer.tar", "/etc/passwd"), None);
        let file = Entry::File {
            offset: 1,
            length: 2,
        };
        let entries = HashMap::from([
            ("a".to_owned(), file),
            ("b".to_owned(), Entry::Link("a".into())),
            ("c".to_owned(), Entry::Link("b".into())),
            ("d".to_owned(), Entry::Link("d".into())),
        ]);
        assert_eq!(in_archive(&entries, "b"), Some((1, 2)));
        assert_eq!(in_archive(&entries, "c"), None);
        assert_eq!(in_archive(&entries, "d"), None);
    }
}
