//! Failures of images.

use std::path::Path;

use keelbox_spec::failure::{Code, Failure};

/// An archive or document that is not what it says.
#[must_use]
pub fn invalid(what: impl Into<String>) -> Failure {
    Failure::new(Code::ImageInvalid, what)
        .hint("get the image anew; an archive that was cut short or changed on its way is not used")
}

/// A file of the store or an archive that cannot be used.
pub(crate) fn io(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
    let errno = keelbox_sys::Errno::from_raw(error.raw_os_error().unwrap_or(5));
    let failure = Failure::new(Code::Store, format!("cannot {verb} {}", path.display()))
        .why(errno.text())
        .errno(errno.name())
        .path(path);
    if errno == keelbox_sys::Errno::ENOSPC {
        return failure.hint("make room on that file system, or choose another with --root");
    }
    failure
}
