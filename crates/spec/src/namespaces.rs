//! Namespaces: what the words of the flags mean, and what they come to once containers and paths are looked up.

mod asked;
mod spaces;
mod userns;

pub use asked::{Asked, Ipc, Source, User};
pub use spaces::{Found, Join, JoinedIds, Spaces};
pub use userns::{Userns, decide};
