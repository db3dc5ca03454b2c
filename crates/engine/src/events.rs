//! What the library hears of a running container.

use keelbox_supervisor::protocol::Exited;
use serde::Serialize;

/// One event.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ContainerEvent {
    /// The container has ended.
    #[serde(rename_all = "camelCase")]
    Exit {
        /// Its exit code, unless a signal ended it.
        exit_code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// What it used.
        usage: Usage,
    },
    /// The supervisor went away without saying how it ended.
    Lost,
}

/// What a container used.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Milliseconds from its start to its end.
    pub wall_ms: f64,
    /// Milliseconds of CPU time.
    pub cpu_ms: f64,
    /// The most memory, in bytes.
    #[serde(serialize_with = "crate::list::number")]
    pub max_memory_bytes: u64,
    /// The kernel ended it for want of memory.
    pub oom_killed: bool,
}

impl From<Exited> for ContainerEvent {
    fn from(exited: Exited) -> Self {
        let millis = |micros: u64| std::time::Duration::from_micros(micros).as_secs_f64() * 1000.0;
        Self::Exit {
            exit_code: if exited.signal.is_some() {
                None
            } else {
                exited.code
            },
            signal: exited.signal,
            usage: Usage {
                wall_ms: millis(exited.wall_micros),
                cpu_ms: millis(exited.cpu_micros),
                max_memory_bytes: exited.max_memory,
                oom_killed: exited.oom_killed,
            },
        }
    }
}
