//! Paths below a root.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::Fault;

/// Links that a path may have before it is taken for a loop, as the kernel's own limit.
const LINKS: u8 = 40;
/// Tries at a path that is being renamed.
const RETRIES: u8 = 128;

pub(super) const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A path as the kernel takes it; the empty one is the root.
pub(super) fn c_path(path: &[u8]) -> Result<CString, Fault> {
    let path = if path.is_empty() { b"/" } else { path };
    CString::new(path).map_err(|_| fault(path, "find a file", Errno::INVAL))
}

pub(super) fn fault(path: &[u8], what: &str, errno: Errno) -> Fault {
    Fault::call(what, errno).on(path)
}

/// Opens a path below `root`.
pub(super) fn open(
    root: &OwnedFd,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    let path = CString::new(if path.is_empty() { b"/" } else { path });
    let path = path.map_err(|_| Errno::INVAL)?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let open = || rustix::fs::openat2(root, &path, flags | OFlags::CLOEXEC, mode, resolve);
    // EAGAIN: somebody renames directories meanwhile, and the kernel could not be sure of `..`. Not for ever.
    (0..RETRIES)
        .map(|_| open())
        .find(|result| !matches!(result, Err(Errno::AGAIN)))
        .unwrap_or(Err(Errno::AGAIN))
}

/// The directory that a path is in, and its last name there; None as the name: the path is the root, or ends in `..`.
pub(super) struct Place {
    pub(super) parent: OwnedFd,
    pub(super) name: Option<CString>,
}

/// Where a path leads when it is followed to its end, be there something or not.
pub(super) fn place(root: &OwnedFd, path: &[u8], follow: bool) -> Result<Place, Fault> {
    let mut path = path.to_vec();
    for _ in 0..LINKS {
        let (parent, name) = split(&path);
        let opened = open(root, &parent, DIRECTORY, Mode::empty());
        let directory = opened.map_err(|errno| fault(&parent, "find the directory", errno))?;
        let Some(name) = name else {
            let whole = open(root, &path, DIRECTORY, Mode::empty());
            let parent = whole.map_err(|errno| fault(&path, "find the directory", errno))?;
            return Ok(Place { parent, name: None });
        };
        match rustix::fs::readlinkat(&directory, &name, Vec::new()) {
            Ok(link) if follow => path = join(&parent, link.as_bytes()),
            _ => {
                return Ok(Place {
                    parent: directory,
                    name: Some(name),
                });
            }
        }
    }
    Err(fault(&path, "find a file", Errno::LOOP))
}

/// The directory part and the last name; None for `/`, `..` and what ends in those.
pub(super) fn split(path: &[u8]) -> (Vec<u8>, Option<CString>) {
    let mut parts: Vec<&[u8]> = path
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .collect();
    let last = match parts.last() {
        Some(last) if *last != b".." => parts.pop(),
        _ => None,
    };
    let mut parent = vec![b'/'];
    parent.extend(parts.join(&b'/'));
    (parent, last.and_then(|last| CString::new(last).ok()))
}

fn join(parent: &[u8], link: &[u8]) -> Vec<u8> {
    if link.starts_with(b"/") {
        return link.to_vec();
    }
    [parent, b"/", link].concat()
}

pub(super) fn stat_at(
    parent: BorrowedFd<'_>,
    name: &CString,
) -> Result<Option<rustix::fs::Stat>, Errno> {
    match rustix::fs::statat(parent, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The same directory, to read its entries.
pub(super) fn readable(directory: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(directory.as_fd(), c".", flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_directory_and_a_name() {
        let named = |path: &[u8]| {
            let (parent, name) = split(path);
            (
                String::from_utf8(parent).unwrap_or_default(),
                name.and_then(|name| name.into_string().ok()),
            )
        };
        assert_eq!(named(b"/a/b"), ("/a".into(), Some("b".into())));
        assert_eq!(named(b"a"), ("/".into(), Some("a".into())));
        assert_eq!(named(b"/a/b/./"), ("/a".into(), Some("b".into())));
        assert_eq!(named(b"/"), ("/".into(), None));
        assert_eq!(named(b"/a/.."), ("/a/..".into(), None));
    }
}
