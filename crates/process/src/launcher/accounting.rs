//! Whose budgets the kernel takes a container's namespaces from.

use keelbox_rootfs::{Call, Outcome};

/// While the namespace is made, the caller's effective id is the container's first one: the kernel counts inotify
/// instances and namespaces per id, and the host's root has only one such budget for all containers.
pub(super) struct Accounting {
    changed: bool,
}

impl Accounting {
    /// Until the value is dropped.
    pub(super) fn assume(base: u32) -> Outcome<Self> {
        if base == 0 {
            return Ok(Self { changed: false });
        }
        set_effective(base)?;
        let changed = Self { changed: true };
        // A user id other than 0 has lost its effective capabilities; the permitted ones are still there.
        let sets = rustix::thread::capabilities(None).call("capget")?;
        let raised = rustix::thread::CapabilitySets {
            effective: sets.permitted,
            ..sets
        };
        rustix::thread::set_capabilities(None, raised).call("capset")?;
        Ok(changed)
    }
}

impl Drop for Accounting {
    fn drop(&mut self) {
        if self.changed {
            let _ = set_effective(0);
        }
    }
}

fn set_effective(id: u32) -> Outcome {
    let keep = nix::unistd::Uid::from_raw(u32::MAX);
    nix::unistd::setresuid(keep, nix::unistd::Uid::from_raw(id), keep).call("setresuid")
}
