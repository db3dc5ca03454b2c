//! Settings that only some containers have.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_rootfs::{self as rootfs, Call, Fault, Outcome};
use keelbox_spec::op::Confine;
use keelbox_sys::Errno;
use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC};

use super::Init;

impl Init<'_> {
    pub(super) fn confine(&mut self, op: &Confine) -> Outcome {
        match op {
            Confine::Domainname { name } => {
                rustix::system::setdomainname(name.to_bytes()).call("setdomainname")
            }
            Confine::HidePaths { paths } => {
                let mut covers = std::mem::take(&mut self.covers);
                let hidden = rootfs::hide(&mut covers, self.root()?, self.dev()?, paths);
                self.covers = covers;
                hidden
            }
            Confine::AppArmor { proc, profile } => apparmor(self.slots.get(*proc)?, profile),
            Confine::Personality { persona } => personality(*persona),
            Confine::OomScore { .. } | Confine::DelegateCgroup { .. } => {
                Err(Fault::new("plan", Errno::EPROTO).on("a step for the launcher"))
            }
        }
    }
}

/// Applies what is for the launcher to do.
pub(crate) fn on_host(op: &Confine) -> Outcome {
    match op {
        Confine::OomScore { value } => oom_score(*value),
        Confine::DelegateCgroup {
            directory,
            uid,
            gid,
        } => delegate_cgroup(directory, *uid, *gid),
        _ => Err(Fault::new("plan", Errno::EPROTO).on("a step for the init")),
    }
}

/// Writes this process's own `oom_score_adj`. EACCES: less than the process was given, without `CAP_SYS_RESOURCE` in the
/// first user namespace.
fn oom_score(value: i32) -> Outcome {
    let file = open(CWD, c"/proc/self/oom_score_adj", OFlags::WRONLY)?;
    write(&file, value.to_string().as_bytes()).map_err(|fault| fault.on("oom_score_adj"))
}

/// Asks for `profile` from the next execve on, and reads back that it will be so: a label that is silently not applied is
/// no label (CVE-2025-64750). Through the container's own /proc, and only if it is one (CVE-2019-16884, CVE-2025-52881).
fn apparmor(proc: BorrowedFd<'_>, profile: &CStr) -> Outcome {
    let named = |fault: Fault| fault.on(profile.to_string_lossy());
    let (path, file) = match open(proc, c"thread-self/attr/apparmor/exec", OFlags::RDWR) {
        // Before Linux 5.8 there is one file for all modules.
        Err(fault) if fault.errno == Errno::ENOENT => {
            let path = c"thread-self/attr/exec";
            (path, open(proc, path, OFlags::RDWR)?)
        }
        other => (c"thread-self/attr/apparmor/exec", other?),
    };
    let words = [b"exec ", profile.to_bytes()].concat();
    write(&file, &words).map_err(named)?;
    let mut label = [0; 4096];
    let reading = open(proc, path, OFlags::RDONLY)?;
    let length = rustix::io::read(&reading, &mut label).call("read")?;
    let label = String::from_utf8_lossy(label.get(..length).unwrap_or_default());
    let label = label.trim_end_matches(['\0', '\n']);
    let (name, _mode) = label.rsplit_once(" (").unwrap_or((label, ""));
    if name.as_bytes() == profile.to_bytes() {
        return Ok(());
    }
    Err(Fault::new("read", Errno::EPROTO).on(format!(
        "the profile would be {name:?}, not {}",
        profile.to_string_lossy()
    )))
}

fn personality(persona: u32) -> Outcome {
    let persona = i32::try_from(persona).unwrap_or(0);
    let persona = nix::sys::personality::Persona::from_bits_retain(persona);
    nix::sys::personality::set(persona)
        .map(drop)
        .call("personality")
}

/// Opens a file of a /proc that is one.
fn open(proc: BorrowedFd<'_>, path: &CStr, flags: OFlags) -> Outcome<OwnedFd> {
    let named = |fault: Fault| fault.on(path.to_string_lossy());
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(proc, path, flags, Mode::empty())
        .call("openat")
        .map_err(named)?;
    let kind = rustix::fs::fstatfs(&file).call("fstatfs")?.f_type;
    if kind != PROC_SUPER_MAGIC {
        return Err(named(Fault::new("fstatfs", Errno::EINVAL)));
    }
    Ok(file)
}

/// One write, for the kernel takes each as a whole.
fn write(file: &OwnedFd, bytes: &[u8]) -> Outcome {
    match rustix::io::write(file.as_fd(), bytes).call("write")? {
        length if length == bytes.len() => Ok(()),
        _ => Err(Fault::new("write", Errno::EIO)),
    }
}

/// Gives a cgroup to the container's root: the directory, and the files that cgroups(7) names for delegation. What limits
/// the group stays the host's.
fn delegate_cgroup(directory: &CStr, uid: u32, gid: u32) -> Outcome {
    const FILES: [&CStr; 4] = [
        c"cgroup.procs",
        c"cgroup.threads",
        c"cgroup.subtree_control",
        c"memory.oom.group",
    ];
    let named = |fault: Fault| fault.on(directory.to_string_lossy());
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let group = match rustix::fs::open(directory, flags, Mode::empty()) {
        // The group is a default of ours, and this machine does not let us make one.
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        other => other.call("openat").map_err(named)?,
    };
    let give = |path: &CStr| {
        let (uid, gid) = (
            rustix::fs::Uid::from_raw(uid),
            rustix::fs::Gid::from_raw(gid),
        );
        let flags = rustix::fs::AtFlags::EMPTY_PATH | rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        match rustix::fs::chownat(&group, path, Some(uid), Some(gid), flags) {
            Err(rustix::io::Errno::NOENT) => Ok(()),
            other => other.call("fchownat").map_err(named),
        }
    };
    // What is made below must be removed again, by whoever ends the container; these files stay the host's.
    for (limit, value) in [
        (c"cgroup.max.depth", b"32".as_slice()),
        (c"cgroup.max.descendants", b"4096"),
    ] {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&group, limit, flags, Mode::empty());
        write(&file.call("openat").map_err(named)?, value).map_err(named)?;
    }
    give(c"")?;
    FILES.into_iter().try_for_each(give)
}
