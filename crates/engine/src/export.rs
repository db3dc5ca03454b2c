//! A container's files as a tar archive.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::Root;
use serde::{Deserialize, Serialize};

use crate::action::Found;
use crate::pack::{Tree, pack};
use crate::roots::Roots;
use crate::store::{open_directory, store_failure};

/// What a container's root directory is made of, as its configuration has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub(crate) enum RootRecord {
    /// Directories, topmost first, under the writable layer.
    Layers { lower: Vec<PathBuf> },
    /// A directory as it is.
    InPlace { path: PathBuf },
    /// The machine itself, and what else there is in the root.
    Host {
        #[serde(default)]
        skeleton: PathBuf,
    },
}

impl RootRecord {
    pub(crate) fn of(root: &Root) -> Self {
        match root {
            Root::InPlace(path) => Self::InPlace { path: path.clone() },
            Root::Layers(lower) => Self::Layers {
                lower: lower.clone(),
            },
            Root::Host(host) => Self::Host {
                skeleton: host.skeleton.clone(),
            },
        }
    }
}

/// Writes the files of a container to a file, or to stdout: those of its root directory, without what is mounted in it.
///
/// # Errors
///
/// No such container (exit code 1); one of the image `host`, whose files are the machine's; the archive cannot be written.
pub fn export(roots: &Roots, reference: &str, path: Option<&Path>) -> Result<(), Failure> {
    let found = Found::look_up(roots, reference)?;
    let open: Vec<_> = directories(roots, &found, "exported")?
        .iter()
        .map(|path| open_directory(path))
        .collect::<Result<_, _>>()?;
    to_output(path, |output| write(&open, output))
}

/// The directories that a container's root is made of, topmost first.
///
/// # Errors
///
/// It is of the image `host`, or nothing is known of it. `verb`: what cannot be done then.
pub(crate) fn directories(
    roots: &Roots,
    found: &Found,
    verb: &str,
) -> Result<Vec<PathBuf>, Failure> {
    let no_root = |why: &str| {
        let message = format!("the container {} cannot be {verb}", found.reference);
        Failure::new(Code::InvalidArg, message).why(why)
    };
    let (upper, _) = keelbox_spec::plan::layer_names("");
    let upper = roots.containers().join(&found.id).join(upper);
    match &found.config()?.root {
        Some(RootRecord::InPlace { path }) => Ok(vec![path.clone()]),
        Some(RootRecord::Layers { .. }) if !upper.is_dir() => {
            Err(no_root("what it writes is kept in memory")
                .hint("choose a directory on ext4, xfs, btrfs or tmpfs with --root"))
        }
        Some(RootRecord::Layers { lower }) => Ok([vec![upper], lower.clone()].concat()),
        Some(RootRecord::Host { .. }) => Err(no_root("its files are this machine's own")
            .hint("run a container of a stored image, or of a directory: --rootfs DIR")),
        None => Err(
            no_root("its configuration does not say what its root is made of")
                .hint("it was made by an earlier version; copy what you need from inside it"),
        ),
    }
}

fn write(directories: &[OwnedFd], output: BorrowedFd<'_>) -> Result<(), Failure> {
    let fds: Vec<_> = directories.iter().map(AsFd::as_fd).collect();
    let tree = match fds.as_slice() {
        [only] => Tree::Directory(*only),
        layers => Tree::Layers(layers),
    };
    pack(tree, output).map(drop)
}

/// Calls `write` with the file at `path`, or with stdout. A file is written under another name first: half an archive is
/// never taken for one. A device or pipe is written as it is.
pub(crate) fn to_output(
    path: Option<&Path>,
    write: impl FnOnce(BorrowedFd<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(path) = path else {
        return write(rustix::stdio::stdout());
    };
    let fail = |error: std::io::Error| store_failure("write", path, &error);
    if std::fs::metadata(path).is_ok_and(|stat| !stat.is_file()) {
        let file = File::options().write(true).open(path).map_err(fail)?;
        return write(file.as_fd());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let file = File::create(&draft).map_err(fail)?;
    let done = write(file.as_fd()).and_then(|()| std::fs::rename(&draft, path).map_err(fail));
    if done.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    done
}
