//! What a file of nsfs refers to (ioctl_nsfs(2)).
//!
//! # Safety
//!
//! Both requests take no argument; one answers a number, the other a new fd.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::errno::{Result, check};

const NS_GET_USERNS: libc::Ioctl = 0xb701;
const NS_GET_NSTYPE: libc::Ioctl = 0xb703;

/// Which kind of namespace: one of `CLONE_NEW*`.
///
/// # Errors
///
/// ENOTTY: it is no namespace.
pub fn kind(namespace: BorrowedFd<'_>) -> Result<u64> {
    // SAFETY: the request takes no argument and touches no memory.
    let kind = check(libc::c_long::from(unsafe {
        libc::ioctl(namespace.as_raw_fd(), NS_GET_NSTYPE)
    }))?;
    Ok(u64::from(kind.cast_unsigned()))
}

/// The user namespace that a namespace belongs to.
///
/// # Errors
///
/// EPERM: it is neither the caller's nor below it.
pub fn owner(namespace: BorrowedFd<'_>) -> Result<OwnedFd> {
    // SAFETY: the request takes no argument and touches no memory.
    let fd = check(libc::c_long::from(unsafe {
        libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS)
    }))?;
    // SAFETY: on success the kernel has made a new fd that nobody else knows of.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
