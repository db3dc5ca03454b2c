//! Layers: reading and writing tar, decompression, hashing, and the applier that hostile archives meet.
//!
//! [`tar`], [`decode`] and [`digest`] are pure: they see bytes, and any process may use them. [`unpack()`] and [`pack()`] touch
//! the file system and belong into a process of their own, the executable's roles of these names: what is decoded there was
//! written by strangers.
//!
//! Left out: what a layer is for. Digests are computed here and compared by whoever asked.

mod apply;
mod confine;
pub mod decode;
pub mod digest;
mod fault;
pub mod files;
pub mod job;
mod limits;
mod pack;
mod streams;
pub mod tar;
mod unpack;

pub use confine::{Rights, confine, end_with};
pub use fault::Fault;
pub use limits::Limits;
pub use pack::{list_changes, pack, pack_changes, pack_entry};
pub use unpack::{Files, unpack};
