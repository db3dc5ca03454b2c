//! A writable layer in memory, where the store's file system can carry none (overlay on overlay, network file systems).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::Mode;

use crate::detached::{configured, create};
use crate::fault::{Call, Outcome};
use crate::owners::Ids;

/// Makes a tmpfs with `directories` in it, detached, with the container's ids if it has ids of its own.
///
/// # Errors
///
/// The kernel's.
pub fn memory_layer(directories: &[CString], ids: Option<Ids<'_>>) -> Outcome<OwnedFd> {
    let mode = |key: &CStr, value: &CStr| (key.to_owned(), Some(value.to_owned()));
    let context = configured(c"tmpfs", &[mode(c"mode", c"0755")])?;
    let mount = create(&context, c"tmpfs", 0)?;
    for directory in directories {
        rustix::fs::mkdirat(&mount, directory, Mode::from_raw_mode(0o755))
            .call("mkdirat")
            .map_err(|fault| fault.on(directory.to_string_lossy()))?;
    }
    if let Some(ids) = ids {
        ids.apply(mount.as_fd())
            .map_err(|fault| fault.on("tmpfs"))?;
    }
    Ok(mount)
}
