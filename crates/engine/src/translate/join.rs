//! What can go wrong with the namespaces of others, and with clocks.

use keelbox_spec::failure::{Code, Failure};
use keelbox_sys::Errno;

use super::because;

/// The clocks could not be set off.
pub(super) fn clocks(errno: Errno, note: &str) -> Failure {
    let clocks = |code| Failure::new(code, "cannot set the container's clocks");
    if errno == Errno::ERANGE {
        return clocks(Code::InvalidArg)
            .why("a clock would be before this machine's boot, or too far ahead")
            .hint("use an offset that is smaller than this machine's uptime");
    }
    if matches!(errno, Errno::EINVAL | Errno::ENOSYS | Errno::ENOENT) {
        return clocks(Code::Kernel)
            .why("this kernel has no time namespaces, which came with Linux 5.6 (CONFIG_TIME_NS)")
            .hint("leave --time-offset out");
    }
    clocks(Code::Kernel)
        .why(because(errno, note))
        .hint("leave --time-offset out, or run keelbox as root")
}

/// A namespace of somebody else could not be entered.
pub(super) fn failure(errno: Errno, note: &str) -> Failure {
    Failure::new(Code::Kernel, "cannot join another's namespaces")
        .why(format!("{note}: {}", errno.text()))
        .hint("join those of a container of your own, or run keelbox as root")
}

/// Another container's shared memory could not be had.
pub(super) fn shared_memory(whose: &str, errno: Errno, note: &str) -> Failure {
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
