//! What a request's mounts and devices are on this machine: read before anything is made.

mod binds;
mod devices;
mod mountinfo;

use keelbox_spec::failure::Failure;
use keelbox_spec::plan::StorageFacts;
use keelbox_spec::request::{MountRequest, RunRequest};

pub(crate) use binds::{escapes, make_missing};

/// What the plan must know of mounts.
pub(crate) struct Gathered {
    /// Bind sources that are no directories.
    pub(crate) file_sources: Vec<String>,
    /// Devices and volumes.
    pub(crate) facts: StorageFacts,
}

/// Looks at the sources; one that is missing, or that must not be used so, is an error here.
pub(crate) fn gather(request: &RunRequest) -> Result<Gathered, Failure> {
    let mut file_sources = Vec::new();
    for mount in &request.mounts {
        if let MountRequest::Bind {
            source, options, ..
        } = mount
            && binds::is_file(source, options)?
        {
            file_sources.push(keelbox_spec::plan::file_key(
                source,
                options.subpath.as_deref(),
            ));
        }
    }
    let facts = StorageFacts {
        devices: devices::gather(&request.storage.devices)?,
        ..StorageFacts::default()
    };
    Ok(Gathered {
        file_sources,
        facts,
    })
}
