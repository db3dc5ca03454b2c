//! Starting a container: from a request to a supervisor that runs it.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use keelbox_process::{receive, send, seqpacket_pair};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::host::HostFacts;
use keelbox_spec::image::{ImageConfig, Root};
use keelbox_spec::op::{Op, Side};
use keelbox_spec::plan::{self, Plan};
use keelbox_spec::request::{MountRequest, RootRequest, RunRequest, UsernsRequest};
use keelbox_spec::start::Start;
use keelbox_supervisor::protocol::{Event, Request};
use serde::Serialize;

use crate::collect::collect;
use crate::config::{self, Config};
use crate::plan_view::{PlanView, StepView};
use crate::roots::Roots;
use crate::stdio::{Stdio, null};
use crate::store::{Place, store_failure};
use crate::{facts, host_root, ids, names, spawn, translate};

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
    /// The supervisor, a child of this process.
    pub supervisor: i32,
    /// This side's ends of its stdio.
    pub ends: [Option<OwnedFd>; 3],
    /// The master side of its terminal.
    pub console: Option<OwnedFd>,
    interactive: bool,
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
    let image = image(roots, request, false)?;
    let host = facts::gather(request);
    let id = "0123456789abcdef".repeat(4);
    let place = plan::Place {
        data: roots.containers().join(&id),
        name: request.name.clone().unwrap_or_default(),
        base: if wants_range(request, &host) {
            ids::FIRST
        } else {
            0
        },
        file_sources: file_sources(request)?,
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
    match Attempt::make(roots, request, None)?.run(on_step) {
        Err(refused) if refused.without_userns && may_go_without(roots, request) => {
            let mut relaxed = request.clone();
            relaxed.userns = UsernsRequest::Host;
            let notice = format!("no user namespace for this container: {}", refused.failure);
            Attempt::make(roots, &relaxed, Some(notice))?
                .run(on_step)
                .map_err(|refused| refused.failure)
        }
        other => other.map_err(|refused| refused.failure),
    }
}

/// A start that failed, and whether it would work without a user namespace.
pub(crate) struct Refused {
    pub(crate) failure: Failure,
    pub(crate) without_userns: bool,
}

/// Only root's containers can do without, and not the image `host`, whose safety rests on it.
fn may_go_without(roots: &Roots, request: &RunRequest) -> bool {
    let host_image =
        image(roots, request, false).is_ok_and(|image| matches!(image.root, Root::Host(_)));
    rustix::process::geteuid().is_root() && request.userns == UsernsRequest::Auto && !host_image
}

fn wants_range(request: &RunRequest, host: &HostFacts) -> bool {
    !host.is_rootless() && request.userns == UsernsRequest::Auto && !request.privileged
}

fn image(roots: &Roots, request: &RunRequest, make: bool) -> Result<ImageConfig, Failure> {
    match &request.root {
        RootRequest::Image { name } if name == "host" => host_root::image(roots, make),
        RootRequest::Image { name } => Err(Failure::new(
            Code::ImageNotFound,
            format!("no such image: {name}"),
        )
        .why("images from registries and archives are not here yet")
        .hint("use the image `host`, or a directory: --rootfs DIR")),
        RootRequest::Rootfs { path, overlay } => rootfs(path, *overlay),
    }
}

fn rootfs(given: &str, overlay: bool) -> Result<ImageConfig, Failure> {
    let fail = |why: &str| {
        Failure::new(Code::Rootfs, format!("cannot use {given:?} as a root"))
            .why(why)
            .path(given)
            .hint("give --rootfs a directory that has the container's /bin, /usr and so on")
    };
    let path =
        fs::canonicalize(given).map_err(|error| fail(keelbox_sys::Errno::from(error).text()))?;
    if !path.is_dir() {
        return Err(fail("it is not a directory"));
    }
    if path == Path::new("/") {
        return Err(fail("it is this machine's own root")
            .hint("use the image `host`, which shows what of it is safe to show"));
    }
    let root = if overlay {
        Root::Layers(vec![path])
    } else {
        Root::InPlace(path)
    };
    Ok(ImageConfig {
        name: given.to_owned(),
        cmd: vec!["/bin/sh".into()],
        root,
        ..ImageConfig::default()
    })
}

/// Which of the bind sources are no directories; one that is missing is an error here, before anything is made.
fn file_sources(request: &RunRequest) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    for mount in &request.mounts {
        let MountRequest::Bind { source, .. } = mount else {
            continue;
        };
        let stat = fs::metadata(source).map_err(|error| {
            Failure::new(Code::Mount, format!("cannot mount {source}"))
                .why(keelbox_sys::Errno::from(error).text())
                .hint(format!(
                    "make it first (mkdir -p {source}), or correct the path"
                ))
                .path(source)
        })?;
        if !stat.is_dir() {
            files.push(source.clone());
        }
    }
    Ok(files)
}

/// Everything that is made for one start, so that it can be taken back.
struct Attempt<'a> {
    roots: &'a Roots,
    request: &'a RunRequest,
    place: Place,
    name: String,
    ids: OwnedFd,
    base: u32,
    plan: Plan,
    stdio: Stdio,
}

impl<'a> Attempt<'a> {
    fn make(
        roots: &'a Roots,
        request: &'a RunRequest,
        notice: Option<String>,
    ) -> Result<Self, Failure> {
        check_files(request)?;
        let files = file_sources(request)?;
        let host = facts::gather(request);
        let stdio = Stdio::arrange(request)?;
        // Before anything is written, so that what is wrong with the request leaves no trace.
        let image = image(roots, request, false)?;
        plan::build(
            request,
            &image,
            &host,
            &plan::Place {
                id: "0".repeat(64),
                base: u32::from(wants_range(request, &host)),
                ..plan::Place::default()
            },
        )?;
        let place = Place::make(roots)?;
        let made = Self::fill(roots, request, &host, &place, files);
        match made {
            Ok((name, ids, base, mut plan)) => {
                plan.notices.extend(notice);
                Ok(Self {
                    roots,
                    request,
                    place,
                    name,
                    ids,
                    base,
                    plan,
                    stdio,
                })
            }
            Err((failure, name)) => {
                place.discard(roots, name.as_deref());
                Err(failure)
            }
        }
    }

    fn fill(
        roots: &Roots,
        request: &RunRequest,
        host: &HostFacts,
        place: &Place,
        file_sources: Vec<String>,
    ) -> Result<(String, OwnedFd, u32, Plan), (Failure, Option<String>)> {
        let image = image(roots, request, true).map_err(|failure| (failure, None))?;
        let name = names::claim(roots, request.name.as_deref(), &image.name, &place.id)
            .map_err(|failure| (failure, None))?;
        let rest = || -> Result<_, Failure> {
            let (ids, base) = range(roots, request, host, &place.id)?;
            let planned = plan::Place {
                id: place.id.clone(),
                name: name.clone(),
                data: place.data_path.clone(),
                base,
                file_sources,
            };
            let plan = plan::build(request, &image, host, &planned)?;
            make_layers(place, &plan)?;
            place.write_config(&config(place, &name, request, &image, &plan))?;
            Ok((ids, base, plan))
        };
        match rest() {
            Ok((ids, base, plan)) => Ok((name, ids, base, plan)),
            Err(failure) => Err((failure, Some(name))),
        }
    }

    fn run(self, on_step: &mut dyn FnMut(StepDone)) -> Result<Running, Refused> {
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
        write_files(self.request, &started).map_err(hard)?;
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
        Ok((ours, spawn::spawn(c"supervise", &fds)?))
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
            base: self.base,
            boot_id: facts::boot_id(),
        };
        start
            .encode()
            .map_err(|_| Failure::new(Code::Internal, "cannot write the start message"))
    }
}

fn internal(what: &str, errno: keelbox_sys::Errno) -> Failure {
    Failure::new(Code::Internal, what)
        .why(errno.text())
        .errno(errno.name())
}

fn range(
    roots: &Roots,
    request: &RunRequest,
    host: &HostFacts,
    id: &str,
) -> Result<(OwnedFd, u32), Failure> {
    if wants_range(request, host) {
        return ids::take(roots, id);
    }
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    Ok((nothing, 0))
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

/// --cidfile must not be there yet, as docker has it: a script that reads it must not find an older container's id.
fn check_files(request: &RunRequest) -> Result<(), Failure> {
    let Some(path) = &request.cidfile else {
        return Ok(());
    };
    if Path::new(path).exists() {
        return Err(Failure::new(
            Code::InvalidArg,
            format!("the file {path} of --cidfile is there already"),
        )
        .hint("remove it, or name another file")
        .path(path));
    }
    Ok(())
}

fn write_files(request: &RunRequest, started: &Started) -> Result<(), Failure> {
    let write = |path: &Option<String>, text: &str| -> Result<(), Failure> {
        let Some(path) = path else { return Ok(()) };
        let path = PathBuf::from(path);
        fs::write(&path, text).map_err(|error| {
            store_failure("write", &path, &error).hint("name a file that you can write")
        })
    };
    write(&request.cidfile, &started.id)?;
    write(&request.pidfile, &started.pid.to_string())
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

fn tell_step(plan: &Plan, index: u32, nanoseconds: u64, on_step: &mut dyn FnMut(StepDone)) {
    let Some(step) = usize::try_from(index)
        .ok()
        .and_then(|index| plan.steps.get(index))
    else {
        return;
    };
    let microseconds = std::time::Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6;
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

/// A supervisor that has said its last word ends at once.
pub(crate) fn reap(supervisor: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(supervisor) {
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    }
}

/// Replaces this process by the client of a container. Returns only with the reason why that failed.
#[must_use]
pub fn attach(running: Running) -> Failure {
    match exec_client(running) {
        Ok(never) => match never {},
        Err(failure) => failure,
    }
}

fn exec_client(running: Running) -> Result<std::convert::Infallible, Failure> {
    let path = spawn::executable()?;
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    let [stdin, stdout, stderr] = running.ends;
    let mode = match (&running.console, running.interactive) {
        (Some(_), true) => c"terminal",
        (Some(_), false) => c"display",
        (None, _) => c"pipes",
    };
    let first = running.console.or(stdin);
    let fds = [Some(running.control), first, stdout, stderr];
    place_fds(&fds, &nothing)
        .map_err(|errno| internal("cannot pass fds to the client", errno.into()))?;
    let program =
        CString::new(path.clone().into_os_string().into_encoded_bytes()).unwrap_or_default();
    let argv = [c"keelbox-runtime", c"attach", mode]
        .map(std::ffi::CStr::to_owned)
        .to_vec();
    let environment = std::env::vars_os().filter_map(|(key, value)| {
        let entry = [key.as_encoded_bytes(), b"=", value.as_encoded_bytes()].concat();
        CString::new(entry).ok()
    });
    let (argv, environment) = (
        keelbox_sys::exec::CStringArray::new(argv),
        keelbox_sys::exec::CStringArray::new(environment.collect()),
    );
    let errno = keelbox_sys::exec::execve(&program, &argv, &environment);
    Err(internal(
        &format!("cannot become the client ({})", path.display()),
        errno,
    ))
}

/// Puts the fds at 3, 4, 5, 6, where the client finds them; nothing else of this process survives execve.
fn place_fds(fds: &[Option<OwnedFd>], nothing: &OwnedFd) -> rustix::io::Result<()> {
    let high: Vec<OwnedFd> = fds
        .iter()
        .map(|fd| rustix::io::fcntl_dupfd_cloexec(fd.as_ref().unwrap_or(nothing), 64))
        .collect::<rustix::io::Result<_>>()?;
    for stream in [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ] {
        keep_open(stream);
    }
    keelbox_sys::fd::replace_from(3, &high)
        .map_err(|errno| rustix::io::Errno::from_raw_os_error(errno.raw()))
}

/// Node marks its stdio close-on-exec, and pipes non-blocking; both would reach the client.
fn keep_open(stream: BorrowedFd<'_>) {
    let _ = rustix::io::fcntl_setfd(stream, rustix::io::FdFlags::empty());
    if let Ok(flags) = rustix::fs::fcntl_getfl(stream) {
        let _ = rustix::fs::fcntl_setfl(stream, flags - rustix::fs::OFlags::NONBLOCK);
    }
}
