//! The two directories of one container, their lock, and its name.
//!
//! Order makes it safe: the state directory comes first and is locked before anything else is made, and it goes last. So
//! whatever has no locked state directory is a leftover, and any command may remove it (`collect`).

use std::ffi::CString;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use keelbox_spec::failure::{Code, Failure};
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};

use crate::config::Config;
use crate::roots::Roots;
use crate::stdio::null;
use crate::{facts, lifecycle, spawn};

/// A container's directories, open.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: String,
    /// The state directory, locked.
    pub(crate) state: OwnedFd,
    pub(crate) state_path: PathBuf,
    /// The data directory, locked: commands with another run root see this one only.
    pub(crate) data: OwnedFd,
    pub(crate) data_path: PathBuf,
}

impl Place {
    /// Makes both directories of `id`; that of the data of one that is there is taken over.
    pub(crate) fn make(roots: &Roots, id: String, existing: bool) -> Result<Self, Failure> {
        let (state_path, data_path) = (roots.running().join(&id), roots.containers().join(&id));
        let state = make_locked(&state_path).map_err(|failure| match failure.errno.as_deref() {
            Some("EEXIST") if existing => Failure::new(
                Code::State,
                "the container is being started by another command",
            )
            .hint("keelbox ps shows whether it runs"),
            _ => failure,
        })?;
        let data = if existing {
            take_over(&data_path)
        } else {
            make_locked(&data_path)
        };
        let data = data.inspect_err(|_| remove_path(&state_path))?;
        Ok(Self {
            id,
            state,
            state_path,
            data,
            data_path,
        })
    }

    /// Makes the two directories of a writable layer.
    pub(crate) fn make_layer(&self, prefix: &str) -> Result<(), Failure> {
        let (upper, work) = keelbox_spec::plan::layer_names(prefix);
        for name in [upper, work] {
            let path = self.data_path.join(&name);
            let fail = |errno: rustix::io::Errno| store_failure("make", &path, &errno.into());
            let mode = Mode::from_raw_mode(0o755);
            match rustix::fs::mkdirat(&self.data, &name, mode) {
                // From an earlier start; its mode is the container's.
                Err(rustix::io::Errno::EXIST) => continue,
                made => made.map_err(fail)?,
            }
            // Whatever the caller's umask: this is the mode of the container's own `/`.
            rustix::fs::chmodat(&self.data, &name, mode, AtFlags::empty()).map_err(fail)?;
        }
        Ok(())
    }

    /// Writes the configuration: whole or not at all; on disk before the start unless it goes with the container.
    pub(crate) fn write_config(&self, config: &Config) -> Result<(), Failure> {
        let path = self.data_path.join("config.json");
        let fail = |error: std::io::Error| store_failure("write", &path, &error);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.data, c".config", flags, Mode::from_raw_mode(0o600));
        let mut file = std::fs::File::from(file.map_err(|errno| fail(errno.into()))?);
        let text = serde_json::to_vec(config).map_err(|error| fail(error.into()))?;
        file.write_all(&text).map_err(fail)?;
        if !config.rm {
            file.sync_data().map_err(fail)?;
        }
        rustix::fs::renameat(&self.data, c".config", &self.data, c"config.json")
            .map_err(|errno| fail(errno.into()))
    }

    /// Makes room for what the supervisor will write down: that it runs, and, of one that is kept, how it ended. A disk that
    /// has none is found full before anything is started.
    pub(crate) fn make_room(&self, kept: bool) -> Result<(), Failure> {
        let state = (&self.state, self.state_path.join("state.json"));
        let exit = (&self.data, self.data_path.join("exit.json"));
        for (directory, path) in [state].into_iter().chain(kept.then_some(exit)) {
            let fail = |error: std::io::Error| store_failure("write", &path, &error);
            let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(0o600);
            let file = rustix::fs::openat(directory, c".record", flags, mode);
            let mut file = std::fs::File::from(file.map_err(|errno| fail(errno.into()))?);
            file.write_all(&[b' '; RECORD]).map_err(fail)?;
        }
        Ok(())
    }

    /// Lets go of a container that is not started, or not now: its data stays.
    pub(crate) fn release(self) {
        remove_path(&self.state_path);
    }

    /// Removes everything again, after a start that did not come to a supervisor.
    pub(crate) fn discard(self, roots: &Roots, name: Option<&str>) {
        if let Some(name) = name {
            let _ = std::fs::remove_file(roots.names().join(name));
        }
        remove_path(&self.data_path);
        remove_path(&self.state_path);
    }
}

/// Bytes that a record of the supervisor's has room in, at least.
const RECORD: usize = 512;

/// Removes a directory of ours with all that a container left in it.
pub(crate) fn remove_path(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return;
    };
    let Ok(parent) = open_directory(parent) else {
        return;
    };
    let Ok(name) = CString::new(name.as_encoded_bytes()) else {
        return;
    };
    if keelbox_supervisor::remove_tree(parent.as_fd(), &name).is_err() {
        remove_by_executable(&parent, &name);
    }
}

/// An ordinary user's container may have made files with subordinate ids, which only root of a user namespace can remove.
/// This process has several threads and cannot enter one; the executable can.
fn remove_by_executable(parent: &OwnedFd, name: &CString) {
    let Some(maps) = facts::subordinate_maps().and_then(|maps| maps.encode()) else {
        return;
    };
    let (Ok(message), Ok(nothing)) = (spawn::message(&maps), null()) else {
        return;
    };
    let nothing = nothing.as_fd();
    let fds = [nothing, nothing, nothing, parent.as_fd(), message.as_fd()];
    if let Ok(pid) = spawn::spawn(&[c"remove", name], &fds) {
        lifecycle::reap(pid);
    }
}

/// Opens and locks the data directory of a container that is there. A command that only looks has the lock for a moment.
fn take_over(path: &Path) -> Result<OwnedFd, Failure> {
    let directory = open_directory(path)?;
    for _ in 0..50 {
        if try_lock(&directory) {
            return Ok(directory);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err(
        Failure::new(Code::State, "the container is in use by another command")
            .hint("wait for that, or try again"),
    )
}

/// Makes and locks a directory.
///
/// A command that clears up may look at the new directory, or take it for a leftover, at any moment until it is locked. It
/// has the lock meanwhile, and only for that long.
pub(crate) fn make_locked(path: &Path) -> Result<OwnedFd, Failure> {
    loop {
        make_directory(path)?;
        let directory = match open_directory(path) {
            Ok(directory) => directory,
            Err(failure) if path.exists() => return Err(failure),
            Err(_) => continue,
        };
        let _ = rustix::fs::flock(&directory, FlockOperation::LockExclusive);
        if !is_unlinked(&directory) {
            return Ok(directory);
        }
    }
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    rustix::fs::mkdir(path, Mode::from_raw_mode(0o700))
        .map_err(|errno| store_failure("make", path, &errno.into()))
}

pub(crate) fn open_directory(path: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
        .map_err(|errno| store_failure("open", path, &errno.into()))
}

/// Takes the lock of a state directory. False: somebody has it, so the container lives or is about to.
pub(crate) fn try_lock(directory: &OwnedFd) -> bool {
    rustix::fs::flock(directory, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Whether the directory was removed while it was open.
pub(crate) fn is_unlinked(directory: &OwnedFd) -> bool {
    rustix::fs::fstat(directory).is_ok_and(|stat| stat.st_nlink == 0)
}

/// 64 hex digits.
pub(crate) fn new_id() -> Result<String, Failure> {
    let mut bytes = [0u8; 32];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    if filled != Ok(bytes.len()) {
        return Err(Failure::new(
            Code::Internal,
            "the kernel gave no random bytes for an id",
        ));
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A failure of the state directories, with what to do about the usual ones.
pub(crate) fn store_failure(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
    let errno = keelbox_sys::Errno::from_raw(error.raw_os_error().unwrap_or(5));
    let hint = match errno {
        keelbox_sys::Errno::ENOSPC => {
            "make room on that file system, or choose another with --root"
        }
        keelbox_sys::Errno::EROFS => "choose a writable directory with --root and --runroot",
        keelbox_sys::Errno::EACCES | keelbox_sys::Errno::EPERM => {
            "choose a directory of yours with --root and --runroot"
        }
        keelbox_sys::Errno::ENOTDIR => {
            "move the file out of the way, or choose another directory with --root and --runroot"
        }
        _ => "choose another directory with --root and --runroot",
    };
    Failure::new(Code::Store, format!("cannot {verb} {}", path.display()))
        .why(keelbox_image::reason(errno, path))
        .hint(hint)
        .errno(errno.name())
        .path(path)
}

/// A failure of ours, with the kernel's reason.
pub(crate) fn internal(what: &str, errno: keelbox_sys::Errno) -> Failure {
    Failure::new(Code::Internal, what)
        .why(errno.text())
        .errno(errno.name())
}
