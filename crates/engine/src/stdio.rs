//! Which files become the container's stdin, stdout and stderr, and which ends stay here.
//!
//! The caller's own pipe goes in as it is, when the container ends with its client: nobody has to move a byte. A terminal
//! (TIOCSTI), a regular file or a socket of the caller's never goes in; the container gets a pipe, and the client moves the
//! bytes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::attach::{self, ClientPipes, Wants};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::request::{RunRequest, StdioRequest};
use keelbox_spec::start::Log;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::pipe::PipeFlags;

/// The container's stdio and ours.
#[derive(Debug)]
pub(crate) struct Stdio {
    /// The container's fds 0-2.
    pub(crate) theirs: [OwnedFd; 3],
    /// Our ends of them.
    pub(crate) ours: [Option<OwnedFd>; 3],
    /// Of `theirs`: those that the container's root is to own.
    pub(crate) own: u8,
    /// Of `theirs`: those to make blocking.
    pub(crate) blocking: u8,
    /// The caller's terminal.
    pub(crate) terminal: Option<OwnedFd>,
    /// Its bytes go through the supervisor, which has our ends.
    pub(crate) relayed: bool,
}

/// The pipes of the client that starts a container, when its bytes go through the supervisor.
pub(crate) fn client(request: &RunRequest, relayed: bool) -> Result<Option<ClientPipes>, Failure> {
    if !relayed || request.life.detach {
        return Ok(None);
    }
    let streams = request.life.attach.as_deref();
    let wants =
        |stream: &str| streams.is_none_or(|streams| streams.iter().any(|one| one == stream));
    attach::client_pipes(Wants {
        stdin: request.interactive && wants("stdin"),
        stdout: wants("stdout"),
        stderr: wants("stderr") && !is_one_output(request),
        tty: request.tty,
        closes_stdin: true,
    })
    .map(Some)
}

impl Stdio {
    /// Arranges the stdio of `request`.
    pub(crate) fn arrange(request: &RunRequest, log: &Log) -> Result<Self, Failure> {
        Self::make(request, *log != Log::Passthrough).map_err(|errno| {
            let errno = keelbox_sys::Errno::from(errno);
            Failure::new(Code::Internal, "cannot make pipes for the container")
                .why(errno.text())
                .errno(errno.name())
        })
    }

    fn make(request: &RunRequest, relayed: bool) -> rustix::io::Result<Self> {
        let mut stdio = Self {
            theirs: [null()?, null()?, null()?],
            ours: [None, None, None],
            own: 0,
            blocking: 0,
            terminal: None,
            relayed,
        };
        if relayed {
            stdio.relay(request)?;
            return Ok(stdio);
        }
        match request.stdio {
            StdioRequest::Pipe { stdin } => {
                // A terminal has one output; its bytes are moved by whoever holds the other ends.
                let outputs = if request.tty { 1 } else { 2 };
                for stream in 0..=outputs {
                    if stream != 0 || stdin {
                        stdio.pipe(stream)?;
                    }
                }
                if request.tty {
                    stdio.own = 0;
                }
            }
            StdioRequest::Inherit if request.tty => {
                let terminal = rustix::stdio::stdin();
                if rustix::termios::isatty(terminal) {
                    stdio.terminal = Some(keep(terminal)?);
                }
            }
            StdioRequest::Inherit => stdio.inherit(request)?,
        }
        Ok(stdio)
    }

    /// Pipes whose other ends the supervisor has; with a terminal, it has that one's.
    fn relay(&mut self, request: &RunRequest) -> rustix::io::Result<()> {
        if request.tty {
            let terminal = rustix::stdio::stdin();
            if !request.life.detach && rustix::termios::isatty(terminal) {
                self.terminal = Some(keep(terminal)?);
            }
            return Ok(());
        }
        if request.interactive {
            self.pipe(0)?;
        }
        self.pipe(1)?;
        if is_one_output(request) {
            // One pipe for both keeps their order, as one file or terminal would.
            self.theirs[2] = keep(self.theirs[1].as_fd())?;
            self.own |= 1 << 2;
            return Ok(());
        }
        self.pipe(2)
    }

    fn inherit(&mut self, request: &RunRequest) -> rustix::io::Result<()> {
        if request.interactive {
            self.stream(0, rustix::stdio::stdin(), request.rm)?;
        }
        self.stream(1, rustix::stdio::stdout(), request.rm)?;
        if same_file(rustix::stdio::stdout(), rustix::stdio::stderr()) && self.ours[1].is_some() {
            // One pipe for both keeps their order, as one file or terminal would.
            self.theirs[2] = keep(self.theirs[1].as_fd())?;
            self.own |= 1 << 2;
            return Ok(());
        }
        self.stream(2, rustix::stdio::stderr(), request.rm)
    }

    fn stream(
        &mut self,
        number: usize,
        caller: BorrowedFd<'_>,
        tied: bool,
    ) -> rustix::io::Result<()> {
        match kind(caller) {
            Kind::Closed => Ok(()),
            Kind::Pipe if tied => {
                self.put(number, keep(caller)?);
                self.own |= 1 << number;
                self.blocking |= 1 << number;
                Ok(())
            }
            Kind::Null => {
                self.put(number, keep(caller)?);
                Ok(())
            }
            Kind::Pipe | Kind::Other => self.pipe(number),
        }
    }

    fn pipe(&mut self, number: usize) -> rustix::io::Result<()> {
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let (theirs, ours) = if number == 0 {
            (read, write)
        } else {
            (write, read)
        };
        self.put(number, theirs);
        if let Some(place) = self.ours.get_mut(number) {
            *place = Some(ours);
        }
        self.own |= 1 << number;
        Ok(())
    }

    fn put(&mut self, number: usize, fd: OwnedFd) {
        if let Some(place) = self.theirs.get_mut(number) {
            *place = fd;
        }
    }
}

/// Whether the caller's stdout and stderr are one file, and so are the container's.
fn is_one_output(request: &RunRequest) -> bool {
    !request.life.detach
        && request.life.attach.is_none()
        && same_file(rustix::stdio::stdout(), rustix::stdio::stderr())
}

enum Kind {
    Closed,
    Null,
    Pipe,
    Other,
}

fn kind(fd: BorrowedFd<'_>) -> Kind {
    let Ok(stat) = rustix::fs::fstat(fd) else {
        return Kind::Closed;
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo if is_unnamed(fd) => Kind::Pipe,
        FileType::CharacterDevice if stat.st_rdev == rustix::fs::makedev(1, 3) => Kind::Null,
        _ => Kind::Other,
    }
}

/// A FIFO that has a name is somebody's file, and must not become the container's (it would be chowned).
fn is_unnamed(fd: BorrowedFd<'_>) -> bool {
    const PIPEFS_MAGIC: u64 = 0x5049_5045;
    rustix::fs::fstatfs(fd).is_ok_and(|fs| u64::try_from(fs.f_type) == Ok(PIPEFS_MAGIC))
}

fn same_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let id = |fd| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
    id(one).is_ok_and(|one| id(other) == Ok(one))
}

pub(crate) fn null() -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(
        CWD,
        c"/dev/null",
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

pub(crate) fn keep(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3)
}
