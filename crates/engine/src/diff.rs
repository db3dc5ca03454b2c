//! What a container has changed in its root directory, and a layer in those below it.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::plan::layer_names;
use serde::Serialize;

use crate::action::Found;
use crate::export::RootRecord;
use crate::images;
use crate::pack::{Tree, pack};
use crate::roots::Roots;
use crate::store::{internal, open_directory};

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// From the container's root.
    pub path: String,
    /// `A`dded, `C`hanged or `D`eleted.
    pub kind: String,
}

/// A writable layer and what is below it.
pub(crate) struct Part {
    /// Where it is in the container: empty, or `/usr`.
    pub(crate) prefix: String,
    upper: PathBuf,
    lower: Vec<PathBuf>,
}

impl Part {
    /// The directories, the writable one first.
    pub(crate) fn open(&self) -> Result<Vec<OwnedFd>, Failure> {
        let all = std::iter::once(&self.upper).chain(&self.lower);
        all.map(|path| open_directory(path)).collect()
    }
}

/// The changes of a container, by path.
///
/// # Errors
///
/// No such container (exit code 1), one that has no writable layer on disk, or a layer that cannot be read.
pub fn diff(roots: &Roots, reference: &str) -> Result<Vec<Change>, Failure> {
    let found = Found::look_up(roots, reference)?;
    list(parts(roots, &found)?)
}

/// What the last layer of an image has changed in those below it, by path.
///
/// # Errors
///
/// No such image (exit code 1), or a layer that cannot be read.
pub fn diff_image(roots: &Roots, reference: &str) -> Result<Vec<Change>, Failure> {
    // Until they are read, nobody removes them.
    let _held = images::hold(roots)?;
    let image = images::describe_image(roots, reference).map_err(|failure| failure.exit_code(1))?;
    let mut layers = image.layers.into_iter().rev();
    let path = |layer: images::LayerDescription| PathBuf::from(layer.path);
    let last = layers.next().map(|last| Part {
        prefix: String::new(),
        upper: path(last),
        lower: layers.map(path).collect(),
    });
    list(last.into_iter().collect())
}

fn list(parts: Vec<Part>) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    for part in parts {
        let open = part.open()?;
        let fds: Vec<_> = open.iter().map(AsFd::as_fd).collect();
        let list = scratch()?;
        pack(Tree::List(&fds), list.as_fd())?;
        read_list(list, &part.prefix, &mut changes)?;
    }
    changes.sort_unstable();
    Ok(changes)
}

/// A file in memory.
fn scratch() -> Result<File, Failure> {
    let file = rustix::fs::memfd_create(c"keelbox-list", rustix::fs::MemfdFlags::CLOEXEC);
    file.map(File::from)
        .map_err(|errno| internal("cannot make a file in memory", errno.into()))
}

fn read_list(mut list: File, prefix: &str, changes: &mut Vec<Change>) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    let read = list.rewind().and_then(|()| list.read_to_end(&mut bytes));
    read.map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    for line in bytes
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
    {
        let text = String::from_utf8_lossy(line);
        let (kind, path) = text.split_at(1);
        changes.push(Change {
            kind: kind.to_owned(),
            path: format!("{prefix}{path}"),
        });
    }
    Ok(())
}

/// The writable layers of a container, with what each is over.
///
/// # Errors
///
/// It has none, or none on disk.
pub(crate) fn parts(roots: &Roots, found: &Found) -> Result<Vec<Part>, Failure> {
    let data = roots.containers().join(&found.id);
    let none = |why: &str, hint: &str| {
        let reference = &found.reference;
        Failure::new(
            Code::State,
            format!("the container {reference} has no layer of its own to look at"),
        )
        .why(why)
        .hint(hint)
    };
    let (upper, _) = layer_names("");
    let upper = data.join(upper);
    let whole = |lower: Vec<PathBuf>| Part {
        prefix: String::new(),
        upper: upper.clone(),
        lower,
    };
    let parts = match &found.config()?.root {
        Some(RootRecord::Layers { lower }) => vec![whole(lower.clone())],
        Some(RootRecord::Host { skeleton }) if skeleton.is_dir() => {
            let mut parts = vec![whole(vec![skeleton.clone()])];
            parts.extend(host_parts(&data));
            parts
        }
        Some(RootRecord::Host { .. }) | None => {
            return Err(none(
                "its configuration does not say what its root is made of",
                "it was made by an earlier version; look at its files from inside it",
            ));
        }
        Some(RootRecord::InPlace { path }) => {
            return Err(none(
                &format!(
                    "its root is the directory {}, which it changes itself",
                    path.display()
                ),
                "run it with --rootfs DIR:O to keep its changes apart",
            ));
        }
    };
    if !upper.is_dir() {
        return Err(none(
            "what it writes is kept in memory",
            "look at its files from inside it, or choose a directory on ext4, xfs, btrfs or tmpfs with --root",
        ));
    }
    Ok(parts)
}

/// The image `host` has a writable layer over each directory of programs.
fn host_parts(data: &Path) -> Vec<Part> {
    let entries = std::fs::read_dir(data).into_iter().flatten().flatten();
    let part = |entry: std::fs::DirEntry| {
        let file = entry.file_name().into_string().ok()?;
        let name = file.strip_suffix("-upper")?;
        let lower = Path::new("/").join(name);
        let is_plain = !name.is_empty() && !name.contains('/') && name != "..";
        (is_plain && lower.is_dir()).then(|| Part {
            prefix: format!("/{name}"),
            upper: data.join(&file),
            lower: vec![lower],
        })
    };
    entries.filter_map(part).collect()
}
