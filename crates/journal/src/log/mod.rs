//! The log of one container.
//!
//! A record is one line, in the format that the kubelet has for its logs (CRI): `TIME stdout|stderr F|P TEXT`. `P` marks a
//! text whose line goes on in the next record of the same output, so a newline follows the texts of `F` only. A text has no
//! newline in it, whatever the container writes, so it cannot look like another record.

mod writer;

pub use writer::{Bounds, LogWriter};

use std::ffi::CString;

use crate::clock::TIME_LENGTH;

/// `TIME stdout F `: everything before the text is always as long as this.
pub(crate) const HEADER: usize = TIME_LENGTH + 1 + 6 + 1 + 1 + 1;

/// The file that is written to.
pub(crate) const NAME: &str = "log";

/// `log`, or `log.N`, the older the higher.
pub(crate) fn file_name(base: &str, number: u32) -> CString {
    let name = match number {
        0 => base.to_owned(),
        number => format!("{base}.{number}"),
    };
    CString::new(name).unwrap_or_default()
}
