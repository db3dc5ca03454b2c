//! Volumes: directories of the store that outlive containers.
//!
//! `volumes/NAME/` has `volume.json` and `data/`, and is made elsewhere and renamed: it is whole or not there. Names that begin
//! with a dot are what is being made or removed. Whoever makes or uses a volume holds the lock on `volumes/` shared; whoever
//! removes one holds it alone, so that no container comes to use what is about to go.

mod archive;
mod driver;
mod removal;
mod resolve;
mod store;

use std::path::PathBuf;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::request::VolumeSettings;
use serde::Serialize;

use crate::collect::collect;
use crate::roots::Roots;
use crate::store::new_id;

pub use archive::{export_volume, import_volume};
pub use removal::{VolumesPruned, prune_volumes, remove_volume};
pub(crate) use removal::{anonymous_of, drop_unused};
pub(crate) use resolve::{Resolved, resolve, with_other_containers};
use store::{Lock, Record};

/// A volume, for lists.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSummary {
    /// Its name.
    pub name: String,
    /// Where its files are.
    pub mountpoint: PathBuf,
    /// What it was made with.
    pub settings: VolumeSettings,
    /// Milliseconds since the epoch.
    #[serde(serialize_with = "crate::list::number")]
    pub created_at: u64,
    /// It was made for one container, and had no name.
    pub anonymous: bool,
    /// The names of containers that use it.
    pub containers: Vec<String>,
}

/// Makes a volume; one of that name that is there already is left as it is. Its name.
///
/// # Errors
///
/// A name or an option that is none; the store cannot be written.
pub fn create_volume(
    roots: &Roots,
    name: Option<&str>,
    settings: &VolumeSettings,
) -> Result<String, Failure> {
    let anonymous = name.is_none();
    let name = match name {
        Some(name) => name.to_owned(),
        None => new_id()?,
    };
    store::check_name(&name)?;
    driver::kind(&name, settings)?;
    roots.make()?;
    let _lock = Lock::shared(roots)?;
    if let Some(there) = Record::read(roots, &name)
        && there.settings.options != settings.options
    {
        return Err(Failure::new(
            Code::NameTaken,
            format!("there is a volume {name} with other options"),
        )
        .hint(format!("remove it first: keelbox volume rm {name}")));
    }
    store::make(roots, &Record::new(&name, settings, anonymous))?;
    Ok(name)
}

/// All volumes, by name.
///
/// # Errors
///
/// None yet; there is no place for state.
pub fn list_volumes(roots: &Roots) -> Result<Vec<VolumeSummary>, Failure> {
    collect(roots);
    let users = removal::Users::of(roots);
    let mut names = store::names(roots);
    names.sort();
    let summaries = names.iter().filter_map(|name| summary(roots, name, &users));
    Ok(summaries.collect())
}

/// One volume.
///
/// # Errors
///
/// There is none of that name (exit code 1).
pub fn inspect_volume(roots: &Roots, name: &str) -> Result<VolumeSummary, Failure> {
    summary(roots, name, &removal::Users::of(roots)).ok_or_else(|| missing(name))
}

fn summary(roots: &Roots, name: &str, users: &removal::Users) -> Option<VolumeSummary> {
    let record = Record::read(roots, name)?;
    Some(VolumeSummary {
        mountpoint: store::directory(roots, name).join("data"),
        containers: users.of_volume(name),
        name: record.name,
        settings: record.settings,
        created_at: record.created_at,
        anonymous: record.anonymous,
    })
}

fn missing(name: &str) -> Failure {
    Failure::new(Code::NotFound, format!("no such volume: {name}"))
        .hint("keelbox volume ls lists all volumes")
}
