//! Everything that can be done with one container, as one value: what a verb of the command line and a method of the
//! library come to. Mirrors `src/border/containers.ts`, where each is explained for TypeScript.

mod change;
mod details;
mod health;
mod prune;
pub(crate) mod start;
pub(crate) mod stop;
mod wait;

pub(crate) use change::freeze;
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::ImageConfig;
use keelbox_spec::request::{LifeRequest, RunRequest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stop::Ending;

use crate::collect::collect;
use crate::config::{self, Config, State};
use crate::control::Control;
use crate::lifecycle;
use crate::list::find;
use crate::roots::Roots;

/// One thing to do with one container, by name, id or the beginning of one id alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "verb", rename_all = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// Make it.
    Create {
        /// What it is made with.
        request: Box<RunRequest>,
    },
    /// Make it and start it, without a client.
    Run {
        /// What it is made with.
        request: Box<RunRequest>,
    },
    /// Start it.
    Start {
        /// Which.
        reference: String,
    },
    /// End it.
    Stop {
        /// Which.
        reference: String,
        /// The signal, by name or number.
        signal: Option<String>,
        /// Seconds until SIGKILL; -1: never.
        timeout: Option<i64>,
    },
    /// End it, and start it again.
    Restart {
        /// Which.
        reference: String,
        /// See `Stop`.
        signal: Option<String>,
        /// See `Stop`.
        timeout: Option<i64>,
    },
    /// Send it a signal.
    Kill {
        /// Which.
        reference: String,
        /// The signal, by name or number.
        signal: String,
    },
    /// Freeze it.
    Pause {
        /// Which.
        reference: String,
    },
    /// Let it go on.
    Unpause {
        /// Which.
        reference: String,
    },
    /// Give it another name.
    Rename {
        /// Which.
        reference: String,
        /// The name.
        name: String,
    },
    /// Wait for it.
    Wait {
        /// Which.
        reference: String,
        /// What for.
        condition: Condition,
    },
    /// Everything about it.
    Inspect {
        /// Which.
        reference: String,
    },
    /// What a reference means.
    Find {
        /// The reference.
        reference: String,
    },
    /// Remove those that do not run.
    Prune {
        /// Only these ids.
        candidates: Option<Vec<String>>,
    },
    /// Change it.
    Update {
        /// Which.
        reference: String,
        /// The words of `--restart`.
        restart: Option<String>,
    },
    /// Check its health now.
    Healthcheck {
        /// Which.
        reference: String,
    },
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// It does not run.
    Stopped,
    /// It runs.
    Running,
    /// Its check says so.
    Healthy,
    /// It is no more.
    Removed,
}

/// Does it; the answer is what `src/border/containers.ts` says.
///
/// # Errors
///
/// No such container (exit code 1), one in a state that does not allow it, or what the kernel says.
pub fn act(roots: &Roots, action: Action) -> Result<Value, Failure> {
    match action {
        Action::Create { request } => answer(lifecycle::create(roots, &request)?),
        Action::Run { request } => answer(start::run(roots, &request)?),
        Action::Prune { candidates } => answer(prune::prune(roots, candidates.as_deref())?),
        Action::Start { reference } => on(roots, &reference, |found| start::start(roots, found)),
        Action::Stop {
            reference,
            signal,
            timeout,
        } => {
            let ending = Ending::read(signal.as_deref(), timeout)?;
            on(roots, &reference, |found| stop::stop(roots, found, ending))
        }
        Action::Restart {
            reference,
            signal,
            timeout,
        } => {
            let ending = Ending::read(signal.as_deref(), timeout)?;
            on(roots, &reference, |found| {
                stop::restart(roots, found, ending)
            })
        }
        Action::Kill { reference, signal } => {
            on(roots, &reference, |found| stop::kill(roots, found, &signal))
        }
        Action::Pause { reference } => on(roots, &reference, |found| freeze(roots, found, true)),
        Action::Unpause { reference } => on(roots, &reference, |found| freeze(roots, found, false)),
        Action::Rename { reference, name } => on(roots, &reference, |found| {
            change::rename(roots, found, &name)
        }),
        Action::Update { reference, restart } => on(roots, &reference, |found| {
            change::update(roots, found, restart.as_deref())
        }),
        Action::Wait {
            reference,
            condition,
        } => {
            let found = Found::look_up(roots, &reference)?;
            let code = wait::wait(roots, &found, condition)?;
            Ok(json!({"id": found.id, "name": found.name, "exitCode": code}))
        }
        Action::Inspect { reference } => answer(details::details(
            roots,
            &Found::look_up(roots, &reference)?,
        )?),
        Action::Find { reference } => on(roots, &reference, |_| Ok(())),
        Action::Healthcheck { reference } => {
            health::check(roots, &Found::look_up(roots, &reference)?)
        }
    }
}

fn answer(value: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::new(Code::Internal, error.to_string()))
}

/// Does it with the container that `reference` means; answers which that is.
fn on(
    roots: &Roots,
    reference: &str,
    act: impl FnOnce(&Found) -> Result<(), Failure>,
) -> Result<Value, Failure> {
    let found = Found::look_up(roots, reference)?;
    act(&found)?;
    Ok(json!({"id": found.id, "name": found.name}))
}

/// A container that there is.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) reference: String,
    pub(crate) id: String,
    pub(crate) name: String,
    /// None: it cannot be read.
    config: Option<Config>,
}

impl Found {
    /// Looks a reference up, after what is nobody's has been cleared away.
    ///
    /// # Errors
    ///
    /// There is none (exit code 1), or more than one.
    pub(crate) fn look_up(roots: &Roots, reference: &str) -> Result<Self, Failure> {
        collect(roots);
        let id = find(roots, reference).map_err(|failure| failure.exit_code(1))?;
        let config: Option<Config> = config::read(&roots.containers().join(&id), "config.json");
        Ok(Self {
            reference: reference.to_owned(),
            name: config
                .as_ref()
                .map(|config| config.name.clone())
                .unwrap_or_default(),
            config,
            id,
        })
    }

    /// Its configuration.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(crate) fn config(&self) -> Result<&Config, Failure> {
        self.config.as_ref().ok_or_else(|| {
            let message = format!(
                "the configuration of the container {} is damaged",
                self.reference
            );
            Failure::new(Code::Store, message)
                .why("config.json cannot be read")
                .hint(format!(
                    "remove the container: keelbox rm -f {}",
                    self.reference
                ))
        })
    }

    /// Its record says so, or, where that is damaged, its supervisor.
    pub(crate) fn is_running(&self, roots: &Roots) -> bool {
        self.state(roots).is_some() || Control::connect(roots, &self.id).is_some()
    }

    pub(crate) fn is_paused(&self, roots: &Roots) -> bool {
        self.state(roots).is_some_and(|state| state.paused)
    }

    fn state(&self, roots: &Roots) -> Option<State> {
        config::read(&roots.running().join(&self.id), "state.json")
    }

    fn life(&self) -> Option<&LifeRequest> {
        Some(&self.config.as_ref()?.request.as_ref()?.life)
    }

    fn image(&self) -> ImageConfig {
        let image = self
            .config
            .as_ref()
            .and_then(|config| config.image_config.as_deref());
        image.cloned().unwrap_or_default()
    }

    /// Seconds that it has between its stop signal and SIGKILL.
    pub(crate) fn stop_timeout(&self) -> i64 {
        let asked = self.life().and_then(|life| life.stop_timeout);
        asked.unwrap_or(keelbox_spec::life::STOP_TIMEOUT)
    }
}
