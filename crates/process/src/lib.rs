//! Launcher and init: the two halves of starting a container.
//!
//! The launcher runs on the host with the caller's rights. It clones the init into new namespaces, maps its ids, makes the
//! mounts that need the host's root, and hands them over. The init puts them in place, gives up its rights, and becomes the
//! command. Both apply the steps of one plan (`keelbox-spec`) with one loop each, and talk in the messages of
//! [`handshake`]. A process here has one thread, always.

mod console;
mod credentials;
pub mod handshake;
mod init;
mod launcher;
mod mapped;
mod reaper;
mod socket;
mod stdio;
mod user;

pub use launcher::{Container, Failed, Report, launch};
pub use mapped::{Maps, as_mapped_root};
pub use socket::{Received, receive, send, seqpacket_pair};
