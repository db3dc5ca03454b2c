//! The process that stays beside a container, and what talks to it.
//!
//! [`supervise`] starts the container, then waits in one loop for its end, its client and other commands; it records the
//! exit, cleans up, and tells. It reads no file of its package after the start, keeps no more than a few pages, and polls
//! nothing. [`attach`] is the client that a foreground command becomes. Both speak [`protocol`].

pub mod attach;
mod cleanup;
mod deliver;
mod drain;
mod events;
mod exec;
pub mod health;
pub mod hub;
mod leftovers;
pub mod protocol;
mod record;
pub mod restart;
mod supervise;
mod terminal;
mod volumes;

pub use cleanup::{remove_cgroups, remove_mapped, remove_tree};
pub use deliver::{Disposition, disposition};
pub use drain::present;
pub use exec::{ExecInherited, exec};
pub use record::start_time;
pub use supervise::{Again, Inherited, again, supervise, tell_failure};
