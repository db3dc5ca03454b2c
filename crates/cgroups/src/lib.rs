//! Control groups: what the machine has, making, emptying and removing them.
//!
//! Two kinds behind one set of calls: v2, where a child is born into its group and `cgroup.kill` ends all of it at once,
//! and v1, where it moves itself in and its members are ended one by one. Left out: which limits to set (`keelbox-spec`).

mod current;
mod discover;
mod freeze;
mod group;
mod oom;

pub use current::{Current, current};
pub use discover::discover;
pub use freeze::freeze;
pub use group::{Fault, Made, empty, make, members, remove};
pub use oom::oom_kills;
