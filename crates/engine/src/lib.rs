//! Lifecycle and state of containers: the only crate that knows all the others.
//!
//! Nothing here forks or unshares: a container is started by `posix_spawn` of the executable, which does the kernel's work
//! (Node has several threads). State is files and locks, never what a file says: a container lives while its supervisor
//! holds the lock on its state directory.

mod action;
mod attach;
mod attempt;
mod binaries;
mod caller;
mod client;
mod collect;
mod commit;
mod config;
mod control;
mod diff;
mod event;
mod events;
mod exec;
mod export;
mod facts;
mod fallback;
mod files;
mod guarded;
mod host_root;
mod ids;
mod images;
mod info;
mod journal;
mod layer_limits;
mod lifecycle;
mod list;
mod logs;
mod names;
mod namespaces;
mod outer;
mod outputs;
mod pack;
mod plain_root;
mod plan_view;
mod remove;
mod roots;
mod source;
mod spawn;
mod stdio;
mod storage;
mod store;
mod store_fs;
mod top;
mod translate;
pub mod unpack;
mod volumes;
mod watch;

pub use action::{Action, Condition, act};
pub use attach::{AttachRequest, ClientOptions, prepare_attach};
pub use client::attach;
pub use commit::{CommitRequest, Committed, commit};
pub use diff::{Change, diff, diff_image};
pub use events::ContainerEvent;
pub use exec::{ExecRequest, exec, exec_detached};
pub use export::export;
pub use files::{CopyRequest, Direction, FileCall, FileResult, copy, files};
pub use images::{
    CheckOptions, ImageDescription, ImageSummary, Importing, LayerDescription, LoadedImage,
    Loading, Problem, RemovedImage, SaveFormat, Saving, check, describe_image, images, import,
    load, prune_images, remove_image, save, tag_image, untag_image,
};
pub use info::{HostReport, info};
pub use journal::{EventsOptions, EventsStream, open_events};
pub use lifecycle::{Running, Started, StepDone, plan, start};
pub use list::{ContainerSummary, list};
pub use logs::{LogEntry, LogOptions, LogStream, LogsRequest, Waker, open_log, show_logs};
pub use plan_view::{PlanView, StepView};
pub use remove::{Removal, remove};
pub use roots::Roots;
pub use top::{ProcessList, top};
pub use volumes::{
    VolumeSummary, VolumesPruned, create_volume, export_volume, import_volume, inspect_volume,
    list_volumes, prune_volumes, remove_volume,
};
pub use watch::watch;
