//! What the user asked to have mounted: binds and tmpfs mounts.

use std::ffi::CString;

use crate::failure::{Code, Failure};
use crate::op::{Op, Slot, Target, attribute};
use crate::plan::mounts::NO_SUID_DEV_EXEC;
use crate::plan::{Context, Steps, slots, text};
use crate::request::MountRequest;

pub(crate) fn make(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    for (number, mount) in in_depth_order(context)?.into_iter().enumerate() {
        let slot = u8::try_from(number)
            .ok()
            .and_then(|number| slots::VOLUME.checked_add(number));
        let slot = slot.filter(|slot| *slot < slots::END).ok_or_else(|| {
            let count = context.request.mounts.len();
            Failure::new(
                Code::InvalidArg,
                format!("{count} mounts are more than this version takes"),
            )
            .hint("mount a directory that holds several of them")
        })?;
        user_mount(context, steps, slot, mount)?;
    }
    Ok(())
}

/// The user's mounts, those nearer to the root first, so that none hides another.
fn in_depth_order<'a>(context: &'a Context<'_>) -> Result<Vec<&'a MountRequest>, Failure> {
    let mut mounts: Vec<_> = context.request.mounts.iter().collect();
    let mut seen = std::collections::BTreeSet::new();
    for mount in &mounts {
        check_target(target(mount))?;
        if !seen.insert(parts(target(mount)).collect::<Vec<_>>()) {
            let twice = format!("two mounts on {}", target(mount));
            return Err(Failure::new(Code::InvalidArg, twice)
                .why("one would hide the other")
                .hint("leave one of them out")
                .path(target(mount)));
        }
    }
    mounts.sort_by_key(|mount| {
        target(mount)
            .split('/')
            .filter(|part| !part.is_empty())
            .count()
    });
    Ok(mounts)
}

fn parts(target: &str) -> impl Iterator<Item = &str> {
    target
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
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

type MountOptions = (Vec<(CString, Option<CString>)>, u64);

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

fn tmpfs_option(option: &str) -> Result<(CString, Option<CString>), Failure> {
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
