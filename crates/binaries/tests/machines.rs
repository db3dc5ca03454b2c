//! Programs of machines that are only files in a directory: glibc, musl, RPATH and RUNPATH, and what is wrong with them.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use keelbox_binaries::{Closure, Entry, Host, build, collect};

const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERP: u32 = 3;

const NEEDED: u64 = 1;
const STRTAB: u64 = 5;
const RPATH: u64 = 15;
const RUNPATH: u64 = 29;

fn machine() -> u16 {
    if std::env::consts::ARCH == "aarch64" {
        183
    } else {
        62
    }
}

/// The words of an ELF file: its loader, and tags with their text.
#[derive(Clone, Default)]
struct Words<'a> {
    interpreter: Option<&'a str>,
    tags: Vec<(u64, &'a str)>,
    machine: Option<u16>,
}

/// A 64-bit little-endian ELF file that has headers and nothing to execute.
fn elf(words: &Words<'_>) -> Vec<u8> {
    let mut strings = vec![0u8];
    let mut put = |text: &str| {
        let at = strings.len() as u64;
        strings.extend(text.as_bytes());
        strings.push(0);
        at
    };
    let interpreter = words
        .interpreter
        .map(|text| (put(text), text.len() as u64 + 1));
    let mut dynamic: Vec<(u64, u64)> = words
        .tags
        .iter()
        .map(|(tag, text)| (*tag, put(text)))
        .collect();
    let headers = 64 + 3 * 56;
    // Addresses are not offsets, so that a reader who takes one for the other is caught.
    let address = 0x40_0000;
    dynamic.push((STRTAB, address + headers));
    dynamic.push((0, 0));
    let dynamic_at = headers + strings.len() as u64;
    let size = dynamic_at + dynamic.len() as u64 * 16;
    let (interp_at, interp_size) = interpreter.map_or((0, 0), |(at, size)| (headers + at, size));
    let interp_kind = if interpreter.is_some() { INTERP } else { 0 };
    let segments = [
        (LOAD, 0, address, size),
        (interp_kind, interp_at, 0, interp_size),
        (DYNAMIC, dynamic_at, 0, dynamic.len() as u64 * 16),
    ];
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend(3u16.to_le_bytes());
    bytes.extend(words.machine.unwrap_or_else(machine).to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    for word in [0u64, 64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 3, 0, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    for (kind, offset, address, size) in segments {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        for word in [offset, address, address, size, size, 8] {
            bytes.extend(u64::to_le_bytes(word));
        }
    }
    bytes.extend(strings);
    for (tag, value) in dynamic {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

/// A machine in a directory, removed in the end.
struct Machine(PathBuf);

impl Machine {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("keelbox-machine-{}-{number}", std::process::id());
        let base = std::env::temp_dir().join(name);
        std::fs::create_dir(&base).unwrap();
        Self(base)
    }

    fn place(&self, path: &str) -> PathBuf {
        let place = self.0.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }

    fn file(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let place = self.place(path);
        std::fs::write(&place, bytes).unwrap();
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        symlink(target, self.place(path)).unwrap();
    }

    fn program(&self, path: &str, loader: &str, tags: &[(u64, &str)]) {
        let words = Words {
            interpreter: Some(loader),
            tags: tags.to_vec(),
            machine: None,
        };
        self.file(path, elf(&words));
    }

    fn library(&self, path: &str, tags: &[(u64, &str)]) {
        let words = Words {
            tags: tags.to_vec(),
            ..Words::default()
        };
        self.file(path, elf(&words));
    }

    fn collect(&self, programs: &[&str]) -> Result<Closure, keelbox_spec::failure::Failure> {
        let programs: Vec<_> = programs.iter().map(PathBuf::from).collect();
        collect(&Host::new(&self.0), &programs)
    }

    /// The files of the root, and its links as `path -> target`; without our own texts.
    fn files(&self, programs: &[&str]) -> Vec<String> {
        let closure = self.collect(programs).unwrap();
        let shown = closure
            .tree
            .entries()
            .filter_map(|(path, entry)| match entry {
                Entry::File { .. } => Some(path.display().to_string()),
                Entry::Link(target) => Some(format!("{} -> {}", path.display(), target.display())),
                Entry::Directory(_) | Entry::Text(_) => None,
            });
        shown.collect()
    }

    fn why(&self, program: &str) -> String {
        self.collect(&[program]).unwrap_err().why.unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const GLIBC: &str = "/lib64/ld-linux.so.2";
const MUSL: &str = "/lib/ld-musl-x86_64.so.1";

#[test]
fn links_on_the_way_stay_links() {
    let machine = Machine::new();
    machine.link("/bin", "usr/bin");
    machine.link("/lib64", "usr/lib64");
    machine.link("/usr/bin/sh", "/etc/alternatives/sh");
    machine.link("/etc/alternatives/sh", "../../usr/bin/dash");
    machine.file("/usr/lib64/ld-linux.so.2", "loader");
    machine.link("/usr/lib64/libc.so.6", "libc-2.40.so");
    machine.library("/usr/lib64/libc-2.40.so", &[]);
    machine.program("/usr/bin/dash", GLIBC, &[(NEEDED, "libc.so.6")]);
    assert_eq!(
        machine.files(&["/bin/sh"]),
        [
            "/bin -> usr/bin",
            "/etc/alternatives/sh -> ../../usr/bin/dash",
            "/lib64 -> usr/lib64",
            "/usr/bin/dash",
            "/usr/bin/sh -> /etc/alternatives/sh",
            "/usr/lib64/ld-linux.so.2",
            "/usr/lib64/libc-2.40.so",
            "/usr/lib64/libc.so.6 -> libc-2.40.so",
        ]
    );
}

#[test]
fn libraries_are_found_as_the_loader_of_glibc_finds_them() {
    let machine = Machine::new();
    machine.file(GLIBC, "loader");
    machine.file(
        "/etc/ld.so.conf",
        "# ours\ninclude /etc/ld.so.conf.d/*.conf\n",
    );
    machine.file("/etc/ld.so.conf.d/x.conf", "/opt/conf\n");
    machine.file("/etc/ld.so.conf.d/x.conf.bak", "/opt/backup\n");
    machine.library("/opt/conf/libconf.so", &[]);
    machine.library("/opt/backup/libbackup.so", &[]);
    machine.library("/opt/app/lib/libown.so", &[(NEEDED, "libdeep.so")]);
    machine.library("/opt/app/lib/libdeep.so", &[]);
    machine.library("/usr/lib/libdeep.so", &[]);
    let needs = [(NEEDED, "libown.so"), (NEEDED, "libconf.so")];

    // An RPATH is for the needs of the program's libraries, too; a RUNPATH for its own only.
    machine.program(
        "/opt/app/bin/rpath",
        GLIBC,
        &[&needs[..], &[(RPATH, "$ORIGIN/../lib")]].concat(),
    );
    machine.program(
        "/opt/app/bin/runpath",
        GLIBC,
        &[&needs[..], &[(RUNPATH, "${ORIGIN}/../lib")]].concat(),
    );
    let rpath = machine.files(&["/opt/app/bin/rpath"]);
    assert!(
        rpath.contains(&"/opt/app/lib/libdeep.so".to_owned()),
        "{rpath:?}"
    );
    assert!(!rpath.contains(&"/usr/lib/libdeep.so".to_owned()));
    assert!(rpath.contains(&"/opt/conf/libconf.so".to_owned()));
    let runpath = machine.files(&["/opt/app/bin/runpath"]);
    assert!(
        runpath.contains(&"/usr/lib/libdeep.so".to_owned()),
        "{runpath:?}"
    );
    assert!(!runpath.contains(&"/opt/app/lib/libdeep.so".to_owned()));

    machine.program("/bin/backup", GLIBC, &[(NEEDED, "libbackup.so")]);
    let why = machine.why("/bin/backup");
    assert!(
        why.contains("libbackup.so, which is in none of /opt/conf, /lib"),
        "{why}"
    );
    machine.library("/usr/lib/libneedy.so", &[(NEEDED, "libgone.so.7")]);
    machine.program("/bin/needy", GLIBC, &[(NEEDED, "libneedy.so")]);
    let why = machine.why("/bin/needy");
    assert!(
        why.contains("libgone.so.7 (by way of /usr/lib/libneedy.so)"),
        "{why}"
    );
}

#[test]
fn what_the_loader_finds_by_itself_is_in_its_cache_and_nothing_else() {
    let machine = Machine::new();
    machine.file(GLIBC, "loader");
    machine.library("/usr/lib/libcommon.so.1", &[]);
    machine.library("/opt/own/libown.so", &[]);
    let tags = [
        (NEEDED, "libcommon.so.1"),
        (NEEDED, "libown.so"),
        (RUNPATH, "/opt/own"),
    ];
    machine.program("/bin/app", GLIBC, &tags);
    let closure = machine.collect(&["/bin/app"]).unwrap();
    let cache = closure
        .tree
        .entries()
        .find_map(|(path, entry)| match entry {
            Entry::Text(text) if path == Path::new("/etc/ld.so.cache") => Some(text.clone()),
            _ => None,
        })
        .unwrap();
    let text = String::from_utf8_lossy(&cache);
    assert!(text.contains("/usr/lib/libcommon.so.1\0"));
    assert!(!text.contains("libown"));
}

#[test]
fn musl_has_rules_of_its_own() {
    let machine = Machine::new();
    machine.file(MUSL, "loader and C library");
    machine.file("/etc/ld-musl-x86_64.path", "/lib:/opt/musl\n/usr/lib");
    machine.library("/opt/musl/libz.so.1", &[]);
    machine.library("/opt/app/libown.so", &[(NEEDED, "libdeep.so")]);
    machine.library("/opt/app/libdeep.so", &[]);
    let tags = [
        (NEEDED, "libc.musl-x86_64.so.1"),
        (NEEDED, "libz.so.1"),
        (NEEDED, "libown.so"),
        // Also for the needs of its libraries, as an RPATH is.
        (RUNPATH, "$ORIGIN"),
    ];
    machine.program("/opt/app/app", MUSL, &tags);
    assert_eq!(
        machine.files(&["/opt/app/app"]),
        [
            "/etc/ld-musl-x86_64.path",
            MUSL,
            "/opt/app/app",
            "/opt/app/libdeep.so",
            "/opt/app/libown.so",
            "/opt/musl/libz.so.1",
        ]
    );
}

#[test]
fn libraries_of_another_machine_are_passed_over() {
    let machine = Machine::new();
    machine.file(GLIBC, "loader");
    let foreign = Words {
        machine: Some(243),
        ..Words::default()
    };
    machine.file("/opt/first/libx.so", elf(&foreign));
    machine.library("/opt/second/libx.so", &[]);
    let tags = [(NEEDED, "libx.so"), (RUNPATH, "/opt/first:/opt/second")];
    machine.program("/bin/app", GLIBC, &tags);
    let files = machine.files(&["/bin/app"]);
    assert!(files.contains(&"/opt/second/libx.so".to_owned()));
    assert!(!files.contains(&"/opt/first/libx.so".to_owned()));
    machine.file("/bin/foreign", elf(&foreign));
    let why = machine.why("/bin/foreign");
    assert!(
        why.starts_with("it is for riscv, and this machine is "),
        "{why}"
    );
}

#[test]
fn scripts_bring_their_interpreters() {
    let machine = Machine::new();
    machine.file("/bin/sh", elf(&Words::default()));
    machine.file("/usr/bin/env", elf(&Words::default()));
    machine.file("/usr/bin/node", "#!/bin/sh\n");
    machine.file("/opt/tool", "#!/usr/bin/env -S node --flag\n");
    assert_eq!(
        machine.files(&["/opt/tool"]),
        ["/bin/sh", "/opt/tool", "/usr/bin/env", "/usr/bin/node"]
    );
    machine.file("/opt/lost", "#!/usr/bin/env nothing\n");
    assert!(
        machine
            .why("/opt/lost")
            .starts_with("its interpreter nothing is in none of /usr/local/sbin")
    );
    machine.file("/opt/relative", "#!sh\n");
    assert!(machine.why("/opt/relative").contains("no absolute path"));
    machine.file("/opt/round", "#!/opt/round\n");
    assert!(machine.why("/opt/round").contains("and so on"));
    machine.file("/opt/text", "hello\n");
    assert!(
        machine
            .why("/opt/text")
            .contains("neither an ELF program nor a script")
    );
    machine.file("/opt/empty", "");
    assert!(
        machine
            .why("/opt/empty")
            .contains("neither an ELF program nor a script")
    );
}

#[test]
fn damage_is_an_error_and_nothing_else() {
    let machine = Machine::new();
    machine.file(GLIBC, "loader");
    machine.library("/usr/lib/liba.so", &[]);
    let words = Words {
        interpreter: Some(GLIBC),
        tags: vec![(NEEDED, "liba.so"), (RUNPATH, "/opt")],
        machine: None,
    };
    let whole = elf(&words);
    for length in 0..whole.len() {
        machine.file("/bin/cut", whole.get(..length).unwrap());
        let _ = machine.collect(&["/bin/cut"]);
    }
    for position in 16..whole.len() {
        for value in [0, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            *bytes.get_mut(position).unwrap() = value;
            machine.file("/bin/wild", &bytes);
            let _ = machine.collect(&["/bin/wild"]);
        }
    }
    let mut big_endian = whole;
    *big_endian.get_mut(5).unwrap() = 2;
    machine.file("/bin/big", big_endian);
    assert_eq!(machine.why("/bin/big"), "it is for a big-endian machine");
}

#[test]
fn a_link_of_the_host_never_leads_a_copy_out_of_the_root() {
    let machine = Machine::new();
    let outside = Machine::new();
    machine.link("/etc", outside.0.to_str().unwrap());
    outside.file("tool", elf(&Words::default()));
    std::fs::create_dir_all(
        machine
            .place(outside.0.join("x").to_str().unwrap())
            .parent()
            .unwrap(),
    )
    .unwrap();
    machine.file(
        outside.0.join("tool").to_str().unwrap(),
        elf(&Words::default()),
    );
    let why = machine.why("/etc/tool");
    assert!(why.contains("/etc is a link on this machine"), "{why}");
}

#[test]
fn the_key_changes_with_the_files_and_the_root_is_a_copy() {
    let machine = Machine::new();
    machine.file("/bin/tool", elf(&Words::default()));
    machine.link("/bin/alias", "tool");
    let first = machine.collect(&["/bin/alias"]).unwrap();
    assert_eq!(
        first.tree.key(),
        machine.collect(&["/bin/alias"]).unwrap().tree.key()
    );
    assert_ne!(
        first.tree.key(),
        machine.collect(&["/bin/tool"]).unwrap().tree.key()
    );
    let root = machine.place("/made/root");
    std::fs::create_dir(&root).unwrap();
    build(&first.tree, &root).unwrap();
    assert_eq!(
        std::fs::read_link(root.join("bin/alias")).unwrap(),
        Path::new("tool")
    );
    assert_eq!(
        std::fs::metadata(root.join("tmp"))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777,
        0o1777
    );
    assert!(
        std::fs::read_to_string(root.join("etc/passwd"))
            .unwrap()
            .starts_with("root:x:0:0:")
    );

    let mut other = elf(&Words::default());
    other.push(0);
    machine.file("/bin/tool", other);
    assert_ne!(
        first.tree.key(),
        machine.collect(&["/bin/alias"]).unwrap().tree.key()
    );
    // What has changed since it was looked at is not copied.
    let late = machine.place("/made/late");
    std::fs::create_dir(&late).unwrap();
    let (path, error) = build(&first.tree, &late).unwrap_err();
    assert!(
        path.ends_with("bin/tool") && error.to_string().contains("changed while it was copied")
    );
}

#[test]
fn set_id_bits_stay_behind() {
    let machine = Machine::new();
    machine.file("/bin/su", elf(&Words::default()));
    let mode = std::fs::Permissions::from_mode(0o6755);
    std::fs::set_permissions(machine.place("/bin/su"), mode).unwrap();
    let closure = machine.collect(&["/bin/su"]).unwrap();
    let root = machine.place("/made");
    std::fs::create_dir(&root).unwrap();
    build(&closure.tree, &root).unwrap();
    let made = std::fs::metadata(root.join("bin/su")).unwrap();
    assert_eq!(made.permissions().mode() & 0o7777, 0o755);
}
