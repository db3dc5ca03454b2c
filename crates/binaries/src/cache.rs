//! The dynamic loader's cache, `/etc/ld.so.cache` (glibc's elf/dl-cache.c and sysdeps/generic/dl-cache.h).
//!
//! It is read to find libraries as the loader would, and written for the new root, so that a library from a directory
//! that the loader does not know by itself is found there, too.

use std::cmp::Ordering;

use crate::elf::Machine;
use crate::loader::cache_flags;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const HEADER: usize = 48;
const ENTRY: usize = 24;
const LITTLE_ENDIAN: u8 = 2;

/// A library of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Library {
    /// Its name, as programs need it.
    pub(crate) name: String,
    /// Where it lies.
    pub(crate) path: String,
    /// It is a build for newer processors.
    pub(crate) is_special: bool,
}

/// Reads a cache; one that is damaged or of an unknown form is empty.
pub(crate) fn parse(bytes: &[u8]) -> Vec<Library> {
    entries(bytes).unwrap_or_default()
}

fn entries(bytes: &[u8]) -> Option<Vec<Library>> {
    let cache = current(bytes)?;
    let count = usize::try_from(number(cache, 20)?).ok()?;
    let most = cache.len().saturating_sub(HEADER) / ENTRY;
    let mut libraries = Vec::new();
    for index in 0..count.min(most) {
        let at = HEADER + index * ENTRY;
        let text = |at| text(cache, usize::try_from(number(cache, at)?).ok()?);
        let special = cache.get(at + 16..at + 24)?;
        libraries.push(Library {
            name: text(at + 4)?,
            path: text(at + 8)?,
            is_special: special.iter().any(|byte| *byte != 0),
        });
    }
    Some(libraries)
}

/// The form of today, which older systems have behind the form of the libc5 days.
fn current(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.starts_with(MAGIC) {
        return Some(bytes);
    }
    let old = bytes.strip_prefix(OLD_MAGIC).map(|_| bytes)?;
    let count = usize::try_from(number(old, 12)?).ok()?;
    let end = count.checked_mul(12)?.checked_add(16)?;
    let cache = old.get(end.next_multiple_of(8)..)?;
    cache.starts_with(MAGIC).then_some(cache)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

fn text(bytes: &[u8], at: usize) -> Option<String> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    String::from_utf8(rest.get(..end)?.to_vec()).ok()
}

/// A cache of these libraries: machine, name, path.
pub(crate) fn write(libraries: &[(Machine, String, String)]) -> Option<Vec<u8>> {
    let mut sorted: Vec<_> = libraries.to_vec();
    sorted.sort_by(|(_, a, a_path), (_, b, b_path)| compare(b, a).then_with(|| a_path.cmp(b_path)));
    sorted.dedup();
    let strings_at = HEADER + sorted.len() * ENTRY;
    let (mut table, mut strings) = (Vec::new(), Vec::new());
    for (machine, name, path) in &sorted {
        table.extend(cache_flags(*machine).to_le_bytes());
        for text in [name, path] {
            let at = u32::try_from(strings_at + strings.len()).ok()?;
            table.extend(at.to_le_bytes());
            strings.extend(text.as_bytes());
            strings.push(0);
        }
        // The version of the system and the kind of processor: any.
        table.extend([0; 12]);
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend(u32::try_from(sorted.len()).ok()?.to_le_bytes());
    bytes.extend(u32::try_from(strings.len()).ok()?.to_le_bytes());
    bytes.push(LITTLE_ENDIAN);
    bytes.resize(HEADER, 0);
    bytes.extend(table);
    bytes.extend(strings);
    Some(bytes)
}

/// `_dl_cache_libcmp`: the loader halves the list by it, and numbers count as numbers (libx.so.9 is before libx.so.10).
fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else {
            return a.len().cmp(&b.len());
        };
        match (x.is_ascii_digit(), y.is_ascii_digit()) {
            (true, true) => match (take_number(&mut a), take_number(&mut b)) {
                (x, y) if x == y => {}
                (x, y) => return x.cmp(&y),
            },
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) if x != y => return x.cmp(y),
            (false, false) => {
                a = a.get(1..).unwrap_or_default();
                b = b.get(1..).unwrap_or_default();
            }
        }
    }
}

fn take_number(text: &mut &[u8]) -> u64 {
    let mut value = 0u64;
    while let Some((digit, rest)) = text.split_first()
        && digit.is_ascii_digit()
    {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        *text = rest;
    }
    value
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine {
        number: 62,
        is_64: true,
    };

    #[test]
    fn what_is_written_is_read_again_in_the_order_of_the_loader() {
        let names = ["libz.so.1", "liba.so.9", "liba.so.10", "libab.so.1"];
        let list: Vec<_> = names
            .iter()
            .map(|name| (MACHINE, (*name).to_owned(), format!("/opt/{name}")))
            .collect();
        let bytes = write(&list).unwrap();
        let read = parse(&bytes);
        let order: Vec<_> = read.iter().map(|library| library.name.as_str()).collect();
        assert_eq!(
            order,
            ["libz.so.1", "libab.so.1", "liba.so.10", "liba.so.9"]
        );
        assert_eq!(read[0].path, "/opt/libz.so.1");
        assert!(!read[0].is_special);
    }

    #[test]
    fn a_cache_behind_the_old_form_is_found() {
        let new = write(&[(MACHINE, "libz.so.1".into(), "/lib/libz.so.1".into())]).unwrap();
        let mut old = OLD_MAGIC.to_vec();
        old.extend([0, 1, 0, 0, 0]);
        old.extend([7; 12]);
        old.resize(old.len().next_multiple_of(8), 0);
        old.extend(new);
        assert_eq!(parse(&old).len(), 1);
    }

    #[test]
    fn damage_is_an_empty_cache() {
        let bytes = write(&[(MACHINE, "libz.so.1".into(), "/lib/libz.so.1".into())]).unwrap();
        for length in 0..bytes.len() {
            assert!(parse(&bytes[..length]).len() <= 1);
        }
        let mut wild = bytes;
        wild[20..24].fill(0xff);
        assert!(parse(&wild).len() <= 2);
        assert_eq!(parse(b"something else"), []);
    }
}
