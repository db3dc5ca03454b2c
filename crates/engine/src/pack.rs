//! Packing directories as tar archives: in a process of its own, the executable's role `pack`.

use std::os::fd::{AsFd, BorrowedFd};

use keelbox_layer::job::{PackJob, Packed};
use keelbox_spec::failure::{Code, Failure};
use keelbox_sys::Errno;

use crate::caller;
use crate::stdio::null;
use crate::store::internal;
use crate::unpack::{Worker, failure, lost, maps, with_room};

/// What is packed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tree<'a> {
    /// A directory as it is.
    Directory(BorrowedFd<'a>),
    /// Layers as a container sees them, topmost first.
    Layers(&'a [BorrowedFd<'a>]),
    /// What the first layer changes of the others, as a layer of an image.
    Changes(&'a [BorrowedFd<'a>]),
    /// The names of that, as `keelbox_layer::list_changes` writes them.
    List(&'a [BorrowedFd<'a>]),
}

/// Writes a tree to `output` as a tar archive.
///
/// # Errors
///
/// [`Code::Layer`]: the tree cannot be read; [`Code::Store`]: the output cannot be written.
pub(crate) fn pack(tree: Tree<'_>, output: BorrowedFd<'_>) -> Result<Packed, Failure> {
    let layers = match &tree {
        Tree::Directory(directory) => std::slice::from_ref(directory),
        Tree::Layers(layers) | Tree::Changes(layers) | Tree::List(layers) => layers,
    };
    let userxattr = !caller::is_host_root();
    let job = match tree {
        Tree::Changes(_) => PackJob::Changes { userxattr },
        Tree::List(_) => PackJob::List { userxattr },
        _ if layers.len() == 1 => PackJob::Directory,
        _ => PackJob::Layers { userxattr },
    };
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    let files = [&[output, nothing.as_fd()], layers].concat();
    let more = layers.len().saturating_sub(1);
    let worker = Worker::start(c"pack", more, maps().as_ref(), &job, &files)?;
    worker.answer().map_err(|failed| match failed {
        Some(fault) if Errno::from_raw(fault.errno) == Errno::EPIPE => {
            Failure::new(Code::Store, "cannot write the archive")
                .why("nobody reads it any more")
                .hint("let the command that it is piped into read to the end")
                .errno("EPIPE")
        }
        Some(fault) => with_room(
            failure("cannot write the archive", &fault),
            &fault,
            output,
            "",
        ),
        None => lost("packs"),
    })
}
