//! Applies the mount operations of a plan.
//!
//! Mounts are made detached with the new mount API (fsopen, open_tree, mount_setattr), kept as fds in numbered slots, and
//! attached inside the new root by fd. So nothing is ever in the host's mount table, and no path inside an image is
//! resolved on the host: targets go through `openat2(RESOLVE_IN_ROOT)`.
//!
//! Where a kernel lacks a call, the errno chooses the older way. Left out: deciding what to mount (`keelbox-spec`).

mod attach;
mod bind;
mod chown;
mod copy_up;
mod detached;
mod devices;
mod etc;
mod fault;
mod lookup;
mod masks;
mod memory;
mod merged;
mod names;
mod overlay;
mod owners;
mod pivot;
mod remount;
mod slots;

pub use attach::{attach, attach_fd, attach_inside, attach_root};
pub use bind::bind_into;
pub use chown::chown_tree;
pub use copy_up::{fill_fresh, fill_volume};
pub use detached::{clone_into, clone_tree, new_mount};
pub use devices::{attach_devices, make_devices};
pub use etc::{etc_files, sysctl};
pub use fault::{Call, Fault, Outcome};
pub use lookup::{open_file, resolve_target};
pub use masks::{Covers, hide, mask, read_only_paths};
pub use memory::memory_layer;
pub use merged::merged;
pub use overlay::{Mapped, Staging, overlay};
pub use owners::Ids;
pub use pivot::{make_read_only, pivot, private_mounts, read_only_root};
pub use slots::{Slots, Unset};
