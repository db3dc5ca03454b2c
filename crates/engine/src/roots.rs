//! Where state lives: `root` for what stays (writable layers, configurations), `run_root` for what ends with the machine.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use keelbox_spec::failure::{Code, Failure};

use crate::store::store_failure;
use crate::{caller, store_fs};

/// The two directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// `/var/lib/keelbox`, or `keelbox` below `$XDG_DATA_HOME`.
    pub root: PathBuf,
    /// `/run/keelbox`, or `keelbox` below `$XDG_RUNTIME_DIR`.
    pub run_root: PathBuf,
}

impl Roots {
    /// `KEELBOX_ROOT` and `KEELBOX_RUNROOT`, else the caller's usual places.
    ///
    /// # Errors
    ///
    /// An ordinary user without a home directory.
    pub fn of_caller() -> Result<Self, Failure> {
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let root = match set("KEELBOX_ROOT") {
            Some(root) => absolute(root)?,
            None => default_root()?,
        };
        let run_root = match set("KEELBOX_RUNROOT") {
            Some(run_root) => absolute(run_root)?,
            None => default_run_root(&root),
        };
        Ok(Self { root, run_root })
    }

    /// The data directories of all containers.
    #[must_use]
    pub fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    /// The volumes.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// The directory of the events' journal.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// The links from names to ids.
    #[must_use]
    pub fn names(&self) -> PathBuf {
        self.root.join("names")
    }

    /// The state directories of containers that live.
    #[must_use]
    pub fn running(&self) -> PathBuf {
        self.run_root.join("containers")
    }

    /// Makes the directories, for their owner alone (CVE-2021-41091).
    pub(crate) fn make(&self) -> Result<(), Failure> {
        for directory in [
            self.containers(),
            self.names(),
            self.running(),
            self.journal(),
        ] {
            make_if_missing(&directory)?;
        }
        check_owner(&self.root)?;
        check_owner(&self.run_root)
    }
}

/// Makes a directory of the store, for its owner alone.
pub(crate) fn make_if_missing(directory: &Path) -> Result<(), Failure> {
    if directory.is_dir() {
        return Ok(());
    }
    store_fs::check(directory)?;
    make_private(directory).map_err(|error| store_failure("make", directory, &error))
}

fn make_private(directory: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

/// A directory that somebody else made first would let them choose what we remove.
fn check_owner(directory: &Path) -> Result<(), Failure> {
    let owner = std::fs::metadata(directory)
        .map_err(|error| store_failure("read", directory, &error))?
        .uid();
    let caller = rustix::process::geteuid().as_raw();
    if owner == caller {
        return Ok(());
    }
    Err(Failure::new(
        Code::Store,
        format!(
            "{} belongs to user {owner}, not to you ({caller})",
            directory.display()
        ),
    )
    .hint("choose another directory with --root and --runroot, or remove that one")
    .path(directory))
}

fn absolute(path: PathBuf) -> Result<PathBuf, Failure> {
    std::path::absolute(&path).map_err(|error| store_failure("find", &path, &error))
}

fn default_root() -> Result<PathBuf, Failure> {
    if caller::is_host_root() {
        return Ok(PathBuf::from("/var/lib/keelbox"));
    }
    let set = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")));
    data.map(|data| data.join("keelbox")).ok_or_else(|| {
        Failure::new(Code::Store, "there is no place for containers")
            .why("neither HOME nor XDG_DATA_HOME is set")
            .hint("set HOME, or use --root DIR")
    })
}

fn default_run_root(root: &Path) -> PathBuf {
    if caller::is_host_root() {
        return PathBuf::from("/run/keelbox");
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute() && path.is_dir());
    // Without a runtime directory, below the data: locks tell what lives, so nothing there needs to vanish at a reboot.
    runtime.map_or_else(|| root.join("run"), |runtime| runtime.join("keelbox"))
}
