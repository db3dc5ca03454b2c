//! Paths of the machine that the programs come from, with the links on the way to them.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// A machine's file system, or a directory that stands for one.
#[derive(Clone, Debug)]
pub struct Host {
    base: PathBuf,
}

/// How a path leads to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// Links that were passed, and what is in them, in the order of passing.
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
    /// The path without links, as the machine has it.
    pub(crate) end: PathBuf,
    /// Whether it is a directory.
    pub(crate) is_directory: bool,
}

impl Host {
    /// The machine whose `/` is `base`.
    #[must_use]
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
    }

    /// Where a path without links lies for this process.
    pub(crate) fn real(&self, path: &Path) -> PathBuf {
        self.base.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Reads a small file; links are followed inside this machine.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(self.real(&self.way(path)?.end))
    }

    /// Follows an absolute path. `..` behind a link is the parent of where the link leads, as for the kernel.
    pub(crate) fn way(&self, path: &Path) -> io::Result<Way> {
        let mut links = Vec::new();
        let mut end = PathBuf::from("/");
        let mut is_directory = true;
        let mut left = parts(path);
        while let Some(part) = left.pop() {
            if part == ".." {
                end.pop();
                continue;
            }
            let next = end.join(&part);
            let metadata = std::fs::symlink_metadata(self.real(&next))?;
            if !metadata.is_symlink() {
                (end, is_directory) = (next, metadata.is_dir());
                continue;
            }
            if links.len() == MOST_LINKS {
                return Err(io::Error::from_raw_os_error(
                    keelbox_sys::Errno::ELOOP.raw(),
                ));
            }
            let target = std::fs::read_link(self.real(&next))?;
            if target.is_absolute() {
                end = PathBuf::from("/");
            }
            left.extend(parts(&target));
            links.push((next, target));
        }
        Ok(Way {
            links,
            end,
            is_directory,
        })
    }
}

/// The names of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let names = path
        .components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        });
    names.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn links_are_kept_in_order_and_followed_inside() {
        let base = std::env::temp_dir().join(format!("keelbox-way-{}", std::process::id()));
        std::fs::create_dir_all(base.join("usr/bin")).unwrap();
        std::fs::create_dir_all(base.join("etc/alternatives")).unwrap();
        std::fs::write(base.join("usr/bin/mawk"), "x").unwrap();
        for (link, target) in [
            ("bin", "usr/bin"),
            ("usr/bin/awk", "/etc/alternatives/awk"),
            ("etc/alternatives/awk", "../../usr/bin/mawk"),
            ("loop", "loop"),
        ] {
            std::os::unix::fs::symlink(target, base.join(link)).unwrap();
        }
        let host = Host::new(&base);
        let way = host.way(Path::new("/bin/awk")).unwrap();
        let passed: Vec<_> = way
            .links
            .iter()
            .map(|(at, _)| at.to_str().unwrap())
            .collect();
        assert_eq!(passed, ["/bin", "/usr/bin/awk", "/etc/alternatives/awk"]);
        assert_eq!(
            (way.end.to_str().unwrap(), way.is_directory),
            ("/usr/bin/mawk", false)
        );
        assert_eq!(
            host.way(Path::new("/bin/../..")).unwrap().end,
            Path::new("/")
        );
        let looped = host.way(Path::new("/loop")).unwrap_err();
        assert_eq!(looped.raw_os_error(), Some(keelbox_sys::Errno::ELOOP.raw()));
        assert!(host.way(Path::new("/bin/awk/x")).is_err());
        std::fs::remove_dir_all(base).unwrap();
    }
}
