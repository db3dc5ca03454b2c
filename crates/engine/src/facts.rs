//! What a plan must know about this machine, read from it.

mod confinement;

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use keelbox_process::Maps;
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::host::{DeviceNode, HostFacts, IdRange, SubordinateIds};
use keelbox_spec::namespaces::{Asked, Found, Spaces, User};
use keelbox_spec::op::namespace;
use keelbox_spec::request::{NamespacesRequest, RunRequest};
use rustix::process::{Resource, getrlimit};

use crate::caller::{self, is_host_root};
pub(crate) use confinement::has_apparmor;

/// Where newuidmap and newgidmap are looked for.
const PROGRAM_DIRECTORIES: [&str; 5] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
const CPUS: &str = "/sys/devices/system/cpu";

/// Reads the facts that `request` depends on.
pub(crate) fn gather(
    request: &RunRequest,
    asked: &Asked,
    found: &Found,
) -> Result<HostFacts, Failure> {
    let (uid, gid) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let spaces = Spaces::of(asked, found);
    let host_network = spaces.is_host(namespace::CLONE_NEWNET);
    let file = |path: &str| {
        if host_network {
            fs::read(path).unwrap_or_default()
        } else {
            Vec::new()
        }
    };
    Ok(HostFacts {
        uid,
        gid,
        cgroups: keelbox_cgroups::discover(cgroup_parent()),
        permitted: caller::permitted().bits(),
        nested: uid == 0 && !is_host_root(),
        subordinate: subordinate(uid),
        hostname: if spaces.is_host(namespace::CLONE_NEWUTS) {
            host_name()
        } else {
            String::new()
        },
        user_name: if asked.user == User::Usual {
            String::new()
        } else {
            user_name(uid).unwrap_or_default()
        },
        named: named(&request.namespaces)?,
        mqueue: spaces.is_host(namespace::CLONE_NEWIPC) && is_mounted("/dev/mqueue"),
        nofile_hard: getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX),
        last_capability: number("/proc/sys/kernel/cap_last_cap").unwrap_or(40),
        hosts: file("/etc/hosts"),
        resolv_conf: file("/etc/resolv.conf"),
        confinement: confinement::gather(request),
        thermal_throttle: thermal_throttle(),
        devices: if request.privileged {
            devices(Path::new("/dev"), "")
        } else {
            Vec::new()
        },
    })
}

fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Whether something is mounted on `directory`: it is on another device than its parent.
fn is_mounted(directory: &str) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|stat| stat.dev()).ok();
    let path = Path::new(directory);
    device(path).is_some_and(|own| path.parent().and_then(device) != Some(own))
}

/// The group under which root's containers have theirs; `KEELBOX_CGROUP_PARENT` moves it. An ordinary user has none yet.
fn cgroup_parent() -> Option<String> {
    if !is_host_root() {
        return None;
    }
    let set = std::env::var("KEELBOX_CGROUP_PARENT")
        .ok()
        .map(|path| path.trim_matches('/').to_owned());
    let usable = |path: &String| {
        !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
    };
    Some(set.filter(usable).unwrap_or_else(|| "keelbox".to_owned()))
}

/// The control groups that a container called `id` may have: for one that was cut short before it was written down.
pub(crate) fn cgroup_paths(id: &str) -> Vec<CString> {
    let Some(parent) = cgroup_parent() else {
        return Vec::new();
    };
    let host = keelbox_cgroups::discover(None);
    let mounts = host
        .v2
        .into_iter()
        .map(|v2| v2.mount)
        .chain(host.v1.into_values());
    let directories = mounts
        .map(|mount| mount.join(&parent).join(id))
        .filter(|directory| directory.is_dir());
    directories
        .filter_map(|directory| CString::new(directory.into_os_string().into_encoded_bytes()).ok())
        .collect()
}

fn number<T: std::str::FromStr>(path: &str) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// This boot's id (random(4)).
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// CPUs that have the directory; most machines have it for all or for none, so the first one is asked first.
fn thermal_throttle() -> Vec<String> {
    let has = |cpu: &str| Path::new(CPUS).join(cpu).join("thermal_throttle").is_dir();
    if !has("cpu0") {
        return Vec::new();
    }
    let entries = fs::read_dir(CPUS).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("cpu") && has(name))
        .collect()
}

fn subordinate(uid: u32) -> Option<SubordinateIds> {
    if caller::is_host_root() {
        return None;
    }
    if uid == 0 {
        return caller::ids_of_nested_root();
    }
    let there = |program: &str| {
        PROGRAM_DIRECTORIES
            .iter()
            .any(|directory| Path::new(directory).join(program).is_file())
    };
    if !there("newuidmap") || !there("newgidmap") {
        return None;
    }
    let name = user_name(uid);
    let ids = SubordinateIds {
        uids: ranges("/etc/subuid", Some(uid), name.as_deref()),
        gids: ranges("/etc/subgid", Some(uid), name.as_deref()),
    };
    (!ids.uids.is_empty() && !ids.gids.is_empty()).then_some(ids)
}

/// The id maps of an ordinary user's containers.
pub(crate) fn subordinate_maps() -> Option<Maps> {
    let (uid, gid) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let ids = subordinate(uid)?;
    let (uids, gids) = keelbox_spec::namespaces::subordinate_maps(uid, gid, &ids);
    Some(Maps { uids, gids })
}

fn user_name(uid: u32) -> Option<String> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let mut lines = passwd.lines();
    lines.find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The ranges of a user in /etc/subuid or /etc/subgid (subuid(5)), by name or by number.
fn ranges(path: &str, uid: Option<u32>, name: Option<&str>) -> Vec<IdRange> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let range = |line: &str| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let mine = Some(owner) == name || uid.is_some() && owner.parse().ok() == uid;
        let (first, count) = (
            fields.next()?.parse().ok()?,
            fields.next()?.trim().parse().ok()?,
        );
        (mine && count > 0).then_some(IdRange { first, count })
    };
    text.lines().filter_map(range).collect()
}

/// The ranges of those whom `--subuidname` and `--subgidname` name; one flag alone is for both.
pub(crate) fn named(words: &NamespacesRequest) -> Result<Option<SubordinateIds>, Failure> {
    let (users, groups) = (&words.subuid_name, &words.subgid_name);
    let (Some(user), Some(group)) = (
        users.as_ref().or(groups.as_ref()),
        groups.as_ref().or(users.as_ref()),
    ) else {
        return Ok(None);
    };
    let of = |flag: &str, path: &str, name: &str| {
        let ranges = ranges(path, name.parse().ok(), Some(name));
        if ranges.is_empty() {
            return Err(
                Failure::new(Code::Userns, format!("{flag}={name} has no ids"))
                    .why(format!("{path} has no line for it"))
                    .hint(format!("add a line such as {name}:100000:65536 to {path}")),
            );
        }
        Ok(ranges)
    };
    Ok(Some(SubordinateIds {
        uids: of("--subuidname", "/etc/subuid", user)?,
        gids: of("--subgidname", "/etc/subgid", group)?,
    }))
}

/// Device nodes below /dev, for `--privileged`. Terminals and shared memory are the container's own.
fn devices(directory: &Path, prefix: &str) -> Vec<DeviceNode> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if prefix.is_empty()
            && matches!(
                name.as_str(),
                "pts" | "shm" | "mqueue" | "console" | "ptmx" | "fd"
            )
        {
            continue;
        }
        let path = format!("{prefix}{name}");
        let Ok(stat) = entry.metadata() else { continue };
        let (kind, block) = (stat.file_type(), stat.file_type().is_block_device());
        if kind.is_dir() {
            found.extend(devices(&entry.path(), &format!("{path}/")));
        } else if block || kind.is_char_device() {
            let (major, minor) = (
                rustix::fs::major(stat.rdev()),
                rustix::fs::minor(stat.rdev()),
            );
            found.push(DeviceNode {
                path,
                block,
                major,
                minor,
                mode: stat.permissions().mode() & 0o777,
            });
        }
    }
    found
}
