//! Which file this code was loaded from.
//!
//! # Safety
//!
//! dladdr(3) fills a struct with pointers into the loader's own memory, which lives as long as the object is loaded: as
//! long as this code runs.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The shared object (or program) that this function is part of.
///
/// See [dladdr(3)](https://man7.org/linux/man-pages/man3/dladdr.3.html).
#[must_use]
pub fn own_file() -> Option<PathBuf> {
    let here = own_file as fn() -> Option<PathBuf>;
    // SAFETY: `Dl_info` is plain old data; all zeroes is valid.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: the address is only compared with the objects' ranges; `info` outlives the call.
    let found = unsafe { libc::dladdr(here as *const libc::c_void, &raw mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: a null-terminated string that the loader keeps for as long as this object is loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}
