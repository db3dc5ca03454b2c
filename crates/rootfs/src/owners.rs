//! The container's ids on a file system in memory that was made on the host's side.

use std::fs;
use std::os::fd::BorrowedFd;

use keelbox_spec::namespaces::extents;
use keelbox_spec::op::IdMap;
use keelbox_sys::Errno;
use keelbox_sys::mount::{Depth, MountAttr, map_ids};

use crate::chown::chown_each;
use crate::fault::{Call, Fault, Outcome};

/// An id that the container does not have: inside it belongs to nobody. Not the usual 65534, which a map may name.
const NOBODY: u32 = u32::MAX - 1;

/// Whose ids the files of a mount are to have.
#[derive(Clone, Copy, Debug)]
pub struct Ids<'a> {
    /// The container's user namespace.
    pub userns: BorrowedFd<'a>,
    /// A process in it.
    pub process: i32,
}

impl Ids<'_> {
    /// Makes the container's ids of those that the files of a new tmpfs have. Before Linux 6.3 the mount cannot map them, so
    /// the files themselves are given away: nothing outlives the container that would have to be shifted back.
    ///
    /// # Errors
    ///
    /// EPERM: the file system is not the caller's to give away. The kernel's.
    pub(crate) fn apply(&self, tmpfs: BorrowedFd<'_>) -> Outcome {
        match map_ids(tmpfs, self.userns, MountAttr::empty(), Depth::One) {
            Err(Errno::EINVAL | Errno::ENOSYS) => {
                let (uids, gids) = (self.extents("uid_map")?, self.extents("gid_map")?);
                chown_each(tmpfs, &|(uid, gid)| {
                    (outside(&uids, uid), outside(&gids, gid))
                })
            }
            other => other.call("mount_setattr"),
        }
    }

    /// As this process counts: the kernel translates the second column for its reader.
    fn extents(&self, file: &str) -> Outcome<Vec<IdMap>> {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.process));
        let named = |fault: Fault| fault.on(format!("/proc/PID/{file}"));
        text.call("read")
            .map_err(named)
            .map(|text| extents::listed(&text))
    }
}

fn outside(map: &[IdMap], id: u32) -> u32 {
    extents::outside(map, id).unwrap_or(NOBODY)
}

#[cfg(test)]
mod tests {
    use keelbox_spec::namespaces::extents;

    use super::{NOBODY, outside};

    #[test]
    fn an_id_that_the_container_lacks_is_nobodys() {
        let map = extents::listed("0 1879048192 10\n");
        assert_eq!(outside(&map, 9), 1_879_048_201);
        assert_eq!(outside(&map, 10), NOBODY);
        assert_eq!(outside(&[], 0), NOBODY);
    }
}
