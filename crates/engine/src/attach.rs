//! Taking part in the stdio of a container whose output the supervisor moves: by pipes of the client's own.

use std::os::fd::OwnedFd;

use keelbox_spec::failure::{Code, Failure};
use keelbox_supervisor::protocol::Request;
use rustix::pipe::PipeFlags;

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
