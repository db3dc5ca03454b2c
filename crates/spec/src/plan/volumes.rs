//! What the user asked to have mounted: binds, volumes and tmpfs mounts.

mod bound;
mod idmap;
mod image;
mod tmpfs;

pub use bound::file_key;

use crate::failure::{Code, Failure};
use crate::op::{Op, Slot, Target, Travel};
use crate::plan::{Context, Steps, devices, root, slots, text};
use crate::request::MountRequest;

/// Slots that are still free.
#[derive(Debug)]
pub(crate) struct Free {
    next: Slot,
    /// The first slot that the root's layers have left.
    layer: Option<Slot>,
}

impl Free {
    pub(crate) fn take(&mut self) -> Result<Slot, Failure> {
        let slot = self.next;
        if slot >= slots::END {
            return Err(Failure::new(
                Code::InvalidArg,
                "these are more mounts than this version takes",
            )
            .hint("mount a directory that holds several of them"));
        }
        self.next += 1;
        Ok(slot)
    }

    /// A slot for a layer of an image.
    pub(crate) fn take_layer(&mut self) -> Result<Slot, Failure> {
        let slot = self.layer.ok_or_else(|| {
            Failure::new(
                Code::InvalidArg,
                "the image and those that are mounted have more layers than this version takes",
            )
            .hint("mount fewer images")
        })?;
        self.layer = slot.checked_add(1);
        Ok(slot)
    }
}

pub(crate) fn make(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let mut free = Free {
        next: slots::VOLUME,
        layer: root::after_layers(context),
    };
    for mount in in_depth_order(context)? {
        match mount {
            MountRequest::Tmpfs { target, options } => {
                tmpfs::mount(steps, &mut free, target, options, "as --tmpfs asks")?;
            }
            MountRequest::Image {
                source,
                target,
                writable,
                subpath,
            } => {
                let mount = image::ImageMount {
                    source,
                    target,
                    writable: *writable,
                    subpath: subpath.as_deref(),
                };
                image::mount(context, steps, &mut free, &mount)?;
            }
            MountRequest::Bind { .. } | MountRequest::Volume { .. } => {
                bound::mount(context, steps, &mut free, mount)?;
            }
        }
    }
    devices::elsewhere(context, steps, &mut free)
}

/// What may surprise about the mounts; one line each.
pub(crate) fn notices(context: &Context<'_>) -> Vec<String> {
    let mounts = context.request.mounts.iter();
    let travelling = mounts.filter_map(|mount| {
        let travel = mount.options()?.propagation;
        let target = mount.target();
        match travel {
            Travel::Shared if context.host.is_rootless() => Some(format!(
                "{target}: mounts made in an ordinary user's container do not reach the host; the host's do come in"
            )),
            Travel::Slave | Travel::Shared if context.maps_mounts() => Some(format!(
                "{target}: files of mounts that appear later belong to nobody (65534) in the container; with --userns=host they keep their owners"
            )),
            _ => None,
        }
    });
    travelling.collect()
}

/// The user's mounts, those nearer to the root first, so that none hides another.
fn in_depth_order<'a>(context: &'a Context<'_>) -> Result<Vec<&'a MountRequest>, Failure> {
    let mut mounts: Vec<_> = context.request.mounts.iter().collect();
    let mut seen = std::collections::BTreeSet::new();
    for mount in &mounts {
        check_target(mount.target())?;
        if !seen.insert(parts(mount.target()).collect::<Vec<_>>()) {
            let twice = format!("two mounts on {}", mount.target());
            return Err(Failure::new(Code::InvalidArg, twice)
                .why("one would hide the other")
                .hint("leave one of them out")
                .path(mount.target()));
        }
    }
    mounts.sort_by_key(|mount| parts(mount.target()).count());
    check_shared(&mounts)?;
    Ok(mounts)
}

/// What is mounted below a bind that is shared with the host would appear on the host.
fn check_shared(mounts: &[&MountRequest]) -> Result<(), Failure> {
    let is_shared = |mount: &&&MountRequest| {
        let options = mount.options();
        options.is_some_and(|options| options.propagation == Travel::Shared)
    };
    for shared in mounts.iter().filter(is_shared) {
        let above: Vec<_> = parts(shared.target()).collect();
        let below = mounts.iter().find(|mount| {
            let path: Vec<_> = parts(mount.target()).collect();
            path.len() > above.len() && path.starts_with(&above)
        });
        if let Some(below) = below {
            let (inner, outer) = (below.target(), shared.target());
            return Err(
                Failure::new(Code::InvalidArg, format!("cannot mount on {inner}"))
                    .why(format!(
                        "{outer} is shared with the host, where this mount would appear too"
                    ))
                    .hint("mount it elsewhere, or make the outer one rslave")
                    .path(inner),
            );
        }
    }
    Ok(())
}

fn parts(target: &str) -> impl Iterator<Item = &str> {
    target
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
}

pub(crate) fn check_target(target: &str) -> Result<(), Failure> {
    let parts: Vec<_> = parts(target).collect();
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

pub(crate) fn attach_to(
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
