//! Seccomp for containers: profiles, their compiler to classic BPF, and the default policy.
//!
//! For: turning a [`Profile`] into the program that seccomp(2) takes, for `x86_64` with i386 and
//! for aarch64 with arm. [`default_filter`] gives the program of the default policy; for the usual
//! capabilities it was compiled by the build script, and starting a container costs no
//! compilation.
//!
//! Relies on nothing but its tables: no kernel calls, so whatever is decided here can be tested
//! on any machine.
//!
//! Leaves out installing the filter (`no_new_privs`, flags, the listener's file descriptor) and
//! reading profiles from JSON.

mod arch;
mod arguments;
mod bpf;
mod compile;
mod default;
mod emit;
mod profile;
mod verdict;

use std::borrow::Cow;

pub use arch::{Abi, Arch};
pub use arguments::as_kernel_reads;
pub use bpf::{Filter, SockFilter};
pub use compile::{CompileError, compile};
pub use default::{DEFAULT_CAPABILITIES, default_profile, nested_profile};
pub use profile::{Action, ArgCmp, Operator, Profile, Rule, Width};

/// The default policy of this machine, compiled for a container that keeps the capabilities in
/// `caps` (bit n set for capability n). The bytes are those of [`Filter::to_bytes`].
#[must_use]
pub fn default_filter(caps: u64) -> Cow<'static, [u8]> {
    default_filter_for(Arch::NATIVE, caps)
}

/// [`default_filter`] for a given machine.
#[must_use]
pub fn default_filter_for(arch: Arch, caps: u64) -> Cow<'static, [u8]> {
    if let Some(index) = default::precompiled_index(caps) {
        return Cow::Borrowed(precompiled(arch)[index]);
    }
    let filter = compile(&default_profile(caps), arch);
    let filter = filter.expect("the rules are our own, and more capabilities mean fewer runs");
    Cow::Owned(filter.to_bytes())
}

/// The programs written by `build.rs`, in the order of `default::PRECOMPILED`.
const fn precompiled(arch: Arch) -> [&'static [u8]; 4] {
    macro_rules! built {
        ($name:literal) => {
            include_bytes!(concat!(env!("OUT_DIR"), "/default-", $name, ".bpf"))
        };
    }
    match arch {
        Arch::X86_64 => [
            built!("x86_64-0"),
            built!("x86_64-1"),
            built!("x86_64-2"),
            built!("x86_64-3"),
        ],
        Arch::Aarch64 => [
            built!("aarch64-0"),
            built!("aarch64-1"),
            built!("aarch64-2"),
            built!("aarch64-3"),
        ],
    }
}
