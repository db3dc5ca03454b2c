//! What is mounted into the root: /proc, /sys, /dev, our files in /etc, and what the user asked for.

use crate::failure::{Code, Failure};
use crate::files;
use crate::mask;
use crate::op::{Device, Op, Slot, Target, attribute, namespace};
use crate::plan::{Context, Steps, slots, text};
use crate::request::MountRequest;

const NO_SUID_DEV: u64 = attribute::MOUNT_ATTR_NOSUID | attribute::MOUNT_ATTR_NODEV;
const NO_SUID_DEV_EXEC: u64 = NO_SUID_DEV | attribute::MOUNT_ATTR_NOEXEC;
const SYSFS: u64 = NO_SUID_DEV_EXEC | attribute::MOUNT_ATTR_RDONLY;

/// The nodes that programs expect, world-writable (OCI runtime-spec, "Default Devices").
const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

pub(crate) fn make(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    proc_and_sys(context, steps)?;
    dev(context, steps)?;
    cgroups(context, steps)?;
    etc_files(context, steps)?;
    for (number, mount) in in_depth_order(context)?.into_iter().enumerate() {
        let slot = u8::try_from(number)
            .ok()
            .and_then(|number| slots::VOLUME.checked_add(number));
        let slot = slot.filter(|slot| *slot < slots::END).ok_or_else(|| {
            Failure::new(
                Code::InvalidArg,
                format!(
                    "{} mounts are more than this version takes",
                    context.request.mounts.len()
                ),
            )
        })?;
        user_mount(context, steps, slot, mount)?;
    }
    Ok(())
}

fn proc_and_sys(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    fresh(
        steps,
        slots::PROC,
        "proc",
        &[],
        NO_SUID_DEV_EXEC,
        "only this pid namespace's processes are in it; while the host's /proc is still there, or the kernel refuses",
    )?;
    if context.choices.namespaces & namespace::CLONE_NEWNET == 0 {
        let op = Op::CloneTree {
            slot: slots::SYS,
            source: text("/sys")?,
            recursive: true,
            attributes: SYSFS,
            map_ids: false,
        };
        steps.push(
            context.mounting_side(),
            op,
            "a new sysfs needs a network namespace of one's own; this is the host's, read-only",
        );
    } else {
        let attributes = if context.request.privileged {
            NO_SUID_DEV_EXEC
        } else {
            SYSFS
        };
        fresh(
            steps,
            slots::SYS,
            "sysfs",
            &[],
            attributes,
            "devices and kernel settings, read-only",
        )?;
    }
    attach(
        steps,
        slots::PROC,
        "proc",
        "programs expect /proc; a link in its place is refused",
    )?;
    attach(steps, slots::SYS, "sys", "programs expect /sys")
}

fn dev(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let devices = devices(context)?;
    let map_ids = context.maps_mounts();
    if !context.host.is_rootless() {
        let op = Op::MakeDevices {
            slot: slots::DEV,
            devices: devices.clone(),
            map_ids,
        };
        steps.launcher(
            op,
            "real device nodes need the host's root; the container gets just these",
        );
    }
    steps.init(
        Op::AttachDevices {
            slot: slots::DEV,
            devices,
        },
        "the few devices that programs expect, and no other",
    );
    let tty_group = context.choices.gids.is_empty()
        || context
            .choices
            .gids
            .iter()
            .any(|map| map.inside <= 5 && 5 - map.inside < map.count);
    let mut pts = vec![
        ("newinstance", None),
        ("ptmxmode", Some("0666")),
        ("mode", Some("0620")),
    ];
    if tty_group {
        pts.push(("gid", Some("5")));
    }
    fresh(
        steps,
        slots::PTS,
        "devpts",
        &pts,
        attribute::MOUNT_ATTR_NOSUID | attribute::MOUNT_ATTR_NOEXEC,
        "terminals of the container's own",
    )?;
    attach(steps, slots::PTS, "dev/pts", "where its terminals appear")?;
    let shm = [("mode", Some("1777")), ("size", Some("65536k"))];
    fresh(
        steps,
        slots::SHM,
        "tmpfs",
        &shm,
        NO_SUID_DEV_EXEC,
        "POSIX shared memory, 64 MiB as docker's",
    )?;
    attach(steps, slots::SHM, "dev/shm", "where shm_open looks")?;
    fresh(
        steps,
        slots::MQUEUE,
        "mqueue",
        &[],
        NO_SUID_DEV_EXEC,
        "POSIX message queues of its own IPC namespace",
    )?;
    attach(
        steps,
        slots::MQUEUE,
        "dev/mqueue",
        "where mq_open's queues appear",
    )
}

fn devices(context: &Context<'_>) -> Result<Vec<Device>, Failure> {
    let standard = DEVICES.iter().map(|(path, major, minor)| {
        Ok(Device {
            path: text(*path)?,
            block: false,
            major: *major,
            minor: *minor,
            mode: 0o666,
        })
    });
    let host = context
        .host
        .devices
        .iter()
        .filter(|_| context.request.privileged && !context.host.is_rootless());
    let extra = host
        .filter(|node| !DEVICES.iter().any(|(path, ..)| *path == node.path))
        .map(|node| {
            let (block, major, minor, mode) = (node.block, node.major, node.minor, node.mode);
            Ok(Device {
                path: text(node.path.as_str())?,
                block,
                major,
                minor,
                mode,
            })
        });
    standard.chain(extra).collect()
}

fn cgroups(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let has = |prefix: &std::path::Path| {
        steps.list.iter().any(|step| matches!(&step.op, Op::MakeCgroup(group)
            if group.directory.to_str().is_ok_and(|path| std::path::Path::new(path).starts_with(prefix))))
    };
    let host = &context.host.cgroups;
    let v2 = host.v2.as_ref().filter(|v2| has(&v2.mount));
    let pids = host.v1.get("pids").filter(|mount| has(mount));
    let read_only = if context.request.privileged {
        NO_SUID_DEV_EXEC
    } else {
        SYSFS
    };
    if host.v1.is_empty() {
        if v2.is_some() {
            fresh(
                steps,
                slots::CGROUP,
                "cgroup2",
                &[],
                read_only,
                "the container's own cgroup, read-only",
            )?;
            attach(
                steps,
                slots::CGROUP,
                "sys/fs/cgroup",
                "where programs look for their limits",
            )?;
        }
        return Ok(());
    }
    if v2.is_none() && pids.is_none() {
        return Ok(());
    }
    fresh(
        steps,
        slots::CGROUP,
        "tmpfs",
        &[("mode", Some("0755")), ("size", Some("64k"))],
        NO_SUID_DEV_EXEC,
        "holds one directory for each hierarchy",
    )?;
    attach(
        steps,
        slots::CGROUP,
        "sys/fs/cgroup",
        "where programs look for their limits",
    )?;
    if v2.is_some() {
        fresh(
            steps,
            slots::CGROUP_V1 + 1,
            "cgroup2",
            &[],
            read_only,
            "the container's own cgroup, read-only",
        )?;
        attach(
            steps,
            slots::CGROUP_V1 + 1,
            "sys/fs/cgroup/unified",
            "the v2 hierarchy of a hybrid host",
        )?;
    }
    if pids.is_some() {
        fresh(
            steps,
            slots::CGROUP_V1,
            "cgroup",
            &[("pids", None)],
            read_only,
            "the container's own pids cgroup, read-only",
        )?;
        attach(
            steps,
            slots::CGROUP_V1,
            "sys/fs/cgroup/pids",
            "the v1 hierarchy that has the pids controller",
        )?;
    }
    Ok(())
}

fn etc_files(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let made = files::make(
        &context.choices.hostname,
        context.request.network,
        context.host,
    );
    let files = made
        .into_iter()
        .map(|(name, content)| Ok((text(name)?, content)))
        .collect::<Result<_, Failure>>()?;
    steps.init(
        Op::EtcFiles { files },
        "name resolution of the container's own, whatever the image has",
    );
    Ok(())
}

/// The user's mounts, those nearer to the root first, so that none hides another.
fn in_depth_order<'a>(context: &'a Context<'_>) -> Result<Vec<&'a MountRequest>, Failure> {
    let mut mounts: Vec<_> = context.request.mounts.iter().collect();
    for mount in &mounts {
        check_target(target(mount))?;
    }
    mounts.sort_by_key(|mount| {
        target(mount)
            .split('/')
            .filter(|part| !part.is_empty())
            .count()
    });
    Ok(mounts)
}

fn target(mount: &MountRequest) -> &str {
    match mount {
        MountRequest::Bind { target, .. } | MountRequest::Tmpfs { target, .. } => target,
    }
}

fn check_target(target: &str) -> Result<(), Failure> {
    let parts: Vec<_> = target
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let bad = |why: &str, hint: &str| {
        Err(
            Failure::new(Code::Mount, format!("cannot mount on {target:?}"))
                .why(why)
                .hint(hint)
                .path(target),
        )
    };
    if !target.starts_with('/') {
        return bad(
            "the path in the container is not absolute",
            "begin it with /",
        );
    }
    if parts.contains(&"..") {
        return bad("the path has .. in it", "write the path that you mean");
    }
    match parts.as_slice() {
        [] => bad(
            "it is the container's root",
            "use --rootfs DIR to choose the root",
        ),
        ["proc", ..] | ["sys"] => bad(
            "the kernel's own files are there, and the container's limits rest on them",
            "mount it elsewhere",
        ),
        _ => Ok(()),
    }
}

fn user_mount(
    context: &Context<'_>,
    steps: &mut Steps,
    slot: Slot,
    mount: &MountRequest,
) -> Result<(), Failure> {
    match mount {
        MountRequest::Bind {
            source,
            target,
            readonly,
        } => {
            let read_only = if *readonly {
                attribute::MOUNT_ATTR_RDONLY
            } else {
                0
            };
            let attributes = attribute::MOUNT_ATTR_NODEV | read_only;
            let map_ids = context.maps_mounts();
            let op = Op::CloneTree {
                slot,
                source: text(source.as_str())?,
                recursive: true,
                attributes,
                map_ids,
            };
            steps.push(
                context.mounting_side(),
                op,
                "the host's files, shown with the ids that they have on disk",
            );
            let create = if context.host_file(source) {
                Target::File
            } else {
                Target::Directory
            };
            attach_to(steps, slot, target, create, "as --volume asks")
        }
        MountRequest::Tmpfs { target, options } => {
            let (options, attributes) = tmpfs_options(options)?;
            steps.init(
                Op::NewMount {
                    slot,
                    fstype: text("tmpfs")?,
                    options,
                    attributes,
                },
                "memory of the container's own, gone with it",
            );
            attach_to(steps, slot, target, Target::Directory, "as --tmpfs asks")
        }
    }
}

impl Context<'_> {
    fn host_file(&self, source: &str) -> bool {
        self.place.file_sources.iter().any(|file| file == source)
    }
}

type MountOptions = (Vec<(std::ffi::CString, Option<std::ffi::CString>)>, u64);

/// docker's `--tmpfs` options: flags become attributes, the rest goes to tmpfs (tmpfs(5)).
fn tmpfs_options(given: &str) -> Result<MountOptions, Failure> {
    let mut attributes = NO_SUID_DEV_EXEC;
    let mut options = Vec::new();
    for option in given.split(',').filter(|option| !option.is_empty()) {
        match option {
            "rw" | "suid" | "dev" | "exec" | "ro" | "nosuid" | "nodev" | "noexec" => {
                let (bit, set) = flag(option);
                attributes = if set {
                    attributes | bit
                } else {
                    attributes & !bit
                };
            }
            _ => options.push(tmpfs_option(option)?),
        }
    }
    if !options.iter().any(|(key, _)| key.as_bytes() == b"mode") {
        options.push((text("mode")?, Some(text("1777")?)));
    }
    Ok((options, attributes))
}

fn flag(option: &str) -> (u64, bool) {
    match option {
        "rw" => (attribute::MOUNT_ATTR_RDONLY, false),
        "ro" => (attribute::MOUNT_ATTR_RDONLY, true),
        "suid" => (attribute::MOUNT_ATTR_NOSUID, false),
        "nosuid" => (attribute::MOUNT_ATTR_NOSUID, true),
        "dev" => (attribute::MOUNT_ATTR_NODEV, false),
        "nodev" => (attribute::MOUNT_ATTR_NODEV, true),
        "exec" => (attribute::MOUNT_ATTR_NOEXEC, false),
        _ => (attribute::MOUNT_ATTR_NOEXEC, true),
    }
}

fn tmpfs_option(option: &str) -> Result<(std::ffi::CString, Option<std::ffi::CString>), Failure> {
    const KNOWN: [&str; 6] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks"];
    match option.split_once('=') {
        Some((key, value)) if KNOWN.contains(&key) && !value.is_empty() => {
            Ok((text(key)?, Some(text(value)?)))
        }
        _ => Err(Failure::new(
            Code::Mount,
            format!("--tmpfs: {option:?} is not an option of tmpfs"),
        )
        .hint(
            "use size, mode, uid, gid, nr_inodes, nr_blocks with a value, or ro, exec, suid, dev",
        )),
    }
}

/// The masks, once the mounts that they go over are there.
pub(crate) fn masks(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let named =
        |(path, kind): (String, mask::Kind)| Ok((text(path)?, kind == mask::Kind::Directory));
    let proc = mask::PROC
        .iter()
        .map(|(path, kind)| named(((*path).to_owned(), *kind)))
        .collect::<Result<_, Failure>>()?;
    steps.init(
        Op::Mask {
            base: slots::PROC,
            paths: proc,
        },
        "kernel memory, addresses and keys are nobody's business",
    );
    let sys = mask::sys(context.host)
        .into_iter()
        .map(named)
        .collect::<Result<_, Failure>>()?;
    steps.init(
        Op::Mask {
            base: slots::SYS,
            paths: sys,
        },
        "firmware tables and side channels such as power and heat",
    );
    let paths = mask::PROC_READ_ONLY
        .iter()
        .map(|path| text(*path))
        .collect::<Result<_, Failure>>()?;
    steps.init(
        Op::ReadOnlyPaths {
            base: slots::PROC,
            paths,
        },
        "kernel settings can be read, not changed",
    );
    Ok(())
}

fn fresh(
    steps: &mut Steps,
    slot: Slot,
    fstype: &str,
    options: &[(&str, Option<&str>)],
    attributes: u64,
    why: &'static str,
) -> Result<(), Failure> {
    let options = options
        .iter()
        .map(|(key, value)| Ok((text(*key)?, value.map(text).transpose()?)))
        .collect::<Result<_, Failure>>()?;
    steps.init(
        Op::NewMount {
            slot,
            fstype: text(fstype)?,
            options,
            attributes,
        },
        why,
    );
    Ok(())
}

fn attach(steps: &mut Steps, slot: Slot, target: &str, why: &'static str) -> Result<(), Failure> {
    steps.init(
        Op::Attach {
            slot,
            target: text(target)?,
            create: Target::Directory,
            follow: false,
        },
        why,
    );
    Ok(())
}

fn attach_to(
    steps: &mut Steps,
    slot: Slot,
    target: &str,
    create: Target,
    why: &'static str,
) -> Result<(), Failure> {
    let target = target.trim_start_matches('/');
    steps.init(
        Op::Attach {
            slot,
            target: text(target)?,
            create,
            follow: true,
        },
        why,
    );
    Ok(())
}
