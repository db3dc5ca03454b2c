//! Signals by name and number (signal(7), the numbers of x86 and ARM).

use crate::failure::{Code, Failure};

const NAMES: [(&str, i32); 34] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// The first real-time signal that the C libraries leave to programs.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// The number of `TERM`, `SIGTERM`, `sigterm`, `15`, `RTMIN+1` or `RTMAX-1`.
///
/// # Errors
///
/// `ERR_KEELBOX_INVALID_ARG`: it is none of them.
pub fn signal_number(text: &str) -> Result<i32, Failure> {
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = NAMES.iter().find(|(name, _)| *name == bare);
    let number = match bare.parse::<i32>() {
        Ok(number) if !bare.starts_with('+') => Some(number),
        _ => known.map(|(_, number)| *number).or_else(|| real_time(bare)),
    };
    number
        .filter(|number| (1..=RTMAX).contains(number))
        .ok_or_else(|| {
            Failure::new(Code::InvalidArg, format!("{text:?} is not a signal"))
                .hint("use a name such as TERM or SIGTERM, a number from 1 to 64, or RTMIN+n")
        })
}

fn real_time(name: &str) -> Option<i32> {
    let offset = |text: &str, sign: char| match text.strip_prefix(sign) {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        None if text.is_empty() => Some(0),
        _ => None,
    };
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return offset(rest, '+')
            .filter(|n: &i32| *n <= RTMAX - RTMIN)
            .map(|n| RTMIN + n);
    }
    let rest = name.strip_prefix("RTMAX")?;
    offset(rest, '-')
        .filter(|n: &i32| *n <= RTMAX - RTMIN)
        .map(|n| RTMAX - n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let good = [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("sigusr1", 10),
            ("9", 9),
            ("SIGRTMIN", 34),
            ("RTMIN+3", 37),
            ("RTMAX-1", 63),
        ];
        for (text, number) in good {
            assert_eq!(signal_number(text).ok(), Some(number), "{text}");
        }
        for text in [
            "", "0", "65", "-1", "+9", "SIG", "RTMIN-1", "RTMIN+99", "NOPE", "15x",
        ] {
            assert!(signal_number(text).is_err(), "{text}");
        }
    }
}
