//! What the container may do, beyond the words that `docker run` had first.

use serde::{Deserialize, Serialize};

/// Limits, groups, kernel settings, masks and security modules.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of `docker run`"
)]
pub struct ConfinementRequest {
    /// A container engine works inside: namespaces and mounts are open to it, inside its own user namespace.
    pub nested: bool,
    /// An `AppArmor` profile, or `unconfined`.
    pub apparmor: Option<String>,
    /// Absolute paths to hide, beyond the usual ones.
    pub masks: Vec<String>,
    /// Patterns (glob(7), `*` does not match `/`) of usual paths not to hide, nor to make read-only.
    pub unmasks: Vec<String>,
    /// Options of /proc, `KEY=VALUE`: `hidepid`.
    pub proc_options: Vec<String>,
    /// The container may change its own control group.
    pub writable_cgroups: bool,
    /// Settings of the container's own namespaces, `KEY=VALUE`.
    pub sysctls: Vec<String>,
    /// `TYPE=SOFT[:HARD]`, or `host`.
    pub ulimits: Vec<String>,
    /// More groups of the user, by name or number, or `keep-groups`.
    pub group_add: Vec<String>,
    /// The command's umask; 0o022 when absent.
    pub umask: Option<u32>,
    /// Whom the kernel ends first when memory is short: -1000 (never) to 1000.
    pub oom_score_adj: Option<i32>,
    /// The NIS domain name (setdomainname(2)).
    pub domainname: Option<String>,
    /// `LINUX` or `LINUX32` (personality(2)).
    pub personality: Option<String>,
    /// `KEY=VALUE`, recorded and nothing else.
    pub annotations: Vec<String>,
    /// `KEY=VALUE`, recorded and nothing else.
    pub labels: Vec<String>,
    /// Variables of the image and of the engine that the command does not get.
    pub unset_env: Vec<String>,
    /// The command gets no variable but those that the request names.
    pub unset_env_all: bool,
    /// /etc/hosts stays as the image has it.
    pub no_hosts: bool,
    /// /etc/hostname stays as the image has it.
    pub no_hostname: bool,
}
