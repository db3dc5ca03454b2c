//! The executable as a sealed file in memory, for callers who may not mount it read-only.

use std::os::fd::OwnedFd;
use std::path::Path;

use keelbox_sys::{Errno, Result};
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};

/// A copy of a file in memory that nobody can write any more (memfd_create(2), "File sealing").
///
/// # Errors
///
/// The kernel's.
pub fn sealed_copy(path: &Path) -> Result<OwnedFd> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let length = usize::try_from(rustix::fs::fstat(&file)?.st_size).map_err(|_| Errno::EINVAL)?;
    let copy = memory()?;
    let mut left = length;
    while left > 0 {
        match rustix::fs::sendfile(&copy, &file, None, left)? {
            0 => return Err(Errno::EIO),
            sent => left = left.saturating_sub(sent),
        }
    }
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&copy, seals)?;
    Ok(copy)
}

/// `vm.memfd_noexec` may ask that a file in memory says whether it is to be executed (Linux 6.3); older kernels do not know
/// the word.
fn memory() -> rustix::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create(c"keelbox-runtime", flags | MemfdFlags::EXEC) {
        Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create(c"keelbox-runtime", flags),
        other => other,
    }
}
