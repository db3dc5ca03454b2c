//! Binds and volumes: files of the host, or of the store, shown in the container.

use std::path::Path;

use crate::failure::{Code, Failure};
use crate::op::{
    Bind, BindIds, CopySource, Depth, Lower, Op, Slot, Storage, Target, Travel, attribute,
};
use crate::plan::volumes::{Free, attach_to, idmap, tmpfs};
use crate::plan::{Context, Steps, VolumeKind, path_text, root, text};
use crate::request::{MountOptions, MountRequest, Submounts};

/// One mount, with its source found.
struct Bound<'a> {
    source: String,
    target: &'a str,
    readonly: bool,
    options: &'a MountOptions,
    /// The volume's directory, when it may still have to be filled.
    fresh: Option<&'a Path>,
    create: Target,
    why: &'static str,
}

pub(super) fn mount(
    context: &Context<'_>,
    steps: &mut Steps,
    free: &mut Free,
    mount: &MountRequest,
) -> Result<(), Failure> {
    match mount {
        MountRequest::Bind {
            source,
            target,
            readonly,
            options,
        } => {
            let bound = Bound {
                source: source.clone(),
                target,
                readonly: *readonly,
                options,
                fresh: None,
                create: context.kind(source, options),
                why: "as --volume asks",
            };
            bind(context, steps, free, &bound)
        }
        MountRequest::Volume { .. } => volume(context, steps, free, mount),
        MountRequest::Tmpfs { .. } | MountRequest::Image { .. } => Ok(()),
    }
}

fn volume(
    context: &Context<'_>,
    steps: &mut Steps,
    free: &mut Free,
    mount: &MountRequest,
) -> Result<(), Failure> {
    let MountRequest::Volume {
        name,
        target,
        readonly,
        options,
        ..
    } = mount
    else {
        return Ok(());
    };
    let name = name.as_deref().unwrap_or_default();
    let volume = context.place.storage.volumes.get(name).ok_or_else(|| {
        Failure::new(
            Code::Internal,
            format!("the volume {name:?} was not looked up"),
        )
    })?;
    let (source, readonly) = match &volume.kind {
        VolumeKind::Tmpfs(settings) => return memory(steps, free, target, *readonly, settings),
        VolumeKind::Bind(path, read_only) => (path.clone(), *readonly || *read_only),
        VolumeKind::Directory => {
            let data = volume.directory.join("data");
            (data.display().to_string(), *readonly)
        }
    };
    let is_filled = volume.is_fresh
        && volume.kind == VolumeKind::Directory
        && !options.nocopy
        && options.subpath.is_none();
    let bound = Bound {
        source,
        target,
        readonly,
        options,
        fresh: Some(volume.directory.as_path()).filter(|_| is_filled),
        create: context.kind(name, options),
        why: "a volume: what is written stays when the container goes",
    };
    bind(context, steps, free, &bound)
}

/// A volume of `type=tmpfs`: with no daemon to keep it, each container has its own.
fn memory(
    steps: &mut Steps,
    free: &mut Free,
    target: &str,
    readonly: bool,
    settings: &str,
) -> Result<(), Failure> {
    let settings = if readonly {
        format!("{settings},ro")
    } else {
        settings.to_owned()
    };
    let options = format!("exec,suid,{settings}");
    tmpfs::mount(steps, free, target, &options, "a volume in memory")
}

fn bind(
    context: &Context<'_>,
    steps: &mut Steps,
    free: &mut Free,
    bound: &Bound<'_>,
) -> Result<(), Failure> {
    check(bound)?;
    let slot = free.take()?;
    if bound.options.overlay {
        overlay(context, steps, free, slot, bound)?;
    } else {
        clone(context, steps, slot, bound, bound.readonly)?;
    }
    if let Some(directory) = bound.fresh {
        copy_up(context, steps, free.take()?, directory, bound)?;
    }
    if bound.options.chown {
        let user = context
            .request
            .user
            .as_deref()
            .or(context.image.user.as_deref());
        let chown = Storage::Chown {
            slot,
            user: text(user.unwrap_or_default())?,
            read_only: bound.readonly,
        };
        steps.init(
            Op::Storage(chown),
            "option U: everything in it is given to the container's user",
        );
    }
    attach_to(steps, slot, bound.target, bound.create, bound.why)
}

/// Options that exclude each other.
fn check(bound: &Bound<'_>) -> Result<(), Failure> {
    let options = bound.options;
    let contradictions = [
        (options.overlay && options.chown, "O and U"),
        (options.overlay && options.idmap.is_some(), "O and idmap"),
        (
            options.overlay && options.propagation != Travel::Private,
            "O and propagation",
        ),
        (
            options.overlay && options.subpath.is_some(),
            "O and subpath",
        ),
        (
            options.submounts == Submounts::Writable && !bound.readonly,
            "writable submounts and no ro",
        ),
    ];
    match contradictions.iter().find(|(is, _)| *is) {
        None => Ok(()),
        Some((_, which)) => Err(Failure::new(
            Code::InvalidArg,
            format!(
                "the mount on {} has options that contradict each other: {which}",
                bound.target
            ),
        )
        .hint("leave one of them out")),
    }
}

fn clone(
    context: &Context<'_>,
    steps: &mut Steps,
    slot: Slot,
    bound: &Bound<'_>,
    readonly: bool,
) -> Result<(), Failure> {
    let options = bound.options;
    // What is given to somebody first must be writable until then.
    let read_only = if readonly && !options.chown {
        attribute::MOUNT_ATTR_RDONLY
    } else {
        0
    };
    let (all, top) = if options.submounts == Submounts::Same {
        (read_only, 0)
    } else {
        (0, read_only)
    };
    let bind = Bind {
        slot,
        source: text(bound.source.as_str())?,
        subpath: options.subpath.as_deref().map(text).transpose()?,
        depth: if options.submounts == Submounts::None {
            Depth::One
        } else {
            Depth::Tree
        },
        attributes: flags(options) | all,
        top_attributes: top,
        travel: options.propagation,
        ids: idmap::ids(context, options)?,
    };
    let why = "the host's files, shown with the ids that they have on disk";
    steps.push(
        context.mounting_side(),
        Op::Storage(Storage::Bind(bind)),
        why,
    );
    Ok(())
}

fn flags(options: &MountOptions) -> u64 {
    let flags = [
        (!options.dev, attribute::MOUNT_ATTR_NODEV),
        (options.noexec, attribute::MOUNT_ATTR_NOEXEC),
        (options.nosuid, attribute::MOUNT_ATTR_NOSUID),
    ];
    flags
        .iter()
        .filter(|(is, _)| *is)
        .fold(0, |mask, (_, bit)| mask | bit)
}

/// The whole directory of the volume: its marks are beside its data.
fn copy_up(
    context: &Context<'_>,
    steps: &mut Steps,
    slot: Slot,
    directory: &Path,
    bound: &Bound<'_>,
) -> Result<(), Failure> {
    let bind = Bind {
        slot,
        source: path_text(directory)?,
        subpath: None,
        depth: Depth::One,
        attributes: attribute::MOUNT_ATTR_NODEV
            | attribute::MOUNT_ATTR_NOSUID
            | attribute::MOUNT_ATTR_NOEXEC,
        top_attributes: 0,
        travel: Travel::Private,
        ids: if context.maps_mounts() {
            BindIds::Container
        } else {
            BindIds::Plain
        },
    };
    steps.push(
        context.mounting_side(),
        Op::Storage(Storage::Bind(bind)),
        "a new volume is filled first, and its mark is beside its data",
    );
    let copy = Storage::CopyUp {
        into: CopySource::Volume(slot),
        target: text(bound.target.trim_start_matches('/'))?,
    };
    steps.init(
        Op::Storage(copy),
        "an empty volume begins with what the image has there",
    );
    Ok(())
}

/// Option O: the source is the lower layer of an overlay whose writes go with the container.
fn overlay(
    context: &Context<'_>,
    steps: &mut Steps,
    free: &mut Free,
    slot: Slot,
    bound: &Bound<'_>,
) -> Result<(), Failure> {
    if bound.create == Target::File {
        return Err(Failure::new(
            Code::Mount,
            format!("cannot mount {} with option O", bound.source),
        )
        .why("it is a file, and an overlay is made of directories")
        .hint("leave O out, or name the directory"));
    }
    let lower = free.take()?;
    let path = Path::new(&bound.source);
    let why = "the host's files, as the lower layer of an overlay";
    root::clone(
        context,
        steps,
        lower,
        path,
        false,
        0,
        context.maps_mounts(),
        why,
    )?;
    root::data_once(context, steps)?;
    let lower = Lower {
        slot: lower,
        path: path_text(path)?,
    };
    let why = "writes go to a layer of the container's own";
    let layer = root::Writable {
        prefix: &format!("{}{slot}", root::OVER_VOLUME),
        attributes: 0,
    };
    root::overlay(context, steps, slot, vec![lower], &layer, why)
}

impl Context<'_> {
    /// What a mount point must be: as a bind's source, or the path below it that is meant.
    fn kind(&self, source: &str, options: &MountOptions) -> Target {
        let key = file_key(source, options.subpath.as_deref());
        if self.place.file_sources.contains(&key) {
            Target::File
        } else {
            Target::Directory
        }
    }
}

/// How a source is called in `Place::file_sources`.
#[must_use]
pub fn file_key(source: &str, subpath: Option<&str>) -> String {
    match subpath {
        Some(subpath) => format!("{source}//{subpath}"),
        None => source.to_owned(),
    }
}
