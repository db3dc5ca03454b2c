//! execve(2) with arguments that were laid out beforehand, and leaving without running anything of the C library.
//!
//! # Safety
//!
//! execve reads arrays of pointers to C strings. [`CStringArray`] owns both the strings and the pointers, so a pointer
//! cannot outlive its string.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char};

use crate::errno::Errno;

/// A null-terminated array of C strings, as execve(2) takes it. Building it allocates; using it does not.
#[derive(Debug)]
pub struct CStringArray {
    strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl CStringArray {
    /// Takes the strings over and lays out the pointers to them.
    #[must_use]
    pub fn new(strings: Vec<CString>) -> Self {
        // The heap buffer of a CString does not move when the CString does.
        let mut pointers: Vec<_> = strings.iter().map(|s| s.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Self { strings, pointers }
    }

    /// The strings, in order.
    #[must_use]
    pub fn strings(&self) -> &[CString] {
        &self.strings
    }

    /// Replaces one string.
    pub fn set(&mut self, index: usize, string: CString) {
        if let (Some(slot), Some(pointer)) =
            (self.strings.get_mut(index), self.pointers.get_mut(index))
        {
            *slot = string;
            *pointer = slot.as_ptr();
        }
    }
}

/// Replaces this process; returns only when that failed.
///
/// See [execve(2)](https://man7.org/linux/man-pages/man2/execve.2.html).
#[must_use]
pub fn execve(path: &CStr, argv: &CStringArray, envp: &CStringArray) -> Errno {
    // SAFETY: all three are null-terminated and owned by values that outlive the call; execve does not write to them.
    unsafe {
        libc::execve(
            path.as_ptr(),
            argv.pointers.as_ptr(),
            envp.pointers.as_ptr(),
        )
    };
    Errno::last()
}

/// Ends this process at once: no handlers, no flushing, nothing of the C library.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit(2) takes a number and does not return.
    unsafe { libc::_exit(status) }
}
