//! The container's stdin, stdout and stderr, as the launcher finds them.

use std::os::fd::{BorrowedFd, OwnedFd};

use keelbox_spec::start::Start;
use rustix::fs::{FileType, OFlags};

/// Makes the container's stdio usable inside: blocking, and pipes owned by the container's root, or opening /dev/stdout
/// inside fails with EACCES under a user namespace. Failures are passed over: the fds themselves work all the same.
pub(crate) fn adopt(start: &Start) {
    let streams = [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ];
    for (bit, fd) in streams.into_iter().enumerate() {
        if start.blocking_stdio & (1 << bit) != 0
            && let Ok(flags) = rustix::fs::fcntl_getfl(fd)
            && flags.contains(OFlags::NONBLOCK)
        {
            let _ = rustix::fs::fcntl_setfl(fd, flags - OFlags::NONBLOCK);
        }
        if start.own_stdio & (1 << bit) != 0 && start.base != 0 {
            give(fd, start.base, start.group_base);
        }
    }
}

/// Gives a pipe or a terminal to a user; anything else stays whose it is (CVE-2026-88265).
pub(crate) fn give(fd: BorrowedFd<'_>, uid: u32, gid: u32) {
    let Ok(stat) = rustix::fs::fstat(fd) else {
        return;
    };
    let kind = FileType::from_raw_mode(stat.st_mode);
    let terminal = kind == FileType::CharacterDevice && rustix::termios::isatty(fd);
    if kind == FileType::Fifo || terminal {
        let (uid, gid) = (
            rustix::fs::Uid::from_raw(uid),
            rustix::fs::Gid::from_raw(gid),
        );
        let _ = rustix::fs::fchown(fd, Some(uid), (!terminal).then_some(gid));
    }
}

/// Puts `fd` in the place of stdin, stdout and stderr.
pub(crate) fn replace_all(fd: &OwnedFd) -> rustix::io::Result<()> {
    rustix::stdio::dup2_stdin(fd)?;
    rustix::stdio::dup2_stdout(fd)?;
    rustix::stdio::dup2_stderr(fd)
}
