//! `--time-offset`: how far the container's clocks since boot are from this machine's (time_namespaces(7)).

use crate::failure::{Code, Failure};

/// Seconds and nanoseconds, the latter counted forward.
type Offset = (i64, u32);

/// Which clocks are off, and by how many seconds and nanoseconds, the latter counted forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeOffsets {
    /// `CLOCK_MONOTONIC`.
    pub monotonic: Option<(i64, u32)>,
    /// `CLOCK_BOOTTIME`, which is what `uptime` shows.
    pub boottime: Option<(i64, u32)>,
}

const UNITS: [(&str, i64); 5] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

impl TimeOffsets {
    /// Reads `OFFSET`, for both clocks, or `boottime=OFFSET`, `monotonic=OFFSET` with commas between.
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        let mut offsets = Self::default();
        for part in text.split(',') {
            let (clock, offset) = part.split_once('=').unwrap_or(("", part));
            let offset = Some(offset_of(offset).ok_or_else(|| invalid(text))?);
            match clock {
                "" => (offsets.monotonic, offsets.boottime) = (offset, offset),
                "monotonic" => offsets.monotonic = offset,
                "boottime" => offsets.boottime = offset,
                _ => return Err(invalid(text)),
            }
        }
        Ok(offsets)
    }

    /// The lines of /proc/PID/timens_offsets.
    #[must_use]
    pub fn lines(&self) -> String {
        let line = |clock: &str, offset: Option<Offset>| {
            offset.map(|(seconds, nanoseconds)| format!("{clock} {seconds} {nanoseconds}\n"))
        };
        let lines = [
            line("monotonic", self.monotonic),
            line("boottime", self.boottime),
        ];
        lines.into_iter().flatten().collect()
    }
}

fn invalid(text: &str) -> Failure {
    Failure::new(
        Code::InvalidArg,
        format!("invalid value {text:?} for --time-offset"),
    )
    .why("expected an offset such as +90s, -1h or 2d, for both clocks or after boottime= or monotonic=")
    .hint("write --time-offset boottime=-1h,monotonic=+5m")
}

/// A sign, a whole number, and a unit; without one, seconds.
fn offset_of(text: &str) -> Option<Offset> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = rest.split_at(end.unwrap_or(rest.len()));
    let number: i64 = number.parse().ok()?;
    let unit = if unit.is_empty() { "s" } else { unit };
    let (_, nanoseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let all = number.checked_mul(*nanoseconds)?;
    let all = if negative { -all } else { all };
    let rest = u32::try_from(all.rem_euclid(1_000_000_000)).ok()?;
    Some((all.div_euclid(1_000_000_000), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_a_sign_a_number_and_a_unit() {
        let both = TimeOffsets::read("-1500ms").unwrap();
        assert_eq!(both.monotonic, Some((-2, 500_000_000)));
        assert_eq!(
            both.lines(),
            "monotonic -2 500000000\nboottime -2 500000000\n"
        );
        let each = TimeOffsets::read("boottime=+1d,monotonic=5").unwrap();
        assert_eq!(each.lines(), "monotonic 5 0\nboottime 86400 0\n");
        for bad in [
            "",
            "1y",
            "--1s",
            "1.5h",
            "realtime=1s",
            "9999999999d",
            "boottime=",
            "s",
            "1s,",
        ] {
            assert!(TimeOffsets::read(bad).is_err(), "{bad}");
        }
    }
}
