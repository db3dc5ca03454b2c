//! The role `files`: one job on the files of a container, done by a process that is in it.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use keelbox_layer::files::{FileJob, serve};
use keelbox_layer::job::{self, Answer};
use keelbox_process::{Report, launch_serving, receive, send};
use keelbox_spec::start::files_fds as fds;
use keelbox_supervisor::protocol::{Event, Request};
use keelbox_supervisor::tell_failure;

use crate::roles::{FAILED, begin, read_message};

/// Does the job of the message.
pub(crate) fn role() -> i32 {
    begin();
    let Ok([control, message, job, data, answer]) = keelbox_sys::fd::inherit::<5>(fds::CONTROL)
    else {
        return FAILED;
    };
    let (Some(start), Some(job)) = (read_message(&message), read_job(job)) else {
        return FAILED;
    };
    keelbox_process::outlive_broken_pipes();
    if keelbox_layer::end_with(&control).is_err() {
        return FAILED;
    }
    let serving = |root: OwnedFd| done(root, job.clone(), &data, &answer);
    match launch_serving(&start, &mut Reporter { control: &control }, Some(&serving)) {
        Ok(made) => {
            let _ = send(&control, &Event::Started { pid: made.pid }, &[]);
            // Its ends of what is read or written close with it.
            drop((data, answer));
            i32::from(keelbox_sys::wait::wait(made.pidfd.as_fd()).is_err())
        }
        Err(failed) => {
            tell_failure(control.as_fd(), failed);
            FAILED
        }
    }
}

fn read_job(file: OwnedFd) -> Option<FileJob> {
    let mut bytes = Vec::new();
    std::fs::File::from(file).read_to_end(&mut bytes).ok()?;
    job::decode(&bytes)
}

/// In the container.
fn done(root: OwnedFd, job: FileJob, data: &OwnedFd, answer: &OwnedFd) -> i32 {
    let Ok(data) = data.try_clone() else {
        return FAILED;
    };
    let (answered, file) = match serve(root, job, data) {
        Ok((done, file)) => (Answer::Done(done), file),
        Err(fault) => (Answer::Failed(fault.shortened()), None),
    };
    let fds: Vec<_> = file.iter().map(AsFd::as_fd).collect();
    i32::from(send(answer, &answered, &fds).is_err())
}

struct Reporter<'a> {
    control: &'a OwnedFd,
}

impl Report for Reporter<'_> {
    fn done(&mut self, _index: u32, _nanoseconds: u64) {}

    fn namespaces(&mut self) -> Vec<OwnedFd> {
        let received = receive::<Request>(self.control).ok().flatten();
        received.map(|received| received.fds).unwrap_or_default()
    }

    fn ready(&mut self) {}
}
