//! One try to start a container: everything that is made for it, so that it can be taken back.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_process::{receive, send, seqpacket_pair};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::ImageConfig;
use keelbox_spec::op::{Op, Side};
use keelbox_spec::plan::{self, Plan};
use keelbox_spec::request::RunRequest;
use keelbox_spec::start::Start;
use keelbox_supervisor::protocol::{Event, Request};

use crate::collect::collect;
use crate::config::{self, Config};
use crate::lifecycle::{Running, Started, StepDone, reap};
use crate::namespaces::Looked;
use crate::outputs::Outputs;
use crate::plan_view::StepView;
use crate::roots::Roots;
use crate::stdio::{Stdio, null};
use crate::store::{Place, internal, new_id};
use crate::{facts, ids, names, source, spawn, translate};

/// A start that failed, and whether it would work without a user namespace.
pub(crate) struct Refused {
    pub(crate) failure: Failure,
    pub(crate) without_userns: bool,
}

/// Everything that is made for one start, so that it can be taken back.
pub(crate) struct Attempt<'a> {
    roots: &'a Roots,
    request: &'a RunRequest,
    place: Place,
    name: String,
    ids: OwnedFd,
    /// Namespaces of others, held open until the launcher has them.
    namespaces: Vec<OwnedFd>,
    plan: Plan,
    stdio: Stdio,
    outputs: Outputs,
}

impl<'a> Attempt<'a> {
    /// Plans first, so that what is wrong with the request leaves no trace; then makes.
    pub(crate) fn make(
        roots: &'a Roots,
        request: &'a RunRequest,
        notice: Option<String>,
    ) -> Result<Self, Failure> {
        let file_sources = source::file_sources(request)?;
        let looked = Looked::up(roots, request)?;
        let host = facts::gather(request, &looked.asked, &looked.found)?;
        let stdio = Stdio::arrange(request)?;
        roots.make()?;
        let image = source::image(roots, request, true)?;
        let id = new_id()?;
        let count = looked.range(request, &image, &host)?;
        let (ids, base) = match looked.range {
            Some(shared) => (shared, 0),
            None => range(roots, count, &id)?,
        };
        let data = roots.containers().join(&id);
        let planned = plan::Place {
            id: id.clone(),
            data,
            base,
            found: looked.found,
            file_sources,
        };
        let mut plan = plan::build(request, &image, &host, &planned)?;
        plan.notices.extend(notice);
        let outputs = Outputs::open(request)?;
        let place = Place::make(roots, id)?;
        match fill(roots, request, &place, &image, &plan) {
            Ok(name) => Ok(Self {
                roots,
                request,
                place,
                name,
                ids,
                namespaces: looked.fds,
                plan,
                stdio,
                outputs,
            }),
            Err((failure, name)) => {
                place.discard(roots, name.as_deref());
                Err(failure)
            }
        }
    }

    pub(crate) fn run(self, on_step: &mut dyn FnMut(StepDone)) -> Result<Running, Refused> {
        let hard = |failure| Refused {
            failure,
            without_userns: false,
        };
        let (ours, supervisor) = match self.spawn() {
            Ok(spawned) => spawned,
            Err(failure) => {
                self.place.discard(self.roots, Some(&self.name));
                return Err(hard(failure));
            }
        };
        let heard = hear(&ours, &self.plan, on_step);
        let (pid, console) = match heard {
            Ok(heard) => heard,
            Err(refused) => {
                reap(supervisor);
                let Place { state, .. } = self.place;
                drop(state);
                // The supervisor has cleared up; after one that was killed meanwhile, this does.
                collect(self.roots);
                return Err(refused);
            }
        };
        let started = Started {
            id: self.place.id.clone(),
            name: self.name.clone(),
            pid,
            notices: self.plan.notices.clone(),
        };
        self.outputs.write(&started.id, pid);
        Ok(Running {
            started,
            control: ours,
            supervisor,
            ends: self.stdio.ours,
            console,
            interactive: self.request.interactive,
        })
    }

    fn spawn(&self) -> Result<(OwnedFd, i32), Failure> {
        let message = spawn::message(&self.message()?)?;
        let (ours, theirs) =
            seqpacket_pair().map_err(|errno| internal("cannot make a socket pair", errno))?;
        let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
        let tied = self.tied();
        let drain = |stream: usize| {
            let end = if tied {
                None
            } else {
                self.stdio.ours.get(stream).and_then(Option::as_ref)
            };
            end.unwrap_or(&nothing).as_fd()
        };
        let [stdin, stdout, stderr] = &self.stdio.theirs;
        let terminal = self.stdio.terminal.as_ref().unwrap_or(&nothing);
        let fds: [BorrowedFd<'_>; 11] = [
            stdin.as_fd(),
            stdout.as_fd(),
            stderr.as_fd(),
            theirs.as_fd(),
            message.as_fd(),
            self.place.state.as_fd(),
            self.place.data.as_fd(),
            self.ids.as_fd(),
            drain(1),
            drain(2),
            terminal.as_fd(),
        ];
        if !self.namespaces.is_empty() {
            let namespaces: Vec<_> = self.namespaces.iter().map(AsFd::as_fd).collect();
            send(&ours, &Request::Namespaces, &namespaces)
                .map_err(|errno| internal("cannot pass namespaces on", errno))?;
        }
        Ok((ours, spawn::spawn(&[c"supervise"], &fds)?))
    }

    fn tied(&self) -> bool {
        self.request.rm
    }

    fn message(&self) -> Result<Vec<u8>, Failure> {
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let start = Start {
            version: keelbox_spec::start::VERSION,
            id: self.place.id.clone(),
            steps: self
                .plan
                .steps
                .iter()
                .map(|step| (step.side, step.op.clone()))
                .collect(),
            explain: self.request.explain,
            tied_to_client: self.tied(),
            remove: self.request.rm,
            cgroups: cgroups(&self.plan).map(CString::from).collect(),
            name_link: text(&format!("../../names/{}", self.name)),
            own_stdio: self.stdio.own,
            blocking_stdio: self.stdio.blocking,
            base: self.plan.choices.base,
            group_base: self.plan.choices.group_base,
            boot_id: facts::boot_id(),
        };
        start
            .encode()
            .map_err(|_| Failure::new(Code::Internal, "cannot write the start message"))
    }
}

fn range(roots: &Roots, count: u32, id: &str) -> Result<(OwnedFd, u32), Failure> {
    if count > 0 {
        return ids::take(roots, id, count);
    }
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    Ok((nothing, 0))
}

/// The name, the layers and the configuration; on failure, also the name that was claimed.
fn fill(
    roots: &Roots,
    request: &RunRequest,
    place: &Place,
    image: &ImageConfig,
    plan: &Plan,
) -> Result<String, (Failure, Option<String>)> {
    let name = names::claim(roots, request.name.as_deref(), &image.name, &place.id)
        .map_err(|failure| (failure, None))?;
    make_layers(place, plan)
        .and_then(|()| place.write_config(&config(place, &name, request, image, plan)))
        .map_err(|failure| (failure, Some(name.clone())))?;
    Ok(name)
}

fn make_layers(place: &Place, plan: &Plan) -> Result<(), Failure> {
    for step in &plan.steps {
        if let Op::Overlay { upper, .. } = &step.op {
            let name = upper.upper.to_string_lossy();
            let prefix = name.strip_suffix("-upper").unwrap_or_default();
            place.make_layer(prefix)?;
        }
    }
    Ok(())
}

fn cgroups(plan: &Plan) -> impl Iterator<Item = &std::ffi::CStr> {
    plan.steps.iter().filter_map(|step| match &step.op {
        Op::MakeCgroup(group) => Some(group.directory.as_c_str()),
        _ => None,
    })
}

fn config(
    place: &Place,
    name: &str,
    request: &RunRequest,
    image: &ImageConfig,
    plan: &Plan,
) -> Config {
    let command = plan.steps.iter().find_map(|step| match &step.op {
        Op::Execute(command) => Some(
            command
                .argv
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
        ),
        _ => None,
    });
    Config {
        version: config::VERSION,
        id: place.id.clone(),
        name: name.to_owned(),
        image: image.name.clone(),
        command: command.unwrap_or_default(),
        created_at: config::now(),
        rm: request.rm,
        cgroups: cgroups(plan)
            .map(|path| path.to_string_lossy().into_owned())
            .collect(),
    }
}

type Heard = (i32, Option<OwnedFd>);

/// Hears the supervisor out until the command runs.
fn hear(
    control: &OwnedFd,
    plan: &Plan,
    on_step: &mut dyn FnMut(StepDone),
) -> Result<Heard, Refused> {
    let lost = || Refused {
        failure: Failure::new(
            Code::Runtime,
            "the container's supervisor ended before the container was started",
        )
        .hint("try again; if it happens again, report it with the output of keelbox info"),
        without_userns: false,
    };
    loop {
        let Ok(Some(received)) = receive::<Event>(control) else {
            return Err(lost());
        };
        match received.message {
            Event::Done { index, nanoseconds } => tell_step(plan, index, nanoseconds, on_step),
            Event::Ready => drop(send(control, &Request::Proceed, &[])),
            Event::Started { pid } => return Ok((pid, received.fds.into_iter().next())),
            Event::Failed {
                index,
                call,
                errno,
                note,
            } => return Err(translate::refusal(plan, index, &call, errno, &note)),
            Event::Hello { .. } | Event::Exited(_) => {}
        }
    }
}

/// Microseconds to one decimal: below that, the clock's own cost shows.
fn tenths(nanoseconds: u64) -> f64 {
    let tenths = std::time::Duration::from_nanos(nanoseconds).as_secs_f64() * 1e7;
    tenths.round() / 10.0
}

fn tell_step(plan: &Plan, index: u32, nanoseconds: u64, on_step: &mut dyn FnMut(StepDone)) {
    let Some(step) = usize::try_from(index)
        .ok()
        .and_then(|index| plan.steps.get(index))
    else {
        return;
    };
    let microseconds = tenths(nanoseconds);
    let side = if step.side == Side::Launcher {
        "launcher"
    } else {
        "init"
    };
    on_step(StepDone {
        step: StepView::of(step),
        index,
        side,
        microseconds,
    });
}
