//! Makes a root directory of a tree: copies, so that it stays what it is when the host's files change.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::tree::{Entry, Identity, Tree};

/// A file that could not be made, and why.
pub type Fault = (PathBuf, io::Error);

/// Fills an empty directory. On a file system that can, the copies share their blocks with the originals.
///
/// # Errors
///
/// The path that could not be made; a file that has changed since the tree was put together is one.
pub fn build(tree: &Tree, directory: &Path) -> Result<(), Fault> {
    let place = |path: &Path| directory.join(path.strip_prefix("/").unwrap_or(path));
    for (path, entry) in tree.entries() {
        let at = place(path);
        make(entry, &at).map_err(|error| (at, error))?;
    }
    // Last, and the deepest first: one without the right to write could not be filled by its owner.
    let directories: Vec<_> = tree.entries().collect();
    for (path, entry) in directories.into_iter().rev() {
        if let Entry::Directory(mode) = entry {
            let at = place(path);
            fs::set_permissions(&at, Permissions::from_mode(*mode)).map_err(|error| (at, error))?;
        }
    }
    Ok(())
}

fn make(entry: &Entry, at: &Path) -> io::Result<()> {
    match entry {
        Entry::Directory(_) => fs::create_dir(at),
        Entry::Link(target) => symlink(target, at),
        Entry::Text(text) => {
            let mut file = create(at)?;
            file.write_all(text)?;
            finish(&file, 0o644)
        }
        Entry::File {
            source,
            identity,
            mode,
        } => {
            let mut from = File::open(source)?;
            let mut file = create(at)?;
            io::copy(&mut from, &mut file)?;
            if Identity::of(&from.metadata()?) != *identity {
                return Err(io::Error::other(format!(
                    "{} changed while it was copied",
                    source.display()
                )));
            }
            finish(&file, *mode)
        }
    }
}

fn create(at: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(at)
}

/// On disk before the root gets its name: what is there once is never looked at again.
fn finish(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_data()
}
