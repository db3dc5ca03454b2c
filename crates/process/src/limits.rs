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
    let known = known(resource)?;
    let finite = |limit: u64| Some(limit).filter(|limit| *limit != UNLIMITED);
    let limit = Rlimit {
        current: finite(soft),
        maximum: hard.map_or_else(|| rustix::process::getrlimit(known).maximum, finite),
    };
    rustix::process::setrlimit(known, limit)
        .call("prlimit64")
        .map_err(|fault| fault.on(limits::name(resource)))
}

fn known(resource: u32) -> Outcome<Resource> {
    let index = usize::try_from(resource).ok();
    let known = index.and_then(|index| RESOURCES.get(index));
    known
        .copied()
        .ok_or_else(|| Fault::new("prlimit64", Errno::EINVAL))
}

/// Raises a hard limit that is lower, if this process may.
pub(crate) fn raise(resource: u32, hard: u64) {
    let Ok(known) = known(resource) else { return };
    let now = rustix::process::getrlimit(known);
    if now.maximum.is_some_and(|maximum| maximum < hard) {
        let maximum = Some(hard).filter(|hard| *hard != UNLIMITED);
        let _ = rustix::process::setrlimit(known, Rlimit { maximum, ..now });
    }
}

/// Sets a limit, or as much of it as this process may have.
///
/// # Errors
///
/// EINVAL: there is no such limit.
pub(crate) fn set_most(resource: u32, soft: u64, hard: Option<u64>) -> Outcome {
    let now = rustix::process::getrlimit(known(resource)?);
    let most = now.maximum.unwrap_or(UNLIMITED);
    let hard = hard.map(|hard| hard.min(most));
    set(resource, soft.min(hard.unwrap_or(most)), hard)
}
