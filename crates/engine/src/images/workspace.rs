//! Directories for what is being made, each locked by its maker. One whose lock is free was left by a maker that was killed.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use keelbox_image::Store;
use keelbox_spec::failure::Failure;

use crate::collect::entries;
use crate::store::{
    is_unlinked, make_locked, new_id, open_directory, remove_path, store_failure, try_lock,
};

/// A directory below the store's `tmp`, gone with this value.
pub(super) struct Workspace {
    path: PathBuf,
    /// Open and locked.
    directory: OwnedFd,
}

impl Workspace {
    /// Makes one, after those that nobody has any more are removed.
    pub(super) fn make(store: &Store) -> Result<Self, Failure> {
        collect(store);
        let mut id = new_id()?;
        id.truncate(32);
        let path = store.tmp().join(id);
        let directory = make_locked(&path)?;
        Ok(Self { path, directory })
    }

    /// Waits until all that was made here is on the disk, before any of it gets a name that others trust: after a power cut
    /// a layer of that name would else be taken for whole whose files are empty. One call for all of them: to wait for each
    /// file would take longer than to make it, and on a tmpfs it is nothing.
    pub(super) fn flush(&self) -> Result<(), Failure> {
        rustix::fs::syncfs(&self.directory)
            .map_err(|errno| store_failure("write to", &self.path, &errno.into()))
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
