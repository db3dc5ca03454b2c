//! Failures of limits, kernel settings and security modules.

use keelbox_spec::describe::describe;
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::op::{Confine, Op};
use keelbox_spec::plan::PlanStep;
use keelbox_sys::Errno;

use super::because;

pub(super) fn failure(step: &PlanStep, call: &str, errno: Errno, note: &str) -> Failure {
    match &step.op {
        Op::Sysctl { path, .. } => sysctl(&path.to_string_lossy().replace('/', "."), errno),
        Op::Confine(Confine::AppArmor { profile, .. }) => {
            apparmor(&profile.to_string_lossy(), errno, note)
        }
        _ => Failure::new(
            Code::Kernel,
            format!("the step {} failed: {call}", describe(&step.op).op),
        )
        .why(because(errno, note))
        .hint("see what the step does with --dry-run, and what this machine has with keelbox info"),
    }
}

fn sysctl(key: &str, errno: Errno) -> Failure {
    let failure = Failure::new(Code::Kernel, format!("cannot set {key}"));
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => failure
            .why("this kernel has no such setting in the container's namespaces")
            .hint("correct its name; see what there is with: keelbox run --rm host -- sysctl -a"),
        Errno::EACCES | Errno::EPERM => failure
            .why("this kernel lets only the first user namespace's root change it (since Linux 6.9, that of the container may change kernel.shm* and the like)")
            .hint("leave it out, or add --userns=host"),
        Errno::EINVAL => failure
            .why("the kernel does not take the value")
            .hint("correct the value"),
        other => failure.why(other.text()).hint("leave it out"),
    }
}

fn apparmor(profile: &str, errno: Errno, note: &str) -> Failure {
    let failure = Failure::new(
        Code::Kernel,
        format!("cannot confine the container with the AppArmor profile {profile:?}"),
    );
    match errno {
        Errno::ENOENT if note == profile => failure
            .why("no profile of that name is loaded")
            .hint("load it: sudo apparmor_parser -r FILE; see what is loaded: sudo aa-status"),
        _ => failure
            .why(because(errno, note))
            .hint("use another profile, or --security-opt apparmor=unconfined"),
    }
}
