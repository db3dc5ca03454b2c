//! The log of one container.
//!
//! A record is one line, in the format that the kubelet has for its logs (CRI): `TIME stdout|stderr F|P TEXT`. `P` marks a
//! text whose line goes on in the next record of the same output, so a newline follows the texts of `F` only. A text has no
//! newline in it, whatever the container writes, so it cannot look like another record.

mod entry;
mod reader;
mod tail;
mod writer;

pub use entry::Entry;
pub use reader::{LogReader, Range};
pub use writer::{Bounds, LogWriter};

use crate::clock::TIME_LENGTH;

/// `TIME stdout F `: everything before the text is always as long as this.
pub(crate) const HEADER: usize = TIME_LENGTH + 1 + 6 + 1 + 1 + 1;

/// The file that is written to.
pub(crate) const NAME: &str = "log";
