//! [`Enter`] in words.

use crate::describe::{flags, show};
use crate::op::{Enter, Limit};

pub(super) fn names(op: &Enter) -> (&'static str, &'static str) {
    match op {
        Enter::Raise { .. } => ("raise-limits", "prlimit64"),
        Enter::Cgroups { .. } => ("find-cgroups", "openat"),
        Enter::Process { .. } => ("join", "setns"),
        Enter::Root => ("find-root", "openat"),
        Enter::Terminal { .. } => ("terminal", "ioctl"),
        Enter::Limits { .. } => ("set-rlimits", "prlimit64"),
        Enter::Directory { .. } => ("change-directory", "chdir"),
        Enter::Serve => ("serve", "openat2"),
    }
}

pub(super) fn detail(op: &Enter) -> String {
    match op {
        Enter::Raise { limits } | Enter::Limits { limits } => words(limits),
        Enter::Cgroups { whose } => format!("/proc/PID/cgroup, of {whose}"),
        Enter::Process { namespaces, whose } => {
            format!("pidfd of {whose}, {}", flags(*namespaces))
        }
        Enter::Root => "/".into(),
        Enter::Terminal { columns, rows } => {
            format!("/dev/pts/ptmx, TIOCGPTPEER, TIOCSWINSZ {columns}x{rows}, TIOCSCTTY")
        }
        Enter::Directory { path } => show(path),
        Enter::Serve => "files, by their names in the container".into(),
    }
}

fn words(limits: &[Limit]) -> String {
    let words: Vec<_> = limits
        .iter()
        .map(|limit| {
            let name = crate::limits::name(limit.resource).to_uppercase();
            let hard = limit.hard.map(|hard| format!(":{hard}"));
            format!("RLIMIT_{name} = {}{}", limit.soft, hard.unwrap_or_default())
        })
        .collect();
    words.join(", ")
}
