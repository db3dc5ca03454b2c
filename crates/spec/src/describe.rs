//! An operation in words: its name, the system call behind it, and its arguments as the kernel gets them.

mod confine;
mod enter;
mod mounts;
mod storage;

use std::ffi::CString;

use crate::capabilities;
use crate::op::{
    Account, Cgroup, CgroupEntry, Command, IdMap, MapWriter, Op, attribute, namespace,
};

/// An operation in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// A short name, e.g. `pivot-root`.
    pub op: &'static str,
    /// The system call that does it; the last one where it takes several.
    pub syscall: &'static str,
    /// Its arguments.
    pub detail: String,
}

/// Describes `op`.
#[must_use]
pub fn describe(op: &Op) -> Description {
    let (name, syscall) = names(op);
    Description {
        op: name,
        syscall,
        detail: detail(op),
    }
}

fn names(op: &Op) -> (&'static str, &'static str) {
    match op {
        Op::MakeCgroup(_) => ("make-cgroup", "mkdir"),
        Op::TimeOffsets { .. } => ("time-offsets", "unshare"),
        Op::Join { .. } => ("join", "setns"),
        Op::BorrowMount { .. } => ("borrow-mount", "open_tree"),
        Op::Clone3 { .. } => ("clone", "clone3"),
        Op::MapIds { .. } => ("map-ids", "write"),
        Op::OwnLayers { .. } => ("own-layers", "fchownat"),
        Op::Storage(step) => storage::names(step),
        Op::CloneTree { map_ids: true, .. } => ("clone-mount", "mount_setattr"),
        Op::CloneTree { .. } => ("clone-mount", "open_tree"),
        Op::Overlay { .. } => ("overlay", "fsmount"),
        Op::MemoryLayer { .. } => ("memory-layer", "fsmount"),
        Op::NewMount { .. } => ("new-mount", "fsmount"),
        Op::MakeDevices { .. } => ("make-devices", "mknodat"),
        Op::SendMounts => ("send-mounts", "sendmsg"),
        Op::ReceiveMounts => ("receive-mounts", "recvmsg"),
        Op::EnterCgroups => ("enter-cgroups", "write"),
        Op::Unshare { .. } => ("unshare", "unshare"),
        Op::BecomeRoot { .. } => ("become-root", "setresuid"),
        Op::PrivateMounts => ("private-mounts", "mount"),
        Op::AttachRoot { .. } => ("attach-root", "move_mount"),
        Op::Attach { .. } | Op::AttachInside { .. } => ("attach", "move_mount"),
        Op::AttachDevices { .. } => ("attach-devices", "move_mount"),
        Op::EtcFiles { .. } => ("etc-files", "move_mount"),
        Op::AddAccount(_) => ("add-account", "move_mount"),
        Op::Sysctl { .. } => ("sysctl", "write"),
        Op::SetHostname { .. } => ("set-hostname", "sethostname"),
        Op::LoopbackUp => ("loopback-up", "ioctl"),
        Op::PivotRoot => ("pivot-root", "pivot_root"),
        Op::Mask { .. } => ("mask", "move_mount"),
        Op::ReadOnlyPaths { .. } => ("read-only-paths", "mount_setattr"),
        Op::ReadOnlyRoot { .. } => ("read-only-root", "mount_setattr"),
        Op::NewSession => ("new-session", "setsid"),
        Op::Terminal { .. } => ("terminal", "ioctl"),
        Op::NewKeyring { .. } => ("new-keyring", "keyctl"),
        Op::SetRlimit { .. } => ("set-rlimit", "prlimit64"),
        Op::FindUser(_) => ("find-user", "openat2"),
        Op::ChangeDirectory { .. } => ("change-directory", "chdir"),
        Op::SetCredentials { .. } => ("set-credentials", "capset"),
        Op::Confine(op) => confine::names(op),
        Op::NoNewPrivileges => ("no-new-privileges", "prctl"),
        Op::Seccomp { .. } => ("seccomp", "seccomp"),
        Op::DieWithLauncher => ("die-with-launcher", "prctl"),
        Op::CloseFds => ("close-fds", "close_range"),
        Op::Execute(_) => ("execute", "execve"),
        Op::Enter(op) => enter::names(op),
    }
}

fn detail(op: &Op) -> String {
    match op {
        Op::Clone3 { .. }
        | Op::Join { .. }
        | Op::TimeOffsets { .. }
        | Op::MapIds { .. }
        | Op::OwnLayers { .. }
        | Op::Unshare { .. }
        | Op::BecomeRoot { .. }
        | Op::SetCredentials { .. } => identity(op),
        Op::MakeCgroup(_) | Op::EnterCgroups => group(op),
        Op::Storage(step) => storage::detail(step),
        Op::CloneTree { .. }
        | Op::Overlay { .. }
        | Op::MemoryLayer { .. }
        | Op::NewMount { .. }
        | Op::BorrowMount { .. }
        | Op::MakeDevices { .. } => mounts::detail(op),
        Op::SendMounts
        | Op::ReceiveMounts
        | Op::AttachRoot { .. }
        | Op::Attach { .. }
        | Op::AttachInside { .. }
        | Op::AttachDevices { .. }
        | Op::EtcFiles { .. }
        | Op::PrivateMounts
        | Op::PivotRoot
        | Op::Mask { .. }
        | Op::ReadOnlyPaths { .. }
        | Op::ReadOnlyRoot { .. } => attached(op),
        _ => setting(op),
    }
}

fn identity(op: &Op) -> String {
    match op {
        Op::Clone3 { namespaces, .. } => format!("flags = CLONE_PIDFD|{}", flags(*namespaces)),
        Op::MapIds {
            uids,
            gids,
            writer,
            deny_setgroups,
        } => {
            let by = if *writer == MapWriter::Programs {
                " by newuidmap, newgidmap"
            } else {
                ""
            };
            let deny = if *deny_setgroups {
                ", setgroups = deny"
            } else {
                ""
            };
            format!(
                "/proc/PID/uid_map = {}, gid_map = {}{deny}{by}",
                maps(uids),
                maps(gids)
            )
        }
        Op::TimeOffsets { lines } => format!(
            "CLONE_NEWTIME; /proc/self/timens_offsets = {:?}",
            lines.trim()
        ),
        Op::Join { kind, whose } => format!("{}, of {whose}", flags(*kind)),
        Op::Unshare { namespaces } => flags(*namespaces),
        Op::OwnLayers { .. } => own_layers(op),
        Op::BecomeRoot { set_groups } => {
            if *set_groups {
                "setgroups([]), setresgid(0, 0, 0), setresuid(0, 0, 0)".into()
            } else {
                "setresgid(0, 0, 0), setresuid(0, 0, 0)".into()
            }
        }
        Op::SetCredentials { capabilities, .. } => {
            format!(
                "the user's ids; bounding set and capset = {}",
                capabilities::names(*capabilities).join(" ")
            )
        }
        _ => String::new(),
    }
}

fn own_layers(op: &Op) -> String {
    let Op::OwnLayers {
        layers,
        owner,
        uids,
        ..
    } = op
    else {
        return String::new();
    };
    let layers: Vec<_> = layers.iter().map(show).collect();
    format!(
        "{} to {}:{} in a user namespace of {}",
        layers.join(", "),
        owner.0,
        owner.1,
        maps(uids)
    )
}

fn group(op: &Op) -> String {
    let Op::MakeCgroup(Cgroup {
        directory,
        files,
        entry,
        ..
    }) = op
    else {
        return "tasks = 0 in each v1 cgroup".into();
    };
    let files: Vec<_> = files
        .iter()
        .map(|(name, value)| format!("{} = {}", show(name), show(value)))
        .collect();
    let entry = if *entry == CgroupEntry::Clone {
        "entered by CLONE_INTO_CGROUP"
    } else {
        "entered through tasks"
    };
    [vec![show(directory)], files, vec![entry.into()]]
        .concat()
        .join(", ")
}

fn attached(op: &Op) -> String {
    match op {
        Op::SendMounts => "SCM_RIGHTS, over the socket between launcher and init".into(),
        Op::ReceiveMounts => "SCM_RIGHTS; waits".into(),
        Op::PrivateMounts => "/, MS_REC|MS_PRIVATE".into(),
        Op::AttachRoot { .. } => "the new root, on /".into(),
        Op::Attach { target, .. } => format!("on /{}", show(target)),
        Op::AttachInside { base, path, .. } => {
            format!("on {}/{}", crate::plan::slot_path(*base), show(path))
        }
        Op::AttachDevices { devices, .. } => format!("on /dev, with {}", mounts::nodes(devices)),
        Op::EtcFiles { files } => {
            let names: Vec<_> = files
                .iter()
                .map(|(name, _)| format!("/etc/{}", show(name)))
                .collect();
            format!("from a small tmpfs, on {}", names.join(", "))
        }
        Op::PivotRoot => "\".\", \".\"; then umount2(\".\", MNT_DETACH)".into(),
        Op::Mask { paths, .. } => {
            let names: Vec<_> = paths.iter().map(|(path, _)| show(path)).collect();
            format!("/dev/null or an empty directory over {}", names.join(" "))
        }
        Op::ReadOnlyPaths { paths, .. } => {
            format!(
                "MOUNT_ATTR_RDONLY on {}",
                paths.iter().map(show).collect::<Vec<_>>().join(" ")
            )
        }
        Op::ReadOnlyRoot { .. } => "/, MOUNT_ATTR_RDONLY".into(),
        _ => String::new(),
    }
}

fn setting(op: &Op) -> String {
    match op {
        Op::Sysctl { path, value, .. } => format!("/proc/sys/{} = {}", show(path), show(value)),
        Op::AddAccount(account) => {
            let Account {
                name,
                uid,
                gid,
                home,
            } = account;
            format!(
                "{name}:x:{uid}:{gid}::{home}:/bin/sh, in the container's /etc/passwd unless it has {uid}"
            )
        }
        Op::SetHostname { name } => show(name),
        Op::LoopbackUp => "SIOCSIFFLAGS lo, IFF_UP|IFF_RUNNING".into(),
        Op::Terminal { columns, rows } => {
            format!("TIOCGPTPEER, TIOCSWINSZ {columns}x{rows}, TIOCSCTTY; also on /dev/console")
        }
        Op::NewKeyring { name } => format!("KEYCTL_JOIN_SESSION_KEYRING, {:.20}...", show(name)),
        Op::SetRlimit {
            resource,
            soft,
            hard,
        } => {
            let name = crate::limits::name(*resource).to_uppercase();
            format!(
                "RLIMIT_{name}, soft = {soft}{}",
                hard.map(|hard| format!(", hard = {hard}"))
                    .unwrap_or_default()
            )
        }
        Op::FindUser(user) => {
            let spec = show(&user.spec);
            format!(
                "/etc/passwd, /etc/group: {}",
                if spec.is_empty() { "0" } else { &spec }
            )
        }
        Op::ChangeDirectory { path } => show(path),
        Op::Confine(op) => confine::detail(op),
        Op::Enter(op) => enter::detail(op),
        Op::NoNewPrivileges => "PR_SET_NO_NEW_PRIVS, 1".into(),
        Op::Seccomp { filter, .. } => {
            format!("SECCOMP_SET_MODE_FILTER, {} instructions", filter.len() / 8)
        }
        Op::DieWithLauncher => "PR_SET_PDEATHSIG, SIGKILL".into(),
        Op::CloseFds => "3, ~0, CLOSE_RANGE_CLOEXEC".into(),
        Op::Execute(Command {
            candidates,
            argv,
            env,
            ..
        }) => execute(candidates, argv, env),
        _ => String::new(),
    }
}

fn execute(candidates: &[CString], argv: &[CString], env: &[CString]) -> String {
    let quoted: Vec<_> = argv
        .iter()
        .map(|word| format!("{:?}", word.to_string_lossy()))
        .collect();
    let first = candidates.first().map(show).unwrap_or_default();
    let more = if candidates.len() > 1 {
        format!(" (or in {} more directories of PATH)", candidates.len() - 1)
    } else {
        String::new()
    };
    format!(
        "{first}{more}, [{}], {} variables",
        quoted.join(", "),
        env.len()
    )
}

fn show(text: impl AsRef<std::ffi::CStr>) -> String {
    text.as_ref().to_string_lossy().into_owned()
}

/// `CLONE_NEWNS|CLONE_NEWPID|...`
fn flags(mask: u64) -> String {
    let set = namespace::ALL.iter().filter(|(bit, ..)| mask & bit != 0);
    set.map(|(_, name, _)| *name).collect::<Vec<_>>().join("|")
}

fn attributes_suffix(mask: u64) -> String {
    let set: Vec<_> = attribute::ALL
        .iter()
        .filter(|(bit, _)| mask & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    if set.is_empty() {
        String::new()
    } else {
        format!(", {}", set.join("|"))
    }
}

fn maps(maps: &[IdMap]) -> String {
    let lines: Vec<_> = maps
        .iter()
        .map(|map| format!("{} {} {}", map.inside, map.outside, map.count))
        .collect();
    format!("\"{}\"", lines.join("\\n"))
}
