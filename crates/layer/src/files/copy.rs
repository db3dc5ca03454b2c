//! `cp`, the container's side: docker's rules for where things go.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::call::{enter, look};
use super::lookup::{DIRECTORY, c_path, fault, open, place};
use super::{Source, Unpack};
use crate::confine::{Rights, confine};
use crate::job::{Adjust, Compression, Format, Rename, UnpackJob};
use crate::pack::pack_entry;
use crate::unpack::{Files, unpack as unpack_archive};
use crate::{Fault, Limits};

pub(super) fn pack(
    root: &OwnedFd,
    path: &[u8],
    follow: bool,
    name: Option<&[u8]>,
    output: OwnedFd,
) -> Result<(), Fault> {
    let Some(name) = name else {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let opened = open(root, path, flags, Mode::empty());
        let directory = opened.map_err(|errno| fault(path, "find", errno))?;
        confine(&directory, Rights::Read)?;
        return pack_entry(&directory, None, b"", output).map(drop);
    };
    let there = place(root, path, follow)?;
    let directory = enter(&there.parent).map_err(|errno| fault(path, "find", errno))?;
    confine(&directory, Rights::Read)?;
    pack_entry(&directory, there.name.as_deref(), name, output).map(drop)
}

/// Where an archive goes.
struct Goal {
    directory: OwnedFd,
    rename: Rename,
    /// The archive's own root says nothing about a directory that is there.
    keep_root: bool,
}

pub(super) fn unpack(root: &OwnedFd, job: Unpack, archive: OwnedFd) -> Result<Vec<String>, Fault> {
    let goal = goal(root, &job)?;
    let directory = enter(&goal.directory).map_err(|errno| fault(&job.path, "open", errno))?;
    confine(&directory, Rights::Copy)?;
    let job = unpack_job(job.owner, goal.rename, goal.keep_root, job.limits);
    let blob = directory
        .try_clone()
        .map_err(|_| Fault::call("copy an fd", Errno::MFILE))?;
    let files = Files {
        archive,
        blob,
        directory,
        lower: Vec::new(),
    };
    Ok(unpack_archive(&job, files)?.shortened().notes)
}

fn unpack_job(
    owner: Option<(u32, u32)>,
    rename: Rename,
    keep_root: bool,
    limits: Limits,
) -> UnpackJob {
    UnpackJob {
        offset: 0,
        length: None,
        compression: None::<Compression>,
        format: Format::Plain,
        has_blob: false,
        single_id: false,
        limits,
        adjust: Adjust {
            owner,
            rename,
            keep_root,
            without_set_ids: false,
        },
    }
}

fn goal(root: &OwnedFd, job: &Unpack) -> Result<Goal, Fault> {
    let path = job.path.as_slice();
    c_path(path)?;
    let fail = |errno| fault(path, "copy to", errno);
    match open(root, path, DIRECTORY, Mode::empty()) {
        Ok(directory) => into_directory(directory, job),
        Err(Errno::NOTDIR | Errno::NOENT) => beside(root, job),
        Err(errno) => Err(fail(errno)),
    }
}

/// The target is a directory that is there.
fn into_directory(directory: OwnedFd, job: &Unpack) -> Result<Goal, Fault> {
    let fail = |why| Err(refuse(&job.path, why));
    let (name, is_directory) = match &job.source {
        Source::Archive => {
            return Ok(Goal {
                directory,
                rename: Rename::Nothing,
                keep_root: true,
            });
        }
        Source::Contents(_) => {
            return Ok(Goal {
                directory,
                rename: Rename::Strip,
                keep_root: true,
            });
        }
        Source::File(name) => (name, false),
        Source::Directory(name) => (name, true),
    };
    let c_name =
        CString::new(name.as_slice()).map_err(|_| refuse(&job.path, "a name has a NUL"))?;
    let there = look(&directory, &c_name).map_err(|errno| fault(name, "look at", errno))?;
    match there {
        Some(FileType::Directory) if !is_directory && !job.overwrite => {
            return fail("cannot put a file in the place of a directory");
        }
        Some(kind) if kind != FileType::Directory && is_directory && !job.overwrite => {
            return fail("cannot put a directory in the place of a file");
        }
        _ => {}
    }
    Ok(Goal {
        directory,
        rename: Rename::To(name.clone()),
        keep_root: false,
    })
}

/// The target is a file, or not there.
fn beside(root: &OwnedFd, job: &Unpack) -> Result<Goal, Fault> {
    let path = job.path.as_slice();
    let slashed = path.ends_with(b"/") || path.ends_with(b"/.");
    let is_directory = !matches!(job.source, Source::File(_));
    if matches!(job.source, Source::Archive) {
        return Err(refuse(
            path,
            "an archive goes into a directory that is there",
        ));
    }
    let there = place(root, path, true)?;
    let name = there
        .name
        .ok_or_else(|| fault(path, "copy to", Errno::NOENT))?;
    let found = look(&there.parent, &name).map_err(|errno| fault(path, "look at", errno))?;
    match found {
        None if slashed && !is_directory => {
            return Err(fault(path, "find the directory", Errno::NOENT));
        }
        Some(_) if slashed => return Err(fault(path, "find the directory", Errno::NOTDIR)),
        Some(_) if is_directory && !job.overwrite => {
            return Err(refuse(
                path,
                "cannot put a directory in the place of a file",
            ));
        }
        _ => {}
    }
    Ok(Goal {
        directory: there.parent,
        rename: Rename::To(name.into_bytes()),
        keep_root: false,
    })
}

fn refuse(path: &[u8], why: &str) -> Fault {
    let mut fault = Fault::archive(why).on(path);
    fault.what = "the copy is refused".into();
    fault
}
