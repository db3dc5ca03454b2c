//! One process, from its files (proc_pid_stat(5), proc_pid_status(5)).

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Clock ticks of a second: the kernel's for user space, on every architecture that we build for.
const TICKS: u64 = 100;

/// What is known of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) ppid: i32,
    pub(super) pgid: i32,
    pub(super) tty: i32,
    pub(super) nice: i64,
    pub(super) state: String,
    pub(super) comm: String,
    pub(super) args: String,
    /// As this machine counts.
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: String,
    /// The pid in the innermost namespace.
    pub(super) inner_pid: i32,
    pub(super) seccomp: String,
    pub(super) cap_eff: String,
    pub(super) cap_bnd: String,
    pub(super) cap_inh: String,
    pub(super) cap_prm: String,
    pub(super) cap_amb: String,
    /// Seconds of CPU time.
    pub(super) cpu_seconds: u64,
    /// Seconds since its start.
    pub(super) elapsed: u64,
    /// Seconds since the epoch.
    pub(super) started: u64,
    /// Bytes.
    pub(super) virtual_bytes: u64,
    pub(super) resident_bytes: u64,
    /// Percent of one CPU since its start, in tenths; docker's C column is whole percents.
    pub(super) cpu_tenths: u64,
}

impl Process {
    /// None: it is gone.
    pub(super) fn read(pid: &str) -> Option<Self> {
        let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).ok();
        let text = |name: &str| Some(String::from_utf8_lossy(&file(name)?).into_owned());
        let stat = text("stat")?;
        let (head, rest) = stat.rsplit_once(") ")?;
        let comm = head.split_once(" (")?.1.to_owned();
        let fields: Vec<&str> = rest.split(' ').collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or("0");
        let number = |at: usize| field(at).trim().parse::<u64>().unwrap_or(0);
        let signed = |at: usize| field(at).trim().parse::<i64>().unwrap_or(0);
        let small = |at: usize| i32::try_from(signed(at)).unwrap_or(0);
        let status = text("status")?;
        let line = |name: &str| {
            let found = status.lines().find_map(|line| line.strip_prefix(name));
            found.map(str::trim).unwrap_or_default().to_owned()
        };
        let id = |name: &str| {
            let line = line(name);
            let real = line.split_whitespace().nth(1);
            real.and_then(|id| id.parse().ok()).unwrap_or(0)
        };
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let up: u64 = uptime.split('.').next()?.parse().ok()?;
        let elapsed = up.saturating_sub(number(22) / TICKS);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let ticks = number(14) + number(15);
        let inner = line("NSpid:");
        Some(Self {
            pid: pid.parse().ok()?,
            ppid: small(4),
            pgid: small(5),
            tty: small(7),
            nice: signed(19),
            state: field(3).to_owned(),
            args: arguments(&file("cmdline").unwrap_or_default(), &comm),
            comm,
            uid: id("Uid:"),
            gid: id("Gid:"),
            groups: line("Groups:").replace(' ', ","),
            inner_pid: inner
                .split_whitespace()
                .next_back()
                .and_then(|pid| pid.parse().ok())
                .unwrap_or(0),
            seccomp: line("Seccomp:"),
            cap_eff: line("CapEff:"),
            cap_bnd: line("CapBnd:"),
            cap_inh: line("CapInh:"),
            cap_prm: line("CapPrm:"),
            cap_amb: line("CapAmb:"),
            cpu_seconds: ticks / TICKS,
            elapsed,
            started: now.saturating_sub(elapsed),
            virtual_bytes: number(23),
            resident_bytes: number(24).saturating_mul(4096),
            cpu_tenths: ticks.saturating_mul(1000) / TICKS / elapsed.max(1),
        })
    }
}

/// The command line; a process that has none, as a dead one, is called by its name.
fn arguments(cmdline: &[u8], comm: &str) -> String {
    let words: Vec<_> = cmdline
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).replace(['\n', '\t', '\u{1b}'], "?"))
        .collect();
    let line = words.join(" ").trim_end().to_owned();
    if line.is_empty() {
        format!("[{comm}]")
    } else {
        line
    }
}
