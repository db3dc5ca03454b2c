//! What a container is to be: the request, the defaults, and the plan made of both. Pure: nothing here calls the kernel.
//!
//! [`plan::build`] turns a [`request::RunRequest`], an [`image::ImageConfig`] and the [`host::HostFacts`] into an ordered
//! list of [`op::Op`]s. The same list is shown by `--dry-run`, applied by the executable, narrated by `--explain`, and
//! names the step of a failure.

pub mod capabilities;
pub mod describe;
pub mod failure;
pub mod files;
pub mod host;
pub mod image;
pub mod life;
pub mod limits;
pub mod mask;
pub mod namespaces;
pub mod op;
pub mod plan;
pub mod request;
pub mod seccomp_profile;
pub mod signals;
pub mod start;
