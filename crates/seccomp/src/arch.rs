//! Architectures and the system call ABIs that a process can reach on each.
//!
//! Relies on the number tables in `tables/`, one file for each ABI, which state facts of the
//! kernel's own tables (the file is named at the top of each). They are text rather than Rust
//! arrays of `&str` because each `&str` in an array is a relocation to apply at every start of a
//! position-independent executable, and most starts use the precompiled filter and read none.
//!
//! Leaves out x32, which is refused as a whole (see [`crate::compile()`]), and the OABI of 32-bit
//! arm, which no arm64 kernel offers.

/// A machine that keelbox runs on. A filter for it covers its two ABIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// `x86_64`, with i386 as its compat ABI.
    X86_64,
    /// `aarch64`, with arm (EABI) as its compat ABI.
    Aarch64,
}

impl Arch {
    /// The machine this code was built for.
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Self = Self::X86_64;
    /// The machine this code was built for.
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Self = Self::Aarch64;

    /// The 64-bit ABI of this machine.
    #[must_use]
    pub const fn native_abi(self) -> Abi {
        match self {
            Self::X86_64 => Abi::X86_64,
            Self::Aarch64 => Abi::Aarch64,
        }
    }

    /// The 32-bit ABI that a 64-bit kernel of this machine also answers.
    #[must_use]
    pub const fn compat_abi(self) -> Abi {
        match self {
            Self::X86_64 => Abi::I386,
            Self::Aarch64 => Abi::Arm,
        }
    }
}

/// One system call convention, told apart by `seccomp_data.arch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Abi {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86, reached through `int 0x80` by any process, 64-bit ones too.
    I386,
    /// 64-bit arm.
    Aarch64,
    /// 32-bit arm, EABI.
    Arm,
}

impl Abi {
    /// The `AUDIT_ARCH_*` value of `linux/audit.h`.
    #[must_use]
    pub const fn audit_arch(self) -> u32 {
        match self {
            Self::X86_64 => 0xC000_003E,
            Self::I386 => 0x4000_0003,
            Self::Aarch64 => 0xC000_00B7,
            Self::Arm => 0x4000_0028,
        }
    }

    /// Whether the kernel reads 64 bits of each argument under this ABI.
    #[must_use]
    pub const fn is_64_bit(self) -> bool {
        matches!(self, Self::X86_64 | Self::Aarch64)
    }

    /// The number and name of each system call of this ABI, in rising order of number.
    pub fn syscalls(self) -> impl Iterator<Item = (u32, &'static str)> {
        self.table().lines().filter_map(parse_line)
    }

    /// The number of the system call `name`, unless this ABI has none of that name.
    #[must_use]
    pub fn number_of(self, name: &str) -> Option<u32> {
        self.syscalls().find(|(_, n)| *n == name).map(|(nr, _)| nr)
    }

    const fn table(self) -> &'static str {
        match self {
            Self::X86_64 => include_str!("tables/x86_64.txt"),
            Self::I386 => include_str!("tables/i386.txt"),
            Self::Aarch64 => include_str!("tables/aarch64.txt"),
            Self::Arm => include_str!("tables/arm.txt"),
        }
    }
}

/// Reads `nr name`; a comment has no number and gives nothing.
fn parse_line(line: &'static str) -> Option<(u32, &'static str)> {
    let (number, name) = line.split_once(' ')?;
    Some((number.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABIS: [Abi; 4] = [Abi::X86_64, Abi::I386, Abi::Aarch64, Abi::Arm];

    #[test]
    fn every_table_line_is_a_comment_or_an_entry_in_strictly_rising_order() {
        for abi in ABIS {
            let entries = abi.table().lines().filter(|line| !line.starts_with('#'));
            let parsed: Vec<_> = entries.map(|line| parse_line(line).unwrap()).collect();
            assert!(parsed.len() > 300);
            assert!(parsed.is_sorted_by(|a, b| a.0 < b.0), "{abi:?}");
        }
    }

    #[test]
    fn well_known_numbers_are_right_in_each_abi() {
        let numbers = |name| ABIS.map(|abi| abi.number_of(name));
        assert_eq!(numbers("execve"), [Some(59), Some(11), Some(221), Some(11)]);
        assert_eq!(numbers("ioctl"), [Some(16), Some(54), Some(29), Some(54)]);
        assert_eq!(
            numbers("socket"),
            [Some(41), Some(359), Some(198), Some(281)]
        );
        assert_eq!(numbers("clone3"), [Some(435); 4]);
        assert_eq!(numbers("socketcall"), [None, Some(102), None, None]);
    }

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn numbers_agree_with_the_headers_that_libc_was_made_from() {
        for (name, number) in [
            ("read", libc::SYS_read),
            ("rseq", libc::SYS_rseq),
            ("openat2", libc::SYS_openat2),
            ("fchmodat2", libc::SYS_fchmodat2),
            ("mseal", libc::SYS_mseal),
        ] {
            assert_eq!(
                Abi::X86_64.number_of(name).map(i64::from),
                Some(number),
                "{name}"
            );
        }
    }
}
