//! Giving up rights, in the one order that works.

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_sys::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use crate::stdio;
use crate::user::Identity;

/// Becomes root of the user namespace, which the init is not yet: it was cloned by somebody whose id means nothing inside.
///
/// # Errors
///
/// EPERM when ids are not mapped.
pub(crate) fn become_root(set_groups: bool) -> Outcome {
    if set_groups {
        rustix::thread::set_thread_groups(&[]).call("setgroups")?;
    }
    set_ids(0, 0)
}

fn set_ids(uid: u32, gid: u32) -> Outcome {
    // An id of 2^32-1 means "leave it as it is" to the kernel; the user lookup never answers it (CVE-2026-30892).
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid).call("setresgid")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).call("setresuid")
}

/// Becomes the user, with `capabilities` as bounding set, and as permitted and effective set when the user is root.
///
/// Bounding set first, while CAP_SETPCAP is there; then groups, ids, capabilities. Nothing is inheritable
/// (CVE-2022-24769), so nothing is ambient.
///
/// # Errors
///
/// EINVAL: an id that is not mapped.
pub(crate) fn drop_to(
    identity: &Identity,
    capabilities: u64,
    last: u8,
    set_groups: bool,
) -> Outcome {
    bound(capabilities, last)?;
    if identity.uid != 0 {
        for fd in [
            rustix::stdio::stdin(),
            rustix::stdio::stdout(),
            rustix::stdio::stderr(),
        ] {
            stdio::give(fd, identity.uid, identity.gid);
        }
    }
    if set_groups {
        let groups: Vec<_> = identity
            .groups
            .iter()
            .map(|gid| Gid::from_raw(*gid))
            .collect();
        rustix::thread::set_thread_groups(&groups)
            .call("setgroups")
            .map_err(|fault| unmapped(fault, identity))?;
    }
    set_ids(identity.uid, identity.gid).map_err(|fault| unmapped(fault, identity))?;
    let kept = if identity.uid == 0 { capabilities } else { 0 };
    let set = CapabilitySet::from_bits_retain(kept);
    let sets = CapabilitySets {
        effective: set,
        permitted: set,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets).call("capset")
}

fn unmapped(fault: Fault, identity: &Identity) -> Fault {
    if fault.errno == Errno::EINVAL {
        return fault.on(format!("{}:{}", identity.uid, identity.gid));
    }
    fault
}

fn bound(capabilities: u64, last: u8) -> Outcome {
    for bit in (0..=last).filter(|bit| capabilities & (1 << bit) == 0) {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        rustix::thread::remove_capability_from_bounding_set(capability)
            .call("prctl(PR_CAPBSET_DROP)")?;
    }
    Ok(())
}
