//! Taking compression off.

use std::io::{self, BufRead, Read};

use crate::Fault;
use crate::job::Compression;

/// What an archive's first bytes say of its compression.
///
/// # Errors
///
/// A compression that layers do not have.
pub fn detect(start: &[u8]) -> Result<Compression, Fault> {
    let other = |name: &str| {
        Err(Fault::archive(format!(
            "it is compressed with {name}, and layers are with gzip or zstd"
        )))
    };
    match start {
        [0x1f, 0x8b, ..] => Ok(Compression::Gzip),
        // A frame, or one that is to be skipped (RFC 8878, 3.1.2).
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Compression::Zstd),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => other("xz"),
        [b'B', b'Z', b'h', ..] => other("bzip2"),
        _ => Ok(Compression::Plain),
    }
}

/// An archive without its compression.
#[allow(missing_debug_implementations, reason = "the decoders have none")]
pub enum Decoder<R: BufRead> {
    /// As it is.
    Plain(R),
    /// gzip, of any number of members; anything else behind one is refused, as Go's reader does.
    Gzip(Box<flate2::bufread::MultiGzDecoder<R>>),
    /// zstd, of any number of frames.
    Zstd(zstd::stream::read::Decoder<'static, R>),
}

impl<R: BufRead> Decoder<R> {
    /// Takes `compression` off `source`.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn new(source: R, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Plain => Self::Plain(source),
            Compression::Gzip => Self::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(source))),
            Compression::Zstd => Self::Zstd(zstd::stream::read::Decoder::with_buffer(source)?),
        })
    }

    /// The source.
    pub fn get_ref(&self) -> &R {
        match self {
            Self::Plain(source) => source,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(into),
            Self::Gzip(decoder) => decoder.read(into),
            Self::Zstd(decoder) => decoder.read(into),
        }
    }
}
