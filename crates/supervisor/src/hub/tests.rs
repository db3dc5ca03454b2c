use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;

/// A container's side, the hub, and what a client has of it.
struct Bench {
    hub: Hub,
    stdin: OwnedFd,
    stdout: Option<OwnedFd>,
    _stderr: OwnedFd,
}

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).unwrap()
}

fn bench() -> Bench {
    keelbox_process::outlive_broken_pipes();
    let (stdin, our_stdin) = pipe();
    let (our_stdout, stdout) = pipe();
    let (our_stderr, stderr) = pipe();
    set_nonblocking(stdout.as_fd());
    set_nonblocking(stdin.as_fd());
    let container = Container {
        stdin: Some(our_stdin),
        outputs: [Some(our_stdout), Some(our_stderr)],
        is_terminal: false,
    };
    Bench {
        hub: Hub::new(container, Sink::None),
        stdin,
        stdout: Some(stdout),
        _stderr: stderr,
    }
}

impl Bench {
    /// Lets the hub work until there is nothing to do.
    fn settle(&mut self) {
        loop {
            let watched = self.hub.watched();
            let mut fds: Vec<_> = watched
                .iter()
                .map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
                .collect();
            let now = Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            if poll(&mut fds, Some(&now)).unwrap() == 0 {
                return;
            }
            let happened: Vec<_> = watched
                .iter()
                .zip(fds.iter().map(PollFd::revents))
                .filter(|(_, ready)| !ready.is_empty())
                .map(|((port, ..), ready)| (*port, ready))
                .collect();
            for (port, ready) in happened {
                self.hub.step(port, ready);
            }
        }
    }

    /// What the container has room to print now.
    fn print(&self, bytes: &[u8]) -> usize {
        rustix::io::write(self.stdout.as_ref().unwrap(), bytes).unwrap_or(0)
    }

    fn typed(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 4096];
        let length = rustix::io::read(&self.stdin, &mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }

    /// A client that reads stdout: its name, and its end.
    fn reader(&mut self) -> (ClientId, OwnedFd) {
        let (read, write) = pipe();
        set_nonblocking(read.as_fd());
        let ends = Ends {
            outputs: [Some(write), None],
            ..Ends::default()
        };
        (self.hub.add(ends), read)
    }

    fn writer(&mut self, closes_stdin: bool) -> (ClientId, OwnedFd) {
        let (read, write) = pipe();
        set_nonblocking(write.as_fd());
        let ends = Ends {
            input: Some(read),
            closes_stdin,
            ..Ends::default()
        };
        (self.hub.add(ends), write)
    }
}

fn read_all(fd: &OwnedFd) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = rustix::io::read(fd, &mut buffer) {
        all.extend_from_slice(&buffer[..length]);
    }
    all
}

#[test]
fn every_client_gets_every_byte() {
    let mut bench = bench();
    let (_, one) = bench.reader();
    let (_, two) = bench.reader();
    bench.print(b"hello");
    bench.settle();
    assert_eq!(read_all(&one), b"hello");
    assert_eq!(read_all(&two), b"hello");
}

#[test]
fn without_clients_nothing_holds_the_container_up() {
    let mut bench = bench();
    for _ in 0..100 {
        assert_eq!(bench.print(&[b'x'; 4096]), 4096);
        bench.settle();
    }
}

#[test]
fn a_slow_client_slows_down_and_a_dead_one_does_not() {
    let mut bench = bench();
    let (slow, end) = bench.reader();
    let (_, quick) = bench.reader();
    let mut printed = 0;
    let mut seen = 0;
    while let length @ 1.. = bench.print(&[b'x'; 4096]) {
        printed += length;
        bench.settle();
        seen += read_all(&quick).len();
    }
    // Its pipe, one chunk on the way, the container's pipe.
    assert!((3 * 4096..=4 * 65536).contains(&printed), "{printed}");
    assert!(seen < printed);
    assert!(!bench.hub.is_served(slow));
    drop(end);
    bench.settle();
    seen += read_all(&quick).len();
    assert_eq!(seen, printed);
    assert_eq!(bench.print(b"more"), 4);
    bench.settle();
    assert_eq!(read_all(&quick), b"more");
}

#[test]
fn a_slow_client_that_is_sent_away_holds_nobody_up() {
    let mut bench = bench();
    let (slow, _end) = bench.reader();
    while bench.print(&[b'x'; 4096]) > 0 {
        bench.settle();
    }
    bench.hub.remove(slow);
    bench.settle();
    assert_eq!(bench.print(b"more"), 4);
}

#[test]
fn what_is_left_at_the_end_comes_to_slow_clients_too() {
    let mut bench = bench();
    let (id, end) = bench.reader();
    let mut printed = 0;
    while let length @ 1.. = bench.print(&[b'x'; 1000]) {
        printed += length;
        bench.settle();
    }
    bench.stdout = None;
    bench.hub.drain();
    assert!(!bench.hub.is_served(id));
    let mut seen = 0;
    while !bench.hub.is_served(id) {
        seen += read_all(&end).len();
        bench.settle();
    }
    seen += read_all(&end).len();
    assert_eq!(seen, printed);
}

#[test]
fn a_stream_that_ends_ends_for_the_clients() {
    let mut bench = bench();
    let (id, end) = bench.reader();
    bench.print(b"last");
    bench.stdout = None;
    bench.settle();
    let mut all = Vec::new();
    std::fs::File::from(end).read_to_end(&mut all).unwrap();
    assert_eq!(all, b"last");
    assert!(bench.hub.is_served(id));
}

#[test]
fn input_goes_in_and_its_end_only_if_it_is_meant() {
    let mut bench = bench();
    let (_, one) = bench.writer(false);
    let (_, two) = bench.writer(true);
    rustix::io::write(&one, b"one").unwrap();
    bench.settle();
    assert_eq!(bench.typed().as_deref(), Some(&b"one"[..]));
    drop(one);
    bench.settle();
    assert_eq!(bench.typed(), None);
    rustix::io::write(&two, b"two").unwrap();
    drop(two);
    bench.settle();
    assert_eq!(bench.typed().as_deref(), Some(&b"two"[..]));
    assert_eq!(bench.typed().as_deref(), Some(&b""[..]));
}

#[test]
fn input_waits_for_room_and_loses_nothing() {
    let mut bench = bench();
    let (_, end) = bench.writer(true);
    let mut sent = 0;
    while let Ok(length) = rustix::io::write(&end, &[b'i'; 4096]) {
        sent += length;
        bench.settle();
    }
    assert!(sent > 65536);
    drop(end);
    let mut got = 0;
    while let Some(bytes) = bench.typed() {
        if bytes.is_empty() {
            break;
        }
        got += bytes.len();
        bench.settle();
    }
    assert_eq!(got, sent);
}

#[test]
fn a_container_that_closes_its_stdin_lets_the_client_know() {
    let mut bench = bench();
    let (_, end) = bench.writer(false);
    let (stdin, _) = pipe();
    drop(std::mem::replace(&mut bench.stdin, stdin));
    bench.settle();
    assert_eq!(rustix::io::write(&end, b"x"), Err(rustix::io::Errno::PIPE));
}

#[test]
fn a_client_that_leaves_does_not_end_the_input() {
    let mut bench = bench();
    let (id, _end) = bench.writer(true);
    bench.hub.leave(id);
    bench.settle();
    assert_eq!(bench.typed(), None);
    let (id, _end) = bench.writer(true);
    bench.hub.remove(id);
    assert_eq!(bench.typed().as_deref(), Some(&b""[..]));
}
