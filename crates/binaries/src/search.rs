//! Where a library is found: the order of ld.so(8), and of musl's loader.

use std::path::{Path, PathBuf};

use crate::cache::{self, Library};
use crate::elf::{self, Elf, Machine};
use crate::host::Host;
use crate::loader::{self, Family};

/// A program or library that is being looked into.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The path that it was found by.
    pub(crate) path: PathBuf,
    /// What `$ORIGIN` stands for in it.
    pub(crate) origin: PathBuf,
    pub(crate) elf: Elf,
    /// Who needed it, by position.
    pub(crate) parent: Option<usize>,
}

/// A library that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) elf: Elf,
    /// By the loader's own means: its cache or directories, not a path in a program.
    pub(crate) is_common: bool,
}

/// What one loader searches by itself.
pub(crate) struct Search<'a> {
    host: &'a Host,
    family: Family,
    machine: Machine,
    cached: Vec<Library>,
    directories: Vec<String>,
}

impl<'a> Search<'a> {
    /// For programs of this loader.
    pub(crate) fn new(host: &'a Host, interpreter: &str, machine: Machine) -> Self {
        let family = loader::family(interpreter);
        let defaults = loader::default_directories(family, machine);
        let read = |path: &str| host.read(Path::new(path)).unwrap_or_default();
        let (cached, directories) = match family {
            Family::Glibc => {
                let named = configured(host, "/etc/ld.so.conf", 0);
                (
                    cache::parse(&read("/etc/ld.so.cache")),
                    [named, defaults].concat(),
                )
            }
            Family::Musl => {
                let file = loader::musl_path_file(interpreter).unwrap_or_default();
                let named: Vec<_> = String::from_utf8_lossy(&read(&file))
                    .split([':', '\n'])
                    .filter(|directory| directory.starts_with('/'))
                    .map(str::to_owned)
                    .collect();
                (Vec::new(), if named.is_empty() { defaults } else { named })
            }
        };
        Self {
            host,
            family,
            machine,
            cached,
            directories,
        }
    }

    pub(crate) fn family(&self) -> Family {
        self.family
    }

    pub(crate) fn machine(&self) -> Machine {
        self.machine
    }

    /// Looks for a library that `objects[index]` needs; on failure, where it looked.
    pub(crate) fn find(
        &self,
        objects: &[Object],
        index: usize,
        name: &str,
    ) -> Result<Found, Vec<String>> {
        let Some(object) = objects.get(index) else {
            return Err(Vec::new());
        };
        if name.contains('/') {
            let paths = self.expand(name, &object.origin);
            let found = paths.iter().find_map(|path| self.usable(path, false));
            return found.ok_or(paths);
        }
        let own = self.own_directories(objects, index);
        let common = || {
            let cached = self.cached_paths(name);
            let plain = self
                .directories
                .iter()
                .map(|directory| format!("{directory}/{name}"));
            cached.into_iter().chain(plain)
        };
        own.iter()
            .find_map(|directory| self.usable(&format!("{directory}/{name}"), false))
            .or_else(|| {
                let looks = !(object.elf.no_default && self.family == Family::Glibc);
                common()
                    .filter(|_| looks)
                    .find_map(|path| self.usable(&path, true))
            })
            .ok_or_else(|| [own.as_slice(), self.directories.as_slice()].concat())
    }

    /// The directories that the object and those that needed it name.
    fn own_directories(&self, objects: &[Object], index: usize) -> Vec<String> {
        let mut directories = Vec::new();
        let mut at = objects.get(index);
        let first_has_runpath = at.is_some_and(|object| object.elf.runpath.is_some());
        while let Some(object) = at {
            let Elf { rpath, runpath, .. } = &object.elf;
            let list = match self.family {
                // One list, whatever it is called, of every object up to the program (musl's load_library).
                Family::Musl => runpath.as_ref().or(rpath.as_ref()),
                // A RUNPATH is for the object's own needs only, and turns off the RPATHs (ld.so(8)).
                Family::Glibc if first_has_runpath => None,
                Family::Glibc => rpath.as_ref().filter(|_| runpath.is_none()),
            };
            directories.extend(list.iter().flat_map(|list| self.list(list, &object.origin)));
            at = object.parent.and_then(|parent| objects.get(parent));
        }
        if let (Family::Glibc, Some(object)) = (self.family, objects.get(index)) {
            let list = object.elf.runpath.iter();
            directories.extend(list.flat_map(|list| self.list(list, &object.origin)));
        }
        directories
    }

    fn list(&self, list: &str, origin: &Path) -> Vec<String> {
        list.split(':')
            // An empty or relative one means wherever the program is started: nothing to copy from.
            .flat_map(|directory| self.expand(directory, origin))
            .collect()
    }

    /// `$ORIGIN`, `$LIB` and `$PLATFORM`. musl has the first only, but a path with the others fits nothing there either.
    fn expand(&self, text: &str, origin: &Path) -> Vec<String> {
        let set = |text: &str, name: &str, value: &str| {
            text.replace(&format!("${{{name}}}"), value)
                .replace(&format!("${name}"), value)
        };
        let text = set(text, "ORIGIN", &origin.to_string_lossy());
        let text = set(&text, "PLATFORM", loader::platform(self.machine));
        let mut paths: Vec<_> = loader::lib_names(self.machine)
            .iter()
            .map(|lib| set(&text, "LIB", lib))
            .filter(|path| path.starts_with('/'))
            .collect();
        paths.dedup();
        paths
    }

    /// A build for the newest processors comes last: the root must work on any.
    fn cached_paths(&self, name: &str) -> Vec<String> {
        let mut fitting: Vec<_> = self
            .cached
            .iter()
            .filter(|library| library.name == name)
            .collect();
        fitting.sort_by_key(|library| library.is_special);
        fitting
            .into_iter()
            .map(|library| library.path.clone())
            .collect()
    }

    /// Libraries of another machine are passed over, as the loader does.
    fn usable(&self, path: &str, is_common: bool) -> Option<Found> {
        let path = PathBuf::from(path);
        let way = self.host.way(&path).ok()?;
        let elf = elf::read(&self.host.real(&way.end)).ok()?;
        (elf.machine == Some(self.machine)).then_some(Found {
            path,
            elf,
            is_common,
        })
    }
}

/// The directories of `/etc/ld.so.conf` and what it includes (ldconfig(8)).
fn configured(host: &Host, path: &str, depth: usize) -> Vec<String> {
    const DEEPEST: usize = 8;
    let Ok(text) = host.read(Path::new(path)) else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut directories = Vec::new();
    for line in text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
    {
        let include = line
            .strip_prefix("include")
            .filter(|rest| rest.starts_with([' ', '\t']));
        match include {
            Some(pattern) if depth < DEEPEST => {
                let files = matching(host, pattern.trim()).into_iter();
                directories.extend(files.flat_map(|file| configured(host, &file, depth + 1)));
            }
            None if line.starts_with('/') => directories.push(line.to_owned()),
            _ => {}
        }
    }
    directories
}

/// The files of a pattern with one `*` in its last part, in order.
fn matching(host: &Host, pattern: &str) -> Vec<String> {
    let (directory, name) = pattern.rsplit_once('/').unwrap_or(("/etc", pattern));
    let Some((before, after)) = name.split_once('*') else {
        return vec![format!("{directory}/{name}")];
    };
    let Ok(way) = host.way(Path::new(directory)) else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(host.real(&way.end)).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut files: Vec<_> = names
        .filter(|name| name.starts_with(before) && name.ends_with(after))
        .map(|name| format!("{directory}/{name}"))
        .collect();
    files.sort();
    files
}
