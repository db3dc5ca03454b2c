//! Letting go of memory that is needed no more.
//!
//! # Safety
//!
//! Only clean pages of the program's own file are let go of: the kernel reads them again when they are touched. Writable
//! segments lie behind `etext` and must never be in the range, or what was written to them would be lost.
#![allow(unsafe_code)]

use std::ffi::c_void;

use crate::{Errno, Result};

const PAGE: usize = 4096;

unsafe extern "C" {
    /// Where the program begins; the linker's symbol (ld(1), "PROVIDE").
    static __executable_start: u8;
    /// The end of its code (end(3)).
    static etext: u8;
}

/// Unmaps the program's constants and code, which come back from the page cache as they are used. For a static program
/// that has done most of what it is made of and stays.
///
/// See [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html), MADV_DONTNEED.
///
/// # Errors
///
/// Those of madvise(2); nothing is lost then.
pub fn let_go_of_code() -> Result<()> {
    let start = (&raw const __executable_start).addr() & !(PAGE - 1);
    // Rounded down: the page that the code ends in may be another segment's, too.
    let end = (&raw const etext).addr() & !(PAGE - 1);
    let length = end.saturating_sub(start);
    let range = std::ptr::with_exposed_provenance_mut::<c_void>(start);
    // SAFETY: the range has only pages that are mapped from the program's file and cannot be written.
    match unsafe { libc::madvise(range, length, libc::MADV_DONTNEED) } {
        0 => Ok(()),
        _ => Err(Errno::last()),
    }
}

/// Gives free memory of the heap back to the kernel, where the C library would keep it.
///
/// See [malloc_trim(3)](https://man7.org/linux/man-pages/man3/malloc_trim.3.html). musl keeps little by itself.
pub fn give_back_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number; the heap's free pages are nobody's.
    unsafe {
        libc::malloc_trim(0)
    };
}
