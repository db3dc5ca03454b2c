//! Programs, and everything that they need to start.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keelbox_spec::failure::Failure;

use crate::elf::{self, Elf, Machine, Unread};
use crate::extras;
use crate::failures::{unreadable, unusable};
use crate::host::Host;
use crate::loader::{Family, family, machine_name, runs_here};
use crate::search::{Found, Object, Search};
use crate::tree::Tree;
use crate::{cache, script};

/// An interpreter may be a script itself, but not for ever (`BINPRM_MAX_RECURSION`).
const MOST_INTERPRETERS: usize = 4;

/// Where `env` looks: a container's PATH.
const PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// A root that is ready to be made.
#[derive(Clone, Debug)]
pub struct Closure {
    /// What is in it.
    pub tree: Tree,
    /// PATH for its programs: the usual one, and directories of theirs that are not in it.
    pub path: String,
}

/// Puts together what these programs need. Paths are absolute.
///
/// # Errors
///
/// A file that is missing, not readable, no program, or for another machine; a library that is not found.
pub fn collect(host: &Host, programs: &[PathBuf]) -> Result<Closure, Failure> {
    let mut collector = Collector {
        host,
        tree: Tree::skeleton(),
        libraries: BTreeMap::new(),
        searches: Vec::new(),
    };
    for program in programs {
        collector.program(program, 0)?;
    }
    extras::add(&mut collector)?;
    collector.write_cache()?;
    Ok(Closure {
        tree: collector.tree,
        path: path_of(programs),
    })
}

fn path_of(programs: &[PathBuf]) -> String {
    let mut directories: Vec<_> = PATH
        .iter()
        .map(|directory| (*directory).to_owned())
        .collect();
    for directory in programs.iter().filter_map(|program| program.parent()) {
        let directory = directory.display().to_string();
        // A colon in it would make two of it.
        if !directories.contains(&directory) && !directory.contains(':') {
            directories.push(directory);
        }
    }
    directories.join(":")
}

pub(crate) struct Collector<'a> {
    pub(crate) host: &'a Host,
    pub(crate) tree: Tree,
    /// Every library by the name that it is needed by, per machine: where it is, and whether the loader finds it itself.
    libraries: BTreeMap<(Machine, String), Library>,
    /// One for each loader in use, with its path.
    searches: Vec<(String, Search<'a>)>,
}

#[derive(Clone, Debug)]
struct Library {
    path: PathBuf,
    is_common: bool,
    family: Family,
}

impl<'a> Collector<'a> {
    fn program(&mut self, path: &Path, depth: usize) -> Result<(), Failure> {
        let way = self.tree.include(self.host, path)?;
        let real = self.host.real(&way.end);
        if way.is_directory {
            return Err(unusable(path, "it is a directory"));
        }
        let mode = std::fs::metadata(&real).map_err(|error| unreadable(path, &error))?;
        if mode.permissions().mode() & 0o111 == 0 {
            return Err(unusable(path, "it is not executable (no x bit)"));
        }
        match elf::read(&real) {
            Ok(elf) => self.executable(path, &way.end, elf),
            Err(Unread::NotElf) if depth < MOST_INTERPRETERS => self.script(path, &real, depth),
            Err(Unread::NotElf) => Err(unusable(path, "its interpreter is a script, and so on")),
            Err(Unread::Broken(why)) => Err(unusable(path, why)),
            Err(Unread::Io(error)) => Err(unreadable(path, &error)),
        }
    }

    fn script(&mut self, path: &Path, real: &Path, depth: usize) -> Result<(), Failure> {
        let script = script::read(real).map_err(|error| unreadable(path, &error))?;
        let script = script.ok_or_else(|| {
            unusable(
                path,
                "it is neither an ELF program nor a script that begins with #!",
            )
        })?;
        if !script.interpreter.starts_with('/') {
            let why = format!(
                "its first line names {:?}, which is no absolute path",
                script.interpreter
            );
            return Err(unusable(path, why));
        }
        self.program(Path::new(&script.interpreter), depth + 1)?;
        let Some(name) = script.found_by_env else {
            return Ok(());
        };
        let places = PATH
            .iter()
            .map(|directory| Path::new(directory).join(&name));
        match places
            .into_iter()
            .find(|place| self.host.way(place).is_ok())
        {
            Some(program) => self.program(&program, depth + 1),
            None => Err(unusable(
                path,
                format!("its interpreter {name} is in none of {}", PATH.join(", ")),
            )),
        }
    }

    fn executable(&mut self, path: &Path, end: &Path, elf: Elf) -> Result<(), Failure> {
        let machine = elf
            .machine
            .filter(|machine| runs_here(*machine))
            .ok_or_else(|| {
                let given = elf.machine.map(machine_name).unwrap_or_default();
                let why = format!(
                    "it is for {given}, and this machine is {}",
                    std::env::consts::ARCH
                );
                unusable(path, why)
            })?;
        let Some(interpreter) = elf.interpreter.clone() else {
            // Static: it needs nothing.
            return Ok(());
        };
        if !interpreter.starts_with('/') {
            return Err(unusable(
                path,
                format!("its loader {interpreter:?} is no absolute path"),
            ));
        }
        let loader = PathBuf::from(&interpreter);
        if self.host.way(&loader).is_err() {
            let why = format!("its loader {interpreter} is not on this machine");
            return Err(unusable(path, why).hint("install the C library that it was built for"));
        }
        self.tree.include(self.host, &loader)?;
        let search = self.search(&interpreter, machine);
        let origin = end.parent().unwrap_or(Path::new("/")).to_owned();
        let program = Object {
            path: path.to_owned(),
            origin,
            elf,
            parent: None,
        };
        self.needs(search, program)
    }

    /// The position of the search of a loader.
    fn search(&mut self, interpreter: &str, machine: Machine) -> usize {
        let known = self
            .searches
            .iter()
            .position(|(of, search)| of == interpreter && search.machine() == machine);
        known.unwrap_or_else(|| {
            let search = Search::new(self.host, interpreter, machine);
            self.searches.push((interpreter.to_owned(), search));
            self.searches.len() - 1
        })
    }

    /// Everything that the program needs, level by level as the loader does: a name that is loaded already is not looked
    /// up again.
    fn needs(&mut self, search: usize, program: Object) -> Result<(), Failure> {
        let program_path = program.path.clone();
        let mut objects = vec![program];
        let mut loaded = Vec::new();
        let mut at = 0;
        while let Some(object) = objects.get(at).cloned() {
            for name in object.elf.needed {
                if loaded.contains(&name) || self.is_loader(search, &name) {
                    continue;
                }
                let found = self.find(search, &objects, at, &name);
                let found =
                    found.map_err(|places| missing(&program_path, &object.path, &name, &places))?;
                let origin = found.path.parent().unwrap_or(Path::new("/")).to_owned();
                self.take(search, &name, &found)?;
                loaded.push(name);
                objects.push(Object {
                    path: found.path,
                    origin,
                    elf: found.elf,
                    parent: Some(at),
                });
            }
            at += 1;
        }
        Ok(())
    }

    fn find(
        &self,
        search: usize,
        objects: &[Object],
        at: usize,
        name: &str,
    ) -> Result<Found, Vec<String>> {
        let search = self.searches.get(search).ok_or_else(Vec::new)?;
        search.1.find(objects, at, name)
    }

    /// musl's loader is its C library, and takes these names for itself (`reserved` in its load_library).
    fn is_loader(&self, search: usize, name: &str) -> bool {
        const OWN: [&str; 7] = ["c", "pthread", "rt", "m", "dl", "util", "xnet"];
        let search = self.searches.get(search);
        let is_musl = search.is_some_and(|(_, search)| search.family() == Family::Musl);
        let stem = name
            .strip_prefix("lib")
            .and_then(|rest| Some(rest.split_once('.')?.0));
        is_musl && stem.is_some_and(|stem| OWN.contains(&stem))
    }

    fn take(&mut self, search: usize, name: &str, found: &Found) -> Result<(), Failure> {
        self.tree.include(self.host, &found.path)?;
        if let Some((_, search)) = self.searches.get(search) {
            let library = Library {
                path: found.path.clone(),
                is_common: found.is_common,
                family: search.family(),
            };
            self.libraries
                .insert((search.machine(), name.to_owned()), library);
        }
        Ok(())
    }

    /// Whether a library whose name begins so is in the root.
    pub(crate) fn has(&self, prefix: &str) -> bool {
        self.libraries
            .keys()
            .any(|(_, name)| name.starts_with(prefix))
    }

    /// Where the library of this name is.
    pub(crate) fn library(&self, name: &str) -> Option<PathBuf> {
        let mut found = self.libraries.iter().filter(|((_, of), _)| of == name);
        found.next().map(|(_, library)| library.path.clone())
    }

    /// Adds a library that programs of glibc load by themselves, where it is installed.
    pub(crate) fn optional_library(&mut self, name: &str) -> Result<(), Failure> {
        for index in 0..self.searches.len() {
            let Some((_, search)) = self.searches.get(index) else {
                continue;
            };
            let nobody = Object {
                path: PathBuf::from("/"),
                origin: PathBuf::from("/"),
                elf: Elf {
                    needed: vec![name.to_owned()],
                    ..Elf::default()
                },
                parent: None,
            };
            if search.family() == Family::Glibc
                && search.find(std::slice::from_ref(&nobody), 0, name).is_ok()
            {
                self.needs(index, nobody)?;
            }
        }
        Ok(())
    }

    /// The loader's cache, for the libraries that it found by it here.
    fn write_cache(&mut self) -> Result<(), Failure> {
        let common: Vec<_> = self
            .libraries
            .iter()
            .filter(|(_, library)| library.is_common && library.family == Family::Glibc)
            .map(|((machine, name), library)| {
                (*machine, name.clone(), library.path.display().to_string())
            })
            .collect();
        match cache::write(&common) {
            Some(bytes) if !common.is_empty() => self.tree.text("/etc/ld.so.cache", bytes),
            _ => Ok(()),
        }
    }

    /// The loaders in use.
    pub(crate) fn loaders(&self) -> impl Iterator<Item = &str> {
        self.searches
            .iter()
            .map(|(interpreter, _)| interpreter.as_str())
    }
}

fn missing(program: &Path, needs: &Path, name: &str, places: &[String]) -> Failure {
    let by = if needs == program {
        String::new()
    } else {
        format!(" (by way of {})", needs.display())
    };
    let why = format!(
        "it needs the library {name}{by}, which is in none of {}, nor in the loader's cache",
        places.join(", ")
    );
    unusable(program, why).hint(
        "install the library, or tell the loader where it is (/etc/ld.so.conf, then ldconfig); LD_LIBRARY_PATH is not read",
    )
}

pub(crate) fn is_musl(interpreter: &str) -> bool {
    family(interpreter) == Family::Musl
}
