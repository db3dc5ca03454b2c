//! Seccomp profiles in docker's JSON, which podman, containerd and the OCI runtime specification share.
//!
//! Reading the text is the engine's; this is its shape, and what it means. A field, an action or an operator that is not
//! known is refused, for a rule that is passed over in silence is a hole; a system call that is not known is not, for
//! profiles name those of all kernels and machines.

mod rules;

use serde::Deserialize;

pub use rules::Circumstances;

use crate::failure::{Code, Failure};

/// The most that a profile may have, in bytes; docker's own has 15 thousand.
pub const LIMIT: u64 = 4 * 1024 * 1024;

/// A profile as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    default_action: ActionName,
    default_errno_ret: Option<u32>,
    /// Podman's, beside the number.
    default_errno: Option<String>,
    architectures: Option<Vec<Architecture>>,
    arch_map: Option<Vec<ArchitectureMap>>,
    flags: Option<Vec<Flag>>,
    listener_path: Option<String>,
    listener_metadata: Option<String>,
    syscalls: Option<Vec<Entry>>,
}

/// Calls, and what happens to them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    names: Option<Vec<String>>,
    name: Option<String>,
    action: ActionName,
    errno_ret: Option<u32>,
    /// Podman's, beside the number.
    errno: Option<String>,
    args: Option<Vec<Argument>>,
    #[serde(rename = "comment")]
    _comment: Option<String>,
    includes: Option<Filter>,
    excludes: Option<Filter>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Argument {
    index: u8,
    value: u64,
    value_two: Option<u64>,
    op: OperatorName,
}

/// When an entry counts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ArchitectureMap {
    architecture: Architecture,
    sub_architectures: Option<Vec<Architecture>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
enum ActionName {
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    #[serde(rename = "SCMP_ACT_KILL", alias = "SCMP_ACT_KILL_THREAD")]
    KillThread,
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    #[serde(rename = "SCMP_ACT_TRAP")]
    Trap,
    #[serde(rename = "SCMP_ACT_LOG")]
    Log,
    #[serde(rename = "SCMP_ACT_TRACE")]
    Trace,
    #[serde(rename = "SCMP_ACT_NOTIFY")]
    Notify,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum OperatorName {
    #[serde(rename = "SCMP_CMP_NE")]
    Ne,
    #[serde(rename = "SCMP_CMP_LT")]
    Lt,
    #[serde(rename = "SCMP_CMP_LE")]
    Le,
    #[serde(rename = "SCMP_CMP_EQ")]
    Eq,
    #[serde(rename = "SCMP_CMP_GE")]
    Ge,
    #[serde(rename = "SCMP_CMP_GT")]
    Gt,
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEq,
}

/// Of these two machines only; what names another is passed over, as docker's own profile names all.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
enum Architecture {
    #[serde(rename = "SCMP_ARCH_X86")]
    X86,
    #[serde(rename = "SCMP_ARCH_X86_64")]
    X86_64,
    #[serde(rename = "SCMP_ARCH_X32")]
    X32,
    #[serde(rename = "SCMP_ARCH_ARM")]
    Arm,
    #[serde(rename = "SCMP_ARCH_AARCH64")]
    Aarch64,
    #[serde(
        rename = "SCMP_ARCH_MIPS",
        alias = "SCMP_ARCH_MIPS64",
        alias = "SCMP_ARCH_MIPS64N32",
        alias = "SCMP_ARCH_MIPSEL",
        alias = "SCMP_ARCH_MIPSEL64",
        alias = "SCMP_ARCH_MIPSEL64N32",
        alias = "SCMP_ARCH_PPC",
        alias = "SCMP_ARCH_PPC64",
        alias = "SCMP_ARCH_PPC64LE",
        alias = "SCMP_ARCH_S390",
        alias = "SCMP_ARCH_S390X",
        alias = "SCMP_ARCH_PARISC",
        alias = "SCMP_ARCH_PARISC64",
        alias = "SCMP_ARCH_RISCV64",
        alias = "SCMP_ARCH_LOONGARCH64",
        alias = "SCMP_ARCH_M68K",
        alias = "SCMP_ARCH_SH",
        alias = "SCMP_ARCH_SHEB"
    )]
    Other,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Flag {
    /// The process has one thread when the filter is set.
    #[serde(rename = "SECCOMP_FILTER_FLAG_TSYNC")]
    Tsync,
    #[serde(rename = "SECCOMP_FILTER_FLAG_LOG")]
    Log,
    #[serde(rename = "SECCOMP_FILTER_FLAG_SPEC_ALLOW")]
    SpecAllow,
    #[serde(rename = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")]
    WaitKillableRecv,
}

impl Document {
    /// `SECCOMP_FILTER_FLAG_*` of seccomp(2).
    #[must_use]
    pub fn flags(&self) -> u32 {
        let value = |flag: &Flag| match flag {
            // Both speak of what a container does not have: other threads, and a listener.
            Flag::Tsync | Flag::WaitKillableRecv => 0,
            Flag::Log => 1 << 1,
            Flag::SpecAllow => 1 << 2,
        };
        let flags = self.flags.iter().flatten();
        flags.map(value).fold(0, |all, flag| all | flag)
    }
}

/// A profile that says something wrong.
pub(crate) fn refuse(why: String) -> Failure {
    Failure::new(Code::InvalidArg, "cannot use the seccomp profile")
        .why(why)
        .hint("correct the profile, or use --security-opt seccomp=default")
}
