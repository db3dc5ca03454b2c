//! Volumes as tar archives. Links in a volume, and in an archive, are somebody else's: both sides are read and written by
//! the confined process, rooted in the volume's directory (CVE-2023-0778, CVE-2025-11395).

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::plan::VolumeKind;

use super::store::{self, Lock, Record};
use super::{driver, missing};
use crate::export::to_output;
use crate::pack::{Tree, pack};
use crate::roots::Roots;
use crate::store::{open_directory, store_failure};
use crate::unpack::{Target, Unpack, limits, unpack};
use keelbox_layer::job::Adjust;

/// Writes the files of a volume to a file, or to stdout.
///
/// # Errors
///
/// No such volume (exit code 1); one in memory; the archive cannot be written.
pub fn export_volume(roots: &Roots, name: &str, path: Option<&Path>) -> Result<(), Failure> {
    let data = open(roots, name)?;
    let write = |output: BorrowedFd<'_>| pack(Tree::Directory(data.as_fd()), output).map(drop);
    to_output(path, write)
}

/// Reads an archive, a file or stdin, into a volume; what is there and not in the archive stays.
///
/// # Errors
///
/// No such volume (exit code 1); one in memory; the archive is not one, or names what is outside.
pub fn import_volume(roots: &Roots, name: &str, path: Option<&Path>) -> Result<(), Failure> {
    let data = open(roots, name)?;
    let file = match path {
        Some(path) => Some(File::open(path).map_err(|error| {
            let errno = keelbox_sys::Errno::from(error);
            Failure::new(Code::InvalidArg, format!("cannot read {}", path.display()))
                .why(errno.text())
                .hint("name a tar archive, or - for stdin")
                .errno(errno.name())
                .path(path)
        })?),
        None => None,
    };
    let input = match &file {
        Some(file) => file.as_fd(),
        None => rustix::stdio::stdin(),
    };
    let job = Unpack {
        input,
        offset: 0,
        length: None,
        blob: None,
        directory: data.as_fd(),
        target: Target::Plain,
        lower: &[],
        compression: None,
        limits: limits()?,
        adjust: Adjust::default(),
    };
    unpack(&job).map(drop)
}

/// The directory with a volume's files.
fn open(roots: &Roots, name: &str) -> Result<OwnedFd, Failure> {
    let Some(record) = Record::read(roots, name) else {
        return Err(missing(name));
    };
    let _lock = Lock::shared(roots)?;
    match driver::kind(name, &record.settings)? {
        VolumeKind::Directory => open_directory(&store::directory(roots, name).join("data")),
        VolumeKind::Bind(device, _) => File::open(&device)
            .map(OwnedFd::from)
            .map_err(|error| store_failure("open", Path::new(&device), &error)),
        VolumeKind::Tmpfs(_) => Err(Failure::new(
            Code::InvalidArg,
            format!("the volume {name} is in memory"),
        )
        .why("each container has a tmpfs of its own, and none is left when it ends")
        .hint("use a volume without type=tmpfs")),
    }
}
