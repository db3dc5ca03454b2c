//! The last step: becoming the command, beside a pid 1 of ours or not.

use std::ffi::{CStr, CString};

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_sys::Errno;
use keelbox_sys::clone::Side;
use keelbox_sys::exec::{CStringArray, execve};

use crate::reaper;

/// Returns in the child, once pid 1 has nothing open any more that the command could reach; this process stays as pid 1.
/// `stays`: also when that child has ended.
pub(crate) fn stay_as_init(stays: bool) -> Outcome {
    reaper::prepare()?;
    let (gate, release) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).call("pipe2")?;
    match keelbox_sys::clone::fork().call("clone")? {
        Side::Child => {
            drop(release);
            // Pid 1 closes its end with all its other fds.
            let _ = rustix::io::read(&gate, &mut [0; 1]);
            reaper::undo();
            Ok(())
        }
        Side::Parent { pid, .. } => reaper::stay(pid, stays),
    }
}

/// Stays as pid 1 without a command.
pub(crate) fn stay_alone() -> Outcome {
    reaper::prepare()?;
    reaper::stay(0, true)
}

/// execve for each candidate, as execvp(3) does: what is there but may not be executed is remembered, what is missing is not.
pub(crate) fn try_all(candidates: &[CString], argv: &CStringArray, envp: &CStringArray) -> Fault {
    let mut denied = None;
    for path in candidates {
        match execve(path, argv, envp) {
            Errno::ENOENT | Errno::ENOTDIR => {}
            Errno::EACCES => {
                denied = Some(Fault::new("execve", Errno::EACCES).on(path.to_string_lossy()));
            }
            errno => return Fault::new("execve", errno).on(path.to_string_lossy()),
        }
    }
    denied.unwrap_or_else(|| missing(candidates))
}

/// One of the files may be there after all: then it is its interpreter or its loader that is missing.
fn missing(candidates: &[CString]) -> Fault {
    let fault = Fault::new("execve", Errno::ENOENT);
    match candidates.iter().find(|path| exists(path)) {
        Some(path) => fault.on(path.to_string_lossy()),
        None => fault,
    }
}

fn exists(path: &CStr) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXISTS).is_ok()
}
