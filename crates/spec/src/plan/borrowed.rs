//! What the kernel shows of namespaces that are not the container's own: a file system of theirs can be mounted only with
//! rights over the namespace, so where those are missing, what the machine has mounted already is shown instead.

use crate::failure::Failure;
use crate::op::{Op, Slot, attribute, namespace};
use crate::plan::mounts::{NO_SUID_DEV_EXEC, Place, attach, guarded};
use crate::plan::{Context, Steps, slots, text};

/// /proc of this machine, with all that is mounted in it: the kernel takes no part of it alone from somebody who could not
/// have mounted it.
pub(crate) fn proc(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let why = "this machine's processes: a /proc of one's own needs rights over the pid namespace";
    bind(context, steps, slots::PROC, "/proc", NO_SUID_DEV_EXEC, why)?;
    attach(steps, slots::PROC, Place::Root("proc"))
}

/// /sys of this machine.
pub(crate) fn sys(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let why = "a new sysfs needs a network namespace of one's own; this is the host's, read-only";
    let read_only = NO_SUID_DEV_EXEC | attribute::MOUNT_ATTR_RDONLY;
    bind(context, steps, slots::SYS, "/sys", read_only, why)?;
    attach(steps, slots::SYS, Place::Root("sys"))
}

/// Shared memory that belongs to an IPC namespace that others have too.
pub(crate) fn shm(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let why = "who shares the IPC namespace shares POSIX shared memory, which is files";
    bind(
        context,
        steps,
        slots::SHM,
        "/dev/shm",
        NO_SUID_DEV_EXEC,
        why,
    )?;
    attach(steps, slots::SHM, Place::Inside(slots::DEV, "shm", true))
}

/// Shared memory of the container whose IPC namespace is entered.
pub(crate) fn shm_of(steps: &mut Steps, whose: &str) -> Result<(), Failure> {
    let borrow = Op::BorrowMount {
        slot: slots::SHM,
        path: text("/dev/shm")?,
        whose: whose.to_owned(),
    };
    let why = "who shares the IPC namespace shares POSIX shared memory, which is files";
    steps.launcher(borrow, why);
    attach(steps, slots::SHM, Place::Inside(slots::DEV, "shm", true))
}

/// Message queues of this machine, where it has them mounted.
pub(crate) fn mqueue(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    if !context.host.mqueue {
        return Ok(());
    }
    let why = "this machine's message queues: mounting them needs rights over the IPC namespace";
    bind(
        context,
        steps,
        slots::MQUEUE,
        "/dev/mqueue",
        NO_SUID_DEV_EXEC,
        why,
    )?;
    attach(
        steps,
        slots::MQUEUE,
        Place::Inside(slots::DEV, "mqueue", true),
    )
}

/// All control groups of this machine. Read-only with everything below it: what is mounted below /sys/fs/cgroup would stay
/// writable otherwise (CVE-2023-25809).
pub(crate) fn cgroups(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let host = &context.host.cgroups;
    if host.v2.is_none() && host.v1.is_empty() {
        return Ok(());
    }
    let why = "the groups as this machine names them, since it has this cgroup namespace";
    let attributes = guarded(context);
    bind(
        context,
        steps,
        slots::CGROUP,
        "/sys/fs/cgroup",
        attributes,
        why,
    )?;
    attach(
        steps,
        slots::CGROUP,
        Place::Inside(slots::SYS, "fs/cgroup", false),
    )
}

fn bind(
    context: &Context<'_>,
    steps: &mut Steps,
    slot: Slot,
    source: &str,
    attributes: u64,
    why: &'static str,
) -> Result<(), Failure> {
    let clone = Op::CloneTree {
        slot,
        source: text(source)?,
        recursive: true,
        attributes,
        map_ids: false,
    };
    steps.push(context.mounting_side(), clone, why);
    Ok(())
}

impl Context<'_> {
    /// Whether a file system that shows the container's namespace of this kind can be mounted afresh.
    pub(crate) fn can_mount(&self, kind: u64) -> bool {
        self.choices.has_rights(kind)
    }

    /// Whether a fresh sysfs shows the container's network. Not with this machine's, whoever asks: what is written there
    /// changes the machine, and a clone can be made read-only with all below it.
    pub(crate) fn can_mount_sys(&self) -> bool {
        let network = namespace::CLONE_NEWNET;
        !self.choices.spaces.is_host(network) && self.can_mount(network)
    }
}
