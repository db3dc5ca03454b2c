//! Going on as a sealed copy of the executable.
//!
//! AppArmor finds a program's profile by its path, and lets what that program executes keep it where the new file has no path
//! at all. So the executable is started by its path, for the profile, and then becomes its copy in memory, which no container
//! can write (CVE-2019-5736).

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::path::Path;

use keelbox_sys::Errno;
use keelbox_sys::exec::{CStringArray, execve};

use crate::report;

/// Starts over with the words that follow. Returns only when that failed: the exit code.
pub(crate) fn again(role: &[&str]) -> i32 {
    let errno = match become_copy(role) {
        Ok(never) => match never {},
        Err(errno) => errno,
    };
    report::error(&format!("cannot go on in memory: {}", errno.text()));
    125
}

fn become_copy(role: &[&str]) -> Result<std::convert::Infallible, Errno> {
    let copy = keelbox_process::sealed_copy(Path::new("/proc/self/exe"))?;
    let word = |word: &str| CString::new(word).map_err(|_| Errno::EINVAL);
    let path = word(&format!("/proc/self/fd/{}", copy.as_raw_fd()))?;
    let argv = std::iter::once(&"keelbox-runtime")
        .chain(role)
        .map(|each| word(each))
        .collect::<Result<_, _>>()?;
    let environment = CStringArray::new(Vec::new());
    Err(execve(&path, &CStringArray::new(argv), &environment))
}
