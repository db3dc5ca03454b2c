//! tar: ustar and pax (POSIX.1-2024, pax), GNU tar's and star's additions. A strict reader and a deterministic writer.
//!
//! Readers of tar disagree about archives that break the rules, and what one of them does not see another one extracts
//! (CVE-2025-62518). So an archive that two readers could take differently is refused here: sizes that contradict each
//! other, data behind entries that have none, records that do not fill their header.

mod entry;
mod header;
mod pax;
mod reader;
mod sparse;
#[cfg(test)]
mod tests;
mod writer;

pub use entry::{Entry, Extent, Kind, Time};
pub use reader::Reader;
pub(crate) use sparse::MOST as MOST_EXTENTS;
pub use writer::Writer;

/// Bytes of a block: headers are one, data are padded to one.
pub const BLOCK: usize = 512;
/// [`BLOCK`], for lengths of archives.
pub(crate) const BLOCK_LENGTH: u64 = 512;

/// Bytes with the padding to a whole block.
pub(crate) const fn padded(length: u64) -> u64 {
    length.next_multiple_of(BLOCK_LENGTH)
}
