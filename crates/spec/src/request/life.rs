//! How a container lives: in whose sight, for how long, and what happens when it ends.

use serde::{Deserialize, Serialize};

/// What `run` and `create` were told about the time after the start.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LifeRequest {
    /// It runs without a client, and outlives the command that starts it.
    pub detach: bool,
    /// The words of `--restart`: `no`, `on-failure[:N]`, `always`, `unless-stopped`.
    pub restart: Option<String>,
    /// The signal of `stop`: a name or a number. Default: the image's, else SIGTERM.
    pub stop_signal: Option<String>,
    /// Seconds between that signal and SIGKILL; -1: never. Default 10.
    pub stop_timeout: Option<i64>,
    /// Seconds after which it is ended; 0: never.
    pub timeout: u64,
    /// The words of `--log-driver`: `json-file` (also `k8s-file`, `local`), `journald`, `none`, `passthrough`. Default:
    /// `passthrough` for a foreground container that is removed at its end, else `json-file`.
    pub log_driver: Option<String>,
    /// `KEY=VALUE` of `--log-opt`: `max-size`, `max-file`, `tag`, `path`.
    pub log_opts: Vec<String>,
    /// The check of its health.
    pub health: HealthRequest,
    /// Which of `stdin`, `stdout` and `stderr` the client takes part in. Default: what `-i`, `-t` and `-d` say.
    pub attach: Option<Vec<String>>,
    /// Pid 1 is ours, runs the command as its child when there is one, and stays when that has ended (the library's
    /// `Container.create`).
    pub stays: bool,
    /// Ports that the container listens on, as data.
    pub expose: Vec<String>,
}

/// The words of `--health-*`. What is not given comes from the image.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HealthRequest {
    /// Docker's `Test`: `["NONE"]`, `["CMD", WORD...]` or `["CMD-SHELL", LINE]`.
    pub test: Option<Vec<String>>,
    /// Milliseconds between checks. Default 30,000.
    pub interval: Option<u64>,
    /// Milliseconds that a check may take. Default 30,000.
    pub timeout: Option<u64>,
    /// Milliseconds after the start in which failures do not count. Default 0.
    pub start_period: Option<u64>,
    /// Milliseconds between checks during that time. Default 5,000.
    pub start_interval: Option<u64>,
    /// Failures in a row that make it unhealthy. Default 3.
    pub retries: Option<u32>,
    /// What to do when it becomes unhealthy: `none`, `kill`, `restart`, `stop`. Default `none`.
    pub on_failure: Option<String>,
}
