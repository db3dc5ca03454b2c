//! Waiting for a container.

use std::time::Duration;

use keelbox_spec::failure::{Code, Failure};
use keelbox_supervisor::protocol::{Event, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Condition, Found};
use crate::collect::collect;
use crate::config::{self, Exit};
use crate::control::{Control, not_running};
use crate::roots::Roots;

/// Waits until the container is as `condition` says. Its exit code, or 0 when it has none.
pub(crate) fn wait(roots: &Roots, found: &Found, condition: Condition) -> Result<u8, Failure> {
    match condition {
        Condition::Stopped => Ok(stopped(roots, found)),
        Condition::Removed => {
            let code = stopped(roots, found);
            removed(roots, found);
            Ok(code)
        }
        Condition::Running => {
            watch(&roots.running(), || found.is_running(roots));
            Ok(0)
        }
        Condition::Healthy => healthy(roots, found),
    }
}

fn stopped(roots: &Roots, found: &Found) -> u8 {
    let state = roots.running().join(&found.id);
    loop {
        if let Some(control) = Control::connect(roots, &found.id)
            && let Ok(Some(exited)) = control.end()
        {
            return exited.exit_code();
        }
        // It has ended between the two, is just starting, or its supervisor was killed.
        collect(roots);
        if !state.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let exit: Option<Exit> = config::read(&roots.containers().join(&found.id), "exit.json");
    exit.map_or(0, |exit| exit.exit_code)
}

fn removed(roots: &Roots, found: &Found) {
    let data = roots.containers().join(&found.id);
    watch(&roots.containers(), || !data.exists());
}

fn healthy(roots: &Roots, found: &Found) -> Result<u8, Failure> {
    let control = Control::to_running(roots, &found.id, &found.reference)?;
    control.ask(&Request::WatchHealth);
    loop {
        match control.hear() {
            Ok(Some(Event::Health(state))) if state == "healthy" => return Ok(0),
            Ok(Some(Event::Health(state))) if state == "none" => {
                return Err(Failure::new(
                    Code::State,
                    format!("the container {} has no health check", found.reference),
                )
                .hint("give it one when it is made: --health-cmd")
                .exit_code(125));
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return Err(not_running(&found.reference)),
        }
    }
}

/// Waits until `done`, which is asked again whenever something in `directory` changes (inotify(7)).
fn watch(directory: &std::path::Path, done: impl Fn() -> bool) {
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    let made = inotify::init(CreateFlags::CLOEXEC).and_then(|inotify| {
        let flags = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE;
        inotify::add_watch(&inotify, directory, flags).map(|_| inotify)
    });
    while !done() {
        // Not all that it may depend on lies in that directory itself.
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        let Ok(inotify) = &made else {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        let mut fds = [PollFd::new(inotify, PollFlags::IN)];
        if poll(&mut fds, Some(&pause)).is_ok_and(|ready| ready > 0) {
            let _ = rustix::io::read(inotify, &mut [0; 4096]);
        }
    }
}
