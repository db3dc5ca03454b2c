//! What can go wrong with entering a container that runs.

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::op::Enter;
use keelbox_sys::Errno;

use super::because;

pub(super) fn failure(op: &Enter, call: &str, errno: Errno, note: &str) -> Failure {
    match op {
        Enter::Cgroups { whose } if call == "cgroup.freeze" => {
            let name = whose.strip_prefix("container ").unwrap_or(whose);
            Failure::new(Code::State, format!("{whose} is paused"))
                .why("what is started in it would stand still with it")
                .hint(format!("let it go on first: keelbox unpause {name}"))
        }
        Enter::Cgroups { whose } => Failure::new(
            Code::Cgroup,
            format!("cannot enter the control groups of {whose}"),
        )
        .why(because(errno, note))
        .hint("see where it is with: cat /proc/PID/cgroup"),
        Enter::Process { whose, .. } => Failure::new(
            Code::Permission,
            format!("cannot enter the namespaces of {whose}"),
        )
        .why(because(errno, note))
        .hint("run keelbox as the user whose container it is"),
        Enter::Terminal { .. } => {
            Failure::new(Code::Kernel, "cannot make a terminal in the container")
                .why(because(errno, note))
                .hint("leave out -t")
        }
        // As docker and podman have it: what the command needs is not found.
        Enter::Directory { path } => {
            let path = path.to_string_lossy();
            Failure::new(
                Code::InvalidArg,
                format!("cannot go to the working directory {path}"),
            )
            .why(errno.text())
            .hint("choose a directory that the container has, with --workdir")
            .exit_code(if errno == Errno::ENOENT { 127 } else { 126 })
        }
        _ => Failure::new(
            Code::Kernel,
            format!("a step of entering the container failed: {call}"),
        )
        .why(because(errno, note))
        .hint("try again; if it happens again, report it with the output of keelbox info"),
    }
}
