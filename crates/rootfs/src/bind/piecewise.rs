//! A tree whose mounts cannot all have their ids mapped: mapped mount by mount, each put in its place on the detached top.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use keelbox_sys::Errno;
use keelbox_sys::clone::{Side, clone3};
use keelbox_sys::exec::exit_now;
use keelbox_sys::mount::{Change, Depth, change};
use nix::sched::{CloneFlags, unshare};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::DupFlags;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags};

use crate::fault::{Call, Fault, Outcome};
use crate::pivot::private_mounts;

/// A mount below the source.
struct Submount {
    /// Its number in mountinfo(5).
    id: u64,
    path: PathBuf,
}

/// A clone of such a mount, with the path below the source where it belongs.
struct Piece {
    path: CString,
    mount: OwnedFd,
}

/// Puts the mounts below `source` on `top`, its clone, each with its ids mapped where its file system can; the files of others show with ids
/// that nobody has. None: the top's own file system cannot.
///
/// Never for what is shared: its peers would get every mount a second time.
pub(super) fn assemble(
    top: OwnedFd,
    source: &OwnedFd,
    all: &Change<'_>,
) -> Outcome<Option<OwnedFd>> {
    match change(top.as_fd(), all, Depth::One) {
        Err(Errno::EINVAL) => return Ok(None),
        other => other.call("mount_setattr")?,
    }
    let pieces = pieces(&path_of(source)?, all)?;
    match place_all(&top, &pieces) {
        Ok(()) => Ok(Some(top)),
        // Before Linux 6.15 nothing is attached to what is detached itself.
        Err(fault) if fault.errno == Errno::EINVAL => attached(&top, &pieces).map(Some),
        Err(fault) => Err(fault),
    }
}

/// The same in a mount namespace of a child's, and a clone of the whole. The child shares the table of fds: what it puts in
/// the place of one is there afterwards.
fn attached(top: &OwnedFd, pieces: &[Piece]) -> Outcome<OwnedFd> {
    let mut answer = rustix::io::fcntl_dupfd_cloexec(top, 0).call("fcntl")?;
    let shared = u64::from(CloneFlags::CLONE_FILES.bits().unsigned_abs());
    match clone3(shared, None).call("clone3")? {
        Side::Child => exit_now(match in_namespace(top, pieces, &mut answer) {
            Ok(()) => 0,
            Err(fault) => fault.errno.raw(),
        }),
        Side::Parent { pidfd, .. } => {
            let ended = keelbox_sys::wait::wait(pidfd.as_fd()).call("waitid")?;
            match ended.code {
                Some(0) => Ok(answer),
                code => {
                    let errno = code.map_or(Errno::EIO, Errno::from_raw);
                    Err(Fault::new("move_mount", errno).on("a mount below it"))
                }
            }
        }
    }
}

/// In the child.
fn in_namespace(top: &OwnedFd, pieces: &[Piece], answer: &mut OwnedFd) -> Outcome {
    unshare(CloneFlags::CLONE_NEWNS).call("unshare")?;
    private_mounts(MountPropagationFlags::PRIVATE)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(top, c"", CWD, c"/", flags).call("move_mount")?;
    place_all(top, pieces)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(top, c"", flags).call("open_tree")?;
    rustix::io::dup3(&tree, answer, DupFlags::CLOEXEC).call("dup3")
}

fn pieces(base: &Path, all: &Change<'_>) -> Outcome<Vec<Piece>> {
    let mut pieces = Vec::new();
    for submount in submounts(base)? {
        let Ok(relative) = submount.path.strip_prefix(base) else {
            continue;
        };
        let path = CString::new(relative.as_os_str().as_bytes()).unwrap_or_default();
        if let Some(mount) = piece(&submount, all)? {
            pieces.push(Piece { path, mount });
        }
    }
    Ok(pieces)
}

fn place_all(top: &OwnedFd, pieces: &[Piece]) -> Outcome {
    pieces
        .iter()
        .try_for_each(|piece| place(top, &piece.path, &piece.mount))
}

fn path_of(source: &OwnedFd) -> Outcome<PathBuf> {
    let link = CString::new(format!("/proc/self/fd/{}", source.as_raw_fd())).unwrap_or_default();
    let path = rustix::fs::readlinkat(CWD, &link, Vec::new()).call("readlinkat")?;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(
        path.into_bytes(),
    )))
}

fn submounts(base: &Path) -> Outcome<Vec<Submount>> {
    let text = std::fs::read("/proc/self/mountinfo").call("read")?;
    let lines = text.split(|byte| *byte == b'\n');
    let mounts = lines.filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let path = PathBuf::from(OsStr::from_bytes(&unescaped(fields.nth(3)?)));
        (path != base && path.starts_with(base)).then_some(Submount { id, path })
    });
    Ok(mounts.collect())
}

/// A field of mountinfo(5), in which blanks and backslashes are `\040` and the like.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let byte = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match byte {
            Some(byte) => {
                plain.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

/// A clone of one mount; None: another one hides it, or it must not be cloned (`MS_UNBINDABLE`).
fn piece(submount: &Submount, all: &Change<'_>) -> Outcome<Option<OwnedFd>> {
    let path = CString::new(submount.path.as_os_str().as_bytes()).unwrap_or_default();
    let named = |fault: Fault| fault.on(submount.path.display().to_string());
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let seen = rustix::fs::statx(CWD, &path, flags, StatxFlags::MNT_ID);
    if !seen.is_ok_and(|seen| seen.stx_mnt_id == submount.id) {
        return Ok(None);
    }
    let clone = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let mount = match rustix::mount::open_tree(CWD, &path, clone) {
        Err(rustix::io::Errno::INVAL) => return Ok(None),
        other => other.call("open_tree").map_err(named)?,
    };
    let plain = Change {
        userns: None,
        ..*all
    };
    let done = match change(mount.as_fd(), all, Depth::One) {
        Err(Errno::EINVAL) => change(mount.as_fd(), &plain, Depth::One),
        other => other,
    };
    done.call("mount_setattr").map_err(named)?;
    Ok(Some(mount))
}

fn place(top: &OwnedFd, path: &CStr, mount: &OwnedFd) -> Outcome {
    let named = |fault: Fault| fault.on(path.to_string_lossy());
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let target = rustix::fs::openat2(top, path, flags, Mode::empty(), resolve)
        .call("openat2")
        .map_err(named)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", &target, c"", flags)
        .call("move_mount")
        .map_err(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_mountinfo_reads_as_it_is() {
        assert_eq!(unescaped(br"/a\040b\134c"), b"/a b\\c");
        assert_eq!(unescaped(br"/plain\"), br"/plain\");
    }
}
