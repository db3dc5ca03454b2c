//! Removing a container.

use std::os::fd::OwnedFd;
use std::time::Duration;

use keelbox_spec::failure::{Code, Failure};
use keelbox_supervisor::protocol::Request;
use keelbox_sys::Errno;

use crate::collect::{collect, remove_container, unused};
use crate::config::{self, Config, Exit, State};
use crate::control::Control;
use crate::list::find;
use crate::roots::Roots;
use crate::store::{open_directory, try_lock};
use crate::volumes;

/// What goes with a container, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Removal {
    /// One that runs is ended first.
    pub force: bool,
    /// Its anonymous volumes go too, where no other container uses them.
    pub volumes: bool,
}

/// Removes a container by name, id or the beginning of one id alone. Its id.
///
/// # Errors
///
/// No such container (exit code 1); it is running (2).
pub fn remove(roots: &Roots, reference: &str, removal: Removal) -> Result<String, Failure> {
    collect(roots);
    let id = find(roots, reference)?;
    // Before its configuration goes.
    let config = config::read::<Config>(&roots.containers().join(&id), "config.json");
    let removed = remove_one(roots, reference, id, removal.force)?;
    if removal.volumes {
        let anonymous = config.as_ref().map(volumes::anonymous_of);
        volumes::drop_unused(roots, &removed, &anonymous.unwrap_or_default());
    }
    Ok(removed)
}

fn remove_one(roots: &Roots, reference: &str, id: String, force: bool) -> Result<String, Failure> {
    let state = roots.running().join(&id);
    if state.exists() {
        if !force && !ends(roots, &id) {
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
    let Some(_unused) = unused_soon(roots, &id) else {
        return gone_or_in_use(roots, reference, id);
    };
    remove_container(roots, &id);
    if roots.containers().join(&id).exists() {
        let message = format!("the container {reference} could not be removed whole");
        return Err(Failure::new(Code::Store, message)
            .hint("try again as the user who started it")
            .path(roots.containers().join(&id)));
    }
    Ok(id)
}

/// Whether it has ended already, and its supervisor is only clearing up, which [`end`] waits for.
fn ends(roots: &Roots, id: &str) -> bool {
    let waits = |state: State| state.restarting;
    config::read::<Exit>(&roots.containers().join(id), "exit.json").is_some()
        && !config::read(&roots.running().join(id), "state.json").is_some_and(waits)
}

/// Another command that only looks has the lock for a moment; a supervisor keeps it. None at once for one that is gone: its
/// supervisor has removed it.
fn unused_soon(roots: &Roots, id: &str) -> Option<OwnedFd> {
    for _ in 0..50 {
        let found = unused(roots, id);
        if found.is_some() || !roots.containers().join(id).exists() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

fn gone_or_in_use(roots: &Roots, reference: &str, id: String) -> Result<String, Failure> {
    if !roots.containers().join(&id).exists() {
        return Ok(id);
    }
    Err(Failure::new(
        Code::Store,
        format!("the container {reference} is still in use"),
    )
    .why("its supervisor does not let go of it, or was started with another run root")
    .hint("use the --runroot (or XDG_RUNTIME_DIR) that it was started with")
    .exit_code(2))
}

/// What a supervisor has to answer before it is ended itself, and its container with it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Has the supervisor end the container, and waits until its lock is free.
fn end(roots: &Roots, id: &str) {
    let Ok(state) = open_directory(&roots.running().join(id)) else {
        return;
    };
    // A supervisor that is just starting listens in a moment; one that is gone has let its lock go.
    for _ in 0..200 {
        if let Some(control) = Control::of(&state) {
            control.patience(PATIENCE);
            control.ask(&Request::Remove);
            let last = std::iter::repeat_with(|| control.hear())
                .find(|event| !matches!(event, Ok(Some(_))));
            if matches!(last, Some(Err(Errno::EAGAIN))) {
                control.kill_supervisor(&state);
            }
        }
        if try_lock(&state) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
