//! The directories of volumes, their records and their lock.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::request::VolumeSettings;
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags};
use serde::{Deserialize, Serialize};

use crate::collect::entries;
use crate::config;
use crate::event::record_volume;
use crate::roots::Roots;
use crate::store::{new_id, open_directory, remove_path, store_failure};

/// The version of [`Record`].
const VERSION: u32 = 1;

/// `volume.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    version: u32,
    pub(super) name: String,
    pub(super) settings: VolumeSettings,
    /// Milliseconds since the epoch.
    pub(super) created_at: u64,
    #[serde(default)]
    pub(super) anonymous: bool,
}

impl Record {
    pub(super) fn new(name: &str, settings: &VolumeSettings, anonymous: bool) -> Self {
        Self {
            version: VERSION,
            name: name.to_owned(),
            settings: settings.clone(),
            created_at: config::now(),
            anonymous,
        }
    }

    /// None: there is no such volume. A record that cannot be read is that of a plain volume: its data are still there.
    pub(super) fn read(roots: &Roots, name: &str) -> Option<Self> {
        check_name(name).ok()?;
        let path = directory(roots, name);
        let plain = || {
            let settings = VolumeSettings::default();
            let is_there = path.join("data").is_dir();
            is_there.then(|| Self::new(name, &settings, false))
        };
        config::read(&path, "volume.json").or_else(plain)
    }
}

/// Docker's grammar.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if first && (2..=255).contains(&name.len()) && letters.all(good) {
        return Ok(());
    }
    Err(Failure::new(
        Code::InvalidArg,
        format!("{name:?} is not a name for a volume"),
    )
    .hint("use 2 to 255 letters, digits, \"_\", \".\" and \"-\", the first a letter or digit"))
}

pub(super) fn directory(roots: &Roots, name: &str) -> PathBuf {
    roots.volumes().join(name)
}

/// The names of all volumes.
pub(super) fn names(roots: &Roots) -> Vec<String> {
    let mut names = entries(&roots.volumes());
    names.retain(|name| check_name(name).is_ok());
    names
}

/// The lock on all volumes, for as long as it lives.
pub(crate) struct Lock {
    _directory: OwnedFd,
}

impl Lock {
    /// For whoever makes or uses some.
    pub(super) fn shared(roots: &Roots) -> Result<Self, Failure> {
        Self::take(roots, FlockOperation::LockShared)
    }

    /// For whoever removes some; clears up what others were kept from finishing.
    pub(super) fn alone(roots: &Roots) -> Result<Self, Failure> {
        let lock = Self::take(roots, FlockOperation::LockExclusive)?;
        for name in entries(&roots.volumes()) {
            if name.starts_with('.') {
                remove_path(&roots.volumes().join(name));
            }
        }
        Ok(lock)
    }

    fn take(roots: &Roots, how: FlockOperation) -> Result<Self, Failure> {
        let path = roots.volumes();
        match rustix::fs::mkdir(&path, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(store_failure("make", &path, &errno.into())),
        }
        let directory = open_directory(&path)?;
        rustix::fs::flock(&directory, how)
            .map_err(|errno| store_failure("lock", &path, &errno.into()))?;
        Ok(Self {
            _directory: directory,
        })
    }
}

/// Makes a volume, whole or not at all. False: there is one of that name. The caller holds the lock.
pub(super) fn make(roots: &Roots, record: &Record) -> Result<bool, Failure> {
    let target = directory(roots, &record.name);
    if target.is_dir() {
        return Ok(false);
    }
    let temporary = directory(roots, &format!(".new-{}", new_id()?));
    let made = fill(&temporary, record).and_then(|()| {
        match rustix::fs::renameat_with(CWD, &temporary, CWD, &target, RenameFlags::NOREPLACE) {
            Ok(()) => {
                record_volume(roots, "create", &record.name);
                Ok(true)
            }
            Err(rustix::io::Errno::EXIST) => Ok(false),
            Err(errno) => Err(store_failure("make", &target, &errno.into())),
        }
    });
    if !matches!(made, Ok(true)) {
        remove_path(&temporary);
    }
    made
}

fn fill(directory: &Path, record: &Record) -> Result<(), Failure> {
    let fail = |path: &Path, errno: rustix::io::Errno| store_failure("make", path, &errno.into());
    let mode = Mode::from_raw_mode(0o755);
    rustix::fs::mkdir(directory, Mode::RWXU).map_err(|errno| fail(directory, errno))?;
    let data = directory.join("data");
    rustix::fs::mkdir(&data, mode).map_err(|errno| fail(&data, errno))?;
    // Whatever the caller's umask.
    rustix::fs::chmodat(CWD, &data, mode, AtFlags::empty()).map_err(|errno| fail(&data, errno))?;
    let path = directory.join("volume.json");
    let text =
        serde_json::to_vec(record).map_err(|error| store_failure("write", &path, &error.into()))?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR);
    let mut file = std::fs::File::from(file.map_err(|errno| fail(&path, errno))?);
    let written = file.write_all(&text).and_then(|()| file.sync_data());
    written.map_err(|error| store_failure("write", &path, &error))
}
