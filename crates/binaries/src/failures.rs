//! What can be wrong with a program, for its user.

use std::path::Path;

use keelbox_spec::failure::{Code, Failure};
use keelbox_sys::Errno;

/// A file that is no program of this machine, or lacks something.
pub(crate) fn unusable(path: &Path, why: impl Into<String>) -> Failure {
    let message = format!("cannot make a root of {}", path.display());
    Failure::new(Code::Binary, message).why(why).path(path)
}

/// A file or directory that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(5));
    let failure = unusable(path, errno.text()).errno(errno.name());
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => {
            failure.hint("give --from-binary the path of a program, or its name in PATH")
        }
        Errno::EACCES => failure.hint("let the file be readable by you, or run as its owner"),
        _ => failure,
    }
}
