//! The start message: what the engine tells the executable, once, through a memfd. Versioned, binary, checked on arrival.

mod life;

use std::ffi::CString;

use serde::{Deserialize, Serialize};

use crate::op::{Op, Side};

pub use life::{Health, Life, Log, Restart, Unhealthy};

/// The version of [`Start`]. Engine and executable come in one package; a mismatch means that the package was replaced
/// between the two, and the executable refuses.
pub const VERSION: u32 = 1;

/// Fds that the executable finds at its start, besides 0-2, which are the container's.
pub mod fds {
    use std::os::fd::RawFd;

    /// The control socket's end.
    pub const CONTROL: RawFd = 3;
    /// The start message.
    pub const MESSAGE: RawFd = 4;
    /// The container's state directory, locked for as long as the supervisor lives.
    pub const STATE: RawFd = 5;
    /// The container's data directory.
    pub const DATA: RawFd = 6;
    /// Holds the lock on the container's id range, or /dev/null.
    pub const IDS: RawFd = 7;
    /// This side's ends of the container's stdout and stderr pipes, or /dev/null: kept so that an abandoned container
    /// can be drained instead of blocking.
    pub const DRAINS: [RawFd; 2] = [8, 9];
    /// The caller's terminal, or /dev/null: set right when its client dies.
    pub const TERMINAL: RawFd = 10;
    /// This side's end of the container's stdin, or /dev/null. Unless the output is passed through: then the client has it.
    pub const STDIN: RawFd = 11;
    /// The directory of the events' journal, or /dev/null.
    pub const JOURNAL: RawFd = 12;
    /// The first fd that is nobody's.
    pub const END: u32 = 13;
}

/// The same, for the role `exec`: a command in a container that runs.
pub mod exec_fds {
    use std::os::fd::RawFd;

    /// The control socket's end. A pidfd of the container's process comes over it with the first message.
    pub const CONTROL: RawFd = 3;
    /// The start message.
    pub const MESSAGE: RawFd = 4;
    /// This side's ends of the command's stdout and stderr pipes, or /dev/null.
    pub const DRAINS: [RawFd; 2] = [5, 6];
    /// The caller's terminal, or /dev/null.
    pub const TERMINAL: RawFd = 7;
    /// The directory of the events' journal, or /dev/null.
    pub const JOURNAL: RawFd = 8;
}

/// The same, for the role `files`: a process in a container that looks after files.
pub mod files_fds {
    use std::os::fd::RawFd;

    /// The control socket's end. A pidfd of the container's process comes over it with the first message.
    pub const CONTROL: RawFd = 3;
    /// The start message.
    pub const MESSAGE: RawFd = 4;
    /// The job (`keelbox_layer::files`).
    pub const JOB: RawFd = 5;
    /// The archive or list that the job reads or writes, or /dev/null.
    pub const DATA: RawFd = 6;
    /// The socket's end that the answer goes to.
    pub const ANSWER: RawFd = 7;
}

/// What the executable is to start and supervise.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent choices of the request"
)]
pub struct Start {
    /// [`VERSION`].
    pub version: u32,
    /// The container's id, 64 hex digits.
    pub id: String,
    /// A command beside the container's own has an id too, for events; else empty.
    pub exec_id: String,
    /// The plan's steps, in order.
    pub steps: Vec<(Side, Op)>,
    /// Report each step, and wait for `Proceed` before the command is executed.
    pub explain: bool,
    /// The container ends when its client does.
    pub tied_to_client: bool,
    /// Everything is removed at the end.
    pub remove: bool,
    /// Control groups to remove at the end.
    pub cgroups: Vec<CString>,
    /// The name's link, relative to the data directory's grandparent; removed with the container.
    pub name_link: CString,
    /// Names of volumes that go with the container, below `volumes` beside its data directory's parent.
    pub volumes: Vec<CString>,
    /// Sockets and pipes of fds 0-2 that are to belong to the container's root, as a bit mask.
    pub own_stdio: u8,
    /// Clear O_NONBLOCK on these of fds 0-2 (Node sets it on the shared description).
    pub blocking_stdio: u8,
    /// The host's id of the container's root, where that is another than the caller's; else 0.
    pub base: u32,
    /// The host's id of its group, likewise.
    pub group_base: u32,
    /// This boot's id, for the state record.
    pub boot_id: String,
    /// How it lives once it is started.
    pub life: Life,
}

impl Start {
    /// The message's bytes.
    ///
    /// # Errors
    ///
    /// None in practice: the shapes have a binary form for every value.
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// The bytes are not such a message, or one of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        let (version, _) = postcard::take_from_bytes::<u32>(bytes)?;
        if version != VERSION {
            return Err(postcard::Error::DeserializeBadEncoding);
        }
        postcard::from_bytes(bytes)
    }
}
