//! The roles that read and write archives: one job, one answer.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use keelbox_layer::job::{self, Answer, Format, UnpackJob, Unpacked, fds};
use keelbox_layer::{Fault, Files};
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
        let trusted = job.format == Format::Overlay { userxattr: false };
        keelbox_layer::confine(&files.directory, trusted)?;
        keelbox_layer::unpack(&job, files).map(Unpacked::shortened)
    })
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
            let answer = Answer::<T>::Failed(Fault::namespace(fault.errno, &fault.note));
            let _ = send(control.as_fd(), &answer, &[]);
            FAILED
        }
    }
}
