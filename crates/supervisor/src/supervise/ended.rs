//! The container's end: how it was, and what follows.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::{Held, Phase, Supervisor, Timers};
use crate::protocol::{Event, Exited};
use crate::record;
use crate::restart::{BackOff, End};
use crate::{cleanup, events};

/// Whoever started this process may wait for its end (the library does), and must not wait for another's client.
const LINGER: Duration = Duration::from_millis(50);

impl Supervisor {
    /// Records how it ended before anything else; then it is started again in a while, or everything is cleared up.
    pub(super) fn end(&mut self) {
        let exited = self.exited();
        self.timers = Timers::default();
        let pause = self.pause(&exited);
        self.record_exit(&exited);
        if let Some(namespace) = self.container.members.take() {
            namespace.end();
        }
        self.drop_check();
        if let Some(hub) = &mut self.hub {
            hub.drain();
        }
        self.container.console = None;
        self.peer = None;
        // One that goes at its end is gone in the next moment: both are told then.
        if pause.is_some() || !self.leftovers.remove {
            self.tell_end(&exited, false);
        }
        match pause {
            Some(pause) => self.wait_to_start(exited, pause),
            None => self.finish(exited),
        }
    }

    /// How long until it is started again; None: it is not.
    fn pause(&self, exited: &Exited) -> Option<Duration> {
        if self.asked.again {
            return Some(Duration::ZERO);
        }
        let end = End {
            exit_code: exited.exit_code(),
            stopped: self.asked.stop || self.leftovers.remove,
            ran: self.begin.elapsed(),
            restarts: self.life.restarts,
        };
        let pause = self.back_off.next(self.life.restart, end);
        pause.filter(|_| self.can_start_again())
    }

    /// `exit.json`, unless everything goes.
    pub(super) fn record_exit(&self, exited: &Exited) {
        let Some(held) = self.held.as_ref().filter(|_| !self.leftovers.remove) else {
            return;
        };
        let exit = record::Exit {
            started_at: self.started_at,
            restart_count: self.life.restarts,
            stopped: self.asked.stop,
            error: None,
        };
        record::exit(held.data.as_fd(), exited, &exit);
    }

    fn tell_end(&self, exited: &Exited, is_destroyed: bool) {
        if exited.oom_killed {
            self.tell("oom");
        }
        let code = exited.exit_code().to_string();
        let signal = exited.signal.map(|signal| signal.to_string());
        let mut more = vec![("exitCode", code.as_str())];
        more.extend(signal.iter().map(|signal| ("signal", signal.as_str())));
        let mut events = vec![("die", more.as_slice())];
        if self.asked.by_stop {
            events.push(("stop", &[]));
        }
        if is_destroyed {
            events.push(("destroy", &[]));
        }
        self.tell_all(&events);
    }

    /// Until it is started again it is as it would be between two starts, but for its supervisor.
    fn wait_to_start(&mut self, exited: Exited, pause: Duration) {
        cleanup::remove_cgroups(self.groups());
        let milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.back_off = BackOff::after(milliseconds);
        self.phase = Phase::Waiting {
            until: Instant::now() + pause,
            exited,
        };
        self.frozen = false;
        self.terminal = None;
        self.write_state();
        self.bid_farewell(&Event::Restarting {
            exited,
            milliseconds,
        });
        for peer in &mut self.peers {
            peer.is_first = false;
        }
    }

    /// It is over: nothing is left of it but what is kept, and then everybody is told.
    pub(super) fn finish(&mut self, exited: Exited) {
        if self.leftovers.remove {
            self.leftovers.existing = false;
        }
        if let Some(Held { state, data, ids }) = self.held.take() {
            let remove = self.leftovers.remove;
            let volumes = self.leftovers.clear(data.as_fd(), state.as_fd(), remove);
            if remove {
                self.tell_end(&exited, true);
            }
            if let Some(journal) = &self.journal {
                events::tell_volumes(journal.as_fd(), "destroy", &volumes);
            }
            // Whoever starts it again, or another with these ids, need not wait for a client that reads slowly.
            drop((state, data, ids));
        }
        self.namespaces = Vec::new();
        self.phase = Phase::Over {
            until: Some(Instant::now() + LINGER),
        };
        self.bid_farewell(&Event::Exited(exited));
    }

    /// Reaps the first process.
    fn exited(&self) -> Exited {
        let wall_micros = u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let Ok(exit) = keelbox_sys::wait::wait(self.container.pidfd.as_fd()) else {
            return Exited {
                signal: Some(9),
                wall_micros,
                ..Exited::default()
            };
        };
        let killed = exit.signal == Some(9);
        let replaced = self.replaced.filter(|_| killed);
        Exited {
            code: exit.code,
            signal: replaced.or(exit.signal),
            wall_micros,
            cpu_micros: self.cpu_micros().unwrap_or(exit.cpu_micros),
            max_memory: exit.max_rss,
            oom_killed: killed
                && replaced.is_none()
                && keelbox_cgroups::oom_kills(self.groups()) > 0,
        }
    }

    /// CPU time of the whole container, which every cgroup v2 counts (`cpu.stat`).
    fn cpu_micros(&self) -> Option<u64> {
        let stat = |group: &std::ffi::CString| read(&format!("{}/cpu.stat", group.to_str().ok()?));
        let text = self.groups().iter().find_map(stat)?;
        text.lines()
            .find_map(|line| line.strip_prefix("usage_usec "))?
            .trim()
            .parse()
            .ok()
    }
}

/// The beginning of one of the kernel's small files.
fn read(path: &str) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let mut bytes = [0; 512];
    let length = rustix::io::read(&file, &mut bytes).ok()?;
    Some(String::from_utf8_lossy(bytes.get(..length)?).into_owned())
}
