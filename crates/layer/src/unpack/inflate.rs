//! The middle of the pipeline: takes the compression off.

use std::io::Read;

use super::ring::{Drainer, Filler};
use crate::decode::Decoder;
use crate::job::Compression;
use crate::{Fault, Limits};

/// Decompresses to the end. Stops when nobody takes the bytes any more.
pub(crate) fn inflate(raw: Drainer, compression: Compression, limits: &Limits, ring: &Filler) {
    if let Err(fault) = try_inflate(raw, compression, limits, ring) {
        ring.fail(fault);
    }
}

fn try_inflate(
    raw: Drainer,
    compression: Compression,
    limits: &Limits,
    ring: &Filler,
) -> Result<(), Fault> {
    let mut decoder = Decoder::new(raw, compression).map_err(Fault::from)?;
    let mut total = 0;
    while let Some(mut chunk) = ring.buffer() {
        loop {
            let rest = chunk.buffer.get_mut(chunk.length..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match decoder.read(rest).map_err(Fault::from)? {
                0 => break,
                count => chunk.length += count,
            }
        }
        if chunk.length == 0 {
            break;
        }
        total += u64::try_from(chunk.length).unwrap_or_default();
        check(total, decoder.get_ref().total(), limits)?;
        if !ring.send(chunk) {
            break;
        }
    }
    Ok(())
}

fn check(total: u64, raw: u64, limits: &Limits) -> Result<(), Fault> {
    if total > limits.bytes {
        let why = format!("it has more than {} bytes", limits.bytes);
        return Err(Fault::limit("bytes", why));
    }
    if total > limits.ratio_from && total > raw.saturating_mul(limits.ratio) {
        let why = format!(
            "it is more than {} times as large as its compressed form",
            limits.ratio
        );
        return Err(Fault::limit("ratio", why));
    }
    Ok(())
}
