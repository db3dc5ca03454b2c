//! One try to start a container: everything that is made for it, so that it can be taken back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_process::{receive, send, seqpacket_pair};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::{ImageConfig, Root};
use keelbox_spec::op::{Op, Side};
use keelbox_spec::plan::{self, ExecRecord, Plan};
use keelbox_spec::request::RunRequest;
use keelbox_spec::start::Start;
use keelbox_supervisor::protocol::{Event, Request};

use crate::collect::collect;
use crate::config::{self, Config};
use crate::export::RootRecord;
use crate::fallback::{Fallback, Lack};
use crate::lifecycle::{Running, Started, StepDone, reap};
use crate::namespaces::Looked;
use crate::outputs::Outputs;
use crate::plan_view::StepView;
use crate::roots::Roots;
use crate::stdio::{Stdio, null};
use crate::store::{Place, internal, new_id};
use crate::{
    binaries, facts, host_root, ids, images, names, source, spawn, storage, translate, volumes,
};

/// A start that failed, and what this machine lacks if that is why.
pub(crate) struct Refused {
    pub(crate) failure: Failure,
    pub(crate) lack: Option<Lack>,
}

/// Everything that is made for one start, so that it can be taken back.
pub(crate) struct Attempt<'a> {
    roots: &'a Roots,
    request: Cow<'a, RunRequest>,
    /// Volumes that were made for it.
    anonymous: Vec<String>,
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
        fallback: &Fallback,
    ) -> Result<Self, Failure> {
        let looked = Looked::up(roots, request)?;
        let whole = volumes::with_other_containers(roots, request)?;
        let mut gathered = storage::gather(&whole)?;
        let host = facts::gather(request, &looked.asked, &looked.found)?;
        let stdio = Stdio::arrange(request)?;
        roots.make()?;
        // Until the configuration is written, which keeps the image's layers.
        let _held = source::hold(roots, request)?;
        let image = source::image(roots, request, true)?;
        let resolved = volumes::resolve(roots, whole, &image, &mut gathered.facts, true)?;
        let request = resolved.request.as_ref();
        images::mounted(roots, &request.mounts, &mut gathered.facts)?;
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
            file_sources: gathered.file_sources,
            storage: gathered.facts,
            without: fallback.without,
            seccomp: source::seccomp(request)?,
        };
        let mut plan = plan::build(request, &image, &host, &planned)?;
        plan.notices.extend(fallback.notices.iter().cloned());
        plan.notices.extend(source::notice(&image));
        storage::make_missing(request)?;
        let outputs = Outputs::open(request)?;
        let place = Place::make(roots, id)?;
        let filled = fill(roots, request, &place, &image, &plan, &planned);
        let made = filled.and_then(|name| match resolved.make(roots) {
            Ok(()) => Ok(name),
            Err(failure) => Err((failure, Some(name))),
        });
        let anonymous = resolved.anonymous();
        let request = resolved.into_request();
        match made {
            Ok(name) => Ok(Self {
                roots,
                request,
                anonymous,
                place,
                name,
                ids,
                namespaces: looked.fds,
                plan,
                stdio,
                outputs,
            }),
            Err((failure, name)) => {
                volumes::drop_unused(roots, &place.id, &anonymous);
                place.discard(roots, name.as_deref());
                Err(failure)
            }
        }
    }

    pub(crate) fn run(self, on_step: &mut dyn FnMut(StepDone)) -> Result<Running, Refused> {
        let hard = |failure| Refused {
            failure,
            lack: None,
        };
        let (ours, supervisor) = match self.spawn() {
            Ok(spawned) => spawned,
            Err(failure) => {
                volumes::drop_unused(self.roots, &self.place.id, &self.anonymous);
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
                volumes::drop_unused(self.roots, &self.place.id, &self.anonymous);
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
        let fds: [BorrowedFd<'_>; 13] = [
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
            nothing.as_fd(),
            nothing.as_fd(),
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

    /// Without `--rm` they stay with the container, for `rm --volumes`.
    fn volumes_to_remove(&self) -> Vec<CString> {
        let names = self.anonymous.iter().filter(|_| self.request.rm);
        let names = names.map(|name| CString::new(name.as_str()).unwrap_or_default());
        names.collect()
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
            volumes: self.volumes_to_remove(),
            own_stdio: self.stdio.own,
            blocking_stdio: self.stdio.blocking,
            base: self.plan.choices.base,
            group_base: self.plan.choices.group_base,
            boot_id: facts::boot_id(),
            life: keelbox_spec::start::Life::default(),
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
    planned: &plan::Place,
) -> Result<String, (Failure, Option<String>)> {
    let name = names::claim(roots, request.name.as_deref(), &image.name, &place.id)
        .map_err(|failure| (failure, None))?;
    make_layers(place, plan)
        .and_then(|()| make_plain_root(place, image, planned))
        .and_then(|()| place.write_config(&config(place, &name, request, image, (plan, planned))))
        .map_err(|failure| (failure, Some(name.clone())))?;
    Ok(name)
}

fn make_layers(place: &Place, plan: &Plan) -> Result<(), Failure> {
    for step in &plan.steps {
        if let Op::Overlay { upper, .. } = &step.op
            && !upper.path.is_empty()
        {
            let name = upper.upper.to_string_lossy();
            let prefix = name.strip_suffix("-upper").unwrap_or_default();
            place.make_layer(prefix)?;
        }
    }
    Ok(())
}

/// For the image `host` where nothing can be laid over its skeleton.
fn make_plain_root(
    place: &Place,
    image: &ImageConfig,
    planned: &plan::Place,
) -> Result<(), Failure> {
    match &image.root {
        Root::Host(host) if plan::has_plain_root(planned.without) => {
            host_root::copy(&host.skeleton, &place.data_path, planned.base)
        }
        _ => Ok(()),
    }
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
    (plan, planned): (&Plan, &plan::Place),
) -> Config {
    let (mounted_images, mut layers) = images::kept(&planned.storage);
    if let Some(stored) = &image.stored {
        layers.extend(stored.layers.iter().cloned());
    }
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
        labels: labels(request, image),
        annotations: config::pairs(&request.confinement.annotations),
        cgroups: cgroups(plan)
            .map(|path| path.to_string_lossy().into_owned())
            .collect(),
        mounts: request.mounts.clone(),
        root: Some(RootRecord::of(&image.root)),
        image_id: image.stored.as_ref().map(|stored| stored.id.clone()),
        mounted_images: mounted_images.into_iter().collect(),
        layers: layers.into_iter().collect(),
        binaries: binaries::key_of(&image.root),
        exec: Some(Box::new(ExecRecord::of(plan, request, image))),
        request: Some(Box::new(request.clone())),
    }
}

/// The image's, and over them the user's.
fn labels(request: &RunRequest, image: &ImageConfig) -> BTreeMap<String, String> {
    let mut labels = image.labels.clone();
    labels.extend(config::pairs(&request.confinement.labels));
    labels
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
        lack: None,
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
            _ => {}
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
