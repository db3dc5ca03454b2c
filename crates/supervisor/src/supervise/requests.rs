//! What the supervisor is asked to do.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use keelbox_spec::start::Restart;
use keelbox_sys::Errno;
use rustix::process::Signal;
use rustix::termios::Winsize;

use super::peers::Received;
use super::{Phase, Supervisor};
use crate::deliver;
use crate::hub::Ends;
use crate::protocol::{Event, Request};

/// Why something cannot be done.
struct Refusal(Errno, &'static str);

const RESTARTING: Refusal = Refusal(
    Errno::ESRCH,
    "it has ended and is about to be started again",
);

impl Supervisor {
    /// Does what a peer asks for.
    pub(super) fn obey(&mut self, number: usize, received: Received) {
        match received.message {
            Request::Proceed | Request::Namespaces => {}
            Request::Signal(signal) => self.asked_signal(signal),
            Request::TerminalSignal(signal) => self.terminal_signal(signal),
            Request::CloseStream(stream) => self.close_stream(number, stream),
            Request::Remove => {
                self.leftovers.remove = true;
                self.asked.stop = true;
                self.asked.again = false;
                self.end_now();
            }
            Request::Attach {
                stdin,
                stdout,
                stderr,
                closes_stdin,
            } => {
                let wants = [stdin, stdout, stderr];
                let done = self.attach(number, wants, closes_stdin, received.fds);
                self.answer(number, done);
            }
            Request::Detach => self.detach(number),
            Request::Resize { columns, rows } => self.resize(columns, rows),
            Request::Stop {
                signal,
                milliseconds,
            } => {
                self.asked.again = false;
                self.asked.by_stop = true;
                self.stop(signal, milliseconds);
            }
            Request::Freeze(frozen) => {
                let done = self.freeze(frozen);
                self.answer(number, done);
            }
            Request::Renamed(name) => {
                self.rename(name);
                self.answer(number, Ok(()));
            }
            Request::Policy(policy) => {
                self.set_policy(policy);
                self.answer(number, Ok(()));
            }
            Request::WatchHealth => self.watch_health(number),
        }
    }

    fn answer(&self, number: usize, done: Result<(), Refusal>) {
        let (errno, note) = match done {
            Ok(()) => (0, ""),
            Err(Refusal(errno, note)) => (errno.raw(), note),
        };
        if let Some(peer) = self.peers.get(number) {
            let note = note.to_owned();
            peer.tell(&Event::Answer { errno, note });
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    fn asked_signal(&mut self, signal: i32) {
        // What `kill` and a client's Ctrl-C mean to be the end is not undone by a policy.
        let ends = [
            Signal::KILL.as_raw(),
            Signal::TERM.as_raw(),
            Signal::INT.as_raw(),
            Signal::QUIT.as_raw(),
            self.stop_signal(),
        ];
        if ends.contains(&signal) {
            self.asked.stop = true;
            self.asked.again = false;
            self.asked.give_up = !self.is_running();
        }
        if !self.is_running() {
            return;
        }
        if signal == Signal::KILL.as_raw() || signal == self.stop_signal() {
            self.thaw();
        }
        self.tell_with("kill", &[("signal", &signal.to_string())]);
        self.signal(signal);
    }

    fn stop_signal(&self) -> i32 {
        match self.life.stop_signal {
            0 => Signal::TERM.as_raw(),
            signal => signal,
        }
    }

    pub(super) fn signal(&mut self, signal: i32) {
        use std::os::fd::AsFd;
        if !self.is_running() {
            return;
        }
        let (pid, pidfd) = (self.container.pid, self.container.pidfd.as_fd());
        if deliver::deliver(pid, pidfd, signal, self.takes_signals) {
            self.replaced = Some(signal);
        }
    }

    /// A key was typed that stands for a signal, which the terminal itself has sent.
    pub(super) fn terminal_signal(&mut self, signal: i32) {
        let kept = Some(deliver::Disposition::Default);
        if self.terminal_is_for_init() && deliver::disposition(self.container.pid, signal) == kept {
            self.signal(signal);
        }
    }

    /// Whether the first process is in the foreground of the container's terminal, and the kernel kept the signal from it.
    fn terminal_is_for_init(&self) -> bool {
        if self.takes_signals || !self.is_running() {
            return false;
        }
        let Some(console) = &self.container.console else {
            return false;
        };
        rustix::termios::tcgetpgrp(console)
            .is_ok_and(|group| group.as_raw_nonzero().get() == self.container.pid)
    }

    pub(super) fn kill(&mut self) {
        if !self.is_running() {
            return;
        }
        self.thaw();
        // The first process's end is everybody's in its pid namespace; the group is for those that share the host's.
        let _ = rustix::process::pidfd_send_signal(&self.container.pidfd, Signal::KILL);
    }

    fn end_now(&mut self) {
        self.asked.give_up = !self.is_running();
        self.kill();
    }

    /// Ends it: by a signal (0: its own), then by SIGKILL after a time (None: its own).
    pub(super) fn stop(&mut self, signal: i32, milliseconds: Option<u64>) {
        if !self.asked.again {
            self.asked.stop = true;
            self.asked.give_up = !self.is_running();
        }
        if !self.is_running() {
            return;
        }
        self.thaw();
        let signal = match signal {
            0 => self.stop_signal(),
            signal => signal,
        };
        let patience = milliseconds.or(self.life.stop_timeout);
        if let Some(patience) = patience.filter(|patience| *patience < u64::MAX)
            && let Some(until) = Instant::now().checked_add(Duration::from_millis(patience))
        {
            let earlier = self.timers.stop.map_or(until, |other| other.min(until));
            self.timers.stop = Some(earlier);
        }
        self.tell_with("kill", &[("signal", &signal.to_string())]);
        self.signal(signal);
    }

    /// Whether a policy can have its way: not when the output is a client's, which cannot be had again, nor when it is in
    /// namespaces of others that were not kept.
    pub(super) fn can_start_again(&self) -> bool {
        let has_namespaces = !self.joins || !self.namespaces.is_empty();
        self.hub.is_some() && has_namespaces
    }

    /// Because its health says so.
    pub(super) fn restart_unhealthy(&mut self) {
        self.asked.again = self.can_start_again();
        self.stop(0, None);
    }

    fn attach(
        &mut self,
        number: usize,
        wants: [bool; 3],
        closes_stdin: bool,
        fds: Vec<OwnedFd>,
    ) -> Result<(), Refusal> {
        if !self.is_running() {
            return Err(RESTARTING);
        }
        let (Some(hub), Some(peer)) = (&mut self.hub, self.peers.get_mut(number)) else {
            let note = "its output goes to the client that started it, and to nobody else";
            return Err(Refusal(Errno::EBUSY, note));
        };
        if peer.client.is_some() {
            return Err(Refusal(Errno::EALREADY, "it is attached"));
        }
        let mut fds = fds.into_iter();
        let [input, stdout, stderr] = wants.map(|wanted| if wanted { fds.next() } else { None });
        let is_only = peer.is_first && self.life.stdin_once;
        peer.client = Some(hub.add(Ends {
            input,
            outputs: [stdout, stderr],
            closes_stdin: closes_stdin || is_only,
        }));
        self.tell("attach");
        Ok(())
    }

    /// The container lives on without this client, even the one that it was to end with.
    fn detach(&mut self, number: usize) {
        let Some(peer) = self.peers.get_mut(number) else {
            return;
        };
        let (client, is_first) = (peer.client.take(), peer.is_first);
        peer.is_first = false;
        if let (Some(client), Some(hub)) = (client, &mut self.hub) {
            hub.leave(client);
        }
        if is_first {
            self.leftovers.tied = false;
            // It sets its terminal right itself.
            self.terminal = None;
            self.adopt();
        }
        self.tell("detach");
    }

    fn close_stream(&mut self, number: usize, stream: u8) {
        let index = usize::from(stream).wrapping_sub(1);
        let Some(peer) = self.peers.get(number) else {
            return;
        };
        let (Some(hub), Some(client)) = (&mut self.hub, peer.client) else {
            if let Some(stream) = self.streams.get_mut(index).filter(|_| peer.is_first) {
                *stream = None;
            }
            return;
        };
        hub.close(client, stream);
        // It learns of it as it would without anything between, whatever a log would still take: the client that it was
        // started by waits for its end.
        if peer.is_first && hub.is_unheard(index) {
            hub.close_output(index);
        }
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        if let Some(console) = self.container.console.as_ref()
            && columns != 0
            && rows != 0
        {
            let _ = rustix::termios::tcsetwinsize(console, size);
        }
    }

    fn freeze(&mut self, frozen: bool) -> Result<(), Refusal> {
        if !self.is_running() {
            return Err(RESTARTING);
        }
        if self.frozen == frozen {
            let note = if frozen {
                "it is frozen already"
            } else {
                "it is not frozen"
            };
            return Err(Refusal(Errno::EALREADY, note));
        }
        keelbox_cgroups::freeze(self.groups(), frozen).map_err(|errno| {
            let note = match errno {
                Errno::EOPNOTSUPP => {
                    "it has no control group that can freeze: its owner may not make one here"
                }
                Errno::ETIMEDOUT => "a process of it does not stop; all go on",
                _ => "the kernel refuses",
            };
            Refusal(errno, note)
        })?;
        self.frozen = frozen;
        self.write_state();
        self.tell(if frozen { "pause" } else { "unpause" });
        Ok(())
    }

    /// A frozen process hears no signal, and with v1 not even SIGKILL.
    pub(super) fn thaw(&mut self) {
        if self.frozen {
            let _ = self.freeze(false);
        }
    }

    fn rename(&mut self, name: String) {
        self.leftovers.name_link = CString::new(format!("../../names/{name}")).unwrap_or_default();
        self.life.name = name;
    }

    fn set_policy(&mut self, policy: Restart) {
        self.life.restart = policy;
        if policy == Restart::No && !self.is_running() {
            self.asked.give_up = true;
        }
    }

    fn watch_health(&mut self, number: usize) {
        let event = Event::Health(self.health_name().to_owned());
        if let Some(peer) = self.peers.get_mut(number) {
            peer.hears_health = true;
            peer.tell(&event);
        }
    }
}
