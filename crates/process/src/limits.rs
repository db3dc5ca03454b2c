//! Resource limits of this process, which its children inherit.

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_spec::limits::{self, UNLIMITED};
use keelbox_sys::Errno;
use rustix::process::{Resource, Rlimit};

/// By number (`asm-generic/resource.h`).
const RESOURCES: [Resource; 16] = [
    Resource::Cpu,
    Resource::Fsize,
    Resource::Data,
    Resource::Stack,
    Resource::Core,
    Resource::Rss,
    Resource::Nproc,
    Resource::Nofile,
    Resource::Memlock,
    Resource::As,
    Resource::Locks,
    Resource::Sigpending,
    Resource::Msgqueue,
    Resource::Nice,
    Resource::Rtprio,
    Resource::Rttime,
];

/// Sets a limit; no hard one: that stays.
///
/// # Errors
///
/// EPERM: a hard limit above the present one, without `CAP_SYS_RESOURCE` in the first user namespace.
pub(crate) fn set(resource: u32, soft: u64, hard: Option<u64>) -> Outcome {
    let known = usize::try_from(resource)
        .ok()
        .and_then(|index| RESOURCES.get(index));
    let known = *known.ok_or_else(|| Fault::new("prlimit64", Errno::EINVAL))?;
    let finite = |limit: u64| Some(limit).filter(|limit| *limit != UNLIMITED);
    let limit = Rlimit {
        current: finite(soft),
        maximum: hard.map_or_else(|| rustix::process::getrlimit(known).maximum, finite),
    };
    rustix::process::setrlimit(known, limit)
        .call("prlimit64")
        .map_err(|fault| fault.on(limits::name(resource)))
}
