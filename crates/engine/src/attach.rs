//! Taking part in the stdio of a container whose output the supervisor moves: by pipes of the client's own.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::request::RunRequest;
use keelbox_supervisor::attach::DetachKeys;
use keelbox_supervisor::protocol::{Event, Request};
use keelbox_sys::Errno;
use rustix::pipe::PipeFlags;
use serde::Deserialize;

use crate::action::{Found, start};
use crate::config::{self, State};
use crate::control::{Control, not_running};
use crate::lifecycle::{self, Running, Started};
use crate::roots::Roots;

/// How a client behaves. Mirrors `ClientOptions` of `src/border/containers.ts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientOptions {
    /// E.g. `ctrl-p,ctrl-q`; empty: none. Default `ctrl-]`.
    pub detach_keys: Option<String>,
    /// Signals go to the container. Default true.
    pub sig_proxy: Option<bool>,
}

impl ClientOptions {
    /// Looks at what a user wrote.
    ///
    /// # Errors
    ///
    /// The keys are none.
    pub fn check(&self) -> Result<(), Failure> {
        match self.detach_keys.as_deref() {
            Some(keys) if !keys.is_empty() && DetachKeys::parse(keys).is_none() => Err(
                Failure::new(Code::InvalidArg, format!("{keys:?} are no detach keys")).hint(
                    "use characters and ctrl-X with commas between them, such as ctrl-p,ctrl-q",
                ),
            ),
            _ => Ok(()),
        }
    }

    /// As the client's words.
    pub(crate) fn words(&self) -> Vec<String> {
        let keys = self.detach_keys.iter().map(|keys| format!("keys={keys}"));
        let keeps = self.sig_proxy == Some(false);
        keys.chain(keeps.then(|| "keep-signals".to_owned()))
            .collect()
    }
}

/// What `attach` and `start -a` were told. Mirrors `prepareAttach` of `src/border/containers.ts`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachRequest {
    /// Name, id or the beginning of one id alone.
    pub reference: String,
    /// Start it first, if it does not run.
    pub start: bool,
    /// The caller's stdin goes to the container, if that has one.
    pub stdin: bool,
    /// What the container prints goes to the caller.
    pub output: bool,
    /// How the client behaves.
    #[serde(flatten)]
    pub client: ClientOptions,
}

/// Gets ready to be the client of a container that is there: one that runs, or one that is started for it.
///
/// # Errors
///
/// No such container (exit code 1); it does not run, or is paused; it has a client that its output belongs to.
pub fn prepare_attach(roots: &Roots, request: &AttachRequest) -> Result<Running, Failure> {
    request.client.check()?;
    let found = Found::look_up(roots, &request.reference)?;
    let config = found.config()?;
    let mut made_with = start::request(config)?;
    if made_with.tty && request.stdin && made_with.interactive {
        check_terminal()?;
    }
    let state: Option<State> = config::read(&roots.running().join(&found.id), "state.json");
    match state {
        Some(state) => attach_to(roots, &found, request, (&made_with, &state)),
        None if request.start => {
            made_with.life.detach = false;
            made_with.life.attach = Some(request.streams());
            lifecycle::start_again(roots, config, &made_with)
        }
        None => Err(not_running(&request.reference)),
    }
}

impl AttachRequest {
    fn streams(&self) -> Vec<String> {
        let output = ["stdout", "stderr"].iter().filter(|_| self.output);
        let stdin = ["stdin"].iter().filter(|_| self.stdin);
        stdin
            .chain(output)
            .map(|&stream| stream.to_owned())
            .collect()
    }
}

/// As docker has it: bytes that nobody types would be echoed, and their end be none.
fn check_terminal() -> Result<(), Failure> {
    if rustix::termios::isatty(rustix::stdio::stdin()) {
        return Ok(());
    }
    Err(Failure::new(
        Code::InvalidArg,
        "the container has a terminal, and stdin is none",
    )
    .hint("attach with --no-stdin to see what it prints"))
}

/// How long a supervisor may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

fn attach_to(
    roots: &Roots,
    found: &Found,
    request: &AttachRequest,
    (made_with, state): (&RunRequest, &State),
) -> Result<Running, Failure> {
    let reference = &request.reference;
    if state.paused {
        return Err(start::paused(reference));
    }
    let control = Control::to_running(roots, &found.id, reference)?;
    control.patience(PATIENCE);
    check_version(&control, reference)?;
    let pipes = client_pipes(Wants {
        stdin: request.stdin && made_with.interactive,
        stdout: request.output,
        stderr: request.output,
        tty: made_with.tty,
        closes_stdin: false,
    })?;
    let theirs: Vec<_> = pipes.theirs.iter().map(AsFd::as_fd).collect();
    control
        .answer_with(&pipes.request, &theirs)
        .map_err(|refused| refusal(reference, refused))?;
    if made_with.tty {
        redraw(&control);
    }
    Ok(Running {
        started: Started {
            id: found.id.clone(),
            name: found.name.clone(),
            pid: state.pid,
            notices: Vec::new(),
        },
        control: control.into_socket(),
        supervisor: 0,
        ends: pipes.ours,
        console: None,
        interactive: made_with.interactive,
        tty: made_with.tty,
        relayed: true,
        beside: false,
    })
}

fn check_version(control: &Control, reference: &str) -> Result<(), Failure> {
    /// The first with `Attach`.
    const ATTACH: u32 = 2;
    match control.hear() {
        Ok(Some(Event::Hello { version })) if version >= ATTACH => Ok(()),
        Ok(Some(_)) => Err(Failure::new(
            Code::State,
            format!("the container {reference} cannot be attached to"),
        )
        .why("an older version of keelbox has started it")
        .hint("stop it and start it again")),
        Ok(None) => Err(not_running(reference)),
        Err(errno) => Err(no_answer(reference, errno)),
    }
}

fn refusal(reference: &str, refused: Option<(Errno, String)>) -> Failure {
    let Some((errno, note)) = refused else {
        return not_running(reference);
    };
    if errno == Errno::EAGAIN && note.is_empty() {
        return no_answer(reference, errno);
    }
    let message = format!("the container {reference} cannot be attached to");
    Failure::new(Code::State, message).why(note).exit_code(1)
}

fn no_answer(reference: &str, errno: Errno) -> Failure {
    let message = format!("the supervisor of the container {reference} does not answer");
    Failure::new(Code::State, message)
        .why(errno.text())
        .hint(format!("end it: keelbox rm -f {reference}"))
}

/// A program draws anew when its window's size changes. The client sets the right one.
fn redraw(control: &Control) {
    let size = [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ]
    .into_iter()
    .find_map(|fd| rustix::termios::tcgetwinsize(fd).ok());
    if let Some(size) = size {
        control.ask(&Request::Resize {
            columns: size.ws_col.saturating_add(1),
            rows: size.ws_row.saturating_add(1),
        });
    }
}

/// What a client wants of a container's stdio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent choices of the request"
)]
pub(crate) struct Wants {
    /// To write to its stdin.
    pub(crate) stdin: bool,
    /// To read its stdout.
    pub(crate) stdout: bool,
    /// To read its stderr.
    pub(crate) stderr: bool,
    /// It has a terminal, whose output is one stream.
    pub(crate) tty: bool,
    /// The end of the client's input is that of the container's.
    pub(crate) closes_stdin: bool,
}

/// A client's pipes, and what the supervisor is told of them.
#[derive(Debug)]
pub(crate) struct ClientPipes {
    /// The client's ends: one to write to, two to read from.
    pub(crate) ours: [Option<OwnedFd>; 3],
    /// The ends that go along with the request, in its order.
    pub(crate) theirs: Vec<OwnedFd>,
    /// The request.
    pub(crate) request: Request,
}

/// Makes the pipes of a client.
///
/// # Errors
///
/// The kernel's: EMFILE, or the user's pages for pipes.
pub(crate) fn client_pipes(wants: Wants) -> Result<ClientPipes, Failure> {
    make(wants).map_err(|errno| {
        let errno = keelbox_sys::Errno::from(errno);
        Failure::new(
            Code::Internal,
            "cannot make pipes for the container's client",
        )
        .why(errno.text())
        .errno(errno.name())
    })
}

fn make(wants: Wants) -> rustix::io::Result<ClientPipes> {
    // A terminal has one output, which comes as stdout.
    let (stdout, stderr) = if wants.tty {
        (wants.stdout || wants.stderr, false)
    } else {
        (wants.stdout, wants.stderr)
    };
    let mut pipes = ClientPipes {
        ours: [None, None, None],
        theirs: Vec::new(),
        request: Request::Attach {
            stdin: wants.stdin,
            stdout,
            stderr,
            closes_stdin: wants.closes_stdin,
        },
    };
    for (place, wanted) in pipes.ours.iter_mut().zip([wants.stdin, stdout, stderr]) {
        let is_stdin = pipes.theirs.is_empty() && wants.stdin;
        if wanted {
            let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            let (ours, theirs) = if is_stdin {
                (write, read)
            } else {
                (read, write)
            };
            *place = Some(ours);
            pipes.theirs.push(theirs);
        }
    }
    Ok(pipes)
}
