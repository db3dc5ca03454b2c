//! How a container ended.

use std::os::fd::AsFd;

use super::Supervisor;
use crate::protocol::Exited;

impl Supervisor {
    /// Reaps the first process.
    pub(super) fn exited(&self) -> Exited {
        let wall_micros = u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let Ok(exit) = keelbox_sys::wait::wait(self.container.pidfd.as_fd()) else {
            return Exited {
                signal: Some(9),
                wall_micros,
                ..Exited::default()
            };
        };
        let replaced = exit
            .signal
            .is_some_and(|signal| signal == 9)
            .then_some(self.replaced)
            .flatten();
        Exited {
            code: exit.code,
            signal: replaced.or(exit.signal),
            wall_micros,
            cpu_micros: self.cpu_micros().unwrap_or(exit.cpu_micros),
            max_memory: exit.max_rss,
            oom_killed: false,
        }
    }

    /// CPU time of the whole container, which every cgroup v2 counts (`cpu.stat`).
    fn cpu_micros(&self) -> Option<u64> {
        let stat = |group: &std::ffi::CString| {
            std::fs::read_to_string(format!("{}/cpu.stat", group.to_str().ok()?)).ok()
        };
        let text = self.leftovers.cgroups.iter().find_map(stat)?;
        text.lines()
            .find_map(|line| line.strip_prefix("usage_usec "))?
            .trim()
            .parse()
            .ok()
    }
}
