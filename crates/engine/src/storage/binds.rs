//! The sources of binds.

use std::fs;
use std::path::{Component, Path, PathBuf};

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::op::Travel;
use keelbox_spec::request::{MountOptions, MountRequest, RunRequest};
use keelbox_sys::Errno;

use super::mountinfo;

/// Whether a bind's source is a file. One that is missing is an error, as is one that cannot be used as its options ask.
pub(super) fn is_file(source: &str, options: &MountOptions) -> Result<bool, Failure> {
    check_relabel(source, options)?;
    let whole = match &options.subpath {
        Some(subpath) => below(source, subpath)?,
        None => PathBuf::from(source),
    };
    let stat = match fs::metadata(&whole) {
        Err(error) if options.create_source && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(false);
        }
        other => other.map_err(|error| missing(&whole, error.into()))?,
    };
    if matches!(options.propagation, Travel::Slave | Travel::Shared) {
        check_travel(&whole, options.propagation)?;
    }
    if options.chown {
        check_chown(&whole)?;
    }
    Ok(!stat.is_dir())
}

fn missing(source: &Path, errno: Errno) -> Failure {
    let source = source.display();
    Failure::new(Code::Mount, format!("cannot mount {source}"))
        .why(errno.text())
        .hint(format!(
            "make it first (mkdir -p {source}), or correct the path"
        ))
        .path(source.to_string())
}

/// Only what the path says: where links in it lead is seen when it is opened.
fn below(source: &str, subpath: &str) -> Result<PathBuf, Failure> {
    let inner = Path::new(subpath);
    let stays = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !subpath.is_empty() && inner.components().all(stays) {
        return Ok(Path::new(source).join(inner));
    }
    Err(escapes(subpath))
}

/// A path below a source that leads out of it.
pub(crate) fn escapes(subpath: &str) -> Failure {
    Failure::new(
        Code::Mount,
        format!("{subpath:?} is not a path below the mount's source"),
    )
    .why("it is absolute, leads out, or has .. in it")
    .hint("name a path inside, without .. and without links that lead out")
}

/// Labels are changed nowhere yet; where they count, leaving them would be a surprise (CVE-2021-43816 is the other one).
fn check_relabel(source: &str, options: &MountOptions) -> Result<(), Failure> {
    if options.relabel && Path::new("/sys/fs/selinux/enforce").exists() {
        return Err(
            Failure::new(Code::NotYet, format!("cannot relabel {source} for SELinux"))
                .why("this version does not change SELinux labels, and SELinux is on")
                .hint(format!(
                    "leave z and Z out, and: chcon -Rt container_file_t {source}"
                )),
        );
    }
    Ok(())
}

/// As docker: without a peer, later mounts could not travel, and nobody would notice.
fn check_travel(source: &Path, travel: Travel) -> Result<(), Failure> {
    let Some(mount) = mountinfo::of(source) else {
        return Ok(());
    };
    let (fits, name, needs) = match travel {
        Travel::Shared => (mount.is_shared, "rshared", "a shared mount"),
        _ => (
            mount.is_shared || mount.is_slave,
            "rslave",
            "a shared or slave mount",
        ),
    };
    if fits {
        return Ok(());
    }
    let (source, point) = (source.display(), mount.point.display());
    let message = format!("cannot mount {source} as {name}");
    Err(Failure::new(Code::Mount, message)
        .why(format!(
            "it is on the mount {point}, which is not {needs}: no later mount would travel"
        ))
        .hint(format!("mount --make-shared {point}, or leave {name} out"))
        .path(source.to_string()))
}

/// Directories that must keep their owners, with all that is in them.
const SYSTEM: [&str; 24] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/media",
    "/mnt", "/opt", "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var",
    "/var/lib", "/var/log",
];
/// Those in which everything must.
const UNTOUCHABLE: [&str; 7] = ["/boot", "/dev", "/etc", "/proc", "/sys", "/usr", "/lib"];

fn check_chown(source: &Path) -> Result<(), Failure> {
    let real = fs::canonicalize(source).map_err(|error| missing(source, error.into()))?;
    let is_system = SYSTEM.iter().any(|path| real == Path::new(path))
        || UNTOUCHABLE.iter().any(|path| real.starts_with(path))
        || std::env::home_dir().is_some_and(|home| real == home);
    if is_system {
        let shown = real.display();
        let message = format!("cannot give {shown} to the container's user");
        return Err(Failure::new(Code::Mount, message)
            .why("it is a directory that this machine needs as it is")
            .hint("leave the option U out, or mount a directory of its own")
            .path(&real));
    }
    Ok(())
}

/// Makes the sources that are missing and that the request asks to be made.
pub(crate) fn make_missing(request: &RunRequest) -> Result<(), Failure> {
    for mount in &request.mounts {
        if let MountRequest::Bind {
            source, options, ..
        } = mount
            && options.create_source
        {
            fs::create_dir_all(source).map_err(|error| {
                let errno = Errno::from(error);
                Failure::new(Code::Mount, format!("cannot make {source}"))
                    .why(errno.text())
                    .hint("make it yourself, or choose another source")
                    .errno(errno.name())
                    .path(source)
            })?;
        }
    }
    Ok(())
}
