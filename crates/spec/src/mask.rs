//! Paths of /proc and /sys that a container does not see, or cannot write.
//!
//! The union of what docker 28, podman 5 and runc 1.3 mask, and what is still readable under all of them: kernel
//! addresses, the kernel's configuration, allocator and page statistics, the kernel log (`security.md`, section 2).

mod pattern;

pub use pattern::matches;

use crate::host::HostFacts;

/// What hides a path: /dev/null over a file, an empty read-only directory over a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
}

/// Masked below /proc.
pub const PROC: [(&str, Kind); 20] = [
    ("acpi", Kind::Directory),
    ("asound", Kind::Directory),
    ("config.gz", Kind::File),
    ("interrupts", Kind::File),
    ("kallsyms", Kind::File),
    ("kcore", Kind::File),
    ("key-users", Kind::File),
    ("keys", Kind::File),
    ("kmsg", Kind::File),
    ("kpagecgroup", Kind::File),
    ("kpagecount", Kind::File),
    ("kpageflags", Kind::File),
    ("latency_stats", Kind::File),
    ("sched_debug", Kind::File),
    ("scsi", Kind::Directory),
    ("slabinfo", Kind::File),
    ("timer_list", Kind::File),
    ("timer_stats", Kind::File),
    ("vmallocinfo", Kind::File),
    ("tty/driver", Kind::Directory),
];

/// Masked below /sys.
const SYS: [(&str, Kind); 8] = [
    ("devices/virtual/powercap", Kind::Directory),
    ("firmware", Kind::Directory),
    ("fs/selinux", Kind::Directory),
    ("kernel/debug", Kind::Directory),
    ("kernel/notes", Kind::File),
    ("kernel/security", Kind::Directory),
    ("kernel/tracing", Kind::Directory),
    ("kernel/vmcoreinfo", Kind::File),
];

/// Read-only below /proc.
pub const PROC_READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// Masked below /sys on this machine: the constant ones and one directory for each CPU (GHSA-6fw5).
#[must_use]
pub fn sys(host: &HostFacts) -> Vec<(String, Kind)> {
    let fixed = SYS.iter().map(|(path, kind)| ((*path).to_owned(), *kind));
    let per_cpu = host.thermal_throttle.iter().map(|cpu| {
        (
            format!("devices/system/cpu/{cpu}/thermal_throttle"),
            Kind::Directory,
        )
    });
    fixed.chain(per_cpu).collect()
}
