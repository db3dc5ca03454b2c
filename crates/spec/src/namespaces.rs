//! Namespaces: what the words of the flags mean, and what they come to once containers and paths are looked up.

mod asked;
pub mod extents;
mod maps;
mod spaces;
mod time;
mod userns;
mod users;

pub use asked::{Asked, Ipc, Source};
pub use maps::{Maps, POOL, USUAL, check_largest, make as make_maps, pool, subordinate_maps};
pub use spaces::{Found, Join, JoinedIds, Spaces};
pub use time::TimeOffsets;
pub use userns::{Userns, decide};
pub use users::{Auto, KeepId, User};
