//! Those who talk to a supervisor: the first client and other commands.

use std::os::fd::{AsFd, OwnedFd};

use keelbox_process::{receive, send};
use rustix::fs::OFlags;
use rustix::net::SocketFlags;

use super::Supervisor;
use crate::hub::ClientId;
use crate::protocol::{Event, Request, VERSION};

/// A request and its fds.
pub(super) type Received = keelbox_process::Received<Request>;

/// Peers at a time; more of them wait until one leaves.
const MOST: usize = 512;

/// One of them. Its socket does not block: nobody who does not listen makes this process wait.
pub(super) struct Peer {
    pub(super) socket: OwnedFd,
    /// The first client, with which the container may be to end.
    pub(super) is_first: bool,
    /// It takes part in the container's stdio.
    pub(super) client: Option<ClientId>,
    pub(super) hears_health: bool,
    /// What it is told when it has read everything, as the last word.
    farewell: Option<Event>,
}

impl Peer {
    fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            is_first: false,
            client: None,
            hears_health: false,
            farewell: None,
        }
    }

    /// The one that the supervisor was started by.
    pub(super) fn first(socket: OwnedFd) -> Self {
        Self {
            is_first: true,
            ..Self::new(socket)
        }
    }

    /// One that has waited while the container was started again.
    pub(super) fn again((socket, hears_health): (OwnedFd, bool)) -> Self {
        Self {
            hears_health,
            ..Self::new(socket)
        }
    }

    /// Nothing is left to say to it.
    pub(super) fn is_told(&self) -> bool {
        self.farewell.is_none()
    }

    pub(super) fn tell(&self, event: &Event) {
        let _ = send(&self.socket, event, &[]);
    }
}

impl Supervisor {
    /// What the first client has sent already comes before anything that the container prints.
    pub(super) fn listen_to_first(&mut self, queued: Vec<Received>) {
        let Some(number) = self.peers.iter().position(|peer| peer.is_first) else {
            return;
        };
        for received in queued {
            self.obey(number, received);
        }
        let Some(first) = self.peers.get(number).filter(|_| self.hub.is_some()) else {
            return;
        };
        if let Ok(flags) = rustix::fs::fcntl_getfl(&first.socket) {
            let _ = rustix::fs::fcntl_setfl(&first.socket, flags | OFlags::NONBLOCK);
        }
        while self.hear(number) {}
    }

    pub(super) fn tell_started(&self) {
        let event = Event::Started {
            pid: self.container.pid,
        };
        // Whoever has the terminal moves its bytes.
        let console = self.container.console.iter();
        let console: Vec<_> = console
            .filter(|_| self.hub.is_none())
            .map(AsFd::as_fd)
            .collect();
        for peer in &self.peers {
            let _ = send(
                &peer.socket,
                &event,
                if peer.is_first { &console } else { &[] },
            );
        }
    }

    pub(super) fn accepts(&self) -> bool {
        self.peers.len() < MOST
    }

    pub(super) fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(other) = rustix::net::accept_with(listener, flags) else {
            return;
        };
        let allowed = rustix::net::sockopt::socket_peercred(&other)
            .is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid());
        if allowed {
            // One that has asked and gone is heard all the same.
            let _ = send(&other, &Event::Hello { version: VERSION }, &[]);
            self.peers.push(Peer::new(other));
        }
    }

    /// True: it said something.
    pub(super) fn hear(&mut self, number: usize) -> bool {
        let Some(peer) = self.peers.get(number) else {
            return false;
        };
        let received = match receive::<Request>(&peer.socket) {
            // It has gone without reading all that it was told; what it asked for before comes after that.
            Err(keelbox_sys::Errno::ECONNRESET) => receive::<Request>(&peer.socket),
            other => other,
        };
        match received {
            Ok(Some(received)) => {
                self.obey(number, received);
                true
            }
            Err(keelbox_sys::Errno::EAGAIN | keelbox_sys::Errno::EINTR) => false,
            Ok(None) | Err(_) => {
                self.lose(number);
                false
            }
        }
    }

    fn lose(&mut self, number: usize) {
        let peer = self.peers.swap_remove(number);
        if let (Some(client), Some(hub)) = (peer.client, &mut self.hub) {
            hub.remove(client);
        }
        if peer.is_first {
            self.lose_first();
        }
    }

    /// The first client is gone without having seen the end: it was killed, or its terminal was closed.
    fn lose_first(&mut self) {
        if let Some((fd, saved)) = self.terminal.take() {
            saved.restore_if_abandoned(fd.as_fd());
        }
        if self.leftovers.tied {
            self.kill();
        } else {
            self.adopt();
        }
    }

    /// Tells everybody the last word: those who read the container's output when they have read all of it.
    pub(super) fn bid_farewell(&mut self, event: &Event) {
        for peer in &mut self.peers {
            if peer.client.is_some() {
                peer.farewell = Some(event.clone());
            } else {
                peer.tell(event);
            }
        }
        self.see_served_off();
    }

    /// Lets those clients go that have read everything.
    pub(super) fn see_served_off(&mut self) {
        let hub = &mut self.hub;
        self.peers.retain_mut(|peer| {
            let (Some(client), Some(event)) = (peer.client, &peer.farewell) else {
                return true;
            };
            if hub.as_ref().is_some_and(|hub| !hub.is_served(client)) {
                return true;
            }
            if let Some(hub) = hub {
                hub.remove(client);
            }
            peer.tell(event);
            peer.farewell = None;
            // The first client's terminal is looked after until it is gone.
            let stays = peer.is_first;
            peer.client = None;
            stays
        });
    }

    /// A client that has the caller's terminal in raw mode can still be killed before it has set that right.
    pub(super) fn see_client_off(&mut self) {
        if self.terminal.is_none() {
            return;
        }
        self.peers.retain(|peer| peer.is_first);
        if let Some(first) = self.peers.first() {
            let blocking = rustix::fs::fcntl_getfl(&first.socket)
                .and_then(|flags| rustix::fs::fcntl_setfl(&first.socket, flags - OFlags::NONBLOCK));
            while blocking.is_ok() && matches!(receive::<Request>(&first.socket), Ok(Some(_))) {}
        }
        if let Some((fd, saved)) = self.terminal.take() {
            saved.restore_if_abandoned(fd.as_fd());
        }
    }
}
