//! How much of an archive is too much.

use serde::{Deserialize, Serialize};

/// What an archive may ask of this machine. The defaults are far above every image seen in the wild, and low enough that an
/// archive made to fill a disk or to run for ever (CVE-2017-14992, CVE-2023-25153) is stopped early.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Entries.
    pub entries: u64,
    /// Bytes: of the archive without its compression, and, counted apart, of the files in it with their holes.
    pub bytes: u64,
    /// How many times larger than its compressed form an archive may be, once it is larger than [`Limits::ratio_from`].
    pub ratio: u64,
    /// Bytes of archive below which its ratio does not matter.
    pub ratio_from: u64,
    /// Directories above an entry.
    pub depth: u32,
    /// Bytes of a path or of a link's target (`PATH_MAX`).
    pub name: u32,
    /// Bytes of one extended header, extended attributes included.
    pub header: u32,
    /// Whether an archive that just stops between two entries, without its two blocks of zeroes, has been cut short. Go's
    /// reader, and so docker and podman, take such layers; with a digest to compare there is no doubt either.
    pub needs_end: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 1_000_000,
            bytes: 64 << 30,
            ratio: 200,
            ratio_from: 256 << 20,
            depth: 256,
            name: 4096,
            header: 1 << 20,
            needs_end: false,
        }
    }
}
