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
    let hint = match errno {
        keelbox_sys::Errno::ENOSPC => {
            "make room on that file system, or choose another with --root"
        }
        keelbox_sys::Errno::EACCES | keelbox_sys::Errno::EPERM => {
            "use files and directories that you may read and write"
        }
        _ => "keelbox system check says whether the store is sound; --root chooses another",
    };
    Failure::new(Code::Store, format!("cannot {verb} {}", path.display()))
        .why(crate::room::reason(errno, path))
        .hint(hint)
        .errno(errno.name())
        .path(path)
}
