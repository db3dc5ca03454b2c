//! A root directory of a few programs, their loader and libraries, and nothing else: `--from-binary`.
//!
//! What the dynamic loader would look up at run time is looked up here, by reading: ELF headers, the loader's cache and
//! settings. No program is ever run for it (ldd runs the loader, and with it a program's own). Files keep their paths, and
//! links on the way to them are kept as links, so that what a program finds on the host it finds in the root.
//!
//! Left out: what a program loads by name later (plug-ins, locales, Python modules), but for what nearly all programs with
//! a library need (`extras`).

mod build;
mod cache;
mod closure;
mod elf;
mod extras;
mod failures;
mod host;
mod loader;
mod script;
mod search;
mod tree;

pub use build::{Fault, build};
pub use closure::{Closure, collect};
pub use host::Host;
pub use tree::{Entry, Identity, Tree};
