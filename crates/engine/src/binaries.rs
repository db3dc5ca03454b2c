//! Roots made of programs of this machine (`--from-binary`): made once for each state of the files, kept in the store.
//!
//! A root's name is a digest of the paths, inodes, sizes and times of all its files, so that a program or library that was
//! upgraded makes another. When one is made, those that no container has and nobody asked for in a day are removed.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use keelbox_binaries::{Closure, Host, Tree};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::{ImageConfig, Root};

use crate::collect::entries;
use crate::config::{self, Config};
use crate::roots::Roots;
use crate::store::{make_locked, open_directory, remove_path, store_failure, try_lock};

/// Long enough for a start that has chosen a root to write down that it has.
const KEPT_UNUSED: Duration = Duration::from_secs(24 * 60 * 60);
const DRAFT: &str = ".draft-";

/// The image of these programs; with `make`, its root is made unless it is there.
pub(crate) fn image(
    roots: &Roots,
    programs: &[String],
    make: bool,
) -> Result<ImageConfig, Failure> {
    let (programs, closure) = closure(programs)?;
    let root = store(roots).join(closure.tree.key());
    if make {
        provide(roots, &closure.tree, &root)?;
    }
    let first = programs.first().cloned().unwrap_or_default();
    Ok(ImageConfig {
        name: names(&programs),
        cmd: vec![first.display().to_string()],
        env: vec![format!("PATH={}", closure.path)],
        root: Root::Layers(vec![root]),
        ..ImageConfig::default()
    })
}

/// Where the programs are, and what they need.
pub(crate) fn closure(programs: &[String]) -> Result<(Vec<PathBuf>, Closure), Failure> {
    let programs: Vec<_> = programs
        .iter()
        .map(|program| locate(program))
        .collect::<Result<_, _>>()?;
    let closure = keelbox_binaries::collect(&Host::new("/"), &programs)?;
    Ok((programs, closure))
}

fn store(roots: &Roots) -> PathBuf {
    roots.root.join("binaries")
}

/// The key of a root of ours.
pub(crate) fn key_of(root: &Root) -> Option<String> {
    let Root::Layers(layers) = root else {
        return None;
    };
    let [layer] = layers.as_slice() else {
        return None;
    };
    let is_ours = layer.parent()?.file_name()? == "binaries";
    let key = layer.file_name()?.to_str()?;
    (is_ours && is_key(key)).then(|| key.to_owned())
}

fn is_key(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A name without a slash is looked up as a shell would.
fn locate(program: &str) -> Result<PathBuf, Failure> {
    if program.contains('/') {
        return std::path::absolute(program)
            .map_err(|error| store_failure("find", Path::new(program), &error));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file());
    found.ok_or_else(|| {
        Failure::new(Code::Binary, format!("cannot make a root of {program}"))
            .why("no program of that name is in PATH")
            .hint("give --from-binary its path")
    })
}

/// `sh+ps+ls`: what a list of containers shows as their image.
fn names(programs: &[PathBuf]) -> String {
    let names: Vec<_> = programs
        .iter()
        .filter_map(|program| Some(program.file_name()?.to_string_lossy().into_owned()))
        .collect();
    names.join("+")
}

fn provide(roots: &Roots, tree: &Tree, root: &Path) -> Result<(), Failure> {
    // Whoever removes what is unused looks at this time.
    if let Ok(directory) = File::open(root) {
        let _ = directory.set_modified(SystemTime::now());
        return Ok(());
    }
    let store = store(roots);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&store)
        .map_err(|error| store_failure("make", &store, &error))?;
    remove_unused(roots, &store);
    make(tree, &store, root)
}

/// Under another name first, and locked: a root is whole or not there, and a draft whose lock is free is a leftover.
fn make(tree: &Tree, store: &Path, root: &Path) -> Result<(), Failure> {
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = store.join(format!("{DRAFT}{}-{number}", std::process::id()));
    let _lock = make_locked(&draft)?;
    let built = keelbox_binaries::build(tree, &draft)
        .map_err(|(path, error)| copy_failure(&path, &error))
        .and_then(|()| {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(&draft, mode).map_err(|error| store_failure("make", &draft, &error))
        });
    if let Err(failure) = built {
        remove_path(&draft);
        return Err(failure);
    }
    match fs::rename(&draft, root) {
        Ok(()) => Ok(()),
        // Somebody else was faster.
        Err(_) if root.is_dir() => {
            remove_path(&draft);
            Ok(())
        }
        Err(error) => {
            remove_path(&draft);
            Err(store_failure("make", root, &error))
        }
    }
}

pub(crate) fn copy_failure(path: &Path, error: &std::io::Error) -> Failure {
    if error.raw_os_error().is_some() {
        return store_failure("make", path, error);
    }
    Failure::new(Code::Binary, "cannot make a root of these programs")
        .why(error.to_string())
        .hint("try again when the upgrade of this machine is over")
}

/// Leftover drafts, and roots that no container has and that were not asked for lately.
fn remove_unused(roots: &Roots, store: &Path) {
    let used: Vec<_> = entries(&roots.containers())
        .iter()
        .filter_map(|id| config::read::<Config>(&roots.containers().join(id), "config.json"))
        .filter_map(|config| config.binaries)
        .collect();
    for name in entries(store) {
        let path = store.join(&name);
        if name.starts_with(DRAFT) {
            // Kept locked until it is gone: a new draft of that name waits for it.
            let draft = open_directory(&path);
            if draft.as_ref().is_ok_and(try_lock) {
                remove_path(&path);
            }
        } else if is_key(&name) && !used.contains(&name) && is_old(&path) {
            remove_path(&path);
        }
    }
}

fn is_old(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = changed.map(|changed| changed.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age > KEPT_UNUSED)
}
