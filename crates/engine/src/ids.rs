//! Ranges of host ids for root's containers, one each for as long as it runs.
//!
//! A range is a byte of one file, and taking it is a lock on that byte (fcntl(2), `F_OFD_SETLK`): the lock belongs to the
//! open file, the supervisor has that open, and the kernel lets it go with the supervisor, however that ends.

use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::namespaces::POOL;
use nix::fcntl::{FcntlArg, fcntl};
use rustix::fs::{CWD, Mode, OFlags};

use crate::roots::Roots;
use crate::store::store_failure;

/// The first id of the pool.
pub(crate) const FIRST: u32 = POOL.first;
/// Ids in a range.
pub(crate) const SIZE: u32 = 0x1_0000;
/// How many ranges there are.
pub(crate) const COUNT: u32 = POOL.count / SIZE;

/// One file for the whole machine, whatever run root a container has; without a place for it, one for the run root.
fn file(roots: &Roots) -> std::path::PathBuf {
    let shared = std::path::Path::new("/run/keelbox");
    let there = shared.is_dir()
        || std::fs::DirBuilder::new()
            .mode(0o700)
            .create(shared)
            .is_ok();
    if there {
        shared.join("ids")
    } else {
        roots.run_root.join("ids")
    }
}

fn open(path: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(CWD, path, flags, Mode::from_raw_mode(0o600))
        .map_err(|errno| store_failure("open", path, &errno.into()))
}

/// Takes free ranges side by side for `size` ids: their lock and the first id.
pub(crate) fn take(roots: &Roots, id: &str, size: u32) -> Result<(OwnedFd, u32), Failure> {
    let ranges = size.div_ceil(SIZE);
    if ranges > COUNT {
        let most = u64::from(COUNT) * u64::from(SIZE);
        return Err(Failure::new(
            Code::Userns,
            format!("a container cannot have {size} ids of its own"),
        )
        .why(format!("there are {most} for all containers together"))
        .hint("use a smaller size"));
    }
    let file = open(&file(roots)).or_else(|failure| {
        // A read-only system has no shared place; the run root can be written, or nothing could have come this far.
        if failure.errno.as_deref() == Some("EROFS") {
            open(&roots.run_root.join("ids"))
        } else {
            Err(failure)
        }
    })?;
    // Anywhere to begin with: starts at the same time then seldom want the same one.
    let begin = u32::from_str_radix(id.get(..8).unwrap_or("0"), 16).unwrap_or(0);
    for attempt in 0..COUNT {
        let number = begin.wrapping_add(attempt) % (COUNT - ranges + 1);
        if lock(&file, number, ranges) {
            return Ok((file, FIRST + number * SIZE));
        }
    }
    Err(Failure::new(
        Code::Userns,
        format!("there are no {size} ids side by side that no container has"),
    )
    .why(format!(
        "of {COUNT} ranges of {SIZE} ids, too many are in use"
    ))
    .hint("stop some containers, or use --userns=host for one that you trust"))
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "F_WRLCK and SEEK_SET are 1 and 0; the struct has shorts"
)]
fn lock(file: &OwnedFd, number: u32, ranges: u32) -> bool {
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: i64::from(number),
        l_len: i64::from(ranges),
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).is_ok()
}
