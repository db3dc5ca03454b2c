//! Starting a container: from a request to a supervisor that runs it.

use std::os::fd::OwnedFd;

use keelbox_spec::failure::Failure;
use keelbox_spec::plan;
use keelbox_spec::request::RunRequest;
use serde::Serialize;

use crate::attempt::{Attempt, Purpose};
use crate::collect::collect;
use crate::config::{self, Config, Exit};
use crate::event::record;
use crate::fallback::Fallback;
use crate::namespaces::Looked;
use crate::plan_view::{PlanView, StepView};
use crate::roots::Roots;
use crate::{facts, ids, images, source, storage, volumes};

/// A step that has been done.
#[derive(Clone, Debug, Serialize)]
pub struct StepDone {
    /// What it was.
    #[serde(flatten)]
    pub step: StepView,
    /// Its place in the plan.
    pub index: u32,
    /// `launcher` or `init`.
    pub side: &'static str,
    /// How long it took.
    pub microseconds: f64,
}

/// A container that runs, as its starter holds it.
#[derive(Debug)]
pub struct Running {
    /// What the caller is told.
    pub started: Started,
    /// The supervisor's control socket.
    pub control: OwnedFd,
    /// The supervisor, a child of this process; 0: it was started by another.
    pub supervisor: i32,
    /// This side's ends of its stdio.
    pub ends: [Option<OwnedFd>; 3],
    /// The master side of its terminal.
    pub console: Option<OwnedFd>,
    pub(crate) interactive: bool,
    /// It has a terminal.
    pub(crate) tty: bool,
    /// Its bytes go through the supervisor.
    pub(crate) relayed: bool,
    /// It is a command beside the container's own.
    pub(crate) beside: bool,
}

/// What the caller is told of a container that was made.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Created {
    /// 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Lines about what was done differently than asked.
    pub notices: Vec<String>,
}

/// What the caller is told of a container that runs.
#[derive(Clone, Debug, Serialize)]
pub struct Started {
    /// 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its first process.
    pub pid: i32,
    /// Lines about what was done differently than asked.
    pub notices: Vec<String>,
}

/// The plan of a request, without making anything.
///
/// # Errors
///
/// As [`start`]'s planning.
pub fn plan(roots: &Roots, request: &RunRequest) -> Result<PlanView, Failure> {
    let image = source::image(roots, request, false)?;
    let looked = Looked::up(roots, request)?;
    let host = facts::gather(request, &looked.asked, &looked.found)?;
    let whole = volumes::with_other_containers(roots, request)?;
    let mut gathered = storage::gather(&whole)?;
    let resolved = volumes::resolve(roots, whole, &image, &mut gathered.facts, false)?;
    images::mounted(roots, &resolved.request.mounts, &mut gathered.facts)?;
    let request = resolved.request.as_ref();
    let id = "0123456789abcdef".repeat(4);
    let place = plan::Place {
        data: roots.containers().join(&id),
        base: match looked.range(request, &image, &host)? {
            0 => 0,
            _ => ids::FIRST,
        },
        file_sources: gathered.file_sources,
        storage: gathered.facts,
        without: plan::Without::default(),
        seccomp: source::seccomp(request)?,
        found: looked.found,
        id,
    };
    Ok(PlanView::of(&plan::build(request, &image, &host, &place)?))
}

/// Makes and starts a container. `on_step` hears of each step when the request asks for that.
///
/// # Errors
///
/// What [`translate`] makes of the step that failed; nothing is left then.
pub fn start(
    roots: &Roots,
    request: &RunRequest,
    on_step: &mut dyn FnMut(StepDone),
) -> Result<Running, Failure> {
    collect(roots);
    try_all(roots, request, Purpose::Run, on_step)
}

/// Makes a container, to be started later.
///
/// # Errors
///
/// As [`start`]'s planning; nothing is left then.
pub(crate) fn create(roots: &Roots, request: &RunRequest) -> Result<Created, Failure> {
    collect(roots);
    let created = Attempt::make(roots, request, &Fallback::default(), Purpose::Create)?.keep();
    record(roots, "create", &created.id);
    Ok(created)
}

/// Starts a container that is there and does not run. `request`: its own, with what concerns this start's client.
pub(crate) fn start_again(
    roots: &Roots,
    config: &Config,
    request: &RunRequest,
) -> Result<Running, Failure> {
    let data = roots.containers().join(&config.id);
    let (exit, last) = (data.join("exit.json"), data.join(config::LAST_EXIT));
    let _ = std::fs::rename(&exit, &last);
    let started = try_all(roots, request, Purpose::Again(config), &mut |_| {});
    match &started {
        Ok(_) => drop(std::fs::remove_file(&last)),
        Err(failure) => {
            // As it was, with the reason why this start came to nothing.
            let mut old: Exit = config::read(&data, config::LAST_EXIT).unwrap_or_default();
            old.error = Some(failure.to_string());
            if !config.begun {
                old.exit_code = failure.exit_code;
            }
            let _ = match config::write(&data, "exit.json", &old) {
                Ok(()) => std::fs::remove_file(&last),
                // On a full disk without the reason.
                Err(_) => std::fs::rename(&last, &exit),
            };
            let _ = config::write(&data, "config.json", config);
        }
    }
    started
}

/// Each way is taken once at most, so this ends.
fn try_all(
    roots: &Roots,
    request: &RunRequest,
    purpose: Purpose<'_>,
    on_step: &mut dyn FnMut(StepDone),
) -> Result<Running, Failure> {
    let mut fallback = Fallback::default();
    let mut refused = match Attempt::make(roots, request, &fallback, purpose)?.run(on_step) {
        Ok(running) => return Ok(running),
        Err(refused) => refused,
    };
    loop {
        fallback = fallback.next(roots, request, refused)?;
        let request = fallback.request(request);
        refused = match Attempt::make(roots, &request, &fallback, purpose)?.run(on_step) {
            Ok(running) => return Ok(running),
            Err(refused) => refused,
        };
    }
}

/// A supervisor that has said its last word ends at once.
pub(crate) fn reap(supervisor: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(supervisor) {
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    }
}
