//! What is done with the files of a container from inside it: packing and unpacking for `cp`, and single calls.
//!
//! The process is in the container's namespaces as its root, and has its root directory open. Every path begins there and is
//! resolved by openat2(2) with `RESOLVE_IN_ROOT`, so no link leads anywhere else, whatever the container does meanwhile
//! (CVE-2018-15664); nothing of the container is loaded or executed (CVE-2019-14271).

mod call;
mod copy;
mod lookup;

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::{Fault, Limits};

/// One thing to do. Paths are bytes, from the container's root.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum FileJob {
    /// Write what is there to the data fd as a tar archive.
    Pack {
        /// A file or directory.
        path: Vec<u8>,
        /// When it is a link: what it leads to.
        follow: bool,
        /// What it is called in the archive; None: what is in a directory, under `./`.
        name: Option<Vec<u8>>,
    },
    /// Make files of the archive on the data fd.
    Unpack(Unpack),
    /// Open a regular file. The fd comes along with the answer.
    Open {
        /// The file.
        path: Vec<u8>,
        /// For writing: made or emptied.
        write: bool,
        /// Permissions of a new file.
        mode: u32,
        /// User and group of a new file, and of one that is there.
        owner: (Option<u32>, Option<u32>),
    },
    /// Write the names in a directory to the data fd, sorted, each with a NUL byte.
    Readdir {
        /// The directory.
        path: Vec<u8>,
    },
    /// Make a directory.
    Mkdir {
        /// The directory.
        path: Vec<u8>,
        /// With those above it; one that is there is no error.
        recursive: bool,
        /// Permissions.
        mode: u32,
    },
    /// Remove a file or directory.
    Remove {
        /// What.
        path: Vec<u8>,
        /// A directory with all that is in it.
        recursive: bool,
        /// What is not there is no error.
        force: bool,
    },
    /// Look at what is there.
    Stat {
        /// What.
        path: Vec<u8>,
        /// When it is a link: at what it leads to.
        follow: bool,
    },
}

/// An archive, and where its files go.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Unpack {
    /// Where to.
    pub path: Vec<u8>,
    /// What is in the archive.
    pub source: Source,
    /// Who owns it all; None: whom the archive says.
    pub owner: Option<(u32, u32)>,
    /// A directory may take the place of a file, and a file that of a directory.
    pub overwrite: bool,
    /// What the archive may ask for.
    pub limits: Limits,
}

/// What an archive has.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Source {
    /// One file, under one name.
    File(Vec<u8>),
    /// One directory, under one name.
    Directory(Vec<u8>),
    /// One directory, under one name, of which only what is in it counts.
    Contents(Vec<u8>),
    /// Whatever: for a directory that is there.
    Archive,
}

/// What came of a job.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum FileAnswer {
    /// It is done. Lines about what was left out.
    Done(Vec<String>),
    /// What is there.
    Stat(FileStat),
}

/// A file, from outside.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct FileStat {
    /// As stat(2) has it, the type included.
    pub mode: u32,
    /// Owner, as the container counts.
    pub uid: u32,
    /// Group, likewise.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since the epoch.
    pub mtime: i64,
    /// Where a link leads.
    pub target: Option<Vec<u8>>,
}

/// Does `job` below `root`. An fd that is to go along with the answer.
///
/// # Errors
///
/// The kernel's; the archive is refused; the paths do not go together, in docker's words.
pub fn serve(
    root: OwnedFd,
    job: FileJob,
    data: OwnedFd,
) -> Result<(FileAnswer, Option<OwnedFd>), Fault> {
    let done = |lines| (FileAnswer::Done(lines), None);
    match job {
        FileJob::Pack { path, follow, name } => {
            copy::pack(&root, &path, follow, name.as_deref(), data).map(|()| done(Vec::new()))
        }
        FileJob::Unpack(unpack) => copy::unpack(&root, unpack, data).map(done),
        FileJob::Open {
            path,
            write,
            mode,
            owner,
        } => {
            let file = call::open(&root, &path, write, mode, owner)?;
            Ok((FileAnswer::Done(Vec::new()), Some(file)))
        }
        FileJob::Readdir { path } => call::readdir(&root, &path, data).map(|()| done(Vec::new())),
        FileJob::Mkdir {
            path,
            recursive,
            mode,
        } => call::mkdir(&root, &path, recursive, mode).map(|()| done(Vec::new())),
        FileJob::Remove {
            path,
            recursive,
            force,
        } => call::remove(&root, &path, recursive, force).map(|()| done(Vec::new())),
        FileJob::Stat { path, follow } => {
            call::stat(&root, &path, follow).map(|stat| (FileAnswer::Stat(stat), None))
        }
    }
}
