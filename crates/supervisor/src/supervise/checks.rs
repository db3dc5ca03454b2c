//! The checks of a container's health: each is a process of its own in the container, made for the moment.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use keelbox_process::{Failed, Report, launch};
use keelbox_spec::start::{Start, Unhealthy};
use keelbox_sys::clone::{Side, fork};
use keelbox_sys::exec::exit_now;
use keelbox_sys::{Errno, Result};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use rustix::process::Signal;

use super::again::read_start;
use super::{Phase, Supervisor};
use crate::health::{Checked, Status};
use crate::protocol::Event;
use crate::record;

/// How much is kept of what a check prints: docker's.
const OUTPUT: usize = 4096;

/// A check that runs.
pub(super) struct Check {
    pub(super) pidfd: OwnedFd,
    pub(super) output: Option<OwnedFd>,
    kept: Vec<u8>,
    /// Milliseconds since the epoch.
    start: u64,
    began: Duration,
    until: Instant,
    timed_out: bool,
}

impl Supervisor {
    /// When there is something to do about the container's health.
    pub(super) fn check_due(&self) -> Option<Instant> {
        let health = self.health.as_ref()?;
        match &self.check {
            Some(check) if check.timed_out => None,
            Some(check) => Some(check.until),
            None if matches!(self.phase, Phase::Running) => self.begin.checked_add(health.due()),
            None => None,
        }
    }

    /// It is time to begin a check, or to end one that takes too long.
    pub(super) fn time_check(&mut self) {
        if let Some(check) = &mut self.check {
            check.timed_out = true;
            let _ = rustix::process::pidfd_send_signal(&check.pidfd, Signal::KILL);
            return;
        }
        let now = self.begin.elapsed();
        let Some(health) = &mut self.health else {
            return;
        };
        if self.frozen {
            // It would wait for the thaw, and its time would run out.
            return health.skip(now);
        }
        let until = Instant::now() + health.timeout();
        let start = record::now();
        match begin(&self.container.pidfd, &self.message) {
            Ok((pidfd, output)) => {
                self.check = Some(Check {
                    pidfd,
                    output: Some(output),
                    kept: Vec::new(),
                    start,
                    began: now,
                    until,
                    timed_out: false,
                });
            }
            Err(errno) => {
                let checked = Checked {
                    start,
                    end: record::now(),
                    exit_code: -1,
                    output: format!("the check cannot be started: {}", errno.text()),
                };
                self.note_check(now, checked);
            }
        }
    }

    /// Keeps the beginning of what a check prints, and lets it print on.
    pub(super) fn hear_check(&mut self) {
        let Some(check) = &mut self.check else { return };
        if !check
            .output
            .as_ref()
            .is_some_and(|output| hear(output.as_fd(), &mut check.kept))
        {
            check.output = None;
        }
    }

    /// A check is over.
    pub(super) fn end_check(&mut self) {
        let Some(mut check) = self.check.take() else {
            return;
        };
        let exit = keelbox_sys::wait::wait(check.pidfd.as_fd());
        while check.kept.len() < OUTPUT
            && let Some(output) = &check.output
            && hear_more(output.as_fd(), &mut check.kept)
        {}
        let code = exit.ok().and_then(|exit| exit.code).unwrap_or(-1);
        let (exit_code, output) = if check.timed_out {
            let seconds = self.health.as_ref().map(crate::health::Health::timeout);
            let seconds = seconds.unwrap_or_default().as_secs_f64();
            (-1, format!("Health check exceeded timeout ({seconds}s)"))
        } else {
            (code, String::from_utf8_lossy(&check.kept).into_owned())
        };
        let checked = Checked {
            start: check.start,
            end: record::now(),
            exit_code,
            output,
        };
        self.note_check(check.began, checked);
    }

    /// The container has ended, and its check with it.
    pub(super) fn drop_check(&mut self) {
        if let Some(check) = self.check.take() {
            let _ = rustix::process::pidfd_send_signal(&check.pidfd, Signal::KILL);
            let _ = keelbox_sys::wait::wait(check.pidfd.as_fd());
        }
    }

    fn note_check(&mut self, began: Duration, checked: Checked) {
        let now = self.begin.elapsed();
        let Some(health) = &mut self.health else {
            return;
        };
        let changed = health.note(began, now, checked);
        let status = health.status();
        if let Some(held) = &self.held {
            record::health(held.state.as_fd(), health);
        }
        if !changed {
            return;
        }
        self.write_state();
        self.tell(&format!("health_status: {}", status.name()));
        let event = Event::Health(status.name().to_owned());
        for peer in self.peers.iter().filter(|peer| peer.hears_health) {
            peer.tell(&event);
        }
        if status == Status::Unhealthy {
            self.act_on_health();
        }
    }

    fn act_on_health(&mut self) {
        let on_failure = self.life.health.as_ref().map(|health| health.on_failure);
        match on_failure.unwrap_or_default() {
            Unhealthy::Nothing => {}
            Unhealthy::Kill => {
                self.tell_with("kill", &[("signal", "9")]);
                self.kill();
            }
            Unhealthy::Stop => self.stop(0, None),
            Unhealthy::Restart => self.restart_unhealthy(),
        }
    }

    /// The word for the container's health.
    pub(super) fn health_name(&self) -> &'static str {
        self.health
            .as_ref()
            .map_or("none", |health| health.status().name())
    }
}

/// Reads what is there. False: there will be nothing more.
fn hear(output: BorrowedFd<'_>, kept: &mut Vec<u8>) -> bool {
    let mut buffer = [0; OUTPUT];
    match rustix::io::read(output, &mut buffer) {
        Ok(0) => false,
        Ok(length) => {
            let room = OUTPUT.saturating_sub(kept.len());
            kept.extend_from_slice(buffer.get(..length.min(room)).unwrap_or_default());
            true
        }
        Err(errno) => matches!(errno, rustix::io::Errno::AGAIN | rustix::io::Errno::INTR),
    }
}

/// The same, of a check that is over. False: that was all.
fn hear_more(output: BorrowedFd<'_>, kept: &mut Vec<u8>) -> bool {
    let before = kept.len();
    hear(output, kept) && kept.len() > before
}

/// Starts a check. Its pidfd, and what it prints.
fn begin(target: &OwnedFd, message: &OwnedFd) -> Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let flags = rustix::fs::fcntl_getfl(&read)?;
    rustix::fs::fcntl_setfl(&read, flags | OFlags::NONBLOCK)?;
    match fork()? {
        Side::Child => {
            // No longer than the supervisor, whose locks it has.
            let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
            keelbox_sys::signal::reset(0);
            exit_now(run(target, message, &write).unwrap_or(126))
        }
        Side::Parent { pidfd, .. } => Ok((pidfd, read)),
    }
}

/// In the child: the check's exit code.
fn run(target: &OwnedFd, message: &OwnedFd, output: &OwnedFd) -> Result<i32> {
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(output)?;
    rustix::stdio::dup2_stderr(output)?;
    let start = read_start(message)?;
    let health = start.life.health.unwrap_or_default();
    let start = Start {
        steps: health.steps,
        explain: false,
        own_stdio: 0b110,
        blocking_stdio: 0,
        life: keelbox_spec::start::Life::default(),
        ..start
    };
    let mut given = Given {
        target: rustix::io::fcntl_dupfd_cloexec(target, 3).ok(),
    };
    match launch(&start, &mut given) {
        Ok(container) => {
            rustix::stdio::dup2_stdout(&null)?;
            rustix::stdio::dup2_stderr(&null)?;
            let exit = keelbox_sys::wait::wait(container.pidfd.as_fd())?;
            Ok(exit.code.unwrap_or_else(|| 128 + exit.signal.unwrap_or(0)))
        }
        Err(failed) => Ok(report(&failed, output)),
    }
}

fn report(failed: &Failed, output: &OwnedFd) -> i32 {
    let fault = &failed.fault;
    let text = format!("{}: {} {}\n", fault.call, fault.errno.text(), fault.note);
    let _ = rustix::io::write(output, text.as_bytes());
    if fault.errno == Errno::ENOENT {
        127
    } else {
        126
    }
}

/// Hears nothing, and has the container's first process.
struct Given {
    target: Option<OwnedFd>,
}

impl Report for Given {
    fn done(&mut self, _index: u32, _nanoseconds: u64) {}

    fn namespaces(&mut self) -> Vec<OwnedFd> {
        self.target.take().into_iter().collect()
    }

    fn ready(&mut self) {}
}
