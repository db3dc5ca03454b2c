//! Facts about the caller's own limits, read only when a request depends on them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use keelbox_spec::host::{ConfinementFacts, DeviceNode};
use keelbox_spec::limits::{self, UNLIMITED};
use keelbox_spec::request::{RunRequest, SeccompRequest};

use super::number;
use crate::collect::entries;

pub(super) fn gather(request: &RunRequest) -> ConfinementFacts {
    let asked = &request.confinement;
    let mut facts = ConfinementFacts {
        apparmor_default: has_default_profile(),
        ..ConfinementFacts::default()
    };
    if !asked.ulimits.is_empty() {
        facts.limits = own_limits();
        facts.nr_open = number("/proc/sys/fs/nr_open").unwrap_or(UNLIMITED);
    }
    if asked.oom_score_adj.is_some() {
        facts.oom_score_adj = number("/proc/self/oom_score_adj").unwrap_or(0);
    }
    if matches!(request.seccomp, SeccompRequest::Profile(_)) {
        facts.kernel = kernel().unwrap_or_default();
    }
    if asked.nested && !request.privileged {
        facts.nested_devices = ["fuse", "net/tun"].into_iter().filter_map(device).collect();
    }
    if asked.apparmor.is_some() {
        facts.apparmor = has_apparmor();
    }
    facts
}

/// A character device of the host, for anybody in the container: which of them may do what with it, the kernel asks at
/// each use.
fn device(path: &str) -> Option<DeviceNode> {
    let stat = fs::metadata(Path::new("/dev").join(path)).ok()?;
    stat.file_type().is_char_device().then(|| DeviceNode {
        path: path.to_owned(),
        block: false,
        major: rustix::fs::major(stat.rdev()),
        minor: rustix::fs::minor(stat.rdev()),
        mode: 0o666,
    })
}

/// Version and first revision, e.g. 6 and 18 of `6.18.44-x`.
fn kernel() -> Option<(u32, u32)> {
    let name = rustix::system::uname();
    let release = name.release().to_str().ok()?;
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Whether `AppArmor` is compiled in and switched on.
pub(crate) fn has_apparmor() -> bool {
    fs::read_to_string("/sys/module/apparmor/parameters/enabled")
        .is_ok_and(|enabled| enabled.trim() == "Y")
}

/// Whether there is a profile for containers that name none. The directory, not the list: that one is not for ordinary users.
pub(crate) fn has_default_profile() -> bool {
    entries(Path::new("/sys/kernel/security/apparmor/policy/profiles"))
        .iter()
        .any(|name| is_default_profile(name))
}

/// Each profile is a directory, named by it and a number.
fn is_default_profile(name: &str) -> bool {
    let number = name.strip_prefix("keelbox-default.");
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Soft and hard limits of this process (proc_pid_limits(5)).
fn own_limits() -> BTreeMap<u32, (u64, u64)> {
    let text = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    parse(&text)
}

/// The lines are in no order that is promised, and their names have blanks.
fn parse(text: &str) -> BTreeMap<u32, (u64, u64)> {
    const NAMES: [(&str, &str); 16] = [
        ("cpu", "Max cpu time"),
        ("fsize", "Max file size"),
        ("data", "Max data size"),
        ("stack", "Max stack size"),
        ("core", "Max core file size"),
        ("rss", "Max resident set"),
        ("nproc", "Max processes"),
        ("nofile", "Max open files"),
        ("memlock", "Max locked memory"),
        ("as", "Max address space"),
        ("locks", "Max file locks"),
        ("sigpending", "Max pending signals"),
        ("msgqueue", "Max msgqueue size"),
        ("nice", "Max nice priority"),
        ("rtprio", "Max realtime priority"),
        ("rttime", "Max realtime timeout"),
    ];
    let value = |word: &str| match word {
        "unlimited" => Some(UNLIMITED),
        _ => word.parse().ok(),
    };
    let line = |resource: u32| {
        let known = limits::name(resource);
        let (_, title) = NAMES.iter().find(|(name, _)| *name == known)?;
        let rest = text.lines().find_map(|line| line.strip_prefix(title))?;
        let mut words = rest.split_whitespace();
        Some((resource, (value(words.next()?)?, value(words.next()?)?)))
    };
    (0..16).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_this_process_is_read() {
        let found = own_limits();
        assert_eq!(found.len(), 16, "{found:?}");
        let open_files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!(
            found[&7],
            (
                open_files.current.unwrap_or(UNLIMITED),
                open_files.maximum.unwrap_or(UNLIMITED)
            )
        );
    }
}
