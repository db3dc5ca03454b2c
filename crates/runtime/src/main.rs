//! `keelbox-runtime`: the executable beside the addon. Its first argument is a role.
//!
//! `supervise` starts a container from the message on fd 4 and stays beside it; `exec` does the same for a command in one
//! that runs; `attach` is the client of either; `logs` shows what containers have printed;
//! `unpack` and `pack` turn archives into directories and back. There is no
//! `std` start-up (`#![no_main]`): it costs 20 system calls that nothing here needs.
#![no_main]
#![allow(
    unsafe_code,
    reason = "`main` by its C name is what the C library's start code calls"
)]

use std::ffi::{c_char, c_int};

mod exec;
mod files;
mod layers;
mod logs;
mod report;
mod roles;
mod seal;

/// The C library's entry point.
///
/// `args_os` finds the arguments by itself (glibc passes them to its initialisers).
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    roles::run(
        std::env::args_os()
            .skip(1)
            .filter_map(|word| word.into_string().ok())
            .collect(),
    )
}
