//! Launcher and init: the two halves of starting a container.
//!
//! The launcher runs on the host with the caller's rights. It clones the init into new namespaces, maps its ids, makes the
//! mounts that need the host's root, and hands them over. The init puts them in place, gives up its rights, and becomes the
//! command. Both apply the steps of one plan (`keelbox-spec`) with one loop each, and talk in the messages of
//! [`handshake`]. A process here has one thread, always.

mod accounts;
mod clocks;
mod console;
mod credentials;
mod enter;
mod exec;
mod fresh;
pub mod handshake;
mod ids;
mod init;
mod join;
mod launcher;
mod layers;
mod limits;
mod mapped;
mod members;
mod reaper;
mod sealed;
mod socket;
mod stdio;
mod user;

pub use init::cut;
pub use launcher::{Container, Failed, Report, Serve, launch, launch_serving};
pub use mapped::{Maps, as_mapped_root};
pub use members::MountNamespace;
pub use sealed::sealed_copy;
pub use socket::{Received, receive, send, seqpacket_pair};

/// Names this process as its file is called: it is executed by the number of an fd, and would be called that.
pub fn take_name() {
    let _ = rustix::thread::set_name(c"keelbox-runtime");
}

/// Lets writes to a pipe that nobody reads fail with EPIPE instead of ending this process.
pub fn outlive_broken_pipes() {
    let mut signals = nix::sys::signal::SigSet::empty();
    signals.add(nix::sys::signal::Signal::SIGPIPE);
    let _ = signals.thread_block();
}

/// Waits for one child to end, if there is one, so that no dead process is left for the machine's pid 1.
pub fn reap_child() {
    let _ = rustix::process::wait(rustix::process::WaitOptions::empty());
}
