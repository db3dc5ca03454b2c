//! The next start of the same container: this process executes itself again, and is as small as at its first start.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use keelbox_spec::start::{Log, Start, fds};
use keelbox_sys::clone::{Side, fork};
use keelbox_sys::exec::{CStringArray, execve, exit_now};
use keelbox_sys::{Errno, Result};
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::pipe::PipeFlags;

use super::peers::Peer;
use super::{Held, Phase, Supervisor};
use crate::protocol::Exited;

/// What comes from the supervisor's life before.
#[derive(Debug)]
pub struct Again {
    /// Milliseconds of the pause before.
    pub(super) pause: u64,
    /// Somebody asked for it; otherwise a policy did.
    pub(super) is_asked: bool,
    pub(super) listener: OwnedFd,
    /// Those of others.
    pub(super) namespaces: Vec<OwnedFd>,
    /// Who waits for the container, and whether it wants to hear of its health.
    pub(super) peers: Vec<(OwnedFd, bool)>,
}

/// The words after `supervise` that say what comes along.
struct Words {
    pause: u64,
    is_asked: bool,
    namespaces: usize,
    peers: Vec<bool>,
}

impl Words {
    fn read(words: &[&str]) -> Option<Self> {
        let [why, pause, namespaces, peers] = words else {
            return None;
        };
        Some(Self {
            pause: pause.parse().ok()?,
            is_asked: *why == "asked",
            namespaces: namespaces.parse().ok()?,
            peers: peers
                .trim_start_matches('.')
                .chars()
                .map(|peer| peer == 'h')
                .collect(),
        })
    }

    fn write(&self) -> Vec<String> {
        let why = if self.is_asked { "asked" } else { "policy" };
        let peers = self
            .peers
            .iter()
            .map(|hears| if *hears { 'h' } else { '-' });
        vec![
            why.to_owned(),
            self.pause.to_string(),
            self.namespaces.to_string(),
            // Never empty: a word must be there.
            std::iter::once('.').chain(peers).collect(),
        ]
    }
}

/// How many fds come besides those of every start, and what they are. None: these are no such words.
#[must_use]
pub fn again(words: &[&str]) -> Option<(usize, impl FnOnce(Vec<OwnedFd>) -> Option<Again>)> {
    let words = Words::read(words)?;
    let count = 1 + words.namespaces + words.peers.len();
    let take = move |fds: Vec<OwnedFd>| {
        let mut fds = fds.into_iter();
        let listener = fds.next()?;
        let namespaces = fds.by_ref().take(words.namespaces).collect();
        Some(Again {
            pause: words.pause,
            is_asked: words.is_asked,
            listener,
            namespaces,
            peers: fds.zip(words.peers).collect(),
        })
    };
    Some((count, take))
}

impl Supervisor {
    /// Starts the container again. Returns only if this process must go on as it is: everything is over.
    pub(super) fn start_again(&mut self) {
        self.leave_slow_clients();
        if let Err(errno) = self.execute_self() {
            self.fail_again(errno);
        }
    }

    /// Clients that have not read everything yet get it from another process, which ends when they have.
    pub(super) fn leave_slow_clients(&mut self) {
        if self.peers.iter().all(Peer::is_told) {
            return;
        }
        match fork() {
            Ok(Side::Child) => match fork() {
                Ok(Side::Child) => self.serve_and_end(),
                _ => exit_now(0),
            },
            Ok(Side::Parent { pidfd, .. }) => {
                let _ = keelbox_sys::wait::wait(pidfd.as_fd());
            }
            Err(_) => {}
        }
        if self
            .peers
            .iter()
            .any(|peer| peer.is_first && !peer.is_told())
        {
            self.terminal = None;
        }
        self.peers.retain(Peer::is_told);
    }

    fn serve_and_end(&mut self) -> ! {
        self.held = None;
        self.listener = None;
        self.namespaces = Vec::new();
        self.peers.retain(|peer| !peer.is_told());
        self.phase = Phase::Over { until: None };
        while !self.peers.iter().all(Peer::is_told) {
            self.turn();
        }
        self.see_client_off();
        exit_now(0)
    }

    fn execute_self(&mut self) -> Result<()> {
        let start = self.next_start()?;
        let null = null()?;
        let nothing = || rustix::io::fcntl_dupfd_cloexec(&null, 3);
        let message = memory(&start)?;
        let stdio = self.new_stdio(&null)?;
        let words = Words {
            pause: self.back_off.milliseconds(),
            is_asked: self.asked.again,
            namespaces: self.namespaces.len(),
            peers: self.peers.iter().map(|peer| peer.hears_health).collect(),
        };
        let Some(Held { state, data, ids }) = self.held.take() else {
            return Err(Errno::EINVAL);
        };
        let [stdin, stdout, stderr] = stdio.ours;
        let mut list = vec![
            nothing()?,
            message,
            state,
            data,
            ids,
            stdout,
            stderr,
            nothing()?,
            stdin,
        ];
        list.push(self.journal.take().map_or_else(nothing, Ok)?);
        list.push(self.listener.take().map_or_else(nothing, Ok)?);
        list.append(&mut self.namespaces);
        list.extend(self.peers.drain(..).map(|peer| peer.socket));
        // From here on there is no way back: numbers get new owners.
        become_next(&list, &stdio.theirs, &words)
    }

    /// The message that this process was started with, with what has changed since.
    fn next_start(&self) -> Result<Start> {
        let mut start = read_start(&self.message)?;
        start.explain = false;
        start.tied_to_client = false;
        start.remove = self.leftovers.remove;
        start.name_link.clone_from(&self.leftovers.name_link);
        let life = &mut start.life;
        life.name.clone_from(&self.life.name);
        life.restart = self.life.restart;
        life.restarts = if self.asked.again {
            0
        } else {
            self.life.restarts + 1
        };
        life.existing = true;
        // A client that had its ends may be gone.
        life.stdin_once = false;
        if life.log == Log::Passthrough {
            life.log = Log::None;
        }
        Ok(start)
    }

    fn new_stdio(&self, null: &OwnedFd) -> rustix::io::Result<Stdio> {
        let nothing = || rustix::io::fcntl_dupfd_cloexec(null, 3);
        let pipe = |wanted: bool| {
            if wanted {
                rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
            } else {
                Ok((nothing()?, nothing()?))
            }
        };
        let shape = self.shape;
        let (stdin, our_stdin) = pipe(shape.stdin)?;
        let (our_stdout, stdout) = pipe(shape.stdout)?;
        let (our_stderr, mut stderr) = pipe(shape.stderr)?;
        if shape.merged {
            stderr = rustix::io::fcntl_dupfd_cloexec(&stdout, 3)?;
        }
        Ok(Stdio {
            theirs: [stdin, stdout, stderr],
            ours: [our_stdin, our_stdout, our_stderr],
        })
    }

    /// The next start could not even begin.
    fn fail_again(&mut self, _errno: Errno) {
        let exited = match self.phase {
            Phase::Waiting { exited, .. } => exited,
            _ => Exited::default(),
        };
        if self.held.is_none() {
            // Its fds are gone: the kernel lets the locks go, and the next command clears up.
            exit_now(1);
        }
        self.finish(exited);
    }
}

/// A container's stdio: its ends and ours.
struct Stdio {
    theirs: [OwnedFd; 3],
    ours: [OwnedFd; 3],
}

fn null() -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    rustix::fs::open(c"/dev/null", flags, Mode::empty())
}

/// Reads the start message again, wherever its offset is.
pub(super) fn read_start(message: &OwnedFd) -> Result<Start> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let offset = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match rustix::io::pread(message, &mut part, offset)? {
            0 => break,
            length => bytes.extend_from_slice(part.get(..length).unwrap_or_default()),
        }
    }
    Start::decode(&bytes).map_err(|_| Errno::EPROTO)
}

fn memory(start: &Start) -> Result<OwnedFd> {
    let bytes = start.encode().map_err(|_| Errno::EPROTO)?;
    let file = rustix::fs::memfd_create(c"keelbox-start", MemfdFlags::CLOEXEC)?;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))?;
    Ok(file)
}

/// Executes this program again. Returns only if that failed.
fn become_next(list: &[OwnedFd], stdio: &[OwnedFd; 3], words: &Words) -> Result<()> {
    let first = fds::CONTROL;
    let above = first + i32::try_from(list.len()).map_err(|_| Errno::EINVAL)?;
    // Above all of their new places, so that putting one there closes none that is still to come.
    let high = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, above);
    let list: Vec<_> = list.iter().map(high).collect::<rustix::io::Result<_>>()?;
    let word = |word: &str| CString::new(word).unwrap_or_default();
    let argv = ["keelbox-runtime", "supervise"].map(word);
    let argv = argv
        .into_iter()
        .chain(words.write().into_iter().map(|text| word(&text)));
    let argv = CStringArray::new(argv.collect());
    let environment = CStringArray::new(Vec::new());
    let [stdin, stdout, stderr] = stdio;
    rustix::stdio::dup2_stdin(stdin)?;
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)?;
    keelbox_sys::fd::replace_from(first, &list)?;
    let _ = execve(c"/proc/self/exe", &argv, &environment);
    // Whatever is dropped from here on would close somebody else's number.
    exit_now(1)
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn what_is_written_is_read() {
        for peers in [vec![], vec![true, false, true]] {
            let words = Words {
                pause: 400,
                is_asked: peers.is_empty(),
                namespaces: 2,
                peers,
            };
            let written = words.write();
            let texts: Vec<_> = written.iter().map(String::as_str).collect();
            let read = Words::read(&texts).unwrap();
            assert_eq!(read.peers, words.peers);
            assert_eq!((read.pause, read.is_asked), (400, words.is_asked));
            assert_eq!(read.namespaces, 2);
        }
        assert!(Words::read(&[]).is_none() && Words::read(&["asked", "x", "0", "."]).is_none());
    }
}
