//! Removing volumes that nobody uses.

use std::collections::BTreeMap;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::request::MountRequest;
use rustix::fs::{CWD, RenameFlags};
use serde::Serialize;

use super::missing;
use super::store::{self, Lock, Record};
use crate::collect::{collect, entries};
use crate::config::{self, Config};
use crate::event::{record_prune, record_volume};
use crate::roots::Roots;
use crate::store::{new_id, remove_path, store_failure};

/// Which containers use which volumes.
pub(super) struct Users {
    by_volume: BTreeMap<String, Vec<(String, String)>>,
}

impl Users {
    pub(super) fn of(roots: &Roots) -> Self {
        let mut by_volume: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for id in entries(&roots.containers()) {
            let Some(config) = config::read::<Config>(&roots.containers().join(&id), "config.json")
            else {
                continue;
            };
            for mount in config.mounts {
                if let MountRequest::Volume {
                    name: Some(name), ..
                } = mount
                {
                    let user = (id.clone(), config.name.clone());
                    by_volume.entry(name).or_default().push(user);
                }
            }
        }
        Self { by_volume }
    }

    /// The names of a volume's containers.
    pub(super) fn of_volume(&self, name: &str) -> Vec<String> {
        let users = self.by_volume.get(name).into_iter().flatten();
        let mut names: Vec<_> = users.map(|(_, name)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn is_used_beside(&self, name: &str, id: &str) -> bool {
        let mut users = self.by_volume.get(name).into_iter().flatten();
        users.any(|(user, _)| user != id)
    }
}

/// Removes a volume.
///
/// # Errors
///
/// There is none (exit code 1), unless `force`; a container uses it (2).
pub fn remove_volume(roots: &Roots, name: &str, force: bool) -> Result<(), Failure> {
    collect(roots);
    if Record::read(roots, name).is_none() {
        return if force { Ok(()) } else { Err(missing(name)) };
    }
    let lock = Lock::alone(roots)?;
    let users = Users::of(roots).of_volume(name);
    if !users.is_empty() {
        let containers = users.join(" ");
        return Err(
            Failure::new(Code::InvalidArg, format!("the volume {name} is in use"))
                .why(format!("by the containers {containers}"))
                .hint(format!("remove them first: keelbox rm {containers}"))
                .exit_code(2),
        );
    }
    let gone = set_aside(roots, name)?;
    drop(lock);
    remove_path(&gone);
    Ok(())
}

/// From here on it is no volume any more; what is left of it is removed by whoever comes next.
fn set_aside(roots: &Roots, name: &str) -> Result<std::path::PathBuf, Failure> {
    let path = store::directory(roots, name);
    let gone = store::directory(roots, &format!(".gone-{}", new_id()?));
    rustix::fs::renameat_with(CWD, &path, CWD, &gone, RenameFlags::NOREPLACE)
        .map_err(|errno| store_failure("remove", &path, &errno.into()))?;
    record_volume(roots, "destroy", name);
    Ok(gone)
}

/// What `volume prune` has removed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VolumesPruned {
    /// Names.
    pub removed: Vec<String>,
    /// Bytes of their files.
    #[serde(serialize_with = "crate::list::number")]
    pub bytes: u64,
}

/// Removes volumes that no container uses: anonymous ones, with `all` every one; of these those with all of `labels`, each
/// `KEY` or `KEY=VALUE`, perhaps with `!` before it for "without".
///
/// # Errors
///
/// The store cannot be written.
pub fn prune_volumes(
    roots: &Roots,
    all: bool,
    labels: &[String],
) -> Result<VolumesPruned, Failure> {
    collect(roots);
    if !roots.volumes().is_dir() {
        return Ok(VolumesPruned::default());
    }
    let _lock = Lock::alone(roots)?;
    let users = Users::of(roots);
    let mut pruned = VolumesPruned::default();
    for name in store::names(roots) {
        let Some(record) = Record::read(roots, &name) else {
            continue;
        };
        let wanted = (all || record.anonymous) && labels.iter().all(|label| fits(&record, label));
        if wanted && users.of_volume(&name).is_empty() {
            let gone = set_aside(roots, &name)?;
            pruned.bytes += size(&gone);
            remove_path(&gone);
            pruned.removed.push(name);
        }
    }
    pruned.removed.sort();
    record_prune(roots, "volume", pruned.bytes);
    Ok(pruned)
}

fn fits(record: &Record, label: &str) -> bool {
    let (wanted, label) = match label.strip_prefix('!') {
        Some(label) => (false, label),
        None => (true, label),
    };
    let has = match label.split_once('=') {
        Some((key, value)) => record
            .settings
            .labels
            .get(key)
            .is_some_and(|found| found == value),
        None => record.settings.labels.contains_key(label),
    };
    has == wanted
}

fn size(directory: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(stat) if stat.is_dir() => size(&entry.path()),
        Ok(stat) => stat.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// The volumes that were made for a container, and go with it.
pub(crate) fn anonymous_of(config: &Config) -> Vec<String> {
    let mounts = config.mounts.iter();
    let names = mounts.filter_map(|mount| match mount {
        MountRequest::Volume {
            name: Some(name),
            anonymous: true,
            ..
        } => Some(name.clone()),
        _ => None,
    });
    names.collect()
}

/// Removes volumes of the container `id` that no other uses.
pub(crate) fn drop_unused(roots: &Roots, id: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let Ok(_lock) = Lock::alone(roots) else {
        return;
    };
    let users = Users::of(roots);
    for name in names {
        if !users.is_used_beside(name, id)
            && let Ok(gone) = set_aside(roots, name)
        {
            remove_path(&gone);
        }
    }
}
