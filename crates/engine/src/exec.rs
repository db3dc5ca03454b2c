//! A command in a container that runs.

pub(crate) mod target;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::plan::{self, ExecCommand, PlanStep};
use keelbox_spec::request::{RunRequest, StdioRequest, TerminalSize};
use keelbox_spec::start::{Life, Log, Start};
use serde::Deserialize;

use crate::lifecycle::{Running, Started, reap};
use crate::roots::Roots;
use crate::spawn;
use crate::stdio::{Stdio, null};
use crate::store::{internal, new_id, open_directory};
use target::Target;

/// What `exec` was told. Mirrors `src/border/exec.ts`, where each key is explained for TypeScript.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of `docker exec`"
)]
pub struct ExecRequest {
    /// Name, id or the beginning of one id alone.
    pub reference: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// `KEY=value`, over the container's own.
    pub env: Vec<String>,
    /// The working directory.
    pub cwd: Option<String>,
    /// `name|uid[:group|gid]`.
    pub user: Option<String>,
    /// All capabilities, no filter, no profile.
    pub privileged: bool,
    /// Capabilities to add.
    pub cap_add: Vec<String>,
    /// Keep stdin open.
    pub interactive: bool,
    /// A terminal of its own.
    pub tty: bool,
    /// The terminal's size before the command starts.
    pub terminal_size: Option<TerminalSize>,
    /// TERM for a command with a terminal.
    pub term: Option<String>,
    /// Where stdin, stdout and stderr lead.
    pub stdio: StdioRequest,
    /// The command ends when its client is gone.
    pub tied: bool,
}

impl ExecRequest {
    fn wanted(&self) -> ExecCommand<'_> {
        ExecCommand {
            command: &self.command,
            env: &self.env,
            cwd: self.cwd.as_deref(),
            user: self.user.as_deref(),
            privileged: self.privileged,
            cap_add: &self.cap_add,
            tty: self.tty,
            size: self.terminal_size,
            term: self.term.as_deref(),
        }
    }
}

/// Starts a command in a container; the caller is its client.
///
/// # Errors
///
/// No such container, or one that does not run, is paused or is somebody else's (exit code 125); the command is not there
/// (127) or cannot be executed (126); the step that failed.
pub fn exec(roots: &Roots, request: &ExecRequest) -> Result<Running, Failure> {
    let target = Target::find(roots, &request.reference).map_err(as_ours)?;
    let stdio = stdio(&target, request)?;
    begin(roots, &target, request, stdio)
}

/// Starts a command that has no client: its stdin, stdout and stderr lead nowhere.
///
/// # Errors
///
/// As [`exec`].
pub fn exec_detached(roots: &Roots, request: &ExecRequest) -> Result<Started, Failure> {
    let target = Target::find(roots, &request.reference).map_err(as_ours)?;
    let nothing = || null().map_err(|errno| internal("cannot open /dev/null", errno.into()));
    let stdio = Stdio {
        theirs: [nothing()?, nothing()?, nothing()?],
        ours: [None, None, None],
        own: 0,
        blocking: 0,
        terminal: None,
        relayed: false,
    };
    let untied = ExecRequest {
        tied: false,
        ..request.clone()
    };
    let running = begin(roots, &target, &untied, stdio)?;
    // Nobody else would, in a process that lives on: and a dead process stays until it is waited for.
    let supervisor = running.supervisor;
    let reaper = std::thread::Builder::new().stack_size(64 * 1024);
    let _ = reaper.spawn(move || reap(supervisor));
    Ok(running.started)
}

/// Whatever keeps a command from being tried is no exit code of the command's.
fn as_ours(failure: Failure) -> Failure {
    failure.exit_code(125)
}

/// The streams are arranged as for a container that is started with these words.
fn stdio(target: &Target, request: &ExecRequest) -> Result<Stdio, Failure> {
    let Some(made_with) = &target.config.request else {
        return Err(
            Failure::new(Code::State, "the container's configuration is not whole")
                .hint("remove it, and make it again"),
        );
    };
    let like = RunRequest {
        tty: request.tty,
        interactive: request.interactive,
        stdio: request.stdio,
        rm: request.tied,
        ..made_with.as_ref().clone()
    };
    Stdio::arrange(&like, &Log::Passthrough)
}

fn begin(
    roots: &Roots,
    target: &Target,
    request: &ExecRequest,
    stdio: Stdio,
) -> Result<Running, Failure> {
    let steps = plan::exec(&target.record, &request.wanted(), &target.place)?;
    let (control, supervisor) = start(roots, target, request, &stdio, &steps)?;
    let (pid, console) = match target.hear(&control, &steps) {
        Ok(heard) => heard,
        Err(failure) => {
            drop(control);
            reap(supervisor);
            return Err(failure);
        }
    };
    Ok(Running {
        started: Started {
            id: target.place.id.clone(),
            name: target.config.name.clone(),
            pid,
            notices: Vec::new(),
        },
        control,
        supervisor,
        ends: stdio.ours,
        console,
        interactive: request.interactive,
        tty: request.tty,
        relayed: false,
        beside: true,
    })
}

/// What the executable is told.
fn message(
    target: &Target,
    request: &ExecRequest,
    stdio: &Stdio,
    steps: &[PlanStep],
) -> Result<OwnedFd, Failure> {
    let (base, group_base) = target.base();
    let config = &target.config;
    let message = Start {
        version: keelbox_spec::start::VERSION,
        id: target.place.id.clone(),
        exec_id: new_id()?,
        steps: steps
            .iter()
            .map(|step| (step.side, step.op.clone()))
            .collect(),
        tied_to_client: request.tied,
        own_stdio: stdio.own,
        blocking_stdio: stdio.blocking,
        base,
        group_base,
        life: Life {
            name: config.name.clone(),
            image: config.image.clone(),
            labels: config.labels.clone().into_iter().collect(),
            ..Life::default()
        },
        ..Start::default()
    };
    let message = message
        .encode()
        .map_err(|_| Failure::new(Code::Internal, "cannot write the start message"))?;
    spawn::message(&message)
}

fn start(
    roots: &Roots,
    target: &Target,
    request: &ExecRequest,
    stdio: &Stdio,
    steps: &[PlanStep],
) -> Result<(OwnedFd, i32), Failure> {
    let message = message(target, request, stdio, steps)?;
    let (ours, theirs) = target.socket()?;
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    let journal = open_directory(&roots.journal()).ok();
    let drain = |stream: usize| {
        let end = stdio.ours.get(stream).and_then(Option::as_ref);
        end.filter(|_| !request.tied).unwrap_or(&nothing).as_fd()
    };
    let [stdin, stdout, stderr] = &stdio.theirs;
    let fds: [BorrowedFd<'_>; 9] = [
        stdin.as_fd(),
        stdout.as_fd(),
        stderr.as_fd(),
        theirs.as_fd(),
        message.as_fd(),
        drain(1),
        drain(2),
        stdio.terminal.as_ref().unwrap_or(&nothing).as_fd(),
        journal.as_ref().unwrap_or(&nothing).as_fd(),
    ];
    let supervisor = spawn::spawn(&[c"exec"], &fds)?;
    Ok((ours, supervisor))
}
