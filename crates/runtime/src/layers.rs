//! The roles that read and write archives: one job, one answer.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use keelbox_layer::job::{self, Answer, Format, PackJob, UnpackJob, Unpacked, fds};
use keelbox_layer::{Fault, Files, Rights};
use keelbox_process::{Maps, as_mapped_root, send};

use crate::roles::FAILED;

/// Unpacks an archive into a directory; `lower` is how many directories of lower layers there are.
pub(crate) fn unpack(lower: &str) -> i32 {
    let Ok(lower) = lower.parse::<usize>() else {
        return FAILED;
    };
    let Some(mut given) = given(fds::COUNT.saturating_add(lower)) else {
        return FAILED;
    };
    let lower = given.files.split_off(given.files.len() - lower);
    let (Some(job), Ok([archive, blob, directory])) = (
        job::decode::<UnpackJob>(&given.job),
        <[OwnedFd; 3]>::try_from(given.files),
    ) else {
        return FAILED;
    };
    let files = Files {
        archive,
        blob,
        directory,
        lower,
    };
    answer(&given.control, given.maps.as_ref(), move || {
        let rights = match job.format {
            _ if job.adjust.without_set_ids => Rights::Copy,
            Format::Overlay { userxattr: false } => Rights::MakeTrusted,
            Format::Overlay { userxattr: true } | Format::Plain => Rights::Make,
        };
        keelbox_layer::confine(&files.directory, rights)?;
        keelbox_layer::unpack(&job, files).map(Unpacked::shortened)
    })
}

/// Packs a directory, or with `lower` more the layers of which it is the topmost.
pub(crate) fn pack(lower: &str) -> i32 {
    let Ok(lower) = lower.parse::<usize>() else {
        return FAILED;
    };
    let Some(mut given) = given(fds::COUNT.saturating_add(lower)) else {
        return FAILED;
    };
    // The output, nothing, and the directories.
    let layers = given.files.split_off(2);
    let (Some(job), Some(output)) = (
        job::decode::<PackJob>(&given.job),
        given.files.into_iter().next(),
    ) else {
        return FAILED;
    };
    keelbox_process::outlive_broken_pipes();
    answer(&given.control, given.maps.as_ref(), move || match job {
        // The caller's own files, with the caller's own rights.
        PackJob::Entry { name, as_name } => {
            let top = layers.into_iter().next().ok_or_else(no_directory)?;
            let name = name.map(std::ffi::CString::new).transpose();
            let name = name.map_err(|_| no_directory())?;
            keelbox_layer::pack_entry(&top, name.as_deref(), &as_name, output)
        }
        PackJob::Directory | PackJob::Layers { .. } => {
            let root = root(&job, layers)?;
            keelbox_layer::confine(&root, Rights::Read)?;
            keelbox_layer::pack(&root, output)
        }
        PackJob::Changes { userxattr } | PackJob::List { userxattr } => {
            let (upper, lower) = below(layers, userxattr)?;
            keelbox_layer::confine(&upper, Rights::ReadTrusted)?;
            if matches!(job, PackJob::List { .. }) {
                keelbox_layer::list_changes(&upper, lower, output)
            } else {
                keelbox_layer::pack_changes(&upper, lower, output)
            }
        }
    })
}

fn no_directory() -> Fault {
    Fault::elsewhere("find the directory", keelbox_sys::Errno::EBADF, "")
}

/// The first layer, and the others as one.
fn below(layers: Vec<OwnedFd>, userxattr: bool) -> Result<(OwnedFd, Option<OwnedFd>), Fault> {
    let mut layers = layers.into_iter();
    let upper = layers.next().ok_or_else(no_directory)?;
    let lower: Vec<_> = layers.collect();
    let lower = match <[OwnedFd; 1]>::try_from(lower) {
        Ok([only]) => Some(only),
        Err(layers) if layers.is_empty() => None,
        Err(layers) => {
            let layers: Vec<_> = layers.iter().map(AsFd::as_fd).collect();
            let merged = keelbox_rootfs::merged(&layers, userxattr);
            Some(merged.map_err(|fault| failed("see the layers as the container does", &fault))?)
        }
    };
    Ok((upper, lower))
}

fn root(job: &PackJob, layers: Vec<OwnedFd>) -> Result<OwnedFd, Fault> {
    if let PackJob::Layers { userxattr } = job {
        let layers: Vec<_> = layers.iter().map(AsFd::as_fd).collect();
        return keelbox_rootfs::merged(&layers, *userxattr)
            .map_err(|fault| failed("see the layers as the container does", &fault));
    }
    let top = layers.into_iter().next();
    top.ok_or_else(|| Fault::elsewhere("find the directory", keelbox_sys::Errno::EBADF, ""))
}

fn failed(what: &str, fault: &keelbox_rootfs::Fault) -> Fault {
    Fault::elsewhere(what, fault.errno, &fault.note)
}

/// What the engine has given this process.
struct Given {
    control: OwnedFd,
    maps: Option<Maps>,
    job: Vec<u8>,
    files: Vec<OwnedFd>,
}

fn given(count: usize) -> Option<Given> {
    let mut fds = keelbox_sys::fd::inherit_all(fds::CONTROL, count).ok()?;
    let files = fds.split_off(3);
    let [control, maps, job] = <[OwnedFd; 3]>::try_from(fds).ok()?;
    let maps = read(maps)?;
    Some(Given {
        control,
        maps: if maps.is_empty() {
            None
        } else {
            Some(Maps::decode(&maps)?)
        },
        job: read(job)?,
        files,
    })
}

fn read(file: OwnedFd) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::from(file).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Does the work, as root of a user namespace when there are ids for one, and says how it went. Whatever threads are left
/// after a failure end with the process.
fn answer<T: serde::Serialize>(
    control: &OwnedFd,
    maps: Option<&Maps>,
    work: impl FnOnce() -> Result<T, Fault>,
) -> i32 {
    let work = || {
        let answer = match keelbox_layer::end_with(control).and_then(|()| work()) {
            Ok(done) => Answer::Done(done),
            Err(fault) => Answer::Failed(fault.shortened()),
        };
        send(control.as_fd(), &answer, &[]).is_ok()
    };
    let Some(maps) = maps else {
        return i32::from(!work());
    };
    if keelbox_layer::end_with(control).is_err() {
        return FAILED;
    }
    match as_mapped_root(maps, work) {
        Ok(()) => 0,
        // The answer went out, or it did not; either way nobody but the child knows more.
        Err(fault) if fault.errno == keelbox_sys::Errno::EIO => FAILED,
        Err(fault) => {
            let answer = Answer::<T>::Failed(failed("make a user namespace for your ids", &fault));
            let _ = send(control.as_fd(), &answer, &[]);
            FAILED
        }
    }
}
