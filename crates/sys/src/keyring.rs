//! A session keyring of the container's own.
//!
//! # Safety
//!
//! keyctl(2) takes its arguments as bare words; the one operation used here reads a C string.
#![allow(unsafe_code)]

use std::ffi::CStr;

use crate::errno::{Result, check};

const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;

/// `keyctl(KEYCTL_JOIN_SESSION_KEYRING, name)`: a new, empty session keyring instead of the caller's.
///
/// # Errors
///
/// ENOSYS (no key management, or hidden), EDQUOT (the user's key quota is full).
///
/// See [keyctl(2)](https://man7.org/linux/man-pages/man2/keyctl.2.html).
pub fn join_session_keyring(name: &CStr) -> Result<()> {
    // SAFETY: this operation reads one null-terminated string, which outlives the call.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) })
        .map(drop)
}
