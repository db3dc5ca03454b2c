//! The volumes that were made for a container and go with it.

use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_process::Maps;
use rustix::fs::{Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::cleanup::remove_mapped;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Removes volumes by name, but those that another container uses: its configuration names them (`--volumes-from`). `data` is
/// the container's data directory, and `id` its name. The names of those that went.
pub(crate) fn remove_unused<'a>(
    data: BorrowedFd<'_>,
    id: &str,
    names: &'a [CString],
    maps: &Maps,
) -> Vec<&'a str> {
    let mut removed = Vec::new();
    if names.is_empty() {
        return removed;
    }
    let open = |path: &CStr| rustix::fs::openat(data, path, DIRECTORY, Mode::empty());
    let (Ok(volumes), Ok(containers)) = (open(c"../../volumes"), open(c"..")) else {
        return removed;
    };
    // Alone: no container may come to use one meanwhile.
    if rustix::fs::flock(&volumes, FlockOperation::LockExclusive).is_err() {
        return removed;
    }
    let Ok(others) = configurations(&containers, id) else {
        return removed;
    };
    for name in names {
        let is_used = others.iter().any(|text| contains(text, name.to_bytes()));
        // From here on it is no volume any more; what a removal that is cut short leaves is cleared by the next.
        let gone = CString::new([b".gone-", name.to_bytes()].concat()).unwrap_or_default();
        if !is_used && rustix::fs::renameat(&volumes, name, &volumes, &gone).is_ok() {
            let _ = remove_mapped(volumes.as_fd(), &gone, maps);
            removed.extend(name.to_str());
        }
    }
    removed
}

fn configurations(containers: &OwnedFd, id: &str) -> Result<Vec<Vec<u8>>, Errno> {
    let mut found = Vec::new();
    for entry in Dir::read_from(containers)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes() == id.as_bytes() || name.to_bytes().starts_with(b".") {
            continue;
        }
        let path = [name.to_bytes(), b"/config.json"].concat();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let path = CString::new(path).unwrap_or_default();
        match rustix::fs::openat(containers, &path, flags, Mode::empty()) {
            Ok(file) => {
                let mut text = Vec::new();
                if std::fs::File::from(file).read_to_end(&mut text).is_ok() {
                    found.push(text);
                }
            }
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(found)
}

/// A name of 64 random hex digits is nowhere by chance.
fn contains(text: &[u8], name: &[u8]) -> bool {
    text.windows(name.len()).any(|part| part == name)
}
