//! Freezing, renaming, and changing containers.

use std::time::Duration;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::life::restart_policy;
use keelbox_supervisor::protocol::Request;
use keelbox_sys::Errno;

use super::Found;
use crate::config::{self, Config};
use crate::control::{Control, not_running};
use crate::event::record_of;
use crate::names;
use crate::roots::Roots;
use crate::store::store_failure;

/// Freezes every process of it, or lets them go on.
pub(crate) fn freeze(roots: &Roots, found: &Found, frozen: bool) -> Result<(), Failure> {
    let control = Control::to_running(roots, &found.id, &found.reference)?;
    control.patience(Duration::from_secs(15));
    let verb = if frozen { "pause" } else { "unpause" };
    control.answer(&Request::Freeze(frozen)).map_err(|refused| {
        let Some((errno, note)) = refused else {
            return not_running(&found.reference);
        };
        refusal(found, verb, frozen, errno, note)
    })
}

fn refusal(found: &Found, verb: &str, frozen: bool, errno: Errno, note: String) -> Failure {
    let reference = &found.reference;
    if errno == Errno::EALREADY {
        let state = if frozen {
            "already paused"
        } else {
            "not paused"
        };
        return Failure::new(Code::State, format!("the container {reference} is {state}"))
            .hint("keelbox ps shows the state of every container")
            .exit_code(1);
    }
    let failure = Failure::new(
        Code::Cgroup,
        format!("cannot {verb} the container {reference}"),
    );
    let why = if note.is_empty() {
        errno.text().to_owned()
    } else {
        note
    };
    failure
        .why(why)
        .errno(errno.name())
        .hint("freezing needs a control group of the container's own: run as root, or where control groups are delegated to you")
}

/// Gives it another name.
pub(crate) fn rename(roots: &Roots, found: &Found, name: &str) -> Result<(), Failure> {
    let config = found.config()?;
    if config.name == name {
        return Err(Failure::new(
            Code::NameTaken,
            format!("the container is called {name} already"),
        )
        .hint("choose another name"));
    }
    // The new one is there before the old one goes: whatever ends this in between, it has a name.
    let name = names::claim(roots, Some(name), &config.image, &found.id)?;
    let renamed = Config {
        name: name.clone(),
        ..config.clone()
    };
    let data = roots.containers().join(&found.id);
    if let Err(error) = config::write(&data, "config.json", &renamed) {
        let _ = std::fs::remove_file(roots.names().join(&name));
        return Err(store_failure("write", &data.join("config.json"), &error));
    }
    let _ = std::fs::remove_file(roots.names().join(&config.name));
    if let Some(control) = Control::connect(roots, &found.id) {
        control.patience(Duration::from_secs(5));
        let _ = control.answer(&Request::Renamed(name));
    }
    record_of(
        roots,
        "rename",
        &renamed,
        &[("oldName", config.name.as_str())],
    );
    Ok(())
}

/// Gives it another restart policy.
pub(crate) fn update(roots: &Roots, found: &Found, restart: Option<&str>) -> Result<(), Failure> {
    let Some(word) = restart else {
        return Ok(());
    };
    let policy = restart_policy(word)?;
    let config = found.config()?;
    if config.rm && policy != keelbox_spec::start::Restart::No {
        return Err(
            Failure::new(Code::InvalidArg, "--rm and --restart contradict each other")
                .hint("the container goes when it ends; run another one without --rm"),
        );
    }
    let data = roots.containers().join(&found.id);
    let changed = Config {
        restart: Some(word.to_owned()),
        ..config.clone()
    };
    config::write(&data, "config.json", &changed)
        .map_err(|error| store_failure("write", &data.join("config.json"), &error))?;
    if let Some(control) = Control::connect(roots, &found.id) {
        control.patience(Duration::from_secs(5));
        let _ = control.answer(&Request::Policy(policy));
    }
    record_of(roots, "update", &changed, &[]);
    Ok(())
}
