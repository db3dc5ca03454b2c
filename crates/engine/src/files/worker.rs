//! A process in a container that does one job on its files.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_layer::Fault;
use keelbox_layer::files::{FileAnswer, FileJob};
use keelbox_layer::job::{self, Answer};
use keelbox_process::{receive, seqpacket_pair};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::plan;
use keelbox_spec::start::Start;
use keelbox_sys::Errno;

use crate::exec::target::Target;
use crate::lifecycle::reap;
use crate::roots::Roots;
use crate::spawn;
use crate::stdio::null;
use crate::store::internal;

/// One that is at work.
pub(super) struct Serving {
    reference: String,
    /// Its closing ends the work.
    control: OwnedFd,
    answer: OwnedFd,
    pid: i32,
}

/// Starts a job. `data` is what it reads or writes.
///
/// # Errors
///
/// No such container, or one that cannot be entered.
pub(super) fn serve(
    roots: &Roots,
    reference: &str,
    job: &FileJob,
    data: BorrowedFd<'_>,
) -> Result<Serving, Failure> {
    let target = Target::find(roots, reference)?;
    let steps = plan::serve(&target.record, &target.place)?;
    let message = Start {
        version: keelbox_spec::start::VERSION,
        id: target.place.id.clone(),
        steps: steps
            .iter()
            .map(|step| (step.side, step.op.clone()))
            .collect(),
        ..Start::default()
    };
    let message = message
        .encode()
        .map_err(|_| Failure::new(Code::Internal, "cannot write the start message"))?;
    let encoded =
        job::encode(job).ok_or_else(|| internal("cannot encode the job", Errno::EINVAL))?;
    let (message, job) = (spawn::message(&message)?, spawn::message(&encoded)?);
    let (control, theirs) = target.socket()?;
    let (answer, answers) =
        seqpacket_pair().map_err(|errno| internal("cannot make a socket", errno))?;
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    let none = nothing.as_fd();
    let fds = [
        none,
        none,
        none,
        theirs.as_fd(),
        message.as_fd(),
        job.as_fd(),
        data,
        answers.as_fd(),
    ];
    let pid = spawn::spawn(&[c"files"], &fds)?;
    drop((theirs, answers));
    if let Err(failure) = target.hear(&control, &steps) {
        drop(control);
        reap(pid);
        return Err(failure);
    }
    Ok(Serving {
        reference: reference.to_owned(),
        control,
        answer,
        pid,
    })
}

impl Serving {
    /// Waits for the answer, and the fd that may come along.
    ///
    /// # Errors
    ///
    /// What the kernel says; the archive is refused; the process was killed.
    pub(super) fn answer(self) -> Result<(FileAnswer, Option<OwnedFd>), Failure> {
        let received = receive::<Answer<FileAnswer>>(&self.answer);
        drop(self.control);
        reap(self.pid);
        let lost = || {
            Failure::new(
                Code::Runtime,
                format!(
                    "the process that looked after files in {} is gone",
                    self.reference
                ),
            )
            .why("it was killed, or the container has ended")
            .hint("try again while the container runs, or when it has ended")
        };
        let received = received.ok().flatten().ok_or_else(lost)?;
        match received.message {
            Answer::Done(done) => Ok((done, received.fds.into_iter().next())),
            Answer::Failed(fault) => Err(failure(&fault)),
        }
    }
}

/// What a fault inside a container means.
pub(super) fn failure(fault: &Fault) -> Failure {
    let path = if fault.path.is_empty() {
        String::new()
    } else {
        format!(" {}", fault.path)
    };
    let mut failure = Failure::new(Code::InvalidArg, format!("cannot {}{path}", fault.what))
        .why(fault.why.clone())
        .exit_code(1);
    if fault.errno == 0 {
        failure.message = format!(
            "{}{}",
            fault.what,
            if path.is_empty() {
                path
            } else {
                format!(":{path}")
            }
        );
        failure.hint = Some("choose another target, or add --overwrite".into());
    } else {
        let errno = Errno::from_raw(fault.errno);
        failure = failure.errno(errno.name());
        failure.hint = Some(
            match errno {
                Errno::ENOENT => "check the path; it begins at the container's root",
                Errno::EROFS => "it is read-only in the container; choose another path",
                _ => "choose another path",
            }
            .into(),
        );
    }
    if !fault.path.is_empty() {
        failure = failure.path(&fault.path);
    }
    failure
}
