//! Extended attributes: which ones an archive may bring along, and setting them.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::notes::{Left, Notes};
use crate::Fault;
use crate::job::Format;

/// overlayfs keeps its own state in these: an image that could set them could hide files or lead one name to another's data
/// (`redirect`, `metacopy`).
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];
const DEFAULT_ACL: &[u8] = b"system.posix_acl_default";
const ACCESS_ACL: &[u8] = b"system.posix_acl_access";

/// Sets one attribute of some file.
pub(crate) type Set<'a> = &'a dyn Fn(&CStr, &[u8]) -> Result<(), Errno>;

/// Whether an archive may bring an attribute along.
fn is_welcome(name: &[u8], format: Format) -> bool {
    if OVERLAY.iter().any(|prefix| name.starts_with(prefix)) {
        return false;
    }
    match name {
        b"security.capability" | DEFAULT_ACL | ACCESS_ACL => true,
        // The machine's security modules have labels of their own (SELinux, IMA, Smack).
        name if name.starts_with(b"user.") => true,
        name => name.starts_with(b"trusted.") && format == Format::Overlay { userxattr: false },
    }
}

/// Whether an attribute means something on another machine: what an archive that is written here has.
pub(crate) fn is_portable(name: &[u8]) -> bool {
    is_welcome(name, Format::Plain)
}

/// Sets attributes of one file.
#[derive(Debug)]
pub(crate) struct Attributes {
    format: Format,
    /// Whether a directory hands down permissions to what is made in it.
    has_defaults: bool,
}

impl Attributes {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            // A volume may have had some before.
            has_defaults: format == Format::Plain,
        }
    }

    /// Takes away what a new file or directory has got from its directory's default permissions, which the archive knows
    /// nothing of. True: its mode has to be set again.
    pub(crate) fn clear_inherited(&self, file: BorrowedFd<'_>) -> bool {
        if !self.has_defaults {
            return false;
        }
        let _ = rustix::fs::fremovexattr(file, c"system.posix_acl_access");
        let _ = rustix::fs::fremovexattr(file, c"system.posix_acl_default");
        true
    }

    /// Sets the archive's attributes, by `set`; leaves out those that it may not bring, or that cannot be set here.
    pub(crate) fn set_all(
        &mut self,
        xattrs: &[(Vec<u8>, Vec<u8>)],
        notes: &mut Notes,
        set: Set<'_>,
    ) -> Result<(), Fault> {
        for (name, value) in xattrs {
            if !is_welcome(name, self.format) {
                notes.add(Left::ForeignAttribute, name);
                continue;
            }
            let c_name = CString::new(name.as_slice())
                .map_err(|_| Fault::archive("an attribute's name with a NUL in it"))?;
            match set(&c_name, value) {
                Ok(()) => self.has_defaults |= name == DEFAULT_ACL,
                // The file system has none of this kind, or this kind of file, or the caller's rights do not reach.
                Err(Errno::NOTSUP | Errno::PERM) => notes.add(Left::Attribute, name),
                Err(errno) => {
                    let name = String::from_utf8_lossy(name);
                    return Err(Fault::call(&format!("set the attribute {name}"), errno));
                }
            }
        }
        Ok(())
    }

    /// Copies the attributes of a lower layer's directory.
    pub(crate) fn copy(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        let mut xattrs = Vec::new();
        for name in list(from) {
            let mut value = vec![0; 1 << 16];
            let is_own = OVERLAY.iter().any(|prefix| name.starts_with(prefix));
            let Ok(c_name) = CString::new(name.as_slice()) else {
                continue;
            };
            if !is_own && let Ok(length) = rustix::fs::fgetxattr(from, &c_name, &mut value[..]) {
                value.truncate(length);
                xattrs.push((name, value));
            }
        }
        self.set_all(&xattrs, notes, &|name, value| set_on(to, name, value))
    }

    /// Marks a directory: the lower layers' files in it are gone.
    pub(crate) fn make_opaque(&self, directory: impl AsFd) -> Result<(), Fault> {
        let name = match self.format {
            Format::Overlay { userxattr: true } => c"user.overlay.opaque",
            Format::Overlay { userxattr: false } => c"trusted.overlay.opaque",
            Format::Plain => return Ok(()),
        };
        set_on(directory.as_fd(), name, b"y")
            .map_err(|errno| Fault::call("mark a directory as opaque", errno))
    }
}

/// Sets an attribute of an open file.
pub(crate) fn set_on(file: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> Result<(), Errno> {
    rustix::fs::fsetxattr(file, name, value, XattrFlags::empty())
}

/// The names of a file's attributes; none when they cannot be read.
pub(crate) fn list(file: BorrowedFd<'_>) -> Vec<Vec<u8>> {
    let mut names = vec![0; 1 << 16];
    let length = rustix::fs::flistxattr(file, &mut names[..]).unwrap_or_default();
    names.truncate(length);
    names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlayfs_state_is_never_an_archives() {
        for format in [
            Format::Plain,
            Format::Overlay { userxattr: true },
            Format::Overlay { userxattr: false },
        ] {
            assert!(!is_welcome(b"trusted.overlay.redirect", format));
            assert!(!is_welcome(b"user.overlay.opaque", format));
            assert!(!is_welcome(b"security.selinux", format));
            assert!(is_welcome(b"security.capability", format));
            assert!(is_welcome(b"user.overlay", format));
        }
        assert!(!is_welcome(b"trusted.x", Format::Plain));
        assert!(is_welcome(
            b"trusted.x",
            Format::Overlay { userxattr: false }
        ));
    }
}
