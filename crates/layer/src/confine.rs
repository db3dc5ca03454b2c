//! Giving up what reading strangers' bytes does not need.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::Fault;

/// What a process is to do once it is confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Read any file.
    Read,
    /// And `trusted.` attributes, for which the kernel asks for CAP_SYS_ADMIN.
    ReadTrusted,
    /// Make files of every owner, but no devices.
    Copy,
    /// Make files of every kind and owner.
    Make,
    /// And set `trusted.` attributes, for which the kernel asks for CAP_SYS_ADMIN.
    MakeTrusted,
}

impl Rights {
    fn capabilities(self) -> CapabilitySet {
        match self {
            Self::Read => CapabilitySet::DAC_READ_SEARCH,
            Self::ReadTrusted => CapabilitySet::DAC_READ_SEARCH | CapabilitySet::SYS_ADMIN,
            Self::Copy => MAKE.difference(CapabilitySet::MKNOD),
            Self::Make => MAKE,
            Self::MakeTrusted => MAKE | CapabilitySet::SYS_ADMIN,
        }
    }
}

const MAKE: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SETFCAP);

/// Ends with whoever started it, from here on; `control` is a socket whose other end that process has.
///
/// To be called after the last change of ids, which clears it (PR_SET_PDEATHSIG(2const)).
///
/// # Errors
///
/// EPIPE: it has ended already. The kernel's.
pub fn end_with(control: impl AsFd) -> Result<(), Fault> {
    let fail = |errno| Fault::call("be ended with keelbox", errno);
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(fail)?;
    let mut fds = [PollFd::new(&control, PollFlags::empty())];
    let now = rustix::event::Timespec::default();
    rustix::event::poll(&mut fds, Some(&now)).map_err(fail)?;
    if fds.iter().any(|fd| fd.revents().contains(PollFlags::HUP)) {
        return Err(fail(rustix::io::Errno::PIPE));
    }
    Ok(())
}

/// Makes `directory` the root directory, and gives up every right but those over files: no path leads out any more, and no
/// program that this process could be made to execute would gain any (`no_new_privs`).
///
/// # Errors
///
/// The kernel's.
pub fn confine(directory: impl AsFd, rights: Rights) -> Result<(), Fault> {
    let fail = |errno| Fault::call("give up rights", errno);
    rustix::process::fchdir(directory).map_err(fail)?;
    rustix::process::chroot(c".").map_err(fail)?;
    rustix::process::umask(rustix::fs::Mode::empty());
    limit();
    let kept = rights.capabilities();
    let has = rustix::thread::capabilities(None).map_err(fail)?;
    for bit in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        // EINVAL: there are no more of them.
        if !kept.contains(capability)
            && rustix::thread::remove_capability_from_bounding_set(capability).is_err()
        {
            break;
        }
    }
    let set = has.permitted & kept;
    let sets = CapabilitySets {
        effective: set,
        permitted: set,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets).map_err(fail)?;
    rustix::thread::set_no_new_privs(true).map_err(fail)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(fail)
}

/// No core dumps; as many open files as allowed, since each directory on the way to an entry is one.
fn limit() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    let files = rustix::process::getrlimit(Resource::Nofile);
    let files = Rlimit {
        current: files.maximum,
        ..files
    };
    let _ = rustix::process::setrlimit(Resource::Nofile, files);
}
