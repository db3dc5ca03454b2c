//! From the volumes that a request names to those that there are.

use std::borrow::Cow;
use std::path::Path;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::ImageConfig;
use keelbox_spec::plan::{StorageFacts, VolumeFacts, VolumeKind};
use keelbox_spec::request::{MountOptions, MountRequest, RunRequest, VolumeSettings};

use super::driver;
use super::store::{self, Lock, Record};
use crate::collect::collect;
use crate::config::{self, Config};
use crate::list::find;
use crate::roots::Roots;
use crate::store::new_id;

/// The request with the mounts of the containers that it names, where it has no mount itself.
pub(crate) fn with_other_containers<'a>(
    roots: &Roots,
    request: &'a RunRequest,
) -> Result<Cow<'a, RunRequest>, Failure> {
    if request.storage.volumes_from.is_empty() {
        return Ok(Cow::Borrowed(request));
    }
    collect(roots);
    let mut whole = request.clone();
    for other in &request.storage.volumes_from {
        let id = find(roots, &other.container).map_err(|failure| failure.exit_code(125))?;
        let config: Option<Config> = config::read(&roots.containers().join(id), "config.json");
        for mount in config.into_iter().flat_map(|config| config.mounts) {
            if let Some(mount) = taken_over(mount, other.readonly) {
                add(&mut whole.mounts, mount);
            }
        }
    }
    Ok(Cow::Owned(whole))
}

/// A mount of another container's: its owner stays who it is, and what was done at the start is not done again.
fn taken_over(mount: MountRequest, read_only: bool) -> Option<MountRequest> {
    match mount {
        MountRequest::Bind {
            source,
            target,
            readonly,
            options,
        } => Some(MountRequest::Bind {
            source,
            target,
            readonly: readonly || read_only,
            options: MountOptions {
                chown: false,
                ..options
            },
        }),
        MountRequest::Volume {
            name,
            target,
            readonly,
            options,
            settings,
            ..
        } => Some(MountRequest::Volume {
            name,
            target,
            readonly: readonly || read_only,
            options: MountOptions {
                chown: false,
                ..options
            },
            settings,
            anonymous: false,
        }),
        MountRequest::Image {
            source,
            target,
            writable,
            subpath,
        } => Some(MountRequest::Image {
            source,
            target,
            writable: writable && !read_only,
            subpath,
        }),
        MountRequest::Tmpfs { .. } => None,
    }
}

fn add(mounts: &mut Vec<MountRequest>, mount: MountRequest) {
    let place = |target: &str| -> Vec<String> {
        let parts = target.split('/').filter(|part| !matches!(*part, "" | "."));
        parts.map(str::to_owned).collect()
    };
    if !mounts
        .iter()
        .any(|other| place(other.target()) == place(mount.target()))
    {
        mounts.push(mount);
    }
}

/// A request whose volumes all have names, and what is known of them.
pub(crate) struct Resolved<'a> {
    pub(crate) request: Cow<'a, RunRequest>,
    /// To be made: none of that name is there.
    missing: Vec<Record>,
    /// Keeps others from removing them until the container's configuration names them.
    _lock: Option<Lock>,
}

impl<'a> Resolved<'a> {
    /// The request, and the lock let go.
    pub(crate) fn into_request(self) -> Cow<'a, RunRequest> {
        self.request
    }

    /// Makes those that are missing.
    pub(crate) fn make(&self, roots: &Roots) -> Result<(), Failure> {
        self.missing
            .iter()
            .try_for_each(|record| store::make(roots, record).map(drop))
    }

    /// The volumes that go with the container.
    pub(crate) fn anonymous(&self) -> Vec<String> {
        let anonymous = self.missing.iter().filter(|record| record.anonymous);
        anonymous.map(|record| record.name.clone()).collect()
    }
}

/// Names the volumes of a request and of its image, and looks at each. Nothing is made; without `lock`, nothing kept either.
pub(crate) fn resolve<'a>(
    roots: &Roots,
    request: Cow<'a, RunRequest>,
    image: &ImageConfig,
    facts: &mut StorageFacts,
    lock: bool,
) -> Result<Resolved<'a>, Failure> {
    let is_volume = |mount: &MountRequest| matches!(mount, MountRequest::Volume { .. });
    if image.volumes.is_empty() && !request.mounts.iter().any(is_volume) {
        return Ok(Resolved {
            request,
            missing: Vec::new(),
            _lock: None,
        });
    }
    let mut request = request.into_owned();
    for target in &image.volumes {
        let target = format!("/{}", target.trim_matches('/'));
        add(&mut request.mounts, nameless(target));
    }
    let lock = if lock {
        Some(Lock::shared(roots)?)
    } else {
        None
    };
    let mut missing = Vec::new();
    for mount in &mut request.mounts {
        if let MountRequest::Volume {
            name,
            settings,
            options,
            anonymous,
            ..
        } = mount
        {
            if name.is_none() {
                *name = Some(new_id()?);
                *anonymous = true;
            }
            let name = name.clone().unwrap_or_default();
            let (volume, new) = look(roots, &name, settings, *anonymous)?;
            check_source(&volume, options)?;
            let is_known = facts.volumes.insert(name, volume).is_some();
            missing.extend(new.filter(|_| !is_known));
        }
    }
    Ok(Resolved {
        request: Cow::Owned(request),
        missing,
        _lock: lock,
    })
}

fn nameless(target: String) -> MountRequest {
    MountRequest::Volume {
        name: None,
        target,
        readonly: false,
        options: MountOptions::default(),
        settings: VolumeSettings::default(),
        anonymous: false,
    }
}

/// A volume, and its record if it has to be made first.
fn look(
    roots: &Roots,
    name: &str,
    settings: &VolumeSettings,
    anonymous: bool,
) -> Result<(VolumeFacts, Option<Record>), Failure> {
    store::check_name(name)?;
    let there = Record::read(roots, name);
    let is_there = there.is_some();
    let record = there.unwrap_or_else(|| Record::new(name, settings, anonymous));
    let directory = store::directory(roots, name);
    let volume = VolumeFacts {
        kind: driver::kind(name, &record.settings)?,
        is_fresh: !is_there || is_fresh(&directory),
        directory,
    };
    Ok((volume, (!is_there).then_some(record)))
}

/// Whether it may still have to be filled: it is empty, or somebody began. One that cannot be read belongs to an id of the
/// container's, which will look for itself.
fn is_fresh(directory: &Path) -> bool {
    let mark = keelbox_spec::op::FILLING.to_str().unwrap_or_default();
    directory.join(mark).exists()
        || std::fs::read_dir(directory.join("data"))
            .map_or(true, |mut entries| entries.next().is_none())
}

fn check_source(volume: &VolumeFacts, options: &MountOptions) -> Result<(), Failure> {
    if let VolumeKind::Bind(device, _) = &volume.kind {
        std::fs::metadata(device).map_err(|error| {
            let errno = keelbox_sys::Errno::from(error);
            Failure::new(Code::Mount, format!("cannot mount {device}"))
                .why(errno.text())
                .hint("make it first, or make the volume with another device=")
                .path(device)
        })?;
    }
    match &options.subpath {
        Some(subpath)
            if subpath.is_empty()
                || subpath.starts_with('/')
                || subpath.split('/').any(|part| part == "..") =>
        {
            Err(crate::storage::escapes(subpath))
        }
        _ => Ok(()),
    }
}
