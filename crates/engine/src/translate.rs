//! From the step that failed to an error that a person can use.

mod confine;
mod enter;
mod join;
mod storage;

use keelbox_spec::describe::describe;
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::op::{Command, MapWriter, Op};
use keelbox_spec::plan::{DATA_SLOT, PlanStep};
use keelbox_sys::Errno;

use crate::attempt::Refused;
use crate::fallback::Lack;
use crate::outer;

/// What a failed step means.
pub(crate) fn refusal(
    steps: &[PlanStep],
    index: u32,
    call: &str,
    errno: i32,
    note: &str,
) -> Refused {
    let errno = Errno::from_raw(errno);
    let step = usize::try_from(index)
        .ok()
        .and_then(|index| steps.get(index));
    let Some(step) = step else {
        let failure = Failure::new(
            Code::Runtime,
            format!("the start failed: {call}: {}", errno.text()),
        )
        .why(note);
        return Refused {
            failure,
            lack: None,
        };
    };
    Refused {
        failure: step_failure(step, call, errno, note),
        lack: lack(&step.op, call, errno),
    }
}

/// What the failure of a step means, whoever takes it.
pub(crate) fn step_failure(step: &PlanStep, call: &str, errno: Errno, note: &str) -> Failure {
    let mut failure = meaning(step, call, errno, note);
    failure.step = Some(describe(&step.op).op.to_owned());
    failure.syscall = Some(call.to_owned());
    failure.errno = Some(errno.name());
    failure
}

/// What this machine cannot have, for lack of a feature or by its settings. What may be a passing state (a full disk, an
/// exhausted table) is an error instead: nobody is to get less than the default by chance.
fn lack(op: &Op, call: &str, errno: Errno) -> Option<Lack> {
    let forbidden = || {
        std::fs::read_to_string("/proc/sys/user/max_user_namespaces")
            .is_ok_and(|most| most.trim() == "0")
    };
    match op {
        Op::CloneTree { map_ids: true, .. } | Op::MemoryLayer { map_ids: true, .. } => {
            match errno {
                Errno::ENOSYS => Some(Lack::MappedMounts),
                Errno::EINVAL | Errno::EOPNOTSUPP | Errno::EOVERFLOW if is_data(op) => {
                    Some(Lack::MappedLayer)
                }
                Errno::EINVAL | Errno::EOPNOTSUPP | Errno::EOVERFLOW => Some(Lack::MappedMount),
                _ => None,
            }
        }
        Op::Storage(step) => storage::lack(step, call, errno),
        Op::Clone3 { .. } if call != "setns" => {
            let missing = matches!(errno, Errno::EINVAL | Errno::ENOSYS);
            (missing || errno == Errno::ENOSPC && forbidden()).then_some(Lack::UserNamespace)
        }
        // EPERM: an ordinary user's, before Linux 5.11.
        Op::Overlay { .. } => {
            let refused = matches!(
                errno,
                Errno::EINVAL | Errno::EOPNOTSUPP | Errno::EROFS | Errno::EPERM
            );
            refused.then_some(Lack::Overlay)
        }
        _ => None,
    }
}

fn is_mount(op: &Op) -> bool {
    matches!(
        op,
        Op::CloneTree { .. }
            | Op::Overlay { .. }
            | Op::NewMount { .. }
            | Op::Attach { .. }
            | Op::AttachDevices { .. }
    )
}

fn is_data(op: &Op) -> bool {
    matches!(op, Op::CloneTree { slot, .. } if *slot == DATA_SLOT)
}

fn meaning(step: &PlanStep, call: &str, errno: Errno, note: &str) -> Failure {
    if errno == Errno::EMFILE {
        return Failure::new(
            Code::Kernel,
            format!("the step {} failed: {call}", describe(&step.op).op),
        )
        .why("a start needs more open files than the limit allows")
        .hint("raise the limit: ulimit -n 1024");
    }
    // What the kernel refuses by capabilities is EPERM; EACCES to a mount comes from a security module.
    let by_module = errno == Errno::EACCES && is_mount(&step.op);
    if let Some(failure) = by_module
        .then(|| outer::confined(describe(&step.op).op, call, errno))
        .flatten()
    {
        return failure;
    }
    match &step.op {
        Op::Execute(command) => command_failure(command, errno, note),
        Op::FindUser(_) => user_failure(call, errno, note),
        Op::SetCredentials { .. } if errno == Errno::EINVAL => Failure::new(Code::User, format!("cannot become user {note}"))
            .why("the id is outside the container's range of ids")
            .hint("choose an id below 65536, or as an ordinary user add a range to /etc/subuid and /etc/subgid"),
        Op::ChangeDirectory { path } => Failure::new(Code::InvalidArg, format!("cannot go to the working directory {}", path.to_string_lossy()))
            .why(errno.text())
            .hint("choose another directory with --workdir"),
        Op::Clone3 { .. } if call == "setns" => join::failure(errno, note),
        Op::Enter(op) => enter::failure(op, call, errno, note),
        Op::TimeOffsets { .. } => join::clocks(errno, note),
        Op::BorrowMount { whose, .. } => join::shared_memory(whose, errno, note),
        Op::Clone3 { .. } | Op::Unshare { .. } => {
            outer::no_userns("cannot make the container's namespaces", errno, "")
        }
        Op::NewMount { fstype, .. } if errno == Errno::EPERM && is_kernels(fstype) => {
            outer::too_revealing(&fstype.to_string_lossy())
        }
        Op::MemoryLayer { map_ids: true, .. } => Failure::new(Code::Mount, "cannot make the writable layer in memory")
            .why(unmapped(errno))
            .hint("choose a directory on ext4, xfs or btrfs with --root"),
        Op::MapIds { writer, .. } => map_failure(*writer, errno, note),
        Op::CloneTree { source, map_ids: true, .. } => Failure::new(Code::Mount, format!("cannot show {} with the container's ids", source.to_string_lossy()))
            .why(unmapped(errno))
            .hint("copy it to ext4, xfs, btrfs or (from Linux 6.3) tmpfs, or use --userns=host"),
        Op::Storage(step) => storage::meaning(step, call, errno, note),
        Op::Overlay { .. } => overlay_failure(errno, note),
        Op::Sysctl { .. } | Op::Confine(_) | Op::SetRlimit { .. } | Op::Seccomp { .. } => confine::failure(step, call, errno, note),
        Op::AttachDevices { .. } => attach_failure("dev", errno),
        Op::Attach { target, .. } => attach_failure(&target.to_string_lossy(), errno),
        op => outer::confined(describe(op).op, call, errno).unwrap_or_else(|| Failure::new(Code::Kernel, format!("the step {} failed: {call}", describe(&step.op).op))
            .why(because(errno, note))
            .hint("see what the step does with --dry-run, and what this machine has with keelbox info")),
    }
}

fn unmapped(errno: Errno) -> String {
    if errno == Errno::ENOSYS {
        return "this kernel has no id-mapped mounts (Linux 5.12)".into();
    }
    format!(
        "its file system does not take id-mapped mounts ({})",
        errno.text()
    )
}

fn because(errno: Errno, note: &str) -> String {
    if note.is_empty() {
        errno.text().to_owned()
    } else {
        format!("{note}: {}", errno.text())
    }
}

fn command_failure(command: &Command, errno: Errno, note: &str) -> Failure {
    let name = command
        .argv
        .first()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let exec = |code, what: String| {
        Failure::new(code, format!("exec: {name:?}: {what}")).path(if note.is_empty() {
            &name
        } else {
            note
        })
    };
    match errno {
        Errno::ENOENT if !note.is_empty() => exec(Code::CommandNotFound, "no such file or directory".into())
            .why(format!("{note} is there, but the interpreter or loader that it names is not in the container"))
            .hint("use a program made for this root, or add what it needs with --volume"),
        Errno::ENOENT | Errno::ENOTDIR if name.contains('/') => exec(Code::CommandNotFound, format!("stat {name}: no such file or directory"))
            .hint("check the path; it is one inside the container"),
        Errno::ENOENT | Errno::ENOTDIR => exec(Code::CommandNotFound, "executable file not found in $PATH".into())
            .hint("give its full path inside the container, or bring it in with --volume (a program below your home directory is not in the image `host`)"),
        Errno::EACCES => exec(Code::NotExecutable, "permission denied".into())
            .why(format!("{note} is a directory, is not marked executable, or cannot be reached"))
            .hint("name a program; mark a script executable with chmod +x"),
        Errno::ENOEXEC => exec(Code::NotExecutable, "exec format error".into())
            .why("it is no program for this machine, or a script without a #! line")
            .hint("run a script through its interpreter, e.g. sh FILE"),
        Errno::E2BIG => exec(Code::InvalidArg, "argument list too long".into()).hint("pass long input through stdin or a file"),
        _ => exec(Code::NotExecutable, errno.text().to_lowercase()),
    }
}

fn user_failure(call: &str, errno: Errno, note: &str) -> Failure {
    let (what, file) = if call == "group" {
        ("group", "/etc/group")
    } else {
        ("user", "/etc/passwd")
    };
    match (call, errno) {
        ("user" | "group", Errno::ENOENT) => {
            Failure::new(Code::User, format!("unable to find {what} {note}"))
                .why(format!("the container's {file} has no such name"))
                .hint(format!(
                    "use a name that it has, or a number: --user 1000 ({what} ids need no entry)"
                ))
        }
        ("user" | "group", _) => Failure::new(Code::User, format!("{note:?} is not a {what} id"))
            .why("ids go from 0 to 4294967294")
            .hint("use a smaller number"),
        _ => Failure::new(Code::User, format!("cannot read {note} in the container"))
            .why(match errno {
                Errno::E2BIG => "the file exceeds 10485760 bytes".to_owned(),
                Errno::EINVAL => "it is not a regular file".to_owned(),
                other => other.text().to_owned(),
            })
            .hint("repair the root's /etc/passwd and /etc/group"),
    }
}

fn map_failure(writer: MapWriter, errno: Errno, note: &str) -> Failure {
    let what = "cannot map the container's ids";
    if writer == MapWriter::Programs {
        return Failure::new(Code::Userns, what)
            .why(because(errno, note))
            .hint("check that newuidmap and newgidmap are set-user-id root and that /etc/subuid and /etc/subgid have a range for you");
    }
    // AppArmor's restriction lets the namespace be made but gives no rights in it.
    outer::no_userns(what, errno, note)
}

/// File systems that are not mounted twice when they show more the second time.
fn is_kernels(fstype: &std::ffi::CStr) -> bool {
    fstype == c"proc" || fstype == c"sysfs"
}

fn overlay_failure(errno: Errno, note: &str) -> Failure {
    let failure = Failure::new(Code::Mount, "cannot make the container's writable layer")
        .why(because(errno, note));
    if errno == Errno::ENOSPC {
        return failure.hint(
            "make room on the file system of the state directory, or choose another with --root",
        );
    }
    failure.hint("the state directory must be on a file system that overlayfs can write to (ext4, xfs, btrfs, tmpfs): choose one with --root")
}

fn attach_failure(target: &str, errno: Errno) -> Failure {
    let target = target.trim_start_matches('/');
    let failure =
        Failure::new(Code::Mount, format!("cannot mount on /{target}")).path(format!("/{target}"));
    match errno {
        Errno::ELOOP => failure.why("the root has a symbolic link there").hint(
            "replace the link by a directory; what the kernel mounts there must not be redirected",
        ),
        Errno::ENOTDIR | Errno::EISDIR => failure
            .why("one is a file and the other a directory")
            .hint("mount a file on a file, a directory on a directory"),
        Errno::EBUSY => failure
            .why("the path leads to the root, or to one of the kernel's own file systems")
            .hint("mount it elsewhere; look where links in the path lead"),
        Errno::EINVAL => failure
            .why("the root has a file there, not a directory")
            .hint("make it a directory in the root"),
        Errno::EROFS => failure
            .why("the path is missing, and the root cannot be written")
            .hint("make the path in the root first"),
        other => failure
            .why(other.text())
            .hint("choose another path in the container"),
    }
}
