//! One header block.

use super::entry::{Extent, Time};
use super::{BLOCK, sparse};
use crate::Fault;

/// A header block whose checksum is right.
pub(crate) struct Header<'a>(&'a [u8; BLOCK]);

/// Whose format a header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    /// Before POSIX: no magic, no prefix.
    V7,
    /// POSIX ustar, and pax.
    Ustar,
    /// star: ustar with a shorter prefix.
    Star,
    /// GNU tar: other fields where the prefix is.
    Gnu,
}

impl<'a> Header<'a> {
    /// Checks the sum of a block that is not all zeroes. Some writers of old added signed characters.
    pub(crate) fn check(block: &'a [u8; BLOCK]) -> Result<Self, Fault> {
        let header = Self(block);
        let wanted = number(header.field(148, 8), "checksum")?;
        let outside = |at: usize| !(148..156).contains(&at);
        let bytes = block.iter().enumerate().filter(|(at, _)| outside(*at));
        let (unsigned, signed) = bytes.fold((8 * 32, 8 * 32), |(unsigned, signed), (_, byte)| {
            (
                unsigned + i64::from(*byte),
                signed + i64::from(byte.cast_signed()),
            )
        });
        if wanted == unsigned || wanted == signed {
            return Ok(header);
        }
        Err(Fault::archive("a header's checksum is wrong"))
    }

    fn field(&self, at: usize, length: usize) -> &'a [u8] {
        self.0.get(at..at + length).unwrap_or_default()
    }

    fn flavour(&self) -> Flavour {
        match (self.field(257, 8), self.field(508, 4)) {
            (b"ustar\x0000", b"tar\0") => Flavour::Star,
            (b"ustar  \0", _) => Flavour::Gnu,
            (magic, _) if magic.starts_with(b"ustar\0") => Flavour::Ustar,
            _ => Flavour::V7,
        }
    }

    /// The type flag.
    pub(crate) fn flag(&self) -> u8 {
        self.0.get(156).copied().unwrap_or_default()
    }

    /// The name, with its prefix.
    pub(crate) fn name(&self) -> Vec<u8> {
        let prefix = match self.flavour() {
            Flavour::Ustar => text(self.field(345, 155)),
            Flavour::Star => text(self.field(345, 131)),
            Flavour::V7 | Flavour::Gnu => &[],
        };
        let name = text(self.field(0, 100));
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    /// The target of a link.
    pub(crate) fn link(&self) -> Vec<u8> {
        text(self.field(157, 100)).to_vec()
    }

    /// Permission bits; the type that some writers add to them is left out.
    pub(crate) fn mode(&self) -> Result<u32, Fault> {
        let mode = number(self.field(100, 8), "mode")?;
        Ok(u32::try_from(mode & 0o7777).unwrap_or_default())
    }

    pub(crate) fn uid(&self) -> Result<i64, Fault> {
        number(self.field(108, 8), "uid")
    }

    pub(crate) fn gid(&self) -> Result<i64, Fault> {
        number(self.field(116, 8), "gid")
    }

    pub(crate) fn size(&self) -> Result<u64, Fault> {
        length(self.field(124, 12), "size")
    }

    pub(crate) fn mtime(&self) -> Result<Time, Fault> {
        Ok(Time {
            seconds: number(self.field(136, 12), "mtime")?,
            nanoseconds: 0,
        })
    }

    /// Major and minor number; v7 headers have none.
    pub(crate) fn device(&self) -> Result<(u32, u32), Fault> {
        if self.flavour() == Flavour::V7 {
            return Ok((0, 0));
        }
        let part = |at, name| {
            let part = number(self.field(at, 8), name)?;
            u32::try_from(part).map_err(|_| Fault::archive(format!("its {name} is no number")))
        };
        Ok((part(329, "device number")?, part(337, "device number")?))
    }

    /// Of an old GNU sparse file: its size, its first extents, and whether a block with more of them follows.
    pub(crate) fn gnu_sparse(&self) -> Result<(u64, Vec<Extent>, bool), Fault> {
        if self.flavour() != Flavour::Gnu {
            return Err(Fault::archive(
                "a sparse file of GNU tar's in no header of its",
            ));
        }
        let extents = sparse::old_extents(self.field(386, 4 * 24))?;
        let more = self.field(482, 1) != b"\0";
        Ok((length(self.field(483, 12), "size")?, extents, more))
    }
}

/// Text ends at its first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number that is no less than 0.
pub(crate) fn length(field: &[u8], name: &str) -> Result<u64, Fault> {
    u64::try_from(number(field, name)?)
        .map_err(|_| Fault::archive(format!("its {name} is less than 0")))
}

/// Octal digits, or, with the first bit set, GNU's big-endian two's complement ("base 256").
pub(crate) fn number(field: &[u8], name: &str) -> Result<i64, Fault> {
    let wrong = || Fault::archive(format!("a header's {name} is no number"));
    match field.first() {
        Some(first) if first & 0x80 != 0 => binary(field).ok_or_else(wrong),
        _ => octal(field).ok_or_else(wrong),
    }
}

fn binary(field: &[u8]) -> Option<i64> {
    let negative = field.first()? & 0x40 != 0;
    let mut value: i128 = if negative { -1 } else { 0 };
    for (index, byte) in field.iter().enumerate() {
        // The first bit is the mark; the second one is the sign, and stands for the first as well.
        let byte = match (index, negative) {
            (0, true) => byte | 0x80,
            (0, false) => byte & 0x7f,
            _ => *byte,
        };
        value = (value << 8) | i128::from(byte);
    }
    i64::try_from(value).ok()
}

/// Spaces and NULs may stand around the digits, and nothing at all means 0.
fn octal(field: &[u8]) -> Option<i64> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_padding(byte));
    let Some(start) = start else {
        return Some(0);
    };
    let digits = field.get(start..)?;
    let end = digits.iter().position(is_padding).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(end)?;
    if !rest.iter().all(is_padding) {
        return None;
    }
    digits.iter().try_fold(0i64, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        value.checked_mul(8)?.checked_add(i64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0", "mode").unwrap(), 0o644);
        assert_eq!(number(b"    644 ", "mode").unwrap(), 0o644);
        assert_eq!(number(b"\0\0\0\0", "mode").unwrap(), 0);
        assert_eq!(
            number(b"\x80\0\0\0\0\0\0\x01\0\0\0\0", "size").unwrap(),
            1 << 32
        );
        assert_eq!(number(&[0xff; 12], "mtime").unwrap(), -1);
    }

    #[test]
    fn other_numbers_are_refused() {
        for field in [
            &b"0000689\0"[..],
            b"-1\0",
            b"12 34\0\0",
            b"0x10\0",
            &[
                0x80 | 0x3f,
                255,
                255,
                255,
                255,
                255,
                255,
                255,
                255,
                255,
                255,
                255,
            ],
        ] {
            assert!(number(field, "size").is_err(), "{field:?}");
        }
        assert!(length(&[0xff; 12], "size").is_err());
    }
}
