//! One error number for the calls of `nix`, `rustix`, the standard library and our own.

use std::fmt;

/// What a wrapper returns.
pub type Result<T> = std::result::Result<T, Errno>;

/// An error number of the kernel (errno(3)).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(i32);

impl Errno {
    /// No such file or directory.
    pub const ENOENT: Self = Self(libc::ENOENT);
    /// Operation not permitted.
    pub const EPERM: Self = Self(libc::EPERM);
    /// Permission denied.
    pub const EACCES: Self = Self(libc::EACCES);
    /// Invalid argument.
    pub const EINVAL: Self = Self(libc::EINVAL);
    /// File exists.
    pub const EEXIST: Self = Self(libc::EEXIST);
    /// Not a directory.
    pub const ENOTDIR: Self = Self(libc::ENOTDIR);
    /// Is a directory.
    pub const EISDIR: Self = Self(libc::EISDIR);
    /// The kernel does not have this call.
    pub const ENOSYS: Self = Self(libc::ENOSYS);
    /// The file system does not have this operation.
    pub const EOPNOTSUPP: Self = Self(libc::EOPNOTSUPP);
    /// Too many levels of symbolic links.
    pub const ELOOP: Self = Self(libc::ELOOP);
    /// It is so already.
    pub const EALREADY: Self = Self(libc::EALREADY);
    /// Try again.
    pub const EAGAIN: Self = Self(libc::EAGAIN);
    /// Interrupted by a signal.
    pub const EINTR: Self = Self(libc::EINTR);
    /// Value too large for its type; from an overlay whose work directory's owner is not mapped.
    pub const EOVERFLOW: Self = Self(libc::EOVERFLOW);
    /// Read-only file system.
    pub const EROFS: Self = Self(libc::EROFS);
    /// Protocol error: the other side said something that this version does not understand.
    pub const EPROTO: Self = Self(libc::EPROTO);
    /// The other end was closed with something unread in it.
    pub const ECONNRESET: Self = Self(libc::ECONNRESET);
    /// The other end is gone.
    pub const EPIPE: Self = Self(libc::EPIPE);
    /// Exec format error.
    pub const ENOEXEC: Self = Self(libc::ENOEXEC);
    /// Device or resource busy.
    pub const EBUSY: Self = Self(libc::EBUSY);
    /// Out of range.
    pub const ERANGE: Self = Self(libc::ERANGE);
    /// No child processes.
    pub const ECHILD: Self = Self(libc::ECHILD);
    /// No such process.
    pub const ESRCH: Self = Self(libc::ESRCH);
    /// No space left on device.
    pub const ENOSPC: Self = Self(libc::ENOSPC);
    /// Bad file descriptor.
    pub const EBADF: Self = Self(libc::EBADF);
    /// Input/output error.
    pub const EIO: Self = Self(libc::EIO);
    /// No such device or address.
    pub const ENXIO: Self = Self(libc::ENXIO);
    /// Disk quota exceeded; of keys, too.
    pub const EDQUOT: Self = Self(libc::EDQUOT);
    /// Too many open files.
    pub const EMFILE: Self = Self(libc::EMFILE);
    /// Stale file handle: something else is there by now.
    pub const ESTALE: Self = Self(libc::ESTALE);
    /// It took too long.
    pub const ETIMEDOUT: Self = Self(libc::ETIMEDOUT);
    /// Argument list too long.
    pub const E2BIG: Self = Self(libc::E2BIG);

    /// The number as errno(3) has it.
    #[must_use]
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// The number as errno(3) has it.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The calling thread's last error.
    #[must_use]
    pub fn last() -> Self {
        Self(nix::errno::Errno::last_raw())
    }

    /// The name, e.g. `EPERM`.
    #[must_use]
    pub fn name(self) -> String {
        format!("{:?}", nix::errno::Errno::from_raw(self.0))
    }

    /// The kernel's text, e.g. `Operation not permitted`.
    #[must_use]
    pub fn text(self) -> &'static str {
        nix::errno::Errno::from_raw(self.0).desc()
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", nix::errno::Errno::from_raw(self.0))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Errno {}

impl From<nix::errno::Errno> for Errno {
    fn from(errno: nix::errno::Errno) -> Self {
        Self(errno as i32)
    }
}

impl From<rustix::io::Errno> for Errno {
    fn from(errno: rustix::io::Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

/// Turns the result of `libc::syscall` into a value or the thread's errno.
pub(crate) fn check(result: libc::c_long) -> Result<i32> {
    if result < 0 {
        return Err(Errno::last());
    }
    i32::try_from(result).map_err(|_| Errno(libc::EOVERFLOW))
}
