//! Directories for what is being made, each locked by its maker. One whose lock is free was left by a maker that was killed.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use keelbox_image::Store;
use keelbox_spec::failure::Failure;

use crate::collect::entries;
use crate::store::{is_unlinked, make_locked, new_id, open_directory, remove_path, try_lock};

/// A directory below the store's `tmp`, gone with this value.
pub(super) struct Workspace {
    path: PathBuf,
    _lock: OwnedFd,
}

impl Workspace {
    /// Makes one, after those that nobody has any more are removed.
    pub(super) fn make(store: &Store) -> Result<Self, Failure> {
        collect(store);
        let mut id = new_id()?;
        id.truncate(32);
        let path = store.tmp().join(id);
        let lock = make_locked(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        remove_path(&self.path);
    }
}

/// Removes the directories of makers that are no more.
pub(super) fn collect(store: &Store) {
    for name in entries(&store.tmp()) {
        let path = store.tmp().join(&name);
        match open_directory(&path) {
            Ok(directory) if try_lock(&directory) && !is_unlinked(&directory) => remove_path(&path),
            _ => {}
        }
    }
}
