//! Starting containers that are there.

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::request::RunRequest;

use super::Found;
use crate::config::Config;
use crate::lifecycle::{self, Created, Running};
use crate::roots::Roots;
use crate::watch::watch;

/// Starts it without a client. One that runs is left alone.
pub(crate) fn start(roots: &Roots, found: &Found) -> Result<(), Failure> {
    if found.is_running(roots) {
        if found.is_paused(roots) {
            return Err(paused(&found.reference));
        }
        return Ok(());
    }
    let config = found.config()?;
    let mut request = request(config)?;
    request.life.detach = true;
    request.life.attach = None;
    leave(lifecycle::start_again(roots, config, &request)?);
    Ok(())
}

/// Makes and starts one without a client.
pub(crate) fn run(roots: &Roots, request: &RunRequest) -> Result<Created, Failure> {
    let mut request = request.clone();
    request.life.detach = true;
    let running = lifecycle::start(roots, &request, &mut |_| {})?;
    let created = Created {
        id: running.started.id.clone(),
        name: running.started.name.clone(),
        notices: running.started.notices.clone(),
    };
    leave(running);
    Ok(created)
}

/// What a container was made with.
pub(crate) fn request(config: &Config) -> Result<RunRequest, Failure> {
    let request = config.request.as_deref().cloned();
    request.ok_or_else(|| {
        Failure::new(
            Code::State,
            format!("the container {} cannot be started again", config.name),
        )
        .why("it was made by a version of keelbox that did not write down how")
        .hint("remove it, and run it again")
    })
}

/// Lets a container live on its own. Its supervisor is this process's child as long as this process lives, and must not be
/// left dead and unwaited for in one that lives long.
fn leave(running: Running) {
    let Running {
        control,
        supervisor,
        ..
    } = running;
    let key = u64::from(u32::try_from(supervisor).unwrap_or(0)) | 1 << 40;
    let _ = watch(key, control, supervisor, Box::new(|_| {}));
}

/// A container that is frozen.
pub(crate) fn paused(reference: &str) -> Failure {
    Failure::new(Code::State, format!("the container {reference} is paused"))
        .hint(format!("let it go on first: keelbox unpause {reference}"))
        .exit_code(1)
}
