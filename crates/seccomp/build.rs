//! Compiles the default profile, with the library's own sources, into the programs that
//! `default_filter` returns. A test compares them with what the library compiles at run time.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "the library's modules are included whole, and their public items are not used here"
)]
#![allow(
    clippy::print_stdout,
    reason = "a build script talks to cargo on stdout"
)]

#[path = "src/arch.rs"]
mod arch;
#[path = "src/bpf.rs"]
mod bpf;
#[path = "src/compile.rs"]
mod compile;
#[path = "src/default.rs"]
mod default;
#[path = "src/emit.rs"]
mod emit;
#[path = "src/profile.rs"]
mod profile;
#[path = "src/verdict.rs"]
mod verdict;

use std::path::PathBuf;
use std::{env, error, fs};

use arch::Arch;
use compile::compile;

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src");
    let directory = PathBuf::from(env::var("OUT_DIR")?);
    for (index, caps) in default::PRECOMPILED.into_iter().enumerate() {
        let profile = default::default_profile(caps);
        for (arch, name) in [(Arch::X86_64, "x86_64"), (Arch::Aarch64, "aarch64")] {
            let file = directory.join(format!("default-{name}-{index}.bpf"));
            fs::write(file, compile(&profile, arch)?.to_bytes())?;
        }
    }
    Ok(())
}
