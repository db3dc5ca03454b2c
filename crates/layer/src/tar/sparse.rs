//! Sparse files: GNU tar's old format and its three in extended headers ("GNU tar", section "Storing Sparse Files").

use super::entry::Extent;
use super::header;
use super::pax::{Records, decimal};
use crate::Fault;

/// Extents of one file. Each costs a reader memory, and a writer a call.
pub(crate) const MOST: usize = 1 << 16;

/// Bytes of an extent in GNU's old headers: two numbers of 12.
const OLD: usize = 24;

fn malformed() -> Fault {
    Fault::archive("its sparse map is malformed")
}

/// The extents of a header or of a block that continues it; the first that is empty ends them.
pub(crate) fn old_extents(fields: &[u8]) -> Result<Vec<Extent>, Fault> {
    fields
        .chunks_exact(OLD)
        .take_while(|field| field.get(OLD / 2) != Some(&0))
        .map(|field| {
            let (offset, length) = field.split_at(OLD / 2);
            Ok(Extent {
                offset: header::length(offset, "sparse map")?,
                length: header::length(length, "sparse map")?,
            })
        })
        .collect()
}

/// What extended headers say of a sparse file.
#[derive(Debug)]
pub(crate) enum Map {
    /// Formats 0.0 and 0.1: the map is in the header.
    Here(u64, Vec<Extent>),
    /// Format 1.0: the map comes before the data.
    InData(u64),
}

/// Reads the sparse records; None: there are none.
pub(crate) fn map(records: &Records) -> Result<Option<Map>, Fault> {
    let is_sparse = records
        .iter()
        .any(|(key, _)| key.starts_with(b"GNU.sparse."));
    if !is_sparse {
        return Ok(None);
    }
    let version = (
        records.get(b"GNU.sparse.major").unwrap_or(b"0"),
        records.get(b"GNU.sparse.minor").unwrap_or(b"0"),
    );
    let size = |key| records.number(key)?.ok_or_else(malformed);
    match version {
        (b"1", b"0") => Ok(Some(Map::InData(size("GNU.sparse.realsize")?))),
        (b"0", b"0" | b"1") => {
            let extents = match records.get(b"GNU.sparse.map") {
                Some(map) => pairs(map.split(|byte| *byte == b','))?,
                None => pairs(records.iter().filter_map(|(key, value)| {
                    let is_number = key == b"GNU.sparse.offset" || key == b"GNU.sparse.numbytes";
                    is_number.then_some(value)
                }))?,
            };
            Ok(Some(Map::Here(size("GNU.sparse.size")?, extents)))
        }
        _ => Err(Fault::archive("a sparse format that nobody knows")),
    }
}

fn pairs<'a>(numbers: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Extent>, Fault> {
    let mut extents = Vec::new();
    let mut numbers = numbers.map(|number| decimal(number).ok_or_else(malformed));
    while let Some(offset) = numbers.next() {
        let (offset, length) = (offset?, numbers.next().ok_or_else(malformed)??);
        extents.push(Extent { offset, length });
        if extents.len() > MOST {
            return Err(Fault::archive("its sparse map is too long"));
        }
    }
    Ok(extents)
}

/// How many lines the map of format 1.0 has: its first one says how many pairs follow. None: more is needed to know.
pub(crate) fn map_lines(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        // A longer number than any is malformed, however it goes on.
        return if bytes.len() > 20 {
            Err(malformed())
        } else {
            Ok(None)
        };
    };
    let count = bytes.get(..end).and_then(decimal).ok_or_else(malformed)?;
    match usize::try_from(count) {
        Ok(count) if count <= MOST => Ok(Some(1 + 2 * count)),
        _ => Err(Fault::archive("its sparse map is too long")),
    }
}

/// Reads the map of format 1.0: decimal numbers, one a line, the first of them the count of pairs.
pub(crate) fn read_map(bytes: &[u8]) -> Result<Vec<Extent>, Fault> {
    let lines = map_lines(bytes)?.ok_or_else(malformed)?;
    let numbers = bytes.split(|byte| *byte == b'\n');
    let extents = pairs(numbers.take(lines).skip(1))?;
    if extents.len() * 2 + 1 == lines {
        Ok(extents)
    } else {
        Err(malformed())
    }
}

/// Checks a map against the file's size and the bytes that the archive has of it.
pub(crate) fn check(extents: &[Extent], size: u64, stored: u64) -> Result<(), Fault> {
    let mut end = 0;
    let mut sum = 0u64;
    for extent in extents {
        if extent.offset < end {
            return Err(malformed());
        }
        end = extent
            .offset
            .checked_add(extent.length)
            .ok_or_else(malformed)?;
        sum = sum.checked_add(extent.length).ok_or_else(malformed)?;
    }
    if end > size || sum != stored {
        return Err(malformed());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_in_the_data_says_how_long_it_is() {
        let map = b"2\n0\n5\n100\n7\n\0\0";
        assert_eq!(map_lines(b"2").unwrap(), None);
        assert_eq!(map_lines(map).unwrap(), Some(5));
        let extents = read_map(map).unwrap();
        assert_eq!(extents.len(), 2);
        assert!(check(&extents, 107, 12).is_ok());
        assert!(check(&extents, 106, 12).is_err());
        assert!(check(&extents, 107, 13).is_err());
    }

    #[test]
    fn extents_are_in_order_and_apart() {
        let extent = |offset, length| Extent { offset, length };
        assert!(check(&[extent(5, 5), extent(0, 5)], 10, 10).is_err());
        assert!(check(&[extent(0, 5), extent(4, 5)], 10, 10).is_err());
        assert!(check(&[extent(u64::MAX, 5)], 10, 5).is_err());
        assert!(map_lines(b"70000\n").is_err());
        assert!(map_lines(b"1234567890123456789012345").is_err());
        assert!(read_map(b"2\n0\n5\n").is_err());
    }
}
