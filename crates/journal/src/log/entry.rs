//! One record of a log.

use super::HEADER;
use crate::Stream;
use crate::clock::{TIME_LENGTH, Time};

/// One record of a log: a line of one of the outputs, or a piece of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// When it came.
    pub time: Time,
    /// Which output it came on.
    pub stream: Stream,
    /// The line goes on in the next entry of this stream, so no newline follows the text.
    pub is_partial: bool,
    /// What the container wrote, without the newline.
    pub text: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads a line of the file. None: it is none of ours.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let text = line.get(HEADER..)?;
        let time = Time::parse(&line[..TIME_LENGTH])?;
        let (stream, is_partial) = match &line[TIME_LENGTH..HEADER] {
            b" stdout F " => (Stream::Stdout, false),
            b" stdout P " => (Stream::Stdout, true),
            b" stderr F " => (Stream::Stderr, false),
            b" stderr P " => (Stream::Stderr, true),
            _ => return None,
        };
        Some(Self {
            time,
            stream,
            is_partial,
            text,
        })
    }
}
