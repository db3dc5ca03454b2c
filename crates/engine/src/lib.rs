//! Lifecycle and state of containers: the only crate that knows all the others.
//!
//! Nothing here forks or unshares: a container is started by `posix_spawn` of the executable, which does the kernel's work
//! (Node has several threads). State is files and locks, never what a file says: a container lives while its supervisor
//! holds the lock on its state directory.

mod attempt;
mod client;
mod collect;
mod config;
mod events;
mod facts;
mod guarded;
mod host_root;
mod ids;
mod info;
mod lifecycle;
mod list;
mod names;
mod outputs;
mod plan_view;
mod remove;
mod roots;
mod source;
mod spawn;
mod stdio;
mod storage;
mod store;
mod translate;
mod watch;

pub use client::attach;
pub use events::ContainerEvent;
pub use info::{HostReport, info};
pub use lifecycle::{Running, Started, StepDone, plan, start};
pub use list::{ContainerSummary, list};
pub use plan_view::{PlanView, StepView};
pub use remove::remove;
pub use roots::Roots;
pub use watch::watch;
