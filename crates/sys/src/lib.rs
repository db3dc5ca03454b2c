//! The kernel calls that neither `nix` nor `rustix` has, one typed wrapper each.
//!
//! This is the only crate of the workspace with `unsafe` code. A wrapper takes borrowed fds and C strings, returns owned
//! fds and [`Errno`], and decides nothing. What `nix` or `rustix` already wrap soundly is called there, not here.

pub mod clone;
pub mod dl;
pub mod errno;
pub mod exec;
pub mod fd;
pub mod keyring;
pub mod memory;
pub mod mount;
pub mod namespace;
pub mod net;
pub mod seccomp;
pub mod signal;
pub mod tty;
pub mod wait;

pub use errno::{Errno, Result};
