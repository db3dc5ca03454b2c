//! Bringing the loopback link up: one ioctl, for which a netlink conversation would be five calls.
//!
//! # Safety
//!
//! `SIOCSIFFLAGS` reads an `ifreq`, which is plain old data.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::errno::{Result, check};

/// Sets `IFF_UP | IFF_RUNNING` on the link called `lo` in the network namespace of `socket`.
///
/// # Errors
///
/// EPERM without `CAP_NET_ADMIN` over the namespace; ENODEV without the link.
///
/// See [netdevice(7)](https://man7.org/linux/man-pages/man7/netdevice.7.html).
pub fn loopback_up(socket: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: `ifreq` is plain old data; all zeroes is an empty name and no flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(*b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = 0x1 | 0x40;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq`, which outlives the call.
    check(libc::c_long::from(unsafe {
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)
    }))
    .map(drop)
}
