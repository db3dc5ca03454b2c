//! The container that something is started in.

use std::os::fd::{BorrowedFd, OwnedFd};

use keelbox_process::{receive, send, seqpacket_pair};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::namespaces::JoinedIds;
use keelbox_spec::op::namespace;
use keelbox_spec::plan::{ExecRecord, ExecTarget, PlanStep};
use keelbox_supervisor::protocol::{Event, Request};
use keelbox_sys::Errno;

use crate::caller;
use crate::config::{self, Config};
use crate::namespaces::Other;
use crate::roots::Roots;
use crate::store::internal;
use crate::{list, translate};

/// Seconds that the end of a container may take once it has begun.
const DYING: i64 = 2;

/// A container that runs, and what a process in it is to be given.
pub(crate) struct Target {
    other: Other,
    pub(crate) config: Config,
    pub(crate) record: ExecRecord,
    pub(crate) place: ExecTarget,
    ids: Option<JoinedIds>,
}

impl Target {
    /// Finds one that runs.
    ///
    /// # Errors
    ///
    /// There is none of that name, it does not run, or it is somebody else's.
    pub(crate) fn find(roots: &Roots, reference: &str) -> Result<Self, Failure> {
        let id = list::find(roots, reference)?;
        let config: Option<Config> = config::read(&roots.containers().join(&id), "config.json");
        let other = Other::running(roots, reference, id);
        let Some(other) = other.filter(Other::is_alive) else {
            return Err(not_running(reference));
        };
        let unknown = || {
            Failure::new(
                Code::State,
                format!("container {reference} says nothing of what a command in it is given"),
            )
            .why("its configuration is of an earlier version, or damaged")
            .hint("remove it, and make it again")
        };
        let mut config = config.ok_or_else(unknown)?;
        let record = *config.exec.take().ok_or_else(unknown)?;
        let namespaces = other.namespaces().map_err(|errno| refused(&other, errno))?;
        let own_userns = namespaces & namespace::CLONE_NEWUSER != 0;
        let ids = own_userns.then(|| other.ids()).transpose()?;
        let has_root = |ids: &JoinedIds| ids.uids.iter().any(|map| map.inside == 0);
        let place = ExecTarget {
            id: other.id.clone(),
            whose: other.whose(),
            namespaces,
            has_root: ids.as_ref().is_none_or(has_root),
            permitted: caller::permitted().bits(),
        };
        Ok(Self {
            other,
            config,
            record,
            place,
            ids,
        })
    }

    /// The host's ids of the container's root and its group, where they are others than the caller's; else 0.
    pub(crate) fn base(&self) -> (u32, u32) {
        let outside = |maps: &[keelbox_spec::op::IdMap]| {
            let root = maps.iter().find(|map| map.inside == 0);
            root.map_or(0, |map| map.outside)
        };
        match &self.ids {
            Some(ids) if caller::is_host_root() => (outside(&ids.uids), outside(&ids.gids)),
            _ => (0, 0),
        }
    }

    /// Its first process.
    pub(crate) fn init(&self) -> BorrowedFd<'_> {
        self.other.init()
    }

    /// A socket pair for the executable, with the first message in it: ours, and the executable's.
    pub(crate) fn socket(&self) -> Result<(OwnedFd, OwnedFd), Failure> {
        let (ours, theirs) =
            seqpacket_pair().map_err(|errno| internal("cannot make a socket pair", errno))?;
        send(&ours, &Request::Namespaces, &[self.init()])
            .map_err(|errno| internal("cannot pass a pidfd on", errno))?;
        Ok((ours, theirs))
    }

    /// Hears the executable out until the process runs: its number, and the master side of its terminal.
    ///
    /// # Errors
    ///
    /// The step that failed.
    pub(crate) fn hear(
        &self,
        control: &OwnedFd,
        steps: &[PlanStep],
    ) -> Result<(i32, Option<OwnedFd>), Failure> {
        loop {
            let Ok(Some(received)) = receive::<Event>(control) else {
                return Err(self.lost());
            };
            match received.message {
                Event::Started { pid } => return Ok((pid, received.fds.into_iter().next())),
                Event::Failed {
                    index,
                    call,
                    errno,
                    note,
                } => {
                    let errno = Errno::from_raw(errno);
                    return Err(self.refusal(steps, index, &call, errno, &note));
                }
                _ => {}
            }
        }
    }

    fn lost(&self) -> Failure {
        if self.other.ends_within(DYING) || !self.other.is_alive() {
            return ended(&self.other.name);
        }
        Failure::new(
            Code::Runtime,
            "the process beside the command ended before the command was started",
        )
        .hint("try again; if it happens again, report it with the output of keelbox info")
    }

    fn refusal(
        &self,
        steps: &[PlanStep],
        index: u32,
        call: &str,
        errno: Errno,
        note: &str,
    ) -> Failure {
        // Whatever failed in a container that has ended meanwhile failed for that; one that is just ending takes nobody in
        // (ENOMEM), and ends who is in it.
        let dying = matches!(errno, Errno::EPIPE | Errno::ESRCH) || errno.name() == "ENOMEM";
        if dying && self.other.ends_within(DYING) || !self.other.is_alive() {
            return ended(&self.other.name);
        }
        let step = usize::try_from(index)
            .ok()
            .and_then(|index| steps.get(index));
        step.map_or_else(
            || Failure::new(Code::Runtime, format!("{call}: {}", errno.text())).why(note),
            |step| translate::step_failure(step, call, errno, note),
        )
    }
}

pub(crate) fn not_running(reference: &str) -> Failure {
    Failure::new(Code::State, format!("container {reference} is not running"))
        .hint(format!("start it first: keelbox start {reference}"))
}

fn ended(reference: &str) -> Failure {
    not_running(reference).why("it has ended meanwhile")
}

fn refused(other: &Other, errno: Errno) -> Failure {
    if !other.is_alive() {
        return ended(&other.name);
    }
    Failure::new(Code::Permission, format!("cannot enter {}", other.whose()))
        .why(errno.text())
        .hint("run keelbox as the user whose container it is")
}
