//! Talking to the supervisor of a container that runs.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use keelbox_process::{receive, send};
use keelbox_spec::failure::{Code, Failure};
use keelbox_supervisor::protocol::{Event, Exited, Request, SOCKET};
use keelbox_sys::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::roots::Roots;
use crate::store::{open_directory, try_lock};

/// A connection to a supervisor.
#[derive(Debug)]
pub(crate) struct Control {
    socket: OwnedFd,
}

impl Control {
    /// Connects to the supervisor of `id`. None: it is gone, or does not listen yet.
    pub(crate) fn connect(roots: &Roots, id: &str) -> Option<Self> {
        Self::of(&open_directory(&roots.running().join(id)).ok()?)
    }

    /// The same, by the state directory.
    pub(crate) fn of(state: &OwnedFd) -> Option<Self> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None).ok()?;
        let address =
            SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", state.as_raw_fd())).ok()?;
        rustix::net::connect(&socket, &address).ok()?;
        Some(Self { socket })
    }

    /// Connects, for a container that is known to run.
    ///
    /// # Errors
    ///
    /// It does not run (any more).
    pub(crate) fn to_running(roots: &Roots, id: &str, reference: &str) -> Result<Self, Failure> {
        Self::connect(roots, id).ok_or_else(|| not_running(reference))
    }

    /// Waits no longer than that for an answer; then EAGAIN.
    pub(crate) fn patience(&self, patience: Duration) {
        let _ = sockopt::set_socket_timeout(&self.socket, sockopt::Timeout::Recv, Some(patience));
    }

    pub(crate) fn ask(&self, request: &Request) -> bool {
        send(&self.socket, request, &[]).is_ok()
    }

    /// The next event; None: the supervisor is gone.
    pub(crate) fn hear(&self) -> Result<Option<Event>, Errno> {
        Ok(receive::<Event>(&self.socket)?.map(|received| received.message))
    }

    /// Asks for something that is answered.
    ///
    /// # Errors
    ///
    /// The answer's errno and note; None: the supervisor is gone.
    pub(crate) fn answer(&self, request: &Request) -> Result<(), Option<(Errno, String)>> {
        self.answer_with(request, &[])
    }

    /// The same, with fds.
    ///
    /// # Errors
    ///
    /// As [`Self::answer`].
    pub(crate) fn answer_with(
        &self,
        request: &Request,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), Option<(Errno, String)>> {
        if send(&self.socket, request, fds).is_err() {
            return Err(None);
        }
        loop {
            match self.hear() {
                Ok(Some(Event::Answer { errno: 0, .. })) => return Ok(()),
                Ok(Some(Event::Answer { errno, note })) => {
                    return Err(Some((Errno::from_raw(errno), note)));
                }
                Ok(Some(Event::Exited(_)) | None) => return Err(None),
                Ok(Some(_)) => {}
                Err(errno) => return Err(Some((errno, String::new()))),
            }
        }
    }

    /// The socket, for a client that waits for as long as it takes.
    pub(crate) fn into_socket(self) -> OwnedFd {
        let _ = sockopt::set_socket_timeout(&self.socket, sockopt::Timeout::Recv, None);
        self.socket
    }

    /// Waits for the end. None: the supervisor is gone without a word.
    ///
    /// # Errors
    ///
    /// EAGAIN: [`Self::patience`] is over.
    pub(crate) fn end(&self) -> Result<Option<Exited>, Errno> {
        loop {
            match self.hear()? {
                Some(Event::Exited(exited)) => return Ok(Some(exited)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Waits until everything that was asked for has been heard.
    pub(crate) fn finish(self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write);
        while matches!(self.hear(), Ok(Some(_))) {}
    }

    /// Ends a supervisor that does not answer (stopped, say), and its container with it. `state`: its state directory. It
    /// holds the lock of that for as long as it lives, so the number was its own when the pidfd was made.
    pub(crate) fn kill_supervisor(&self, state: &OwnedFd) {
        let Ok(peer) = sockopt::socket_peercred(&self.socket) else {
            return;
        };
        let Ok(pidfd) = pidfd_open(peer.pid, PidfdFlags::empty()) else {
            return;
        };
        if !try_lock(state) {
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        }
    }
}

/// The container is not one that runs.
pub(crate) fn not_running(reference: &str) -> Failure {
    Failure::new(
        Code::State,
        format!("the container {reference} is not running"),
    )
    .hint(format!("start it first: keelbox start {reference}"))
    .exit_code(1)
}
