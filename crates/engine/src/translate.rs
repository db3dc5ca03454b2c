//! From the step that failed to an error that a person can use.

use keelbox_spec::describe::describe;
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::op::{Command, MapWriter, Op};
use keelbox_spec::plan::{Plan, PlanStep};
use keelbox_sys::Errno;

use crate::attempt::Refused;

/// What a failed step means.
pub(crate) fn refusal(plan: &Plan, index: u32, call: &str, errno: i32, note: &str) -> Refused {
    let errno = Errno::from_raw(errno);
    let step = usize::try_from(index)
        .ok()
        .and_then(|index| plan.steps.get(index));
    let Some(step) = step else {
        let failure = Failure::new(
            Code::Runtime,
            format!("the start failed: {call}: {}", errno.text()),
        )
        .why(note);
        return Refused {
            failure,
            without_userns: false,
        };
    };
    let mut failure = meaning(step, call, errno, note);
    failure.step = Some(describe(&step.op).op.to_owned());
    failure.syscall = Some(call.to_owned());
    failure.errno = Some(errno.name());
    Refused {
        failure,
        without_userns: needs_userns(&step.op, call, errno),
    }
}

/// Whether the machine cannot have the container's user namespace, for lack of a feature or by its settings. What may be a
/// passing state (a full disk, an exhausted table) is an error instead: nobody is to get less than the default by chance.
fn needs_userns(op: &Op, call: &str, errno: Errno) -> bool {
    let forbidden = || {
        std::fs::read_to_string("/proc/sys/user/max_user_namespaces")
            .is_ok_and(|most| most.trim() == "0")
    };
    match op {
        Op::CloneTree { map_ids: true, .. } => {
            matches!(
                errno,
                Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::EOVERFLOW
            )
        }
        Op::Clone3 { .. } if call != "setns" => {
            matches!(errno, Errno::EINVAL | Errno::ENOSYS) || errno == Errno::ENOSPC && forbidden()
        }
        _ => false,
    }
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
    match &step.op {
        Op::Execute(command) => command_failure(command, errno, note),
        Op::FindUser(_) => user_failure(call, errno, note),
        Op::SetCredentials { .. } if errno == Errno::EINVAL => Failure::new(Code::User, format!("cannot become user {note}"))
            .why("the id is outside the container's range of ids")
            .hint("choose an id below 65536, or as an ordinary user add a range to /etc/subuid and /etc/subgid"),
        Op::ChangeDirectory { path } => Failure::new(Code::InvalidArg, format!("cannot go to the working directory {}", path.to_string_lossy()))
            .why(errno.text())
            .hint("choose another directory with --workdir"),
        Op::Clone3 { .. } if call == "setns" => join_failure(errno, note),
        Op::TimeOffsets { .. } => time_failure(errno, note),
        Op::BorrowMount { whose, .. } => shm_failure(whose, errno, note),
        Op::Clone3 { .. } | Op::Unshare { .. } => userns_failure(errno),
        Op::MapIds { writer, .. } => map_failure(*writer, errno, note),
        Op::CloneTree { source, map_ids: true, .. } => Failure::new(Code::Mount, format!("cannot show {} with the container's ids", source.to_string_lossy()))
            .why(format!("its file system does not take id-mapped mounts ({})", errno.text()))
            .hint("copy it to ext4, xfs, btrfs or tmpfs, or use --userns=host"),
        Op::Overlay { .. } => overlay_failure(errno, note),
        Op::AttachDevices { .. } => attach_failure("dev", errno),
        Op::Attach { target, .. } => attach_failure(&target.to_string_lossy(), errno),
        _ => Failure::new(Code::Kernel, format!("the step {} failed: {call}", describe(&step.op).op))
            .why(because(errno, note))
            .hint("see what the step does with --dry-run, and what this machine has with keelbox info"),
    }
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

fn time_failure(errno: Errno, note: &str) -> Failure {
    let failure = |code| Failure::new(code, "cannot set the container's clocks");
    if errno == Errno::ERANGE {
        return failure(Code::InvalidArg)
            .why("a clock would be before this machine's boot, or too far ahead")
            .hint("use an offset that is smaller than this machine's uptime");
    }
    if matches!(errno, Errno::EINVAL | Errno::ENOSYS | Errno::ENOENT) {
        return failure(Code::Kernel)
            .why("this kernel has no time namespaces, which came with Linux 5.6 (CONFIG_TIME_NS)")
            .hint("leave --time-offset out");
    }
    failure(Code::Kernel)
        .why(because(errno, note))
        .hint("leave --time-offset out, or run keelbox as root")
}

fn join_failure(errno: Errno, note: &str) -> Failure {
    Failure::new(Code::Kernel, "cannot join another's namespaces")
        .why(format!("{note}: {}", errno.text()))
        .hint("join those of a container of your own, or run keelbox as root")
}

fn shm_failure(whose: &str, errno: Errno, note: &str) -> Failure {
    let failure = Failure::new(
        Code::Mount,
        format!("cannot share the shared memory of {whose}"),
    );
    if matches!(errno, Errno::ENOENT | Errno::EINVAL | Errno::ELOOP) {
        return failure
            .why("it has no /dev/shm of its own kind")
            .hint("start it without --ipc=none and with --ipc=shareable");
    }
    failure
        .why(because(errno, note))
        .hint("join a container of your own, or run keelbox as root")
}

fn userns_failure(errno: Errno) -> Failure {
    let failure = Failure::new(Code::Userns, "cannot make the container's namespaces");
    match errno {
        Errno::ENOSPC => failure
            .why("the limit of user namespaces is reached; 0 forbids them (/proc/sys/user/max_user_namespaces)")
            .hint("raise it: sudo sysctl user.max_user_namespaces=15000"),
        Errno::EPERM | Errno::EACCES => failure
            .why("this machine does not let ordinary users make user namespaces")
            .hint(forbidden()),
        _ => failure.why(errno.text()).hint("see what this machine has with keelbox info"),
    }
}

/// Which of the ways to forbid user namespaces is in force here.
fn forbidden() -> String {
    let on = |path: &str, value: &str| {
        std::fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
    };
    if on(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ) {
        return "allow keelbox-runtime with an AppArmor profile, or: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0".into();
    }
    if on("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return "allow them: sudo sysctl kernel.unprivileged_userns_clone=1".into();
    }
    "allow them (a seccomp filter or security module around this process refuses), or run as root"
        .into()
}

fn map_failure(writer: MapWriter, errno: Errno, note: &str) -> Failure {
    let failure =
        Failure::new(Code::Userns, "cannot map the container's ids").why(because(errno, note));
    if writer == MapWriter::Programs {
        return failure.hint("check that newuidmap and newgidmap are set-user-id root and that /etc/subuid and /etc/subgid have a range for you");
    }
    // AppArmor's restriction lets the namespace be made but gives no rights in it.
    failure.hint(forbidden())
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
