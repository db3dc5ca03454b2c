//! The root directory: layers under a writable one, a directory as it is, or this machine as any user may see it.

use std::ffi::CString;
use std::path::Path;

use crate::failure::{Code, Failure};
use crate::image::{HostRoot, Root};
use crate::op::{Lower, Op, Side, Slot, Target, Upper, attribute};
use crate::plan::{Context, PlanStep, Steps, Without, path_text, slots, text};

/// How the names of writable layers over volumes begin.
pub(crate) const OVER_VOLUME: &str = "volume";

/// The writable layer of an overlay.
#[derive(Debug, Default)]
pub(crate) struct Writable<'a> {
    /// How the names of its two directories begin.
    pub(crate) prefix: &'a str,
    /// `MOUNT_ATTR_*` of the overlay, over those of every root.
    pub(crate) attributes: u64,
}

pub(crate) fn make(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    match &context.image.root {
        Root::InPlace(path) => in_place(context, steps, path),
        Root::Layers(layers) => layered(context, steps, layers),
        Root::Host(host) => host_root(context, steps, host),
    }
}

/// Device nodes that lie in a root do not work: the container's devices are those in /dev.
fn no_devices(context: &Context<'_>) -> u64 {
    if context.request.privileged {
        0
    } else {
        attribute::MOUNT_ATTR_NODEV
    }
}

fn in_place(context: &Context<'_>, steps: &mut Steps, path: &Path) -> Result<(), Failure> {
    clone(
        context,
        steps,
        slots::ROOT,
        path,
        true,
        no_devices(context),
        context.maps_mounts(),
        "the directory itself is the root, with its ids mapped",
    )?;
    attach_root(steps);
    Ok(())
}

fn layered(
    context: &Context<'_>,
    steps: &mut Steps,
    layers: &[std::path::PathBuf],
) -> Result<(), Failure> {
    let mut lower = Vec::new();
    for (slot, layer) in (slots::LAYER..=Slot::MAX).zip(layers) {
        clone(
            context,
            steps,
            slot,
            layer,
            false,
            0,
            context.maps_mounts(),
            "a layer, shown with the container's ids; nothing on disk changes owner",
        )?;
        lower.push(Lower {
            slot,
            path: path_text(layer)?,
        });
    }
    if lower.len() < layers.len() {
        return Err(Failure::new(
            Code::Rootfs,
            format!("{} layers are more than this version mounts", layers.len()),
        ));
    }
    data(context, steps)?;
    overlay(
        context,
        steps,
        slots::ROOT,
        lower,
        &Writable::default(),
        "the root: writes go to a layer of the container's own",
    )?;
    attach_root(steps);
    Ok(())
}

fn host_root(context: &Context<'_>, steps: &mut Steps, host: &HostRoot) -> Result<(), Failure> {
    if has_plain_root(context.place.without) {
        plain_root(context, steps)?;
    } else {
        layered(context, steps, std::slice::from_ref(&host.skeleton))?;
    }
    let mut slot = slots::HOST;
    for name in &host.copy_on_write {
        copy_on_write(context, steps, slot, name)?;
        slot += 2;
    }
    for name in &host.read_only {
        let only = attribute::MOUNT_ATTR_RDONLY
            | attribute::MOUNT_ATTR_NOSUID
            | attribute::MOUNT_ATTR_NODEV;
        let path = Path::new("/").join(name);
        clone(
            context,
            steps,
            slot,
            &path,
            true,
            only,
            false,
            "read-only, with its owners as they are: what is not for everybody stays unreadable",
        )?;
        attach(
            steps,
            slot,
            name,
            "this machine's own settings, as any user sees them",
        )?;
        slot += 1;
    }
    Ok(())
}

/// Without mapped ids the skeleton would belong to nobody, so the container gets one that is its own: also where no overlay
/// can be made.
#[must_use]
pub fn has_plain_root(without: Without) -> bool {
    without.overlay || without.mapped_system
}

/// The engine has made the skeleton's directories in place of a writable layer, owned by the container's root.
fn plain_root(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let (upper, _) = layer_names("");
    clone(
        context,
        steps,
        slots::ROOT,
        &context.place.data.join(upper),
        false,
        no_devices(context),
        false,
        "the root: a directory of the container's own, since this machine gives no overlay for it",
    )?;
    attach_root(steps);
    Ok(())
}

/// A directory of this machine's programs: under a writable layer as root, else read-only (its owner is not mapped).
fn copy_on_write(
    context: &Context<'_>,
    steps: &mut Steps,
    slot: Slot,
    name: &str,
) -> Result<(), Failure> {
    let path = Path::new("/").join(name);
    if !context.maps_system() || context.place.without.overlay {
        let only = attribute::MOUNT_ATTR_RDONLY
            | attribute::MOUNT_ATTR_NOSUID
            | attribute::MOUNT_ATTR_NODEV;
        clone(
            context,
            steps,
            slot,
            &path,
            true,
            only,
            false,
            "this machine's programs, read-only",
        )?;
        return attach(steps, slot, name, "this machine's programs");
    }
    let lower = Lower {
        slot: slot + 1,
        path: path_text(&path)?,
    };
    clone(
        context,
        steps,
        slot + 1,
        &path,
        false,
        0,
        true,
        "this machine's programs, shown with the container's ids",
    )?;
    overlay(
        context,
        steps,
        slot,
        vec![lower],
        &Writable {
            prefix: name,
            attributes: 0,
        },
        "an overlay for each top directory: / as a whole has other mounts in it",
    )?;
    attach(
        steps,
        slot,
        name,
        "this machine's programs, under a layer of the container's own",
    )
}

fn data(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    if context.place.without.disk_layer {
        let (upper, work) = layer_names("");
        let op = Op::MemoryLayer {
            slot: slots::DATA,
            directories: vec![text(upper)?, text(work)?],
            map_ids: context.maps_mounts(),
        };
        let why = "the writable layer: the store's file system can carry none";
        steps.push(context.mounting_side(), op, why);
        return Ok(());
    }
    let path = context.place.data.clone();
    clone(
        context,
        steps,
        slots::DATA,
        &path,
        false,
        0,
        context.maps_mounts(),
        "the writable layers: on disk with the container's own ids, so that a copy needs no shifting",
    )
}

#[allow(clippy::too_many_arguments, reason = "the fields of one operation")]
pub(crate) fn clone(
    context: &Context<'_>,
    steps: &mut Steps,
    slot: Slot,
    path: &Path,
    recursive: bool,
    attributes: u64,
    map_ids: bool,
    why: &'static str,
) -> Result<(), Failure> {
    let source = path_text(path)?;
    steps.push(
        context.mounting_side(),
        Op::CloneTree {
            slot,
            source,
            recursive,
            attributes,
            map_ids,
        },
        why,
    );
    Ok(())
}

pub(crate) fn overlay(
    context: &Context<'_>,
    steps: &mut Steps,
    slot: Slot,
    lower: Vec<Lower>,
    layer: &Writable<'_>,
    why: &'static str,
) -> Result<(), Failure> {
    let (upper, work) = layer_names(layer.prefix);
    let in_memory = context.place.without.disk_layer;
    if in_memory {
        in_memory_layer(steps, [text(upper.as_str())?, text(work.as_str())?]);
    }
    let path = (!in_memory).then(|| path_text(&context.place.data));
    let upper = Upper {
        base: slots::DATA,
        path: path.transpose()?.unwrap_or_default(),
        upper: text(upper)?,
        work: text(work)?,
        // Those of the image `host` are as they are made.
        like_lower: is_from_image(context) || layer.prefix.starts_with(OVER_VOLUME),
    };
    let (volatile, userxattr) = (context.request.rm, context.host.is_rootless());
    steps.push(
        context.mounting_side(),
        Op::Overlay {
            slot,
            lower,
            upper,
            volatile,
            userxattr,
            attributes: no_devices(context) | layer.attributes,
        },
        why,
    );
    Ok(())
}

/// A layer in memory begins with the directories of all overlays that write to it.
fn in_memory_layer(steps: &mut Steps, names: [CString; 2]) {
    for step in &mut steps.list {
        if let Op::MemoryLayer { directories, .. } = &mut step.op
            && !directories.contains(&names[0])
        {
            directories.extend(names.clone());
        }
    }
}

/// The slot after those of the root's layers; None: they have all.
pub(crate) fn after_layers(context: &Context<'_>) -> Option<Slot> {
    let layers = match &context.image.root {
        Root::Layers(layers) => layers.len(),
        Root::InPlace(_) => 0,
        // Its skeleton.
        Root::Host(_) => 1,
    };
    slots::LAYER.checked_add(Slot::try_from(layers).ok()?)
}

/// The mount of the writable layers, if there is none yet.
pub(crate) fn data_once(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let is_data = |step: &PlanStep| {
        matches!(
            step.op,
            Op::CloneTree {
                slot: slots::DATA,
                ..
            } | Op::MemoryLayer {
                slot: slots::DATA,
                ..
            }
        )
    };
    if steps.list.iter().any(is_data) {
        return Ok(());
    }
    data(context, steps)
}

/// Whether the root's layers have a mode and an owner of their own; the image `host` has made its skeleton as it is to be.
fn is_from_image(context: &Context<'_>) -> bool {
    !matches!(context.image.root, Root::Host(_))
}

/// The mounts that the root is made of and that can be written.
pub(crate) fn writable(context: &Context<'_>) -> Vec<Slot> {
    let mut slots = vec![slots::ROOT];
    if let Root::Host(host) = &context.image.root
        && context.maps_system()
        && !context.place.without.overlay
    {
        slots.extend((slots::HOST..).step_by(2).take(host.copy_on_write.len()));
    }
    slots
}

/// The names of a writable layer's two directories below the container's data directory.
#[must_use]
pub fn layer_names(prefix: &str) -> (String, String) {
    if prefix.is_empty() {
        return ("upper".into(), "work".into());
    }
    (format!("{prefix}-upper"), format!("{prefix}-work"))
}

fn attach_root(steps: &mut Steps) {
    steps.init(
        Op::AttachRoot { slot: slots::ROOT },
        "the new root, on top of the old one, so that pivot_root can swap them",
    );
}

fn attach(steps: &mut Steps, slot: Slot, target: &str, why: &'static str) -> Result<(), Failure> {
    let op = Op::Attach {
        slot,
        target: text(target)?,
        create: Target::Directory,
        follow: false,
    };
    steps.init(op, why);
    Ok(())
}

/// The steps as they are applied: the launcher's before `SendMounts`, the init's after `PrivateMounts`.
///
/// The parts of a plan each say what they need on both sides; this puts the launcher's mounts before they are sent.
pub(crate) fn in_order(list: Vec<PlanStep>) -> Vec<PlanStep> {
    let (launcher, init): (Vec<_>, Vec<_>) = list
        .into_iter()
        .partition(|step| step.side == Side::Launcher);
    let (sends, makes): (Vec<_>, Vec<_>) = launcher
        .into_iter()
        .partition(|step| step.op == Op::SendMounts);
    makes.into_iter().chain(sends).chain(init).collect()
}
