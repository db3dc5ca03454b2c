//! What a profile says: actions, rules and conditions on arguments.
//!
//! The types follow the `linux.seccomp` object of the OCI runtime specification (config-linux.md,
//! "Seccomp") closely enough that reading one into a [`Profile`] is a translation, not a redesign.
//! Where OCI leaves a meaning to libseccomp, it is stated here: see [`Rule`] for precedence and
//! [`Width`] for the width of a comparison.
//!
//! Leaves out reading JSON, and with it `includes` and `excludes`: whoever builds a profile knows
//! the capabilities and the kernel, and simply adds a rule or does not.

use std::borrow::Cow;

/// What happens to a call: the `SECCOMP_RET_*` values of seccomp(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Let the call through (`SCMP_ACT_ALLOW`).
    Allow,
    /// Skip the call and return this errno (`SCMP_ACT_ERRNO`).
    Errno(u16),
    /// Kill the process (`SCMP_ACT_KILL_PROCESS`).
    Kill,
    /// Kill the calling thread only (`SCMP_ACT_KILL` and `SCMP_ACT_KILL_THREAD`).
    KillThread,
    /// Send the thread `SIGSYS` (`SCMP_ACT_TRAP`).
    Trap,
    /// Log the call and let it through (`SCMP_ACT_LOG`).
    Log,
    /// Tell the tracer, with this message (`SCMP_ACT_TRACE`).
    Trace(u16),
    /// Ask the listener (`SCMP_ACT_NOTIFY`); the filter must then be installed with
    /// `SECCOMP_FILTER_FLAG_NEW_LISTENER`.
    Notify,
}

/// A comparison with a system call argument (`SCMP_CMP_*`), unsigned throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `SCMP_CMP_NE`.
    Ne,
    /// `SCMP_CMP_LT`.
    Lt,
    /// `SCMP_CMP_LE`.
    Le,
    /// `SCMP_CMP_EQ`.
    Eq,
    /// `SCMP_CMP_GE`.
    Ge,
    /// `SCMP_CMP_GT`.
    Gt,
    /// `SCMP_CMP_MASKED_EQ`: `argument & mask == value`. In OCI the mask is the field `value` and
    /// the value compared with is `valueTwo`.
    MaskedEq {
        /// The bits that are looked at.
        mask: u64,
    },
}

/// How many bits of an argument are compared.
///
/// The kernel reads many arguments as `int` and never looks at the upper half of the register. A
/// rule that does look at it is stepped around by setting a bit there, which is how podman's
/// deny rule for sockets was bypassed (CVE-2026-123876).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// The low 32 bits: for an argument that the kernel declares as `int` or `unsigned int`.
    Low32,
    /// All 64 bits: for a `long`, a `size_t` or a pointer. On a 32-bit ABI this is still 32 bits,
    /// because a 64-bit process that calls through `int 0x80` can leave anything in the upper
    /// half: the filter sees it (tried on Linux 6.18), the kernel's i386 entry drops it.
    Full,
}

/// One condition on one argument. A comparison of 32 bits drops the upper half of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArgCmp {
    /// Which argument, 0 to 5.
    pub index: u8,
    /// The comparison.
    pub operator: Operator,
    /// What the argument is compared with.
    pub value: u64,
    /// How much of the argument is compared.
    pub width: Width,
}

/// An action for some system calls, under some conditions.
///
/// Of the rules that name a call, the first one in order whose conditions all hold decides; when
/// none does, [`Profile::default_action`] decides. libseccomp differs in two ways that a reader of
/// OCI profiles has to provide for: there an unconditional rule wins over conditional ones wherever
/// it stands, and two conditions of one rule on the same argument are alternatives (runc splits
/// such a rule in two).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Names of the calls. A name that an ABI does not have is no error: one profile serves all.
    pub names: Vec<Cow<'static, str>>,
    /// What happens to them.
    pub action: Action,
    /// Conditions that must all hold; none means always.
    pub args: Vec<ArgCmp>,
}

/// A whole policy, independent of the architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// For known calls that no rule decides.
    pub default_action: Action,
    /// For numbers above the newest call that the rules name on that ABI, and for numbers that no
    /// known kernel gives a meaning. `Errno(ENOSYS)` lets a C library fall back from a call that
    /// is newer than the profile, where `EPERM` would be taken for the answer.
    pub unknown_action: Action,
    /// Whether the 32-bit ABI is served. If not, its calls are treated as an unknown architecture.
    pub compat: bool,
    /// The rules, in order.
    pub rules: Vec<Rule>,
}
