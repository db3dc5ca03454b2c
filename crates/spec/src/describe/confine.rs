//! [`Confine`] in words.

use crate::describe::show;
use crate::op::Confine;

pub(super) fn names(op: &Confine) -> (&'static str, &'static str) {
    match op {
        Confine::OomScore { .. } => ("oom-score", "write"),
        Confine::Domainname { .. } => ("set-domainname", "setdomainname"),
        Confine::HidePaths { .. } => ("hide-paths", "move_mount"),
        Confine::AppArmor { .. } => ("apparmor", "write"),
        Confine::Personality { .. } => ("personality", "personality"),
        Confine::DelegateCgroup { .. } => ("delegate-cgroup", "fchownat"),
    }
}

pub(super) fn detail(op: &Confine) -> String {
    match op {
        Confine::OomScore { value } => format!("/proc/self/oom_score_adj = {value}"),
        Confine::Domainname { name } => show(name),
        Confine::HidePaths { paths } => {
            let names: Vec<_> = paths.iter().map(show).collect();
            format!("/dev/null or an empty directory over {}", names.join(" "))
        }
        Confine::AppArmor { profile, .. } => {
            format!("/proc/thread-self/attr/exec = exec {}", show(profile))
        }
        Confine::Personality { persona } => format!("{persona:#x}"),
        Confine::DelegateCgroup {
            directory,
            uid,
            gid,
        } => format!("{} and its cgroup.* files to {uid}:{gid}", show(directory)),
    }
}
