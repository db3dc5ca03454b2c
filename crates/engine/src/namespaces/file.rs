//! Files that refer to namespaces: /proc/PID/ns/KIND, and what is bound from there.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::namespaces::{JoinedIds, extents};
use keelbox_spec::op::namespace;
use keelbox_sys::Errno;
use rustix::fs::{CWD, Mode, OFlags};

/// NSFS_MAGIC (`linux/magic.h`).
const NSFS: i64 = 0x6e73_6673;

/// Each kind with the name of its file.
const NAMES: [(u64, &str); 7] = [
    (namespace::CLONE_NEWTIME, "time"),
    (namespace::CLONE_NEWPID, "pid"),
    (namespace::CLONE_NEWIPC, "ipc"),
    (namespace::CLONE_NEWUTS, "uts"),
    (namespace::CLONE_NEWNET, "net"),
    (namespace::CLONE_NEWCGROUP, "cgroup"),
    (namespace::CLONE_NEWUSER, "user"),
];

/// The name of a kind's file below /proc/PID/ns.
pub(crate) fn name(kind: u64) -> &'static str {
    let found = NAMES.iter().find(|(known, _)| *known == kind);
    found.map_or("mnt", |(_, name)| name)
}

/// The caller's own namespace of a kind.
pub(crate) fn own(kind: u64) -> Option<OwnedFd> {
    of_process("self", kind).ok()
}

/// That of a process.
pub(crate) fn of_process(process: &str, kind: u64) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/{process}/ns/{}", name(kind));
    Ok(rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

/// Which namespace of a kind a process is in: device and inode of its file.
pub(crate) fn number(process: &str, kind: u64) -> Result<(u64, u64), Errno> {
    let stat = rustix::fs::stat(format!("/proc/{process}/ns/{}", name(kind)))?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Whether two files refer to the same namespace.
pub(crate) fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let place = |fd| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
    place(one).is_ok_and(|one| place(other) == Ok(one))
}

/// Opens the namespace that `path` refers to.
///
/// # Errors
///
/// There is no such file; it is no namespace, or one of another kind than `flag` is for.
pub(crate) fn open(flag: &str, path: &str, kind: u64) -> Result<OwnedFd, Failure> {
    let shown: String = path.chars().take(200).collect();
    let fail = |why: String| {
        Failure::new(
            Code::InvalidArg,
            format!("{flag}=ns:{shown} cannot be joined"),
        )
        .why(why)
        .hint(format!(
            "give a file that refers to a namespace, such as /proc/PID/ns/{}",
            name(kind)
        ))
    };
    let failed = |errno: rustix::io::Errno| fail(Errno::from(errno).text().to_owned());
    if path.contains('\0') {
        return Err(fail("the path contains a NUL byte".to_owned()));
    }
    // Looked at before it is opened: opening anything else could wait, or do something.
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = rustix::fs::openat(CWD, Path::new(path), flags, Mode::empty()).map_err(failed)?;
    if rustix::fs::fstatfs(&found).map_err(failed)?.f_type != NSFS {
        return Err(fail("it is no namespace".to_owned()));
    }
    let again = format!("/proc/self/fd/{}", found.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(again, flags, Mode::empty()).map_err(failed)?;
    let is = keelbox_sys::namespace::kind(opened.as_fd())
        .map_err(|errno| fail(errno.text().to_owned()))?;
    if is == kind {
        return Ok(opened);
    }
    let other = namespace::ALL.iter().find(|(known, ..)| *known == is);
    let other = other.map_or("other", |(_, _, name)| name);
    Err(fail(format!(
        "it is a namespace of kind {other}, not {}",
        name(kind)
    )))
}

/// The ids of a user namespace, from a process that is in it.
pub(crate) fn ids(process: &str) -> Option<JoinedIds> {
    let map = |file: &str| {
        let text = std::fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
        Some(extents::listed(&text))
    };
    let setgroups = std::fs::read_to_string(format!("/proc/{process}/setgroups")).ok()?;
    Some(JoinedIds {
        uids: map("uid_map")?,
        gids: map("gid_map")?,
        set_groups: setgroups.trim() == "allow",
    })
}

/// Some process that is in a user namespace: its maps can be read only through one.
pub(crate) fn member(user: BorrowedFd<'_>) -> Option<String> {
    let entries = std::fs::read_dir("/proc").ok()?;
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .find(|process| {
            File::open(format!("/proc/{process}/ns/user"))
                .is_ok_and(|file| is_same(file.as_fd(), user))
        })
}
