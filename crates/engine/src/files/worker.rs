//! A process in a container that does one job on its files.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_layer::Fault;
use keelbox_layer::files::{FileAnswer, FileJob};
use keelbox_layer::job::{self, Answer};
use keelbox_process::{receive, send, seqpacket_pair};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::plan::{self, PlanStep};
use keelbox_spec::start::Start;
use keelbox_supervisor::protocol::{Event, Request};
use keelbox_sys::Errno;

use crate::action::Found;
use crate::attempt::Refused;
use crate::attempt::rest::Rest;
use crate::exec::target::Target;
use crate::fallback::Fallback;
use crate::lifecycle::reap;
use crate::roots::Roots;
use crate::stdio::null;
use crate::store::internal;
use crate::{spawn, translate};

/// One that is at work.
pub(super) struct Serving {
    reference: String,
    /// Its closing ends the work.
    control: OwnedFd,
    answer: OwnedFd,
    pid: i32,
    /// Held until the work is done.
    _entered: Entered,
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
    let found = Found::look_up(roots, reference)?;
    if found.is_running(roots) {
        let target = Target::find(roots, reference)?;
        let steps = plan::serve(&target.record, &target.place)?;
        let entered = Entered::Running(Box::new(target), steps);
        return begin(entered, reference, job, data).map_err(|refused| refused.failure);
    }
    at_rest(roots, &found, |entered| {
        begin(entered, reference, job, data)
    })
}

/// As for a start: what this machine refuses is done in the next plainer way.
fn at_rest(
    roots: &Roots,
    found: &Found,
    begin: impl Fn(Entered) -> Result<Serving, Refused>,
) -> Result<Serving, Failure> {
    let config = found.config()?;
    let request = config.request.as_deref().ok_or_else(|| {
        let reference = &found.reference;
        Failure::new(
            Code::State,
            format!("container {reference} says nothing of what its root is made of"),
        )
        .hint("it was made by an earlier version: remove it, and make it again")
    })?;
    let mut fallback = Fallback::default();
    loop {
        let rest = Rest::of(roots, config, request, &fallback)?;
        match begin(Entered::Rest(found.id.clone(), Box::new(rest))) {
            Ok(serving) => return Ok(serving),
            Err(refused) => fallback = fallback.next(roots, request, refused)?,
        }
    }
}

fn begin(
    entered: Entered,
    reference: &str,
    job: &FileJob,
    data: BorrowedFd<'_>,
) -> Result<Serving, Refused> {
    let steps = entered.steps();
    let (base, group_base) = entered.base();
    let message = Start {
        version: keelbox_spec::start::VERSION,
        id: entered.id(),
        steps: steps
            .iter()
            .map(|step| (step.side, step.op.clone()))
            .collect(),
        base,
        group_base,
        ..Start::default()
    };
    let message = message
        .encode()
        .map_err(|_| Failure::new(Code::Internal, "cannot write the start message"))?;
    let encoded =
        job::encode(job).ok_or_else(|| internal("cannot encode the job", Errno::EINVAL))?;
    let (message, job) = (spawn::message(&message)?, spawn::message(&encoded)?);
    let (control, theirs) = entered.socket()?;
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
    if let Err(refused) = entered.hear(&control) {
        drop(control);
        reap(pid);
        return Err(refused);
    }
    Ok(Serving {
        reference: reference.to_owned(),
        control,
        answer,
        pid,
        _entered: entered,
    })
}

/// A container whose files are looked after.
enum Entered {
    /// One that runs, with all that is mounted in it.
    Running(Box<Target>, Vec<PlanStep>),
    /// One that does not: its root is made for this.
    Rest(String, Box<Rest>),
}

impl Entered {
    fn id(&self) -> String {
        match self {
            Self::Running(target, _) => target.place.id.clone(),
            Self::Rest(id, _) => id.clone(),
        }
    }

    fn base(&self) -> (u32, u32) {
        match self {
            Self::Running(..) => (0, 0),
            Self::Rest(_, rest) => rest.base,
        }
    }

    fn steps(&self) -> &[PlanStep] {
        match self {
            Self::Running(_, steps) => steps,
            Self::Rest(_, rest) => &rest.steps,
        }
    }

    /// A socket pair, with the first message in it when there are fds to be passed on.
    fn socket(&self) -> Result<(OwnedFd, OwnedFd), Failure> {
        let rest = match self {
            Self::Running(target, _) => return target.socket(),
            Self::Rest(_, rest) => rest,
        };
        let (ours, theirs) =
            seqpacket_pair().map_err(|errno| internal("cannot make a socket pair", errno))?;
        if !rest.namespaces.is_empty() {
            let fds: Vec<_> = rest.namespaces.iter().map(AsFd::as_fd).collect();
            send(&ours, &Request::Namespaces, &fds)
                .map_err(|errno| internal("cannot pass namespaces on", errno))?;
        }
        Ok((ours, theirs))
    }

    /// Waits until the process serves.
    fn hear(&self, control: &OwnedFd) -> Result<(), Refused> {
        let rest = match self {
            Self::Running(target, steps) => return Ok(target.hear(control, steps).map(drop)?),
            Self::Rest(_, rest) => rest,
        };
        match receive::<Event>(control)
            .ok()
            .flatten()
            .map(|received| received.message)
        {
            Some(Event::Failed {
                index,
                call,
                errno,
                note,
            }) => Err(translate::refusal(&rest.steps, index, &call, errno, &note)),
            Some(_) => Ok(()),
            None => Err(Failure::new(
                Code::Runtime,
                "the process that looks after files ended before it could begin",
            )
            .hint("try again; if it happens again, report it with the output of keelbox info")
            .into()),
        }
    }
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
            .hint("try again")
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
