//! Paths inside a container's root, resolved so that no link in them leads out (openat2(2), `RESOLVE_IN_ROOT`).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::Target;
use keelbox_sys::Errno;
use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::fault::{Call, Fault, Outcome};

/// Links that a path may have before it is taken for a loop, as the kernel's own limit.
const LINKS: u8 = 40;
/// Tries at a path that is being renamed.
const RETRIES: u8 = 128;

fn resolve(follow: bool) -> ResolveFlags {
    let flags = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    if follow {
        flags
    } else {
        flags | ResolveFlags::NO_SYMLINKS
    }
}

fn open(root: BorrowedFd<'_>, path: &CStr, flags: OFlags, follow: bool) -> Result<OwnedFd, Errno> {
    let open = || {
        let flags = flags | OFlags::CLOEXEC;
        rustix::fs::openat2(root, path, flags, Mode::empty(), resolve(follow)).map_err(Errno::from)
    };
    // EAGAIN: somebody renames directories meanwhile, and the kernel could not be sure of `..`. Not for ever: it may be
    // somebody who wants to hold a start up.
    (0..RETRIES)
        .map(|_| open())
        .find(|result| !matches!(result, Err(Errno::EAGAIN)))
        .unwrap_or(Err(Errno::EAGAIN))
}

/// Opens `path` inside `root` as a mount point, and makes it first when it is missing.
///
/// # Errors
///
/// ELOOP: a link where none is allowed. ENOTDIR: a file on the way. EROFS: it is missing and cannot be made.
pub fn resolve_target(
    root: BorrowedFd<'_>,
    path: &CStr,
    create: Target,
    follow: bool,
) -> Outcome<OwnedFd> {
    target(root, path, create, follow, LINKS)
}

fn target(
    root: BorrowedFd<'_>,
    path: &CStr,
    create: Target,
    follow: bool,
    links: u8,
) -> Outcome<OwnedFd> {
    match open(root, path, OFlags::PATH, follow) {
        Err(Errno::ENOENT) => make(root, path, create, follow, links),
        other => other
            .call("openat2")
            .map_err(|fault| fault.on(path.to_string_lossy())),
    }
}

fn make(
    root: BorrowedFd<'_>,
    path: &CStr,
    create: Target,
    follow: bool,
    links: u8,
) -> Outcome<OwnedFd> {
    let (parent, name) = split(path);
    let parent_fd = match &parent {
        Some(parent) => target(root, parent, Target::Directory, follow, links)?,
        None => open(root, c".", OFlags::PATH | OFlags::DIRECTORY, false).call("openat2")?,
    };
    let named = |fault: Fault| fault.on(path.to_string_lossy());
    let again = || {
        open(
            parent_fd.as_fd(),
            &name,
            OFlags::PATH | OFlags::NOFOLLOW,
            false,
        )
    };
    match create_at(parent_fd.as_fd(), &name, create) {
        Ok(()) => return again().call("openat2").map_err(named),
        Err(rustix::io::Errno::EXIST) => {}
        Err(errno) => return Err(named(Fault::new("mkdirat", errno))),
    }
    // There is something after all: a link to what is missing, or what somebody made meanwhile.
    match rustix::fs::readlinkat(&parent_fd, &name, Vec::new()) {
        Ok(_) if links == 0 || !follow => Err(named(Fault::new("openat2", Errno::ELOOP))),
        Ok(link) => target(
            root,
            &join(parent.as_deref(), &link),
            create,
            follow,
            links - 1,
        ),
        Err(_) => again().call("openat2").map_err(named),
    }
}

/// Makes what is to be a mount point. A file is closed again at once: one that is open for writing would keep its mount from
/// becoming read-only.
fn create_at(parent: BorrowedFd<'_>, name: &CStr, create: Target) -> rustix::io::Result<()> {
    match create {
        Target::Directory => rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)),
        Target::File => create_file(parent, name),
    }
}

fn create_file(parent: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
}

/// The directory part, if there is one, and the last name.
fn split(path: &CStr) -> (Option<CString>, CString) {
    let bytes = path.to_bytes();
    let end = bytes
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(0, |last| last + 1);
    let trimmed = bytes.get(..end).unwrap_or_default();
    let (parent, name) = match trimmed.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (trimmed.get(..slash), trimmed.get(slash + 1..)),
        None => (None, Some(trimmed)),
    };
    let owned = |bytes: &[u8]| CString::new(bytes).unwrap_or_default();
    (
        parent.filter(|parent| !parent.is_empty()).map(owned),
        owned(name.unwrap_or_default()),
    )
}

/// Where a link in `parent` leads; an absolute one starts at the root again.
fn join(parent: Option<&CStr>, link: &CStr) -> CString {
    match parent {
        Some(parent) if !link.to_bytes().starts_with(b"/") => {
            CString::new([parent.to_bytes(), b"/", link.to_bytes()].concat()).unwrap_or_default()
        }
        _ => link.to_owned(),
    }
}

/// Opens a directory of a container for reading.
///
/// # Errors
///
/// The kernel's: ENOENT, ENOTDIR.
pub(crate) fn open_directory(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
    open(root, path, OFlags::RDONLY | OFlags::DIRECTORY, true)
}

/// Opens what is at `path` inside `root`, to refer to it only.
///
/// # Errors
///
/// The kernel's.
pub(crate) fn open_path(root: BorrowedFd<'_>, path: &CStr) -> Outcome<OwnedFd> {
    open(root, path, OFlags::PATH, true)
        .call("openat2")
        .map_err(|fault| fault.on(path.to_string_lossy()))
}

/// Opens a regular file of a container for reading; None when there is none. Never a device, a pipe or a link's target
/// outside (CVE-2019-16884 and its like).
///
/// # Errors
///
/// The kernel's; EINVAL for what is no regular file, E2BIG for one of more than `limit` bytes (CVE-2026-47262).
pub fn open_file(root: BorrowedFd<'_>, path: &CStr, limit: u64) -> Outcome<Option<OwnedFd>> {
    let file = match open(
        root,
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
        true,
    ) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
        other => other
            .call("openat2")
            .map_err(|fault| fault.on(path.to_string_lossy()))?,
    };
    let stat = rustix::fs::fstat(&file).call("fstat")?;
    let refuse = |errno| Err(Fault::new("openat2", errno).on(path.to_string_lossy()));
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
        return refuse(Errno::EINVAL);
    }
    if u64::try_from(stat.st_size).is_ok_and(|size| size > limit) {
        return refuse(Errno::E2BIG);
    }
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_splits_at_its_last_name() {
        assert_eq!(split(c"a/b/c/"), (Some(c"a/b".to_owned()), c"c".to_owned()));
        assert_eq!(split(c"/a"), (None, c"a".to_owned()));
        assert_eq!(split(c"a"), (None, c"a".to_owned()));
    }

    #[test]
    fn a_relative_link_starts_in_its_directory() {
        assert_eq!(join(Some(c"etc"), c"../run/x").as_c_str(), c"etc/../run/x");
        assert_eq!(join(Some(c"etc"), c"/run/x").as_c_str(), c"/run/x");
        assert_eq!(join(None, c"run/x").as_c_str(), c"run/x");
    }
}
