//! Mount attributes before Linux 5.12, which brought mount_setattr(2): a mount that is attached is changed by mount(2),
//! through the fd that refers to it.

use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use keelbox_sys::Errno;
use keelbox_sys::mount::{Depth, MountAttr, set_attributes};
use rustix::fs::{AtFlags, Mode, OFlags, StatVfsMountFlags, StatxFlags};
use rustix::mount::MountFlags;

use crate::fault::{Call, Fault, Outcome};

/// Sets attributes of an attached mount, by the call that this kernel has.
///
/// # Errors
///
/// The kernel's.
pub(crate) fn set_attached(mount: BorrowedFd<'_>, set: MountAttr, depth: Depth) -> Outcome {
    match set_attributes(mount, set, depth) {
        Err(Errno::ENOSYS) => remount(mount, set, depth),
        other => other.call("mount_setattr"),
    }
}

/// The same by mount(2): one mount at a time, and never by a path that somebody else could change.
///
/// # Errors
///
/// The kernel's; EINVAL for a mount that is not attached in this namespace.
pub(crate) fn remount(mount: BorrowedFd<'_>, set: MountAttr, depth: Depth) -> Outcome {
    if depth == Depth::Tree {
        for path in below(mount)? {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let shown = || path.to_string_lossy().into_owned();
            match rustix::fs::openat(mount, &path, flags, Mode::empty()) {
                Ok(inner) => {
                    one(inner.as_fd(), set).map_err(|fault| fault.on(shown()))?;
                }
                // Nothing reaches what lies below another mount, or was unmounted meanwhile.
                Err(rustix::io::Errno::NOENT) => {}
                Err(errno) => return Err(Fault::new("openat", errno).on(shown())),
            }
        }
    }
    one(mount, set)
}

fn one(mount: BorrowedFd<'_>, set: MountAttr) -> Outcome {
    // A remount replaces all flags, and those that an outer user namespace has locked must stay (mount_namespaces(7)).
    let now = rustix::fs::fstatvfs(mount).call("fstatfs")?.f_flag;
    let flags = MountFlags::BIND | kept(now) | wanted(set);
    let name = format!("/proc/self/fd/{}", mount.as_raw_fd());
    rustix::mount::mount_remount(name, flags, c"").call("mount")
}

fn wanted(set: MountAttr) -> MountFlags {
    [
        (MountAttr::MOUNT_ATTR_RDONLY, MountFlags::RDONLY),
        (MountAttr::MOUNT_ATTR_NOSUID, MountFlags::NOSUID),
        (MountAttr::MOUNT_ATTR_NODEV, MountFlags::NODEV),
        (MountAttr::MOUNT_ATTR_NOEXEC, MountFlags::NOEXEC),
        (MountAttr::MOUNT_ATTR_NOATIME, MountFlags::NOATIME),
    ]
    .into_iter()
    .filter(|(attribute, _)| set.contains(*attribute))
    .fold(MountFlags::empty(), |flags, (_, flag)| flags | flag)
}

fn kept(now: StatVfsMountFlags) -> MountFlags {
    [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ]
    .into_iter()
    .filter(|(state, _)| now.contains(*state))
    .fold(MountFlags::empty(), |flags, (_, flag)| flags | flag)
}

/// Paths, relative to `mount`, of all mounts below it.
fn below(mount: BorrowedFd<'_>) -> Outcome<Vec<PathBuf>> {
    let stat = rustix::fs::statx(mount, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID);
    let id = stat.call("statx")?.stx_mnt_id;
    let table = fs::read("/proc/self/mountinfo").call("read")?;
    Ok(descendants(&table, id))
}

/// A line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
struct Line {
    id: u64,
    parent: u64,
    path: PathBuf,
}

fn descendants(table: &[u8], top: u64) -> Vec<PathBuf> {
    let lines: Vec<Line> = table
        .split(|byte| *byte == b'\n')
        .filter_map(line)
        .collect();
    let Some(base) = lines.iter().find(|line| line.id == top) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut parents = vec![top];
    while let Some(parent) = parents.pop() {
        for child in lines.iter().filter(|line| line.parent == parent) {
            parents.push(child.id);
            found.extend(child.path.strip_prefix(&base.path).ok().map(Path::to_owned));
        }
    }
    // What is stacked on the top itself is not below it.
    found.retain(|path| !path.as_os_str().is_empty());
    found
}

fn line(line: &[u8]) -> Option<Line> {
    let mut words = line.split(|byte| *byte == b' ');
    let mut number = || std::str::from_utf8(words.next()?).ok()?.parse().ok();
    let (id, parent) = (number()?, number()?);
    let path = OsString::from_vec(unescaped(words.nth(2)?)).into();
    Some(Line { id, parent, path })
}

/// Spaces, tabs, line ends and backslashes come as three octal digits.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, others)) = rest.split_first() {
        let digits = others.get(..3).filter(|_| *first == b'\\');
        let octal = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = others.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = others;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"20 1 8:1 / / rw - ext4 /dev/sda rw\n\
        30 20 0:30 / /v rw - tmpfs none rw\n\
        31 30 0:31 / /v/a\\040b rw - tmpfs none rw\n\
        32 31 0:32 / /v/a\\040b/c\\134d rw - tmpfs none rw\n\
        33 20 0:33 / /w rw - tmpfs none rw\n\
        34 30 0:34 / /v rw - tmpfs none rw\n";

    #[test]
    fn mounts_below_a_mount_are_found_at_every_depth() {
        let found = descendants(TABLE, 30);
        assert_eq!(found, [Path::new("a b"), Path::new("a b/c\\d")]);
        assert!(descendants(TABLE, 33).is_empty());
        assert!(descendants(TABLE, 99).is_empty());
    }

    #[test]
    fn a_backslash_that_starts_no_number_stays() {
        assert_eq!(unescaped(b"a\\b\\04"), b"a\\b\\04");
        assert_eq!(unescaped(b"\\011x"), b"\tx");
    }
}
