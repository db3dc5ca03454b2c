//! The records of an extended header (POSIX.1-2024, pax, "pax Extended Header").

use super::entry::Time;
use crate::Fault;

/// Namespaces of extended attributes in keywords: star's, which GNU tar, Go and libarchive write, comes first.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// Keyword and value.
type Record = (Vec<u8>, Vec<u8>);

/// The records, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records(Vec<Record>);

/// Records of a global header that have a meaning for every entry after it.
const GLOBAL: [&[u8]; 3] = [b"uid", b"gid", b"mtime"];
/// Keywords that belong to one entry; one for all of them can only be meant to confuse.
const NEVER_GLOBAL: [&[u8]; 3] = [b"path", b"linkpath", b"size"];

impl Records {
    /// Reads `LENGTH KEYWORD=VALUE\n` until the header ends, which must be where a record does.
    pub(crate) fn parse(mut header: &[u8]) -> Result<Self, Fault> {
        let mut records = Vec::new();
        while !header.is_empty() {
            let (record, rest) = split(header)
                .ok_or_else(|| Fault::archive("an extended header's record is malformed"))?;
            records.push(record);
            header = rest;
        }
        Ok(Self(records))
    }

    /// Takes over what a global header says of all entries after it. Its comments and what nobody knows are left out.
    ///
    /// # Errors
    ///
    /// A record that makes sense for one entry only.
    pub(crate) fn extend_global(&mut self, header: Self) -> Result<(), Fault> {
        for (key, value) in header.0 {
            let one = NEVER_GLOBAL.contains(&key.as_slice())
                || key.starts_with(b"GNU.sparse.")
                || key.starts_with(XATTR);
            if one {
                let key = String::from_utf8_lossy(&key).into_owned();
                let why = format!("a global header with {key:?}, which is for one entry alone");
                return Err(Fault::archive(why));
            }
            if GLOBAL.contains(&key.as_slice()) {
                self.0.push((key, value));
            }
        }
        Ok(())
    }

    /// The last value of a keyword; an empty one takes the keyword back.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let last = self.0.iter().rev().find(|(name, _)| name == key)?;
        Some(last.1.as_slice()).filter(|value| !value.is_empty())
    }

    /// A name: NUL would end it for some readers.
    pub(crate) fn text(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        match self.get(key.as_bytes()) {
            Some(value) if value.contains(&0) => {
                Err(Fault::archive(format!("its {key} has a NUL in it")))
            }
            value => Ok(value.map(<[u8]>::to_vec)),
        }
    }

    /// A decimal number.
    pub(crate) fn number(&self, key: &str) -> Result<Option<u64>, Fault> {
        self.get(key.as_bytes())
            .map(|value| {
                decimal(value).ok_or_else(|| Fault::archive(format!("its {key} is no number")))
            })
            .transpose()
    }

    /// A time: seconds with a fraction of any length.
    pub(crate) fn time(&self, key: &str) -> Result<Option<Time>, Fault> {
        self.get(key.as_bytes())
            .map(|value| time(value).ok_or_else(|| Fault::archive(format!("its {key} is no time"))))
            .transpose()
    }

    /// Extended attributes, each name once, with its last value.
    pub(crate) fn xattrs(&self) -> Result<Vec<Record>, Fault> {
        let mut found: Vec<Record> = Vec::new();
        for (key, value) in &self.0 {
            let Some(name) = key.strip_prefix(XATTR) else {
                continue;
            };
            if name.is_empty() || name.contains(&0) {
                return Err(Fault::archive("an extended attribute's name is malformed"));
            }
            match found.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1.clone_from(value),
                None => found.push((name.to_vec(), value.clone())),
            }
        }
        Ok(found)
    }

    /// All records, in order: the older sparse formats have keywords that repeat.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_slice()))
    }
}

fn split(header: &[u8]) -> Option<(Record, &[u8])> {
    let space = header.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(header.get(..space)?)?).ok()?;
    let (record, rest) = header.split_at_checked(length)?;
    let content = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = content.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (content.get(..equals)?, content.get(equals + 1..)?);
    if key.is_empty() || key.contains(&0) {
        return None;
    }
    Some(((key.to_vec(), value.to_vec()), rest))
}

/// Digits and nothing else; at most 2^63-1, so that sums of two do not overflow.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let value = text.iter().try_fold(0u64, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    i64::try_from(value).is_ok().then_some(value)
}

fn time(text: &[u8]) -> Option<Time> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0'));
    let nanoseconds = digits
        .take(9)
        .fold(0u32, |value, digit| value * 10 + u32::from(digit - b'0'));
    Some(match (negative, nanoseconds) {
        (false, _) => Time {
            seconds,
            nanoseconds,
        },
        (true, 0) => Time {
            seconds: -seconds,
            nanoseconds,
        },
        (true, _) => Time {
            seconds: -seconds - 1,
            nanoseconds: 1_000_000_000 - nanoseconds,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_fill_their_header() {
        let records = Records::parse(b"12 path=abc\n11 uid=1000\n").unwrap_err();
        assert!(records.why.contains("malformed"));
        let records = Records::parse(b"12 path=abc\n12 uid=1000\n").unwrap();
        assert_eq!(records.text("path").unwrap().unwrap(), b"abc");
        assert_eq!(records.number("uid").unwrap(), Some(1000));
    }

    #[test]
    fn malformed_records_are_refused() {
        for header in [
            &b"12 path=abc"[..],
            b"99 path=abc\n",
            b"0 path=abc\n",
            b"12 pathabcd\n",
            b"9 =abcde\n",
            b"+12 path=abc\n",
            b"12 path=abc\n\0",
            b"path=abc\n",
            b"3 \n",
        ] {
            assert!(Records::parse(header).is_err(), "{header:?}");
        }
    }

    #[test]
    fn an_empty_value_takes_a_keyword_back() {
        let records = Records::parse(b"12 path=abc\n8 path=\n").unwrap();
        assert_eq!(records.text("path").unwrap(), None);
    }

    #[test]
    fn times_have_fractions_and_signs() {
        let at = |seconds, nanoseconds| {
            Some(Time {
                seconds,
                nanoseconds,
            })
        };
        assert_eq!(
            time(b"1700000000.123456789123"),
            at(1_700_000_000, 123_456_789)
        );
        assert_eq!(time(b"5"), at(5, 0));
        assert_eq!(time(b"-1.5"), at(-2, 500_000_000));
        assert_eq!(time(b"1.x"), None);
    }
}
