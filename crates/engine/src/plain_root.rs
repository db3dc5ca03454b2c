//! The root of a container of the image `host` where nothing can be laid over its skeleton: directories of its own, in place of
//! the writable layer, that belong to the ids which it has this time.

use std::fs::{self, Metadata};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use keelbox_spec::failure::Failure;

use crate::ids::SIZE;
use crate::store::store_failure;

/// Makes it in the data directory `data`, or makes that of an earlier start the container's own again. `owner`: the host's id
/// of its root; 0: everything is the caller's, and stays so.
///
/// # Errors
///
/// The store cannot be written.
pub(crate) fn make(skeleton: &Path, data: &Path, owner: u32) -> std::result::Result<(), Failure> {
    let (upper, _) = keelbox_spec::plan::layer_names("");
    let root = data.join(upper);
    let made = give(&root, owner).and_then(|()| copy(skeleton, &root, owner));
    made.map_err(|error| store_failure("make", &root, &error))
}

/// Copies what is missing: directories and links, a skeleton has nothing else. Nobody else writes there now.
fn copy(from: &Path, to: &Path, owner: u32) -> Result<()> {
    let kind = fs::symlink_metadata(from)?;
    let made = if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)
    } else {
        fs::create_dir(to)
    };
    let is_new = match made {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    if is_new && kind.is_dir() {
        fs::set_permissions(to, kind.permissions())?;
    }
    if kind.is_dir() && fs::symlink_metadata(to)?.is_dir() {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()), owner)?;
        }
    }
    if !is_new || owner == 0 {
        return Ok(());
    }
    lchown(to, Some(owner), Some(owner))
}

/// Gives what is there, of another range or none, to the range that begins with `owner`.
fn give(root: &Path, owner: u32) -> Result<()> {
    match fs::symlink_metadata(root) {
        Ok(top) if owner != 0 && top.uid() != owner => move_ids(root, &top, (top.uid(), owner)),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// No link is followed, so nothing outside is touched.
fn move_ids(path: &Path, stat: &Metadata, (from, to): (u32, u32)) -> Result<()> {
    if stat.is_dir() {
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            move_ids(&path, &fs::symlink_metadata(&path)?, (from, to))?;
        }
    }
    let moved = |id: u32| match id.checked_sub(from) {
        Some(inside) if inside < SIZE => Some(to + inside),
        _ => None,
    };
    lchown(path, moved(stat.uid()), moved(stat.gid()))?;
    // Another owner takes these away (chown(2)).
    if stat.mode() & 0o6000 != 0 && !stat.is_symlink() {
        fs::set_permissions(path, fs::Permissions::from_mode(stat.mode() & 0o7777))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_copied_and_what_is_there_stays() -> Result<()> {
        let top = std::env::temp_dir().join(format!("keelbox-plain-{}", std::process::id()));
        let (skeleton, data) = (top.join("skeleton"), top.join("data"));
        let (upper, _) = keelbox_spec::plan::layer_names("");
        for path in [
            skeleton.join("usr"),
            skeleton.join("srv"),
            data.join(&upper),
        ] {
            fs::create_dir_all(path)?;
        }
        symlink("usr/bin", skeleton.join("bin"))?;
        fs::create_dir(data.join(&upper).join("srv"))?;
        fs::write(data.join(&upper).join("srv/file"), "kept")?;
        let made = [(); 2].map(|()| make(&skeleton, &data, 0).is_ok());
        let text = fs::read_to_string(data.join(&upper).join("srv/file"))?;
        let link = fs::read_link(data.join(&upper).join("bin"))?;
        let has_usr = data.join(&upper).join("usr").is_dir();
        fs::remove_dir_all(&top)?;
        assert_eq!((made, text.as_str(), has_usr), ([true; 2], "kept", true));
        assert_eq!(link, Path::new("usr/bin"));
        Ok(())
    }
}
