//! The reserved image `host`: this machine as any user of it may see it.
//!
//! Its lowest layer is a skeleton of empty directories and of this machine's own links (`/bin -> usr/bin`), made once for
//! each layout and kept in the store.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use keelbox_spec::failure::Failure;
use keelbox_spec::image::{HostRoot, ImageConfig, Root};

use crate::caller;
use crate::roots::Roots;
use crate::store::store_failure;

/// Empty directories and their permissions.
const DIRECTORIES: [(&str, u32); 19] = [
    ("dev", 0o755),
    ("home", 0o755),
    ("media", 0o755),
    ("mnt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("run/lock", 0o1777),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
    ("etc", 0o755),
    ("opt", 0o755),
];

/// Where programs and libraries are (hier(7), and the multi-library directories of the ABIs).
const PROGRAMS: [&str; 8] = [
    "bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin", "usr",
];

/// What the image shows of this machine.
struct Layout {
    /// Names under `/` that are links, and where they lead.
    links: Vec<(String, String)>,
    /// Names under `/` with programs and libraries.
    programs: Vec<String>,
}

/// The image's configuration; makes its skeleton when it is not there yet.
pub(crate) fn image(roots: &Roots, make: bool) -> Result<ImageConfig, Failure> {
    let layout = layout();
    let skeleton = roots.root.join("host-root").join(layout.key());
    if make && !skeleton.is_dir() {
        build(&layout, &skeleton).map_err(|error| store_failure("make", &skeleton, &error))?;
    }
    let read_only = ["etc", "opt"]
        .into_iter()
        .filter(|name| Path::new("/").join(name).is_dir());
    let read_only: Vec<_> = read_only.map(str::to_owned).collect();
    let root = HostRoot {
        skeleton,
        copy_on_write: layout.programs,
        private: private(&read_only),
        read_only,
    };
    Ok(ImageConfig {
        name: "host".into(),
        cmd: vec!["sh".into()],
        root: Root::Host(root),
        ..ImageConfig::default()
    })
}

/// Elsewhere the container's root is another id than the owner of these, or an ordinary user, whom the kernel keeps out.
/// Root without root's rights (of a container of another engine, or after `unshare -r`) can only be itself inside.
fn private(directories: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    if rustix::process::geteuid().is_root() && !caller::is_host_root() {
        for name in directories {
            find_private(&Path::new("/").join(name), &mut found);
        }
    }
    found
}

fn find_private(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let (kind, mode) = (metadata.file_type(), metadata.permissions().mode());
        // To read a file, or to go through a directory.
        let others = if kind.is_dir() { 0o001 } else { 0o004 };
        if mode & others == 0 && (kind.is_dir() || kind.is_file()) {
            found.extend(path.into_os_string().into_string().ok());
        } else if kind.is_dir() {
            find_private(&path, found);
        }
    }
}

fn layout() -> Layout {
    let mut layout = Layout {
        links: Vec::new(),
        programs: Vec::new(),
    };
    for entry in fs::read_dir("/").into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !PROGRAMS.contains(&name.as_str()) {
            continue;
        }
        match fs::read_link(entry.path()) {
            Ok(target) => layout.links.extend(
                target
                    .into_os_string()
                    .into_string()
                    .ok()
                    .map(|target| (name, target)),
            ),
            Err(_) if entry.path().is_dir() => layout.programs.push(name),
            Err(_) => {}
        }
    }
    layout.links.sort();
    layout.programs.sort();
    layout
}

impl Layout {
    /// A name for the skeleton that changes with it.
    fn key(&self) -> String {
        let links = self
            .links
            .iter()
            .map(|(name, target)| format!("{name}-{}", target.replace('/', "_")));
        let parts: Vec<_> = std::iter::once("v1".to_owned())
            .chain(links)
            .chain(self.programs.iter().cloned())
            .collect();
        parts.join("+")
    }
}

/// Made under another name first: a skeleton is whole or not there.
fn build(layout: &Layout, skeleton: &Path) -> std::io::Result<()> {
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = skeleton.with_extension(format!("draft-{}-{number}", std::process::id()));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&draft)?;
    for (name, mode) in DIRECTORIES {
        let path = draft.join(name);
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    for name in &layout.programs {
        fs::create_dir_all(draft.join(name))?;
        fs::set_permissions(draft.join(name), fs::Permissions::from_mode(0o755))?;
    }
    for (name, target) in &layout.links {
        symlink(target, draft.join(name))?;
    }
    symlink("../run", draft.join("var/run"))?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755))?;
    match fs::rename(&draft, skeleton) {
        // Somebody else was faster.
        Err(_) if skeleton.is_dir() => fs::remove_dir_all(&draft),
        other => other,
    }
}
