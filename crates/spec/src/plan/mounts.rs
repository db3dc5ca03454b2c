//! What every container has mounted: /proc, /sys, /dev, its control groups, and our files in /etc.

use std::path::Path;

use crate::failure::Failure;
use crate::files;
use crate::op::{Op, Slot, Target, attribute, namespace};
use crate::plan::{Context, Steps, borrowed, confinement, devices, slots, storage, text};

const NO_SUID_DEV: u64 = attribute::MOUNT_ATTR_NOSUID | attribute::MOUNT_ATTR_NODEV;
pub(crate) const NO_SUID_DEV_EXEC: u64 = NO_SUID_DEV | attribute::MOUNT_ATTR_NOEXEC;
const READ_ONLY: u64 = NO_SUID_DEV_EXEC | attribute::MOUNT_ATTR_RDONLY;

/// A file system of the kernel's, and where it goes.
struct Fresh<'a> {
    slot: Slot,
    fstype: &'a str,
    options: &'a [(&'a str, &'a str)],
    attributes: u64,
    target: Place<'a>,
    why: &'static str,
}

/// Where a file system goes.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// A path in the root, which is somebody's image.
    Root(&'a str),
    /// A path in one of our own mounts, to be made there or not.
    Inside(Slot, &'a str, bool),
}

const PROC: Fresh<'_> = Fresh {
    slot: slots::PROC,
    fstype: "proc",
    options: &[],
    attributes: NO_SUID_DEV_EXEC,
    target: Place::Root("proc"),
    why: "only this pid namespace's processes; made while the host's /proc is there, or the kernel refuses",
};
/// Bytes that /dev/shm may hold unless asked otherwise.
const SHM_SIZE: &str = "65536k";
const MQUEUE: Fresh<'_> = Fresh {
    slot: slots::MQUEUE,
    fstype: "mqueue",
    options: &[],
    attributes: NO_SUID_DEV_EXEC,
    target: Place::Inside(slots::DEV, "mqueue", true),
    why: "POSIX message queues of its own IPC namespace",
};
const SYS_FS_CGROUP: Place<'_> = Place::Inside(slots::SYS, "fs/cgroup", false);
const CGROUP_DIRECTORY: Fresh<'_> = Fresh {
    slot: slots::CGROUP,
    fstype: "tmpfs",
    options: &[("mode", "0755"), ("size", "64k")],
    attributes: NO_SUID_DEV_EXEC,
    target: SYS_FS_CGROUP,
    why: "holds one directory for each hierarchy that the container has a group in",
};

const CGROUP_PIDS: Fresh<'_> = Fresh {
    slot: slots::CGROUP_V1,
    fstype: "cgroup",
    options: &[("pids", "")],
    attributes: READ_ONLY,
    target: Place::Inside(slots::CGROUP, "pids", true),
    why: "the container's own group in the v1 hierarchy that has the pids controller",
};

pub(crate) fn make(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    if context.can_mount(namespace::CLONE_NEWPID) {
        let options = &confinement::proc_options(context)?;
        fresh(steps, &Fresh { options, ..PROC })?;
    } else {
        borrowed::proc(context, steps)?;
    }
    sys(context, steps)?;
    devices::make(context, steps)?;
    terminals(context, steps)?;
    ipc(context, steps)?;
    cgroups(context, steps)?;
    etc_files(context, steps)
}

fn ipc(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let (kind, spaces) = (namespace::CLONE_NEWIPC, &context.choices.spaces);
    if spaces.is_host(kind) {
        borrowed::shm(context, steps)?;
    } else if let Some(whose) = &spaces.shm_of {
        borrowed::shm_of(steps, whose)?;
    } else if !spaces.without_shm {
        shared_memory(context, steps)?;
    }
    if context.can_mount(kind) {
        fresh(steps, &MQUEUE)
    } else {
        borrowed::mqueue(context, steps)
    }
}

/// Makes a file system and attaches it.
fn fresh(steps: &mut Steps, mount: &Fresh<'_>) -> Result<(), Failure> {
    let option = |(key, value): &(&str, &str)| -> Result<_, Failure> {
        let value = if value.is_empty() {
            None
        } else {
            Some(text(*value)?)
        };
        Ok((text(*key)?, value))
    };
    let make = Op::NewMount {
        slot: mount.slot,
        fstype: text(mount.fstype)?,
        options: mount.options.iter().map(option).collect::<Result<_, _>>()?,
        attributes: mount.attributes,
    };
    steps.init(make, mount.why);
    attach(steps, mount.slot, mount.target)
}

/// Links are not followed: what the kernel shows must not end up elsewhere (CVE-2023-27561).
pub(crate) fn attach(steps: &mut Steps, slot: Slot, place: Place<'_>) -> Result<(), Failure> {
    let attach = match place {
        Place::Root(target) => {
            let target = text(target)?;
            Op::Attach {
                slot,
                target,
                create: Target::Directory,
                follow: false,
            }
        }
        Place::Inside(base, path, create) => Op::AttachInside {
            slot,
            base,
            path: text(path)?,
            create,
        },
    };
    steps.init(
        attach,
        "where programs look for it; a link in its place is refused",
    );
    Ok(())
}

fn shared_memory(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let asked = storage::shm_size(&context.request.storage)?;
    let (size, why) = match &asked {
        Some(size) => (size.as_str(), "POSIX shared memory, as --shm-size asks"),
        None => (SHM_SIZE, "POSIX shared memory, 64 MiB as docker's"),
    };
    let mount = Fresh {
        slot: slots::SHM,
        fstype: "tmpfs",
        options: &[("mode", "1777"), ("size", size)],
        attributes: NO_SUID_DEV_EXEC,
        target: Place::Inside(slots::DEV, "shm", true),
        why,
    };
    fresh(steps, &mount)
}

/// What must not be changed by anybody but a privileged container.
pub(crate) fn guarded(context: &Context<'_>) -> u64 {
    if context.request.privileged {
        NO_SUID_DEV_EXEC
    } else {
        READ_ONLY
    }
}

fn sys(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    if context.can_mount_sys() {
        let attributes = guarded(context);
        let why = "devices and kernel settings, read-only";
        let (slot, fstype, target) = (slots::SYS, "sysfs", Place::Root("sys"));
        return fresh(
            steps,
            &Fresh {
                slot,
                fstype,
                options: &[],
                attributes,
                target,
                why,
            },
        );
    }
    borrowed::sys(context, steps)
}

/// Group 5 is `tty` everywhere; a single mapped id has no group 5.
fn terminals(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let gids = &context.choices.gids;
    let has_tty_group = gids.is_empty()
        || gids
            .iter()
            .any(|map| map.inside <= 5 && 5 - map.inside < map.count);
    let mut options = vec![("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620")];
    if has_tty_group {
        options.push(("gid", "5"));
    }
    let attributes = attribute::MOUNT_ATTR_NOSUID | attribute::MOUNT_ATTR_NOEXEC;
    let (slot, fstype, target) = (slots::PTS, "devpts", Place::Inside(slots::DEV, "pts", true));
    let why = "terminals of the container's own";
    fresh(
        steps,
        &Fresh {
            slot,
            fstype,
            options: &options,
            attributes,
            target,
            why,
        },
    )
}

fn cgroups(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    if context.choices.spaces.is_host(namespace::CLONE_NEWCGROUP) {
        return borrowed::cgroups(context, steps);
    }
    let host = &context.host.cgroups;
    let v2 = host
        .v2
        .as_ref()
        .is_some_and(|v2| has_group(steps, &v2.mount));
    let pids = host
        .v1
        .get("pids")
        .is_some_and(|mount| has_group(steps, mount));
    // crun looks for a file system that can hold hierarchies, even where it is to use none.
    let bare = context.request.confinement.nested && !v2 && !pids;
    if host.v1.is_empty() && !bare {
        return if v2 {
            fresh(steps, &cgroup_v2(context, slots::CGROUP, SYS_FS_CGROUP))
        } else {
            Ok(())
        };
    }
    if v2 || pids || bare {
        fresh(steps, &CGROUP_DIRECTORY)?;
    }
    if v2 {
        let target = Place::Inside(slots::CGROUP, "unified", true);
        fresh(steps, &cgroup_v2(context, slots::CGROUP_V2, target))?;
    }
    if pids {
        let own = Fresh {
            attributes: guarded(context),
            ..CGROUP_PIDS
        };
        fresh(steps, &own)?;
    }
    Ok(())
}

fn cgroup_v2<'a>(context: &Context<'_>, slot: Slot, target: Place<'a>) -> Fresh<'a> {
    let (attributes, why) = v2_access(context);
    Fresh {
        slot,
        fstype: "cgroup2",
        options: &[],
        attributes,
        target,
        why,
    }
}

fn v2_access(context: &Context<'_>) -> (u64, &'static str) {
    if confinement::writes_cgroup(context) {
        let why = "the container's own cgroup, to make others below";
        return (NO_SUID_DEV_EXEC, why);
    }
    (READ_ONLY, "the container's own cgroup, read-only")
}

fn has_group(steps: &Steps, mount: &Path) -> bool {
    steps.list.iter().any(|step| match &step.op {
        Op::MakeCgroup(group) => group
            .directory
            .to_str()
            .is_ok_and(|path| Path::new(path).starts_with(mount)),
        _ => false,
    })
}

fn etc_files(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let made = files::make(
        &context.choices.hostname,
        context.choices.spaces.is_host(namespace::CLONE_NEWNET),
        context.host,
    );
    let asked = &context.request.confinement;
    let left = |name: &str| match name {
        "hosts" => asked.no_hosts,
        "hostname" => asked.no_hostname,
        _ => false,
    };
    let made = made
        .into_iter()
        .filter(|(name, _)| !left(name))
        .map(|(name, content)| Ok((text(name)?, content)));
    let files = made.collect::<Result<_, Failure>>()?;
    steps.init(
        Op::EtcFiles { files },
        "name resolution of its own, whatever the image has",
    );
    Ok(())
}
