//! `--sysctl`: settings of the container's own namespaces, and of no other.
//!
//! Which settings belong to a namespace is the kernel's to know; this list is docker's and podman's. The name is first
//! brought into the one form that /proc/sys has, so that no spelling leads out of the list (CVE-2022-0811,
//! GO-2022-0363), and written through the container's own /proc before that becomes read-only.

use crate::failure::{Code, Failure};
use crate::op::{Op, namespace};
use crate::plan::{Context, Steps, slots, text};

/// Settings of an IPC namespace below `kernel` (`ipc/ipc_sysctl.c`).
const IPC: [&str; 11] = [
    "msg_next_id",
    "msgmax",
    "msgmnb",
    "msgmni",
    "sem",
    "sem_next_id",
    "shm_next_id",
    "shm_rmid_forced",
    "shmall",
    "shmmax",
    "shmmni",
];

/// The settings, in the order that they were given in.
pub(crate) fn make(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    for given in &context.request.confinement.sysctls {
        let (key, value) = given
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| refuse(given, "it is not KEY=VALUE".into()))?;
        let path = path(key.trim())
            .ok_or_else(|| refuse(given, format!("{key:?} is no name of a setting")))?;
        check(context, given, &path)?;
        let set = Op::Sysctl {
            proc: slots::PROC,
            path: text(path)?,
            value: text(value)?,
        };
        steps.init(
            set,
            "as --sysctl asks; it belongs to a namespace of the container's own",
        );
    }
    Ok(())
}

fn refuse(given: &str, why: String) -> Failure {
    Failure::new(Code::InvalidArg, format!("invalid --sysctl {given:?}"))
        .why(why)
        .hint("give a setting that belongs to a namespace of the container's: net.*, fs.mqueue.*, kernel.shm*, kernel.msg*, kernel.sem")
}

/// The path below /proc/sys. As sysctl(8) has it: the first separator decides, and where it is a dot, a slash stands for
/// a dot in a name (an interface `eth0.100`).
fn path(key: &str) -> Option<String> {
    let dots = key.find(['.', '/']).map(|at| key.as_bytes()[at]) == Some(b'.');
    let path: String = key
        .chars()
        .map(|c| match c {
            '.' if dots => '/',
            '/' if dots => '.',
            other => other,
        })
        .collect();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '@');
    let fine = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(good);
    path.split('/').all(fine).then_some(path)
}

fn check(context: &Context<'_>, given: &str, path: &str) -> Result<(), Failure> {
    let own = |space, flag: &str| {
        if context.choices.namespaces & space != 0 {
            return Ok(());
        }
        Err(refuse(
            given,
            format!("the container has no {flag} namespace of its own: it would change another's"),
        )
        .hint(format!("leave --{flag} out, or the setting")))
    };
    match path.split_once('/') {
        Some(("net", _)) => own(namespace::CLONE_NEWNET, "network"),
        Some(("fs", rest)) if rest.starts_with("mqueue/") => own(namespace::CLONE_NEWIPC, "ipc"),
        Some(("kernel", name)) if IPC.contains(&name) => own(namespace::CLONE_NEWIPC, "ipc"),
        Some(("kernel", "hostname")) => {
            Err(refuse(given, "the name has a flag".into()).hint("use --hostname NAME"))
        }
        Some(("kernel", "domainname")) => {
            Err(refuse(given, "the name has a flag".into()).hint("use --domainname NAME"))
        }
        _ => Err(refuse(
            given,
            "it belongs to the whole machine, not to a namespace of the container".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_separator_gives_the_same_path() {
        for (key, wanted) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
            (
                "net.ipv4.conf.eth0/100.forwarding",
                "net/ipv4/conf/eth0.100/forwarding",
            ),
            (
                "net/ipv4/conf/eth0.100/forwarding",
                "net/ipv4/conf/eth0.100/forwarding",
            ),
        ] {
            assert_eq!(path(key).as_deref(), Some(wanted), "{key}");
        }
    }

    #[test]
    fn no_spelling_leads_up_or_holds_two_settings() {
        for key in [
            "net/../kernel/core_pattern",
            "net.//.kernel.core_pattern",
            "net//core_pattern",
            "net/./x",
            "/net/x",
            ".net.x",
            "net/x/",
            "net.x+kernel.y",
            "net.x y",
            "net.x\n",
            "",
        ] {
            assert_eq!(path(key), None, "{key}");
        }
    }
}
