//! Which hierarchies are mounted, and where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use keelbox_spec::host::{CgroupHost, CgroupV2};

/// Reads the mount table (proc_pid_mountinfo(5)) for cgroup hierarchies.
///
/// `parent` is the group under which containers' groups are made, for a caller who may make them.
#[must_use]
pub fn discover(parent: Option<String>) -> CgroupHost {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut host = parse(&table);
    host.parent = parent;
    if let Some(v2) = &mut host.v2 {
        let controllers =
            std::fs::read_to_string(v2.mount.join("cgroup.controllers")).unwrap_or_default();
        v2.controllers = controllers.split_whitespace().map(str::to_owned).collect();
    }
    host
}

fn parse(table: &str) -> CgroupHost {
    let mut v1 = BTreeMap::new();
    let mut v2 = None;
    for line in table.lines() {
        let Some((mount, fstype, options)) = fields(line) else {
            continue;
        };
        match fstype {
            // A later mount over the same place hides the earlier one.
            "cgroup2" => {
                v2 = Some(CgroupV2 {
                    mount,
                    controllers: Vec::new(),
                })
            }
            "cgroup" => {
                for name in options.split(',').filter(|option| !is_flag(option)) {
                    v1.entry(name.to_owned()).or_insert_with(|| mount.clone());
                }
            }
            "tmpfs" if mount == Path::new("/sys/fs/cgroup") => v1.clear(),
            _ => {}
        }
    }
    CgroupHost {
        v2,
        v1,
        parent: None,
    }
}

/// Mount point, type and super block options of one line; the fields before ` - ` vary in number.
fn fields(line: &str) -> Option<(PathBuf, &str, &str)> {
    let (before, after) = line.split_once(" - ")?;
    let mount = before.split(' ').nth(4)?;
    let mut after = after.split(' ');
    Some((PathBuf::from(mount), after.next()?, after.nth(1)?))
}

/// Options of a v1 mount that are no controllers.
fn is_flag(option: &str) -> bool {
    matches!(
        option,
        "rw" | "ro" | "xattr" | "noprefix" | "clone_children" | "cpuset_v2_mode" | "favordynmods"
    ) || option.contains('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_host_has_both() {
        let table = "\
24 30 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
32 24 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:5 - cgroup cgroup rw,cpu,cpuacct\n\
33 24 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
34 24 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
35 24 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let host = parse(table);
        assert_eq!(host.v1["pids"], Path::new("/sys/fs/cgroup/pids"));
        assert_eq!(host.v1["cpuacct"], host.v1["cpu"]);
        assert_eq!(host.v1.len(), 3, "name=systemd is no controller");
        assert_eq!(host.v2.unwrap().mount, Path::new("/sys/fs/cgroup/unified"));
    }

    #[test]
    fn a_pure_host_has_v2_only() {
        let host = parse("30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
        assert!(host.v1.is_empty());
        assert_eq!(host.v2.unwrap().mount, Path::new("/sys/fs/cgroup"));
    }
}
