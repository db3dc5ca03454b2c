//! /proc and /sys for a container where the host's own are partly hidden.
//!
//! A user namespace gets a fresh one only if all of the caller's can be seen (`mount_too_revealing` in the kernel's
//! fs/namespace.c). Root of the machine may make one all the same, but it must be in the pid and network namespace that the
//! file system shows: so a child of the launcher goes there, and hands the mount back.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use keelbox_rootfs::{Call, Fault, Outcome, new_mount};
use keelbox_spec::op::{Op, Side as PlanSide, Slot};
use keelbox_sys::Errno;
use keelbox_sys::clone::{Side, fork};
use keelbox_sys::exec::exit_now;
use rustix::thread::ThreadNameSpaceType;

use crate::socket::{receive, send, seqpacket_pair};

type Options = [(CString, Option<CString>)];

/// Whether a file system is one of those.
pub(crate) fn may_be_hidden(fstype: &CStr) -> bool {
    fstype == c"proc" || fstype == c"sysfs"
}

/// Makes the mount that the init wants in `slot`, as the plan has it, in the namespaces of the process `init` refers to.
///
/// # Errors
///
/// EPERM: this process may not either. The kernel's.
pub(crate) fn make(steps: &[(PlanSide, Op)], slot: Slot, init: &OwnedFd) -> Outcome<OwnedFd> {
    let wanted = steps.iter().find_map(|(_, op)| match op {
        Op::NewMount {
            slot: its,
            fstype,
            options,
            attributes,
        } if *its == slot && may_be_hidden(fstype) => Some((fstype, options, *attributes)),
        _ => None,
    });
    let (fstype, options, attributes) =
        wanted.ok_or_else(|| Fault::new("plan", Errno::EPROTO).on("no such mount"))?;
    let (ours, theirs) = seqpacket_pair().call("socketpair")?;
    match fork().call("clone3")? {
        Side::Child => exit_now(go_there(init, fstype, options, attributes, &theirs)),
        Side::Parent { pidfd, .. } => {
            drop(theirs);
            let received = receive::<i32>(&ours).call("recvmsg");
            keelbox_sys::wait::wait(pidfd.as_fd()).call("waitid")?;
            let received = received?.ok_or_else(|| Fault::new("clone3", Errno::EPIPE))?;
            received
                .fds
                .into_iter()
                .next()
                .ok_or_else(|| Fault::new("fsmount", Errno::from_raw(received.message)))
        }
    }
}

/// In the child. A pid namespace counts for the children of who enters it, so there is one more.
fn go_there(
    init: &OwnedFd,
    fstype: &CStr,
    options: &Options,
    attributes: u64,
    socket: &OwnedFd,
) -> i32 {
    let spaces = ThreadNameSpaceType::PROCESS_ID | ThreadNameSpaceType::NETWORK;
    let entered = rustix::thread::move_into_thread_name_spaces(init.as_fd(), spaces);
    let result = entered.call("setns").and_then(|()| fork().call("clone3"));
    match result {
        Ok(Side::Child) => match new_mount(fstype, options, attributes) {
            Ok(mount) => i32::from(send(socket, &0i32, &[mount.as_fd()]).is_err()),
            Err(fault) => tell(socket, &fault),
        },
        Ok(Side::Parent { pidfd, .. }) => {
            i32::from(keelbox_sys::wait::wait(pidfd.as_fd()).is_err())
        }
        Err(fault) => tell(socket, &fault),
    }
}

fn tell(socket: &OwnedFd, fault: &Fault) -> i32 {
    let _ = send(socket, &fault.errno.raw(), &[]);
    1
}
