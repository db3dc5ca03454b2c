//! Points in time, as the log has them: RFC 3339 in UTC with nine digits of a second, always 30 bytes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a time is as text.
pub const TIME_LENGTH: usize = 30;

const NANOS: i128 = 1_000_000_000;
const DAY: i128 = 86_400;

/// A point in time, in nanoseconds since the epoch, from the year 0 to the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i128);

impl Time {
    /// The first nanosecond of the year 0.
    pub const MIN: Self = Self(-719_528 * DAY * NANOS);
    /// The last nanosecond of the year 9999.
    pub const MAX: Self = Self(2_932_897 * DAY * NANOS - 1);

    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Nanoseconds since the epoch; what lies outside of the range becomes its nearer end.
    #[must_use]
    pub fn from_nanos(nanos: i128) -> Self {
        Self(nanos).clamp(Self::MIN, Self::MAX)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn nanos(self) -> i128 {
        self.0
    }

    /// How long it is until then; nothing when it is over.
    #[must_use]
    pub fn from_now(self) -> Duration {
        let nanos = (self.0 - Self::now().0).max(0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// `2026-11-22T23:00:00.000000000Z`.
    #[must_use]
    pub fn text(self) -> [u8; TIME_LENGTH] {
        let (seconds, nanos) = (self.0.div_euclid(NANOS), self.0.rem_euclid(NANOS));
        let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        for (at, digits, number) in [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day),
            (11, 2, second / 3600),
            (14, 2, second / 60 % 60),
            (17, 2, second % 60),
            (20, 9, nanos),
        ] {
            put(&mut text, at, digits, number);
        }
        text
    }

    /// Reads what [`text`](Self::text) has written, and nothing else.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text: &[u8; TIME_LENGTH] = text.try_into().ok()?;
        let number = |at: usize, digits: usize| number(text.get(at..at + digits)?);
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        let ends = [(19, b'.'), (29, b'Z')];
        if marks
            .iter()
            .chain(&ends)
            .any(|&(at, mark)| text[at] != mark)
        {
            return None;
        }
        let day = days_to(number(0, 4)?, number(5, 2)?, number(8, 2)?)?;
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = day * DAY + hour * 3600 + minute * 60 + second;
        Some(Self(seconds * NANOS + number(20, 9)?))
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let nanos = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        Self::from_nanos(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => nanos(after),
            Err(before) => -nanos(before.duration()),
        })
    }
}

/// A number of decimal digits and nothing else.
pub(crate) fn number(digits: &[u8]) -> Option<i128> {
    if digits.is_empty() || digits.len() > 30 {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        Some(number * 10 + i128::from(digit))
    })
}

fn put(text: &mut [u8; TIME_LENGTH], at: usize, digits: usize, mut number: i128) {
    for byte in text.iter_mut().skip(at).take(digits).rev() {
        *byte = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Years that begin in March put the leap day last, and cycles of 400 of them are all alike; then months are 153 days in
/// five, with the remainder in the right places.
const CYCLE: i128 = 146_097;
const TO_MARCH_OF_YEAR_0: i128 = 719_468;

fn date_of(days: i128) -> (i128, i128, i128) {
    let days = days + TO_MARCH_OF_YEAR_0;
    let (cycle, day) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (
        cycle * 400 + year + i128::from(month <= 2),
        month,
        day_of_month,
    )
}

/// Days from the epoch to a date; none for one that no calendar has.
pub(crate) fn days_to(year: i128, month: i128, day: i128) -> Option<i128> {
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let from_march = (month + 9) % 12;
    let shifted = year - i128::from(month <= 2);
    let (cycle, of_cycle) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let days = cycle * CYCLE + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + day_of_year
        - TO_MARCH_OF_YEAR_0;
    // The 30th of February comes back as another day.
    (date_of(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(nanos: i128) -> String {
        String::from_utf8(Time(nanos).text().to_vec()).unwrap()
    }

    #[test]
    fn known_times_have_their_text() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(
            text(1_795_391_362_000_000_001),
            "2026-11-22T23:49:22.000000001Z"
        );
        assert_eq!(text(951_782_400 * NANOS), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(text(951_868_799 * NANOS), "2000-02-29T23:59:59.000000000Z");
        assert_eq!(
            text(4_107_542_400 * NANOS),
            "2100-03-01T00:00:00.000000000Z"
        );
        assert_eq!(text(Time::MIN.0), "0000-01-01T00:00:00.000000000Z");
        assert_eq!(text(Time::MAX.0), "9999-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn every_day_of_eight_hundred_years_comes_back() {
        for day in -146_097..146_097 {
            let (year, month, of_month) = date_of(day);
            assert_eq!(days_to(year, month, of_month), Some(day));
            let time = Time(day * DAY * NANOS + 86_399 * NANOS + 7);
            assert_eq!(Time::parse(&time.text()), Some(time));
        }
    }

    #[test]
    fn a_later_time_is_a_later_text() {
        let mut nanos = Time::MIN.0;
        let mut last = Time(nanos).text();
        while nanos < Time::MAX.0 - 40 * DAY * NANOS {
            nanos += 39 * DAY * NANOS + 12_345_678_912_345;
            let next = Time(nanos).text();
            assert!(next > last);
            last = next;
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in [
            "",
            "2026-02-30T00:00:00.000000000Z",
            "2026-13-01T00:00:00.000000000Z",
            "2026-01-01T24:00:00.000000000Z",
            "2026-01-01T00:60:00.000000000Z",
            "2026-01-01 00:00:00.000000000Z",
            "2026-01-01T00:00:00.00000000 Z",
            "2026-01-01T00:00:00.0000000000",
            "+026-01-01T00:00:00.000000000Z",
        ] {
            assert_eq!(Time::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
