//! The dynamic loaders of glibc and musl: what they are called, and where they look by themselves.

use std::path::Path;

use crate::elf::Machine;

pub(crate) const X86_64: u16 = 62;
pub(crate) const I386: u16 = 3;
pub(crate) const AARCH64: u16 = 183;
pub(crate) const ARM: u16 = 40;

/// Which C library a loader belongs to; each has search rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Glibc,
    Musl,
}

/// The family of a loader, by its name (`/lib/ld-musl-x86_64.so.1`).
pub(crate) fn family(interpreter: &str) -> Family {
    let name = Path::new(interpreter)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    if name.starts_with("ld-musl-") {
        Family::Musl
    } else {
        Family::Glibc
    }
}

/// Whether the kernel of this machine runs such programs. 32-bit ones it may.
pub(crate) fn runs_here(machine: Machine) -> bool {
    match std::env::consts::ARCH {
        "x86_64" => matches!(machine.number, X86_64 | I386),
        "aarch64" => matches!(machine.number, AARCH64 | ARM),
        _ => false,
    }
}

/// For people.
pub(crate) fn machine_name(machine: Machine) -> String {
    match (machine.number, machine.is_64) {
        (X86_64, true) => "x86_64".into(),
        (X86_64, false) => "x32".into(),
        (I386, _) => "i386".into(),
        (AARCH64, _) => "aarch64".into(),
        (ARM, _) => "arm".into(),
        (243, _) => "riscv".into(),
        (21 | 20, _) => "powerpc".into(),
        (22, _) => "s390".into(),
        (number, _) => format!("machine {number}"),
    }
}

/// The word in names of directories, such as `x86_64-linux-gnu`.
fn triplet(machine: Machine) -> &'static str {
    match machine.number {
        X86_64 if machine.is_64 => "x86_64-linux-gnu",
        X86_64 => "x86_64-linux-gnux32",
        I386 => "i386-linux-gnu",
        AARCH64 => "aarch64-linux-gnu",
        _ => "arm-linux-gnueabihf",
    }
}

/// `$PLATFORM` (the kernel's `AT_PLATFORM`).
pub(crate) fn platform(machine: Machine) -> &'static str {
    match machine.number {
        X86_64 => "x86_64",
        I386 => "i686",
        AARCH64 => "aarch64",
        _ => "v7l",
    }
}

/// What `$LIB` may be; each distribution builds one of them into its loader.
pub(crate) fn lib_names(machine: Machine) -> [String; 3] {
    let wide = if machine.is_64 { "lib64" } else { "lib" };
    [
        format!("lib/{}", triplet(machine)),
        wide.into(),
        "lib".into(),
    ]
}

/// Where a loader looks when nothing else has said.
pub(crate) fn default_directories(family: Family, machine: Machine) -> Vec<String> {
    if family == Family::Musl {
        return ["/lib", "/usr/local/lib", "/usr/lib"]
            .map(str::to_owned)
            .into();
    }
    let names = lib_names(machine);
    let under = |prefix: &str| {
        names
            .iter()
            .map(|name| format!("{prefix}/{name}"))
            .collect()
    };
    let lists: [Vec<String>; 2] = [under(""), under("/usr")];
    lists.concat()
}

/// musl's list of directories, for a loader such as `/lib/ld-musl-x86_64.so.1` (musl's ldso/dynlink.c).
pub(crate) fn musl_path_file(interpreter: &str) -> Option<String> {
    let name = Path::new(interpreter).file_name()?.to_str()?;
    let stem = name.split(".so").next()?;
    Some(format!("/etc/{stem}.path"))
}

/// The flags of a library in glibc's cache: libc6, and the kind of machine (`_DL_CACHE_DEFAULT_ID`).
pub(crate) fn cache_flags(machine: Machine) -> u32 {
    match machine.number {
        X86_64 if machine.is_64 => 0x0303,
        X86_64 => 0x0803,
        AARCH64 => 0x0a03,
        ARM => 0x0903,
        _ => 0x0003,
    }
}
