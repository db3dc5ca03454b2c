//! Ending containers: stop, restart, kill.

use std::time::Duration;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::signals::signal_number;
use keelbox_supervisor::protocol::Request;

use super::{Found, start};
use crate::collect::collect;
use crate::control::{Control, not_running};
use crate::roots::Roots;
use crate::store::{open_directory, try_lock};

/// How much longer than its container's time a supervisor may take before it is ended itself.
const PATIENCE: Duration = Duration::from_secs(5);

const KILL: i32 = 9;

/// How a container is to be ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ending {
    /// None: its own stop signal.
    pub(crate) signal: Option<i32>,
    /// Seconds until SIGKILL; negative: never; None: its own time.
    pub(crate) timeout: Option<i64>,
}

impl Ending {
    pub(crate) fn read(signal: Option<&str>, timeout: Option<i64>) -> Result<Self, Failure> {
        let signal = signal.map(signal_number).transpose()?;
        Ok(Self { signal, timeout })
    }

    fn request(self) -> Request {
        let milliseconds = self.timeout.map(|seconds| {
            u64::try_from(seconds).map_or(u64::MAX, |seconds| seconds.saturating_mul(1000))
        });
        Request::Stop {
            signal: self.signal.unwrap_or(0),
            milliseconds,
        }
    }

    /// How long the supervisor has; None: for ever.
    fn patience(self, found: &Found) -> Option<Duration> {
        let seconds = self.timeout.unwrap_or_else(|| found.stop_timeout());
        let seconds = u64::try_from(seconds).ok()?;
        Some(Duration::from_secs(seconds) + PATIENCE)
    }
}

/// Ends a container and waits until it is over. One that does not run is left alone.
pub(crate) fn stop(roots: &Roots, found: &Found, ending: Ending) -> Result<(), Failure> {
    let path = roots.running().join(&found.id);
    // A supervisor that is just starting listens in a moment; one that is gone has let its lock go.
    for _ in 0..200 {
        let Ok(state) = open_directory(&path) else {
            return Ok(());
        };
        if let Some(control) = Control::of(&state) {
            if let Some(patience) = ending.patience(found) {
                control.patience(patience);
            }
            if control.ask(&ending.request()) && control.end().is_err() {
                control.kill_supervisor(&state);
            }
        }
        if try_lock(&state) {
            drop(state);
            collect(roots);
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let message = format!("the container {} does not end", found.reference);
    Err(Failure::new(Code::State, message)
        .why("its supervisor does not answer")
        .hint(format!(
            "end it by force: keelbox rm -f {}",
            found.reference
        )))
}

/// Ends it if it runs, and starts it.
pub(crate) fn restart(roots: &Roots, found: &Found, ending: Ending) -> Result<(), Failure> {
    stop(roots, found, ending)?;
    start::start(roots, found)?;
    crate::event::record(roots, "restart", &found.id);
    Ok(())
}

/// Sends a signal to its first process. What ends it is not followed by a restart.
pub(crate) fn kill(roots: &Roots, found: &Found, signal: &str) -> Result<(), Failure> {
    let signal = signal_number(signal)?;
    let Some(control) = Control::connect(roots, &found.id) else {
        return Err(not_running(&found.reference));
    };
    if !control.ask(&Request::Signal(signal)) {
        return Err(not_running(&found.reference));
    }
    control.patience(PATIENCE);
    if signal == KILL {
        let _ = control.end();
    } else {
        control.finish();
    }
    Ok(())
}
