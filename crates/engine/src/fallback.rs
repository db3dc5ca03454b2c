//! What a start does when this machine refuses what it wants: the next plainer way that is still safe, or the error.
//!
//! Nothing is looked up beforehand: the errno of the step that failed decides, so a machine that has everything pays nothing.

use std::path::Path;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::Root;
use keelbox_spec::plan::Without;
use keelbox_spec::request::RunRequest;

use crate::attempt::Refused;
use crate::roots::Roots;
use crate::{caller, source, store_fs};

/// What this machine has been found to lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// User namespaces.
    UserNamespace,
    /// Id-mapped mounts of a file system.
    MappedMount,
    /// The same for the one that the store is on.
    MappedLayer,
    /// Id-mapped mounts as such (before Linux 5.12).
    MappedMounts,
    /// An overlay with its writable layer where it should be.
    Overlay,
}

/// How a container is started after all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fallback {
    /// What it does without.
    pub(crate) without: Without,
    /// Whether it does without a user namespace, too.
    without_userns: bool,
    /// Lines about it.
    pub(crate) notices: Vec<String>,
}

impl Fallback {
    /// The request as it is tried next.
    pub(crate) fn request(&self, request: &RunRequest) -> RunRequest {
        let mut request = request.clone();
        if self.without_userns {
            request.userns = Some("host".to_owned());
        }
        request
    }

    /// The next way, after `refused`.
    ///
    /// # Errors
    ///
    /// There is none: why the last one failed.
    pub(crate) fn next(
        mut self,
        roots: &Roots,
        request: &RunRequest,
        refused: Refused,
    ) -> Result<Self, Failure> {
        let Some(lack) = refused.lack else {
            return Err(refused.failure);
        };
        let image = source::image(roots, request, false);
        let is_host = image.is_ok_and(|image| matches!(image.root, Root::Host(_)));
        let taken = match lack {
            Lack::Overlay if is_host => self.plain_root(),
            Lack::Overlay if request.rm => self.in_memory(&roots.root, UNWRITABLE),
            Lack::Overlay => return Err(lasting(&roots.root, refused.failure)),
            Lack::UserNamespace if is_host => false,
            _ if is_host => self.unmapped_system(lack),
            // Better in memory than without a user namespace.
            Lack::MappedLayer if request.rm && self.in_memory(&roots.root, UNMAPPED) => true,
            _ => self.no_userns(request, &refused.failure),
        };
        if taken {
            Ok(self)
        } else {
            Err(refused.failure)
        }
    }

    /// The image `host` needs no overlay: its root is a handful of directories.
    fn plain_root(&mut self) -> bool {
        if self.without.overlay {
            return false;
        }
        self.without.overlay = true;
        // An ordinary user's container has them read-only in any case.
        if caller::is_host_root() && !self.without.mapped_system {
            self.notices.push(format!(
                "{READ_ONLY}: no overlay can be made over them here"
            ));
        }
        true
    }

    /// Nor does it need mapped ids, as an ordinary user's container shows: what it shows of this machine is read-only then.
    fn unmapped_system(&mut self, lack: Lack) -> bool {
        if self.without.mapped_system {
            return false;
        }
        self.without.mapped_system = true;
        self.without.mapped_volumes = lack == Lack::MappedMounts;
        let reason = if self.without.mapped_volumes {
            "this kernel has no id-mapped mounts (Linux 5.12); what volumes hold belongs to nobody there"
        } else {
            "their file system takes no id-mapped mounts"
        };
        self.notices.push(format!("{READ_ONLY}: {reason}"));
        true
    }

    fn in_memory(&mut self, root: &Path, why: &str) -> bool {
        if self.without.disk_layer {
            return false;
        }
        self.without.disk_layer = true;
        self.notices
            .push(format!("{IN_MEMORY}: {}", unfit(root, why)));
        true
    }

    /// Only root's containers can do without, and not the image `host`, whose safety rests on it.
    fn no_userns(&mut self, request: &RunRequest, failure: &Failure) -> bool {
        let may = caller::is_host_root() && request.userns.is_none();
        if self.without_userns || !may {
            return false;
        }
        self.without_userns = true;
        // Without mapped ids the store may do after all.
        self.without.disk_layer = false;
        self.notices.retain(|notice| !notice.starts_with(IN_MEMORY));
        self.notices
            .push(format!("no user namespace for this container: {failure}"));
        true
    }
}

const READ_ONLY: &str = "this machine's programs are read-only in this container";

const IN_MEMORY: &str = "what this container writes is kept in memory";
const UNMAPPED: &str = "which takes no id-mapped mounts";
const UNWRITABLE: &str = "which overlayfs cannot write to";

fn unfit(root: &Path, why: &str) -> String {
    let on = store_fs::name(root).unwrap_or("a file system");
    format!("{} is on {on}, {why}", root.display())
}

/// What must outlive its process cannot be in memory.
fn lasting(root: &Path, cause: Failure) -> Failure {
    let mut failure = Failure::new(Code::Mount, "cannot make the container's writable layer")
        .why(unfit(root, UNWRITABLE))
        .hint("choose a directory on ext4, xfs, btrfs or tmpfs with --root (in a container: a volume), or add --rm to keep what is written in memory")
        .path(root);
    failure.step = cause.step;
    failure.syscall = cause.syscall;
    failure.errno = cause.errno;
    failure
}
