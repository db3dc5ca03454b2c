//! A time namespace with clocks of its own.

use std::fs;

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_spec::op::namespace;
use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{Mode, OFlags};

/// Children of this process will have the clocks. Offsets can be written only until the first process is there, which
/// clone3(2) with `CLONE_NEWTIME` would make at once.
///
/// # Errors
///
/// EINVAL: the kernel has no time namespaces (before Linux 5.6). ERANGE: a clock would be before the boot, or too far
/// ahead.
pub(crate) fn set_for_children(lines: &str) -> Outcome {
    unshare(flag()).call("unshare")?;
    fs::write("/proc/self/timens_offsets", lines)
        .map_err(|error| Fault::new("write", error).on("/proc/self/timens_offsets"))
}

/// This process has the clocks: an ordinary user has the right only in its container's own first process.
///
/// # Errors
///
/// As [`set_for_children`].
pub(crate) fn set(lines: &str) -> Outcome {
    set_for_children(lines)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = rustix::fs::open(c"/proc/self/ns/time_for_children", flags, Mode::empty())
        .call("open")
        .map_err(|fault| fault.on("/proc/self/ns/time_for_children"))?;
    setns(namespace, flag()).call("setns")
}

fn flag() -> CloneFlags {
    CloneFlags::from_bits_retain(i32::try_from(namespace::CLONE_NEWTIME).unwrap_or(0))
}
