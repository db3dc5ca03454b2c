//! What launcher and init say to each other while a container starts. One datagram each, over a SEQPACKET socket pair.
//!
//! ```text
//! launcher                          init
//!    | -- Mounts (fds) ------------> |   after the ids are mapped
//!    | <------------- Done, ... ---- |   one for each step, when explaining
//!    | <------------- Wanted ------- |   a /proc or /sys that the kernel refuses it
//!    | -- Mounts (fd) -------------> |
//!    | <------------- Console (fd) - |   with a terminal
//!    | <------------- Ready -------- |   when explaining
//!    | -- Proceed -----------------> |
//!    | <------------- Executing ---- |
//!    | <------------- Failed ------- |   instead of any of the above
//!    | <------------- (end of file)  |   execve has closed the socket: the command runs
//! ```

use keelbox_rootfs::Unset;
use serde::{Deserialize, Serialize};

/// One message.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Message {
    /// Launcher: ids are mapped; the fds that come along belong into these slots.
    Mounts {
        /// One for each fd.
        slots: Vec<u8>,
        /// What this kernel lets nobody set before a mount is attached.
        unset: Vec<Unset>,
    },
    /// Init: a step is done.
    Done {
        /// Its place in the plan.
        index: u32,
        /// How long it took.
        nanoseconds: u64,
    },
    /// Init: the fd that comes along is the terminal's master side.
    Console,
    /// Init: the kernel refuses it a fresh mount for this slot; the launcher is to try, and answers with `Mounts`.
    Wanted(u8),
    /// Init: all that is left is to become the command.
    Ready,
    /// Launcher: go on.
    Proceed,
    /// Init: execve comes next.
    Executing,
    /// Init: it does its work itself from here on; nothing more is said.
    Serving,
    /// Init: a step failed, and with it the start.
    Failed {
        /// Its place in the plan.
        index: u32,
        /// The system call.
        call: String,
        /// Its errno.
        errno: i32,
        /// What it was about.
        note: String,
    },
}
