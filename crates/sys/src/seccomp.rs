//! Installing a compiled seccomp filter.
//!
//! # Safety
//!
//! seccomp(2) reads a `sock_fprog`: a count and a pointer to that many instructions.
#![allow(unsafe_code)]

use crate::errno::{Errno, Result, check};

const SECCOMP_SET_MODE_FILTER: libc::c_uint = 1;
/// One classic BPF instruction is 8 bytes (`struct sock_filter`).
const INSTRUCTION: usize = size_of::<libc::sock_filter>();

/// `seccomp(SECCOMP_SET_MODE_FILTER, flags, program)`. `program` is an array of `struct sock_filter`, as bytes.
///
/// # Errors
///
/// EINVAL: the kernel's checker refuses the program, or its length is not a multiple of 8. EACCES: neither
/// no_new_privs nor `CAP_SYS_ADMIN`. ENOSYS: a kernel without seccomp.
///
/// See [seccomp(2)](https://man7.org/linux/man-pages/man2/seccomp.2.html).
pub fn set_filter(program: &[u8], flags: u32) -> Result<()> {
    let count = u16::try_from(program.len() / INSTRUCTION).map_err(|_| Errno::EINVAL)?;
    if count == 0 || !program.len().is_multiple_of(INSTRUCTION) {
        return Err(Errno::EINVAL);
    }
    let filter = program.as_ptr().cast_mut().cast::<libc::sock_filter>();
    let program = libc::sock_fprog { len: count, filter };
    // SAFETY: the kernel copies `count` instructions from `filter` (checked to be there) with copy_from_user, which
    // needs no alignment, and writes nothing.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    })
    .map(drop)
}
