//! Images as mounts: an overlay of their layers, read-only unless asked otherwise.

use crate::failure::{Code, Failure};
use crate::op::{Lower, Target, attribute};
use crate::plan::volumes::{Free, attach_to};
use crate::plan::{Context, Steps, file_key, path_text, root};

/// An image mount of a request.
pub(super) struct ImageMount<'a> {
    pub(super) source: &'a str,
    pub(super) target: &'a str,
    pub(super) writable: bool,
    pub(super) subpath: Option<&'a str>,
}

/// What is written, where that is allowed, goes with the container. Device nodes and set-user-id bits of an image that
/// nobody runs have no use.
const ATTRIBUTES: u64 = attribute::MOUNT_ATTR_NODEV | attribute::MOUNT_ATTR_NOSUID;

pub(super) fn mount(
    context: &Context<'_>,
    steps: &mut Steps,
    free: &mut Free,
    mount: &ImageMount<'_>,
) -> Result<(), Failure> {
    let key = file_key(mount.source, mount.subpath);
    let image = context.place.storage.images.get(&key).ok_or_else(|| {
        Failure::new(
            Code::Internal,
            format!("the image {key:?} was not looked up"),
        )
    })?;
    let slot = free.take()?;
    let why = "a layer of the image, shown with the container's ids";
    let read_only = attribute::MOUNT_ATTR_RDONLY;
    if image.is_file {
        if mount.writable {
            return Err(
                Failure::new(Code::Mount, format!("cannot mount {key:?} to be written"))
                    .why("it is a file, and a writable layer is made of directories")
                    .hint("leave rw out, or mount the directory that it is in"),
            );
        }
        for file in &image.directories {
            let maps = context.maps_mounts();
            let all = ATTRIBUTES | read_only;
            root::clone(context, steps, slot, file, false, all, maps, why)?;
        }
        return attach_to(steps, slot, mount.target, Target::File, "as --mount asks");
    }
    let mut lower = Vec::new();
    for directory in &image.directories {
        let layer = free.take_layer()?;
        let maps = context.maps_mounts();
        root::clone(context, steps, layer, directory, false, 0, maps, why)?;
        lower.push(Lower {
            slot: layer,
            path: path_text(directory)?,
        });
    }
    root::data_once(context, steps)?;
    let attributes = ATTRIBUTES | if mount.writable { 0 } else { read_only };
    let layer = root::Writable {
        prefix: &format!("{}{slot}", root::OVER_VOLUME),
        attributes,
    };
    let why = "an image as it is; what is written goes with the container";
    root::overlay(context, steps, slot, lower, &layer, why)?;
    attach_to(
        steps,
        slot,
        mount.target,
        Target::Directory,
        "as --mount asks",
    )
}
