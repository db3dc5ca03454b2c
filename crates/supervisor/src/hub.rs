//! Moves a container's stdio: what it prints goes to its log and to the clients that are there, what they send goes in.
//!
//! Nothing here waits. One chunk of a stream is on its way at a time: it is logged, and the next is read when every client
//! has it, so a client that reads slowly slows the container down and one that is gone does not. Without clients nothing can.

mod ends;
mod sink;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_journal::Stream;
use rustix::event::PollFlags;

use ends::{Read, Receiver, Written, read, set_nonblocking, write};
pub use sink::Sink;

/// As much as a pipe holds: read at once.
const CHUNK: usize = 64 * 1024;

/// What is taken of one stream after the container's end: more than its pipe can hold, unless somebody else writes on.
const LAST: usize = 4 << 20;

/// Names a client.
pub type ClientId = u32;

/// This side's ends of the container's stdio.
#[derive(Debug, Default)]
pub struct Container {
    /// To write to: its stdin, or the master side of its terminal.
    pub stdin: Option<OwnedFd>,
    /// To read from: its stdout and stderr, or the master side of its terminal and nothing.
    pub outputs: [Option<OwnedFd>; 2],
    /// It has a terminal.
    pub is_terminal: bool,
}

/// A client's ends.
#[derive(Debug, Default)]
pub struct Ends {
    /// To read its input from.
    pub input: Option<OwnedFd>,
    /// To write the container's stdout and stderr to.
    pub outputs: [Option<OwnedFd>; 2],
    /// The end of its input is that of the container's.
    pub closes_stdin: bool,
}

/// Something to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The container's stdout (0) or stderr (1).
    Output(usize),
    /// The container's stdin.
    Stdin,
    /// A client's input.
    From(ClientId),
    /// A client's stdout (0) or stderr (1).
    To(ClientId, usize),
}

#[derive(Debug)]
struct Output {
    fd: Option<OwnedFd>,
    /// What some client does not have yet.
    chunk: Vec<u8>,
    stream: Stream,
}

#[derive(Debug)]
struct Client {
    id: ClientId,
    input: Option<OwnedFd>,
    outputs: [Option<Receiver>; 2],
    closes_stdin: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Hub {
    stdin: Option<OwnedFd>,
    /// What the container's stdin had no room for yet.
    typed: Vec<u8>,
    written: usize,
    outputs: [Output; 2],
    clients: Vec<Client>,
    next: ClientId,
    sink: Sink,
    is_terminal: bool,
    /// What went into the terminal since it was last asked for.
    keys: Vec<u8>,
}

impl Hub {
    /// Moves bytes between these ends, clients that come, and a log.
    #[must_use]
    pub fn new(container: Container, sink: Sink) -> Self {
        let Container {
            stdin,
            outputs: [stdout, stderr],
            is_terminal,
        } = container;
        let ours = [&stdin, &stdout, &stderr];
        ours.into_iter()
            .flatten()
            .for_each(|fd| set_nonblocking(fd.as_fd()));
        let output = |fd, stream| Output {
            fd,
            chunk: Vec::new(),
            stream,
        };
        Self {
            stdin,
            typed: Vec::new(),
            written: 0,
            outputs: [
                output(stdout, Stream::Stdout),
                output(stderr, Stream::Stderr),
            ],
            clients: Vec::new(),
            next: 1,
            sink,
            is_terminal,
            keys: Vec::new(),
        }
    }

    /// Lets a client take part. It misses what was read before.
    pub fn add(&mut self, ends: Ends) -> ClientId {
        let id = self.next;
        self.next += 1;
        let mut receivers = ends.outputs.into_iter();
        let mut receiver = |output: &Output| {
            let fd = receivers.next().flatten()?;
            set_nonblocking(fd.as_fd());
            // Of a chunk that is on its way it gets nothing: an older client has its beginning already.
            output.fd.is_some().then(|| Receiver {
                fd,
                sent: output.chunk.len(),
            })
        };
        let outputs = [receiver(&self.outputs[0]), receiver(&self.outputs[1])];
        let input = ends.input.filter(|_| self.stdin.is_some());
        if let Some(input) = &input {
            set_nonblocking(input.as_fd());
        }
        self.clients.push(Client {
            id,
            input,
            outputs,
            closes_stdin: ends.closes_stdin,
        });
        id
    }

    /// A client takes part no more.
    pub fn remove(&mut self, id: ClientId) {
        let Some(place) = self.clients.iter().position(|client| client.id == id) else {
            return;
        };
        let client = self.clients.swap_remove(place);
        if client.input.is_some() && client.closes_stdin {
            self.end_input();
        }
        self.go_on(0);
        self.go_on(1);
    }

    /// A client leaves, and what it would have sent on may come from the next.
    pub fn leave(&mut self, id: ClientId) {
        if let Some(client) = self.clients.iter_mut().find(|client| client.id == id) {
            client.input = None;
        }
        self.remove(id);
    }

    /// A client does without one of its ends: 0, 1 or 2.
    pub fn close(&mut self, id: ClientId, number: u8) {
        let Some(client) = self.clients.iter_mut().find(|client| client.id == id) else {
            return;
        };
        let index = usize::from(number).checked_sub(1);
        match index.and_then(|index| client.outputs.get_mut(index)) {
            Some(output) => *output = None,
            None => client.input = None,
        }
        self.go_on(0);
        self.go_on(1);
    }

    /// Whether a stream is read by nobody, and kept nowhere.
    #[must_use]
    pub fn is_unheard(&self, index: usize) -> bool {
        let hears = |client: &Client| client.outputs.get(index).is_some_and(Option::is_some);
        self.sink.is_none() && !self.clients.iter().any(hears)
    }

    /// Reads a stream no more: who writes to it is told so.
    pub fn close_output(&mut self, index: usize) {
        if let Some(output) = self.outputs.get_mut(index) {
            output.fd = None;
            output.chunk.clear();
        }
        self.go_on(index);
    }

    /// What to wait for, and how.
    #[must_use]
    pub fn watched(&self) -> Vec<(Port, BorrowedFd<'_>, PollFlags)> {
        let mut list = Vec::new();
        for (index, output) in self.outputs.iter().enumerate() {
            if let Some(fd) = output.fd.as_ref().filter(|_| output.chunk.is_empty()) {
                list.push((Port::Output(index), fd.as_fd(), PollFlags::IN));
            }
        }
        let is_full = !self.typed.is_empty();
        if let Some(stdin) = &self.stdin {
            let flags = if is_full {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            // Its other side is told of without asking, too: POLLERR. A terminal has none.
            if is_full || !self.is_terminal {
                list.push((Port::Stdin, stdin.as_fd(), flags));
            }
        }
        for client in &self.clients {
            self.watch_client(client, is_full, &mut list);
        }
        list
    }

    fn watch_client<'a>(
        &'a self,
        client: &'a Client,
        is_full: bool,
        list: &mut Vec<(Port, BorrowedFd<'a>, PollFlags)>,
    ) {
        if let Some(input) = client.input.as_ref().filter(|_| !is_full) {
            list.push((Port::From(client.id), input.as_fd(), PollFlags::IN));
        }
        for (index, (receiver, output)) in client.outputs.iter().zip(&self.outputs).enumerate() {
            if let Some(receiver) = receiver {
                let flags = if receiver.sent < output.chunk.len() {
                    PollFlags::OUT
                } else {
                    PollFlags::empty()
                };
                list.push((Port::To(client.id, index), receiver.fd.as_fd(), flags));
            }
        }
    }

    /// Deals with what has happened at a port.
    pub fn step(&mut self, port: Port, happened: PollFlags) {
        match port {
            Port::Output(index) => self.read(index),
            Port::Stdin if happened.contains(PollFlags::ERR) && !self.is_terminal => {
                self.end_input();
            }
            Port::Stdin => self.write_input(),
            Port::From(id) => self.hear(id),
            Port::To(id, index) if happened.contains(PollFlags::ERR) => {
                self.close(id, if index == 0 { 1 } else { 2 });
            }
            Port::To(_, index) => self.deliver(index),
        }
    }

    fn read(&mut self, index: usize) {
        let Some(output) = self.outputs.get_mut(index) else {
            return;
        };
        let Some(fd) = output.fd.as_ref().filter(|_| output.chunk.is_empty()) else {
            return;
        };
        match read(fd.as_fd(), &mut output.chunk, CHUNK) {
            Read::Some => self.sink.write(output.stream, &output.chunk),
            Read::Nothing => return,
            Read::End => output.fd = None,
        }
        for client in &mut self.clients {
            if let Some(Some(receiver)) = client.outputs.get_mut(index) {
                receiver.sent = 0;
            }
        }
        self.deliver(index);
    }

    /// Gives each client as much of a stream's chunk as it has room for.
    fn deliver(&mut self, index: usize) {
        let Some(output) = self.outputs.get(index) else {
            return;
        };
        for client in &mut self.clients {
            let Some(place) = client.outputs.get_mut(index) else {
                continue;
            };
            if place.as_mut().is_some_and(|to| !to.give(&output.chunk)) {
                *place = None;
            }
        }
        self.go_on(index);
    }

    /// Lets go of a chunk that everybody has, and of the clients' ends of a stream that has ended.
    fn go_on(&mut self, index: usize) {
        let Some(output) = self.outputs.get_mut(index) else {
            return;
        };
        let length = output.chunk.len();
        let waits = |client: &Client| {
            let receiver = client.outputs.get(index).and_then(Option::as_ref);
            receiver.is_some_and(|receiver| receiver.sent < length)
        };
        if self.clients.iter().any(waits) {
            return;
        }
        output.chunk.clear();
        let is_over = output.fd.is_none();
        for client in &mut self.clients {
            match client.outputs.get_mut(index) {
                Some(place) if is_over => *place = None,
                Some(Some(receiver)) => receiver.sent = 0,
                _ => {}
            }
        }
    }

    fn hear(&mut self, id: ClientId) {
        if !self.typed.is_empty() {
            return;
        }
        let client = self.clients.iter_mut().find(|client| client.id == id);
        let Some(client) = client else { return };
        let Some(input) = &client.input else { return };
        match read(input.as_fd(), &mut self.typed, CHUNK) {
            Read::Some => self.write_input(),
            Read::Nothing => {}
            Read::End => {
                client.input = None;
                if client.closes_stdin {
                    self.end_input();
                }
            }
        }
    }

    fn write_input(&mut self) {
        let Some(stdin) = &self.stdin else { return };
        let rest = self.typed.get(self.written..).unwrap_or_default();
        match write(stdin.as_fd(), rest) {
            Written::Some(length) => self.written += length,
            Written::NobodyReads => return self.end_input(),
        }
        if self.written >= self.typed.len() {
            if self.is_terminal {
                self.keys.extend_from_slice(&self.typed);
            }
            self.typed.clear();
            self.written = 0;
        }
    }

    /// The container's stdin has ended, on either side. A terminal has no such end.
    fn end_input(&mut self) {
        if self.is_terminal {
            return;
        }
        self.stdin = None;
        self.typed = Vec::new();
        self.written = 0;
        for client in &mut self.clients {
            client.input = None;
        }
    }

    /// The bytes that went into the container's terminal since the last call.
    pub fn take_keys(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.keys)
    }

    /// The container has ended: takes what is left in its pipes, and gives the clients what they have room for.
    pub fn drain(&mut self) {
        self.stdin = None;
        for index in 0..self.outputs.len() {
            self.drain_one(index);
            self.deliver(index);
        }
        self.sink.flush();
        // The log is whole; what it holds open may be somebody else's soon.
        self.sink = Sink::None;
    }

    fn drain_one(&mut self, index: usize) {
        let is_heard = self
            .clients
            .iter()
            .any(|client| client.outputs.get(index).is_some_and(Option::is_some));
        let Some(output) = self.outputs.get_mut(index) else {
            return;
        };
        let Some(fd) = output.fd.take() else { return };
        let mut taken = 0;
        while taken < LAST {
            let before = output.chunk.len();
            if !matches!(read(fd.as_fd(), &mut output.chunk, CHUNK), Read::Some) {
                break;
            }
            let new = output.chunk.get(before..).unwrap_or_default();
            taken += new.len();
            self.sink.write(output.stream, new);
            if !is_heard {
                output.chunk.clear();
            }
        }
    }

    /// Whether a client has all that there will be for it; so has one that is gone.
    #[must_use]
    pub fn is_served(&self, id: ClientId) -> bool {
        let client = self.clients.iter().find(|client| client.id == id);
        client.is_none_or(|client| client.outputs.iter().all(Option::is_none))
    }

    /// Nothing happens: gives back what was taken to be busy.
    pub fn rest(&mut self) {
        for output in &mut self.outputs {
            if output.chunk.is_empty() {
                output.chunk = Vec::new();
            }
        }
        if self.typed.is_empty() {
            self.typed = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests;
