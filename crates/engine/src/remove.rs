//! Removing a container.

use std::os::fd::OwnedFd;

use keelbox_process::{receive, send};
use keelbox_spec::failure::{Code, Failure};
use keelbox_supervisor::protocol::{Event, Request, SOCKET};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::collect::{collect, remove_container};
use crate::list::find;
use crate::roots::Roots;
use crate::store::{open_directory, try_lock};

/// Removes a container by name, id or the beginning of one id alone; ends it first with `force`. Its id.
///
/// # Errors
///
/// No such container (exit code 1); it is running (2).
pub fn remove(roots: &Roots, reference: &str, force: bool) -> Result<String, Failure> {
    collect(roots);
    let id = find(roots, reference)?;
    let state = roots.running().join(&id);
    if state.exists() {
        if !force {
            return Err(Failure::new(
                Code::InvalidArg,
                format!("the container {reference} is running"),
            )
            .hint(format!(
                "stop it first, or end and remove it at once: keelbox rm -f {reference}"
            ))
            .exit_code(2));
        }
        end(roots, &id);
        collect(roots);
    }
    remove_container(roots, &id);
    if roots.containers().join(&id).exists() {
        return Err(Failure::new(
            Code::Store,
            format!("the container {reference} could not be removed whole"),
        )
        .hint("try again as the user who started it")
        .path(roots.containers().join(&id)));
    }
    Ok(id)
}

/// Has the supervisor end the container, and waits until its lock is free.
fn end(roots: &Roots, id: &str) {
    let Ok(state) = open_directory(&roots.running().join(id)) else {
        return;
    };
    // A supervisor that is just starting listens in a moment; one that is gone has let its lock go.
    for _ in 0..200 {
        if let Some(control) = connect(&state) {
            let _ = send(&control, &Request::Remove, &[]);
            while matches!(receive::<Event>(&control), Ok(Some(_))) {}
        }
        if try_lock(&state) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn connect(state: &OwnedFd) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .ok()?;
    let address =
        SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", state.as_raw_fd())).ok()?;
    rustix::net::connect(&socket, &address).ok()?;
    Some(socket)
}
