//! The container's own terminal, made inside its own devpts.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_rootfs::{Call, Fault, Outcome, attach_fd, resolve_target};
use keelbox_spec::op::Target;
use keelbox_sys::Errno;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::mount::OpenTreeFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::stdio;

/// Makes a terminal, the calling session's controlling one, and its stdin, stdout and stderr; answers the master side.
///
/// The other side is opened by `TIOCGPTPEER`, never by its path (CVE-2025-52565), and bound on /dev/console.
///
/// # Errors
///
/// The kernel's.
pub(crate) fn make(
    pts: BorrowedFd<'_>,
    dev: BorrowedFd<'_>,
    columns: u16,
    rows: u16,
) -> Outcome<OwnedFd> {
    let (master, slave) = pair(pts, columns, rows)?;
    bind_console(&slave, dev)?;
    take(&slave)?;
    Ok(master)
}

/// The same in a container that runs, by its own /dev/pts. What is there is the container's, so it must be what it says it
/// is; /dev/console stays the first terminal's.
///
/// # Errors
///
/// ENXIO: it is no devpts. The kernel's.
pub(crate) fn make_inside(root: BorrowedFd<'_>, columns: u16, rows: u16) -> Outcome<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    let pts = rustix::fs::openat2(root, c"dev/pts", flags, Mode::empty(), resolve);
    let pts = pts.call("openat2").map_err(|fault| fault.on("/dev/pts"))?;
    if rustix::fs::fstatfs(&pts).call("fstatfs")?.f_type != DEVPTS {
        return Err(Fault::new("fstatfs", Errno::ENXIO).on("/dev/pts"));
    }
    let (master, slave) = pair(pts.as_fd(), columns, rows)?;
    take(&slave)?;
    Ok(master)
}

/// `DEVPTS_SUPER_MAGIC` (`linux/magic.h`).
const DEVPTS: i64 = 0x1cd1;

fn take(slave: &OwnedFd) -> Outcome {
    keelbox_sys::tty::set_controlling(slave.as_fd()).call("ioctl(TIOCSCTTY)")?;
    stdio::replace_all(slave).call("dup2")
}

fn pair(pts: BorrowedFd<'_>, columns: u16, rows: u16) -> Outcome<(OwnedFd, OwnedFd)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let master = rustix::fs::openat(pts, c"ptmx", flags, Mode::empty()).call("openat")?;
    rustix::pty::unlockpt(&master).call("ioctl(TIOCSPTLCK)")?;
    // Nobody's window: programs hang or crash on 0 columns.
    let (columns, rows) = if columns == 0 || rows == 0 {
        (80, 24)
    } else {
        (columns, rows)
    };
    let size = Winsize {
        ws_col: columns,
        ws_row: rows,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&master, size).call("ioctl(TIOCSWINSZ)")?;
    let peer = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, peer).call("ioctl(TIOCGPTPEER)")?;
    Ok((master, slave))
}

fn bind_console(slave: &OwnedFd, dev: BorrowedFd<'_>) -> Outcome {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let bind = rustix::mount::open_tree(slave, c"", flags).call("open_tree")?;
    let console = resolve_target(dev, c"console", Target::File, false)?;
    attach_fd(bind.as_fd(), console.as_fd())
}
