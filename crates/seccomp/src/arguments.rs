//! How much of each system call's arguments a 64-bit kernel reads.
//!
//! A profile compares 64 bits, because libseccomp does; the kernel reads many arguments as `int`, and a comparison that
//! looks at what the kernel does not is stepped around by setting a bit there (CVE-2026-123876).

use crate::profile::{ArgCmp, Operator, Width};

const TABLE: &str = include_str!("tables/arguments.txt");

/// The condition as the kernel would read it: one on the low 32 bits where the kernel reads no more of the argument
/// `comparison.index` of the system call `name`, as it stands otherwise.
///
/// A value that has something in the upper half, other than the copies of a negative number's sign, can be no `int`: that
/// comparison is left alone.
#[must_use]
pub fn as_kernel_reads(name: &str, comparison: ArgCmp) -> ArgCmp {
    let high = comparison.value >> 32;
    let negative = high == 0xffff_ffff && comparison.value & 0x8000_0000 != 0;
    if high != 0 && !negative {
        return comparison;
    }
    let low = ArgCmp {
        width: Width::Low32,
        ..comparison
    };
    match (read(name, comparison.index), comparison.operator) {
        (Read::All, _) => comparison,
        (Read::Half, Operator::Eq) if comparison.value <= 0xffff => ArgCmp {
            operator: Operator::MaskedEq { mask: 0xffff },
            ..low
        },
        (Read::Low | Read::Half, _) => low,
    }
}

/// What of an argument is read.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    All,
    Low,
    /// 16 bits: a `umode_t`.
    Half,
}

fn read(name: &str, index: u8) -> Read {
    let mut lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let number = |word: &str| word.trim_end_matches('h').parse() == Ok(index);
    let mut words = found.unwrap_or_default().split(' ');
    match words.find(|word| number(word)) {
        None => Read::All,
        Some(word) if word.ends_with('h') => Read::Half,
        Some(_) => Read::Low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Abi;

    fn cmp(index: u8, operator: Operator, value: u64) -> ArgCmp {
        ArgCmp {
            index,
            operator,
            value,
            width: Width::Full,
        }
    }

    #[test]
    fn every_line_names_a_call_and_its_arguments() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let (name, words) = line.split_once(' ').unwrap();
            let known = [Abi::X86_64, Abi::Aarch64].map(|abi| abi.number_of(name));
            assert!(known.iter().any(Option::is_some), "{name}");
            for word in words.split(' ') {
                let index: u8 = word.trim_end_matches('h').parse().unwrap();
                assert!(index < 6, "{line}");
            }
        }
    }

    #[test]
    fn an_int_is_compared_as_one() {
        for (name, index) in [
            ("socket", 0),
            ("personality", 0),
            ("ioctl", 1),
            ("clone", 0),
            ("prctl", 0),
        ] {
            assert_eq!(read(name, index), Read::Low, "{name}");
        }
        for (name, index) in [
            ("unshare", 0),
            ("mmap", 0),
            ("write", 2),
            ("no_such_call", 0),
        ] {
            assert_eq!(read(name, index), Read::All, "{name}");
        }
        assert_eq!(read("chmod", 1), Read::Half);
    }

    #[test]
    fn a_value_that_is_no_int_is_left_alone() {
        let width = |value| as_kernel_reads("socket", cmp(0, Operator::Eq, value)).width;
        assert_eq!(width(38), Width::Low32);
        assert_eq!(width(u64::MAX), Width::Low32);
        assert_eq!(width(0x1_0000_0026), Width::Full);
        assert_eq!(width(0xffff_ffff_0000_0000), Width::Full);
    }
}
