//! One try to make or start a container: everything that is made for it, so that it can be taken back.

mod contents;
mod hear;
pub(crate) mod rest;

use std::borrow::Cow;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use contents::{Contents, cgroups};
use keelbox_process::{send, seqpacket_pair};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::ImageConfig;
use keelbox_spec::life::{health_test, life};
use keelbox_spec::plan::{self, Plan};
use keelbox_spec::request::RunRequest;
use keelbox_spec::start::{Life, Start};
use keelbox_supervisor::protocol::Request;

use crate::attach::ClientPipes;
use crate::collect::collect;
use crate::config::Config;
use crate::fallback::{Fallback, Lack};
use crate::lifecycle::{Created, Running, Started, StepDone, reap};
use crate::namespaces::Looked;
use crate::outputs::Outputs;
use crate::roots::Roots;
use crate::stdio::{Stdio, null};
use crate::store::{Place, internal, new_id, open_directory};
use crate::volumes::Resolved;
use crate::{event, facts, ids, images, source, spawn, stdio, storage, volumes};

/// A start that failed, and what this machine lacks if that is why.
pub(crate) struct Refused {
    pub(crate) failure: Failure,
    pub(crate) lack: Option<Lack>,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            lack: None,
        }
    }
}

/// What a container is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose<'a> {
    /// To be started now.
    Run,
    /// To be started later.
    Create,
    /// It is there, and is to be started again.
    Again(&'a Config),
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
    life: Life,
    stdio: Stdio,
    client: Option<ClientPipes>,
    outputs: Outputs,
}

/// What is decided before anything is made.
struct Planned<'a> {
    request: Resolved<'a>,
    image: ImageConfig,
    plan: Plan,
    place: plan::Place,
    ids: OwnedFd,
    looked: Looked,
    /// Until the configuration is written, which keeps the image's layers.
    _held: Option<OwnedFd>,
}

impl<'a> Planned<'a> {
    fn make(
        roots: &Roots,
        request: &'a RunRequest,
        fallback: &Fallback,
        purpose: Purpose<'_>,
    ) -> Result<Self, Failure> {
        let mut looked = Looked::up(roots, request)?;
        let whole = volumes::with_other_containers(roots, request)?;
        let mut gathered = storage::gather(&whole)?;
        let host = facts::gather(request, &looked.asked, &looked.found)?;
        roots.make()?;
        let held = source::hold(roots, request)?;
        let image = image(roots, request, purpose)?;
        let request = volumes::resolve(roots, whole, &image, &mut gathered.facts, true)?;
        images::mounted(roots, &request.request.mounts, &mut gathered.facts)?;
        let id = match purpose {
            Purpose::Again(config) => config.id.clone(),
            Purpose::Run | Purpose::Create => new_id()?,
        };
        let count = looked.range(&request.request, &image, &host)?;
        let (ids, base) = match looked.range.take() {
            Some(shared) => (shared, 0),
            None => range(roots, count, &id)?,
        };
        let place = plan::Place {
            data: roots.containers().join(&id),
            id,
            base,
            found: std::mem::take(&mut looked.found),
            file_sources: gathered.file_sources,
            storage: gathered.facts,
            without: fallback.without,
            seccomp: source::seccomp(&request.request)?,
        };
        let mut plan = plan::build(&request.request, &image, &host, &place)?;
        plan.notices.extend(fallback.notices.iter().cloned());
        plan.notices.extend(source::notice(&image));
        Ok(Self {
            request,
            image,
            plan,
            place,
            ids,
            looked,
            _held: held,
        })
    }
}

impl Planned<'_> {
    fn contents<'b>(&'b self, roots: &'b Roots, place: &'b Place) -> Contents<'b> {
        Contents {
            roots,
            request: self.request.request.as_ref(),
            place,
            image: &self.image,
            plan: &self.plan,
            planned: &self.place,
        }
    }

    fn life(&self) -> Result<Life, Failure> {
        let (request, image) = (self.request.request.as_ref(), &self.image);
        let mut life = life(request, image, "")?;
        let test = health_test(&request.life.health, &image.healthcheck);
        if let (Some(health), Some(test)) = (&mut life.health, test) {
            let steps = plan::health(&self.plan, request, image, &self.place.id, test)?;
            health.steps = steps.unwrap_or_default();
        }
        let labels = contents::labels(request, image);
        life.labels = labels.into_iter().collect();
        Ok(life)
    }
}

impl<'a> Attempt<'a> {
    /// Plans first, so that what is wrong with the request leaves no trace; then makes.
    pub(crate) fn make(
        roots: &'a Roots,
        request: &'a RunRequest,
        fallback: &Fallback,
        purpose: Purpose<'_>,
    ) -> Result<Self, Failure> {
        let existing = matches!(purpose, Purpose::Again(_));
        let planned = Planned::make(roots, request, fallback, purpose)?;
        let mut life = planned.life()?;
        life.existing = existing;
        let stdio = Stdio::arrange(request, &life.log)?;
        storage::make_missing(&planned.request.request)?;
        let outputs = Outputs::open(request, purpose)?;
        let place = Place::make(roots, planned.place.id.clone(), existing)?;
        let made = fill(roots, &place, &planned, purpose);
        let anonymous = planned.request.anonymous();
        let name = match made {
            Ok(name) => name,
            Err((failure, name)) => {
                volumes::drop_unused(roots, &place.id, &anonymous);
                if existing {
                    place.release();
                } else {
                    place.discard(roots, name.as_deref());
                }
                return Err(failure);
            }
        };
        name.clone_into(&mut life.name);
        if let Purpose::Again(config) = purpose {
            life.labels = config.labels.clone().into_iter().collect();
            life.image.clone_from(&config.image);
            if let Some(word) = &config.restart {
                life.restart = keelbox_spec::life::restart_policy(word)?;
            }
        }
        Ok(Self {
            roots,
            request: planned.request.into_request(),
            anonymous,
            place,
            name,
            ids: planned.ids,
            namespaces: planned.looked.fds,
            plan: planned.plan,
            life,
            client: stdio::client(request, stdio.relayed)?,
            stdio,
            outputs,
        })
    }

    /// It is made; it is not started now.
    pub(crate) fn keep(self) -> Created {
        let created = Created {
            id: self.place.id.clone(),
            name: self.name,
            notices: self.plan.notices,
        };
        self.outputs.write(&created.id, 0);
        self.place.release();
        created
    }

    /// Takes back what was made.
    fn discard(self) {
        volumes::drop_unused(self.roots, &self.place.id, &self.anonymous);
        if self.life.existing {
            self.place.release();
        } else {
            self.place.discard(self.roots, Some(&self.name));
        }
    }

    pub(crate) fn run(self, on_step: &mut dyn FnMut(StepDone)) -> Result<Running, Refused> {
        if !self.life.existing && !self.tied() {
            event::record(self.roots, "create", &self.place.id);
        }
        let (ours, supervisor) = match self.spawn() {
            Ok(spawned) => spawned,
            Err(failure) => {
                self.discard();
                return Err(failure.into());
            }
        };
        let (pid, console) = match hear::hear(&ours, &self.plan, on_step) {
            Ok(heard) => heard,
            Err(refused) => {
                reap(supervisor);
                let Place { state, data, .. } = self.place;
                drop((state, data));
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
            relayed: self.stdio.relayed,
            beside: false,
            ends: match self.client {
                Some(client) => client.ours,
                None => self.stdio.ours,
            },
            console,
            interactive: self.request.interactive,
            tty: self.request.tty,
        })
    }

    fn spawn(&self) -> Result<(OwnedFd, i32), Failure> {
        let message = spawn::message(&self.message()?)?;
        let (ours, theirs) =
            seqpacket_pair().map_err(|errno| internal("cannot make a socket pair", errno))?;
        let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
        let journal = open_directory(&self.roots.journal())?;
        // A client that it ends with has its own.
        let end = |stream: usize| {
            let has = self.stdio.relayed || !self.tied() && stream > 0;
            let end = self.stdio.ours.get(stream).filter(|_| has);
            end.and_then(Option::as_ref).unwrap_or(&nothing).as_fd()
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
            end(1),
            end(2),
            terminal.as_fd(),
            end(0),
            journal.as_fd(),
        ];
        if !self.namespaces.is_empty() {
            let namespaces: Vec<_> = self.namespaces.iter().map(AsFd::as_fd).collect();
            send(&ours, &Request::Namespaces, &namespaces)
                .map_err(|errno| internal("cannot pass namespaces on", errno))?;
        }
        if let Some(client) = &self.client {
            let ends: Vec<_> = client.theirs.iter().map(AsFd::as_fd).collect();
            send(&ours, &client.request, &ends)
                .map_err(|errno| internal("cannot pass the client's pipes on", errno))?;
        }
        Ok((ours, spawn::spawn(&[c"supervise"], &fds)?))
    }

    fn tied(&self) -> bool {
        self.request.rm && !self.request.life.detach
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
            exec_id: String::new(),
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
            life: self.life.clone(),
        };
        start
            .encode()
            .map_err(|_| Failure::new(Code::Internal, "cannot write the start message"))
    }
}

/// The image of a container; that of one that is there is what it was.
fn image(
    roots: &Roots,
    request: &RunRequest,
    purpose: Purpose<'_>,
) -> Result<ImageConfig, Failure> {
    if let Purpose::Again(config) = purpose
        && let Some(image) = &config.image_config
    {
        return Ok(image.as_ref().clone());
    }
    source::image(roots, request, true)
}

fn fill(
    roots: &Roots,
    place: &Place,
    planned: &Planned<'_>,
    purpose: Purpose<'_>,
) -> Result<String, (Failure, Option<String>)> {
    let contents = planned.contents(roots, place);
    let name = match purpose {
        Purpose::Run => contents.make(true)?,
        Purpose::Create => contents.make(false)?,
        Purpose::Again(config) => contents.renew(config).map_err(|failure| (failure, None))?,
    };
    let is_started = !matches!(purpose, Purpose::Create);
    let made = planned.request.make(roots).and_then(|()| {
        let kept = !planned.request.request.rm;
        if is_started {
            place.make_room(kept)
        } else {
            Ok(())
        }
    });
    match made {
        Ok(()) => Ok(name),
        Err(failure) => Err((failure, Some(name))),
    }
}

fn range(roots: &Roots, count: u32, id: &str) -> Result<(OwnedFd, u32), Failure> {
    if count > 0 {
        return ids::take(roots, id, count);
    }
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    Ok((nothing, 0))
}
