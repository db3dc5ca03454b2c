//! Starting the executable, by `posix_spawn`: the child shares this process's memory until it executes, so its cost does
//! not grow with Node's, and no code of ours runs between the two (fork in a process with threads is not safe).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use keelbox_spec::failure::{Code, Failure};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::SigSet;

use crate::{caller, guarded, outer};

/// Tells the executable to go on as a sealed copy of itself.
const SEAL: &CStr = c"seal";

/// Above every number that one of a few fds is moved to, so that moving one never closes another.
pub(crate) const FIRST_FREE: RawFd = 16;

/// The executable: beside the addon, wherever a bundler or package manager has put that.
pub(crate) fn executable() -> Result<PathBuf, Failure> {
    if let Some(path) = std::env::var_os("KEELBOX_RUNTIME").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let file = keelbox_sys::dl::own_file().and_then(|file| std::fs::canonicalize(file).ok());
    let beside = file.and_then(|file| Some(file.parent()?.join("keelbox-runtime")));
    beside.ok_or_else(|| {
        Failure::new(Code::Platform, "cannot find the addon's own file")
            .hint("install keelbox again")
    })
}

/// `KEELBOX_RUNTIME` names another executable, for those who work on it: a script, even, which cannot be run by an fd.
fn is_overridden() -> bool {
    std::env::var_os("KEELBOX_RUNTIME").is_some_and(|path| !path.is_empty())
}

/// Starts the executable in a role, in a session of its own, with `fds` as its 0, 1, 2, ... and no environment. Its pid.
pub(crate) fn spawn(role: &[&CStr], fds: &[BorrowedFd<'_>]) -> Result<i32, Failure> {
    let path = executable()?;
    let fail = |errno: nix::errno::Errno| {
        Failure::new(Code::Runtime, format!("cannot start {}", path.display()))
            .why(errno.desc())
            .hint("install keelbox again; its files may be missing, or may not be executable")
            .errno(format!("{errno:?}"))
            .path(&path)
    };
    // AppArmor knows a program by its path, which a copy in memory has none of: it makes that copy of itself.
    let by_path = !caller::is_host_root() && outer::apparmor_restricts();
    let role = if by_path && !is_overridden() {
        [&[SEAL], role].concat()
    } else {
        role.to_vec()
    };
    let program = if is_overridden() || by_path {
        path.clone().into_os_string().into_encoded_bytes()
    } else {
        let guarded = guarded::open(&path);
        let guarded = guarded.map_err(|errno| fail(nix::errno::Errno::from_raw(errno.raw())))?;
        format!("/proc/self/fd/{}", guarded.as_raw_fd()).into_bytes()
    };
    let program = CString::new(program).map_err(|_| fail(nix::errno::Errno::EINVAL))?;
    start(&program, &role, fds).map_err(fail)
}

fn start(program: &CStr, role: &[&CStr], fds: &[BorrowedFd<'_>]) -> nix::Result<i32> {
    let mut actions = PosixSpawnFileActions::init()?;
    let mut moved: Vec<OwnedFd> = Vec::new();
    let first_free = RawFd::try_from(fds.len()).map_or(FIRST_FREE, |count| count.max(FIRST_FREE));
    for (target, fd) in (0..).zip(fds) {
        let high = rustix::io::fcntl_dupfd_cloexec(fd, first_free)
            .map_err(|errno| nix::errno::Errno::from_raw(errno.raw_os_error()))?;
        actions.add_dup2(high.as_raw_fd(), target)?;
        moved.push(high);
    }
    let mut attributes = PosixSpawnAttr::init()?;
    let session = PosixSpawnFlags::from_bits_retain(libc::POSIX_SPAWN_SETSID.into());
    let flags =
        PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | session;
    attributes.set_flags(flags)?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&SigSet::all())?;
    let argv = [&[c"keelbox-runtime"], role].concat();
    let environment: [&CStr; 0] = [];
    posix_spawn(program, &actions, &attributes, &argv, &environment).map(nix::unistd::Pid::as_raw)
}

/// A file in memory with `bytes`, to be read from its beginning.
pub(crate) fn message(bytes: &[u8]) -> Result<OwnedFd, Failure> {
    let make = || -> rustix::io::Result<OwnedFd> {
        let file = rustix::fs::memfd_create(c"keelbox-start", rustix::fs::MemfdFlags::CLOEXEC)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = rustix::io::write(file.as_fd(), rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))?;
        Ok(file)
    };
    make().map_err(|errno| {
        Failure::new(Code::Internal, "cannot pass the start message")
            .why(keelbox_sys::Errno::from(errno).text())
    })
}
