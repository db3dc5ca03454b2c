//! What a failed step of a volume's means.

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::op::{Bind, BindIds, Storage};
use keelbox_sys::Errno;

use super::because;
use crate::fallback::Lack;
use crate::storage::escapes;

/// What the machine lacks, if that is why: a file system that maps no ids.
pub(super) fn lack(step: &Storage, call: &str, errno: Errno) -> Option<Lack> {
    let Storage::Bind(bind) = step else {
        return None;
    };
    match errno {
        _ if bind.ids != BindIds::Container || call != "mount_setattr" => None,
        Errno::ENOSYS => Some(Lack::MappedMounts),
        Errno::EINVAL | Errno::EOPNOTSUPP | Errno::EOVERFLOW => Some(Lack::MappedMount),
        _ => None,
    }
}

pub(super) fn meaning(step: &Storage, call: &str, errno: Errno, note: &str) -> Failure {
    match step {
        Storage::Bind(bind) => bind_failure(bind, call, errno, note),
        Storage::CopyUp { target, .. } => {
            let target = target.to_string_lossy();
            Failure::new(
                Code::Mount,
                format!("cannot fill /{target} with what the image has there"),
            )
            .why(because(errno, note))
            .hint("make room, or leave it empty: nocopy for a volume, notmpcopyup for a tmpfs")
        }
        Storage::Chown { user, .. } => {
            let user = user.to_string_lossy();
            let user = if user.is_empty() { "root" } else { &user };
            Failure::new(Code::Mount, format!("cannot give the mount's files to {user}"))
                .why(because(errno, note))
                .hint("change the owners yourself and leave the option U out; an ordinary user can give away only files of theirs")
        }
        Storage::FollowHost => {
            Failure::new(Code::Kernel, "cannot follow the host's mounts").why(because(errno, note))
        }
    }
}

fn bind_failure(bind: &Bind, call: &str, errno: Errno, note: &str) -> Failure {
    let source = bind.source.to_string_lossy();
    let failure = Failure::new(Code::Mount, format!("cannot mount {source}")).path(source.as_ref());
    let subpath = bind.subpath.as_ref().map(|path| path.to_string_lossy());
    match (call, errno, subpath) {
        ("openat2", errno, Some(subpath)) if errno.name() == "EXDEV" => {
            escapes(&subpath).path(source.as_ref())
        }
        ("openat2", errno, Some(subpath)) => failure
            .why(format!("{subpath}: {}", errno.text()))
            .hint("make the path in the volume first, or correct it"),
        ("open_tree", Errno::EINVAL, _) => failure
            .why("mounts below it belong to it, and may not be left out or shown alone")
            .hint("mount it with all that is below: leave bind-recursive=disabled and the option bind out"),
        ("mount_setattr", Errno::EINVAL, _) if bind.ids != BindIds::Plain => failure
            .why(format!("its file system does not take id-mapped mounts ({})", errno.text()))
            .hint("copy it to ext4, xfs, btrfs or (from Linux 6.3) tmpfs, or use --userns=host"),
        ("write", errno, _) => failure
            .why(format!("the kernel takes no such id map: {}", errno.text()))
            .hint("let no two ranges of an idmap overlap"),
        (_, errno, _) => failure.why(because(errno, note)).hint("choose another source"),
    }
}
