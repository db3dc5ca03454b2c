//! The classic BPF instruction and the program that seccomp(2) takes.
//!
//! Encodings are those of `linux/filter.h`, `linux/bpf_common.h` and `linux/seccomp.h`. Only the
//! few instructions that the compiler needs are here. Both supported machines are little-endian,
//! and so is the byte form.

use crate::profile::Action;

/// `BPF_LD | BPF_W | BPF_ABS`: load the 32-bit word of `seccomp_data` at byte `k`.
pub(crate) const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_AND | BPF_K`.
pub(crate) const AND: u16 = 0x54;
/// `BPF_JMP | BPF_JA`: skip `k` instructions.
pub(crate) const JUMP: u16 = 0x05;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
pub(crate) const JUMP_EQ: u16 = 0x15;
/// `BPF_JMP | BPF_JGT | BPF_K`.
pub(crate) const JUMP_GT: u16 = 0x25;
/// `BPF_JMP | BPF_JGE | BPF_K`.
pub(crate) const JUMP_GE: u16 = 0x35;
/// `BPF_RET | BPF_K`.
pub(crate) const RETURN: u16 = 0x06;

/// `offsetof(struct seccomp_data, nr)`.
pub(crate) const OFFSET_NR: u32 = 0;
/// `offsetof(struct seccomp_data, arch)`.
pub(crate) const OFFSET_ARCH: u32 = 4;
/// `offsetof(struct seccomp_data, args)`; eight bytes each, the low half first.
pub(crate) const OFFSET_ARGS: u32 = 16;

/// `BPF_MAXINSNS` of `linux/bpf_common.h`: the longest program the kernel accepts.
pub(crate) const MAX_INSTRUCTIONS: usize = 4096;

const INSTRUCTION_BYTES: usize = 8;

/// `struct sock_filter` of `linux/filter.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SockFilter {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when the comparison holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// A compiled program, ready for `SECCOMP_SET_MODE_FILTER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Vec<SockFilter>);

impl Filter {
    pub(crate) fn new(instructions: Vec<SockFilter>) -> Self {
        Self(instructions)
    }

    /// The instructions, at most 4096 of them, so that the count fits `sock_fprog.len`.
    #[must_use]
    pub fn instructions(&self) -> &[SockFilter] {
        &self.0
    }

    /// The program as the kernel reads it: an array of eight-byte `struct sock_filter`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * INSTRUCTION_BYTES);
        for instruction in &self.0 {
            bytes.extend_from_slice(&instruction.code.to_le_bytes());
            bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
            bytes.extend_from_slice(&instruction.k.to_le_bytes());
        }
        bytes
    }

    /// Reads [`Filter::to_bytes`] back; `None` if the length is not a whole number of instructions.
    /// The program is not checked: the kernel does that when it is installed.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (instructions, rest) = bytes.as_chunks::<INSTRUCTION_BYTES>();
        let decode = |&[c0, c1, jt, jf, k0, k1, k2, k3]: &[u8; INSTRUCTION_BYTES]| SockFilter {
            code: u16::from_le_bytes([c0, c1]),
            jt,
            jf,
            k: u32::from_le_bytes([k0, k1, k2, k3]),
        };
        rest.is_empty()
            .then(|| Self(instructions.iter().map(decode).collect()))
    }
}

/// The value a filter returns for an action (`SECCOMP_RET_*` with its data in the low 16 bits).
pub(crate) fn return_value(action: Action) -> u32 {
    match action {
        Action::Kill => 0x8000_0000,
        Action::KillThread => 0x0000_0000,
        Action::Trap => 0x0003_0000,
        Action::Errno(errno) => 0x0005_0000 | u32::from(errno),
        Action::Notify => 0x7fc0_0000,
        Action::Trace(message) => 0x7ff0_0000 | u32::from(message),
        Action::Log => 0x7ffc_0000,
        Action::Allow => 0x7fff_0000,
    }
}
