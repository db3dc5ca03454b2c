//! Unpacking: a pipeline of at most three threads.
//!
//! ```text
//! read, hash, keep --raw--> decompress --tar--> hash, apply
//! ```
//!
//! Hashing and decompression together take longer than making the files, so each gets a thread of its own; what is not
//! compressed needs no middle, and has one digest.

mod adjust;
mod inflate;
mod ring;
mod source;

use std::io::BufRead;
use std::os::fd::OwnedFd;

use ring::{Drainer, ring};
use source::{Source, pump};

use crate::apply::Applier;
use crate::job::{Compression, UnpackJob, Unpacked};
use crate::tar::Reader;
use crate::{Fault, decode};

/// Buffers and their bytes between two threads. Large ones: each costs two wake-ups.
const RAW: (usize, usize) = (6, 256 << 10);
const TAR: (usize, usize) = (8, 512 << 10);
/// Bytes of stack of a thread of ours.
const STACK: usize = 512 << 10;

/// The files of a job.
#[derive(Debug)]
pub struct Files {
    /// The archive.
    pub archive: OwnedFd,
    /// Where its bytes are written on to, if the job says so.
    pub blob: OwnedFd,
    /// The directory.
    pub directory: OwnedFd,
    /// Directories of the layers below, topmost first.
    pub lower: Vec<OwnedFd>,
}

/// Unpacks an archive. The process should be confined already ([`crate::confine`]).
///
/// # Errors
///
/// The archive is refused, or a call failed. The directory has what was made until then.
pub fn unpack(job: &UnpackJob, files: Files) -> Result<Unpacked, Fault> {
    let mut source = Source::new(files.archive, job.offset, job.length)?;
    let (to_raw, raw) = ring(RAW.0, RAW.1, false);
    let mut first = to_raw.buffer().unwrap_or_default();
    source.fill(&mut first)?;
    let compression = match job.compression {
        Some(compression) => compression,
        None => decode::detect(first.bytes())?,
    };
    let blob = job.has_blob.then_some(files.blob);
    let most = job.limits.bytes;
    let reader = spawn(move || pump(source, first, most, blob.as_ref(), &to_raw))?;
    let (tar, decoder) = if compression == Compression::Plain {
        (raw, None)
    } else {
        let (to_tar, tar) = ring(TAR.0, TAR.1, true);
        let limits = job.limits;
        let decoder = spawn(move || inflate::inflate(raw, compression, &limits, &to_tar))?;
        (tar, Some(decoder))
    };
    let applier = Applier::new(job, files.directory, files.lower)?;
    let (mut unpacked, tar) = apply(job, applier, tar)?;
    // Only now: after a failure the reader may wait for bytes that never come, and the process ends without it.
    let raw = reader.join().unwrap_or_default();
    if let Some(decoder) = decoder {
        let _ = decoder.join();
        unpacked.diff_id = prefixed(&tar.digest());
    } else {
        unpacked.diff_id = prefixed(&raw.digest);
    }
    unpacked.digest = prefixed(&raw.digest);
    unpacked.size = raw.size;
    Ok(unpacked)
}

fn spawn<T: Send + 'static>(
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<std::thread::JoinHandle<T>, Fault> {
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(body)
        .map_err(|error| Fault::call("start a thread", keelbox_sys::Errno::from(error)))
}

fn prefixed(digest: &str) -> String {
    format!("sha256:{digest}")
}

fn apply(
    job: &UnpackJob,
    mut applier: Applier,
    tar: Drainer,
) -> Result<(Unpacked, Drainer), Fault> {
    let mut reader = Reader::new(tar, job.limits);
    let mut entries = 0;
    while let Some(mut entry) = reader.next()? {
        if !job.adjust.entry(&mut entry) {
            continue;
        }
        applier
            .apply(&entry, &mut reader)
            .map_err(|fault| fault.on(&entry.path))?;
        entries += 1;
    }
    let largest_id = applier.largest_id();
    let notes = applier.finish()?;
    let mut tar = reader.into_inner();
    drain(&mut tar)?;
    let unpacked = Unpacked {
        tar_size: tar.total(),
        entries,
        largest_id,
        notes,
        ..Unpacked::default()
    };
    Ok((unpacked, tar))
}

/// What is behind the archive's end belongs to its digest all the same.
fn drain(tar: &mut Drainer) -> Result<(), Fault> {
    loop {
        let length = tar.fill_buf()?.len();
        if length == 0 {
            return Ok(());
        }
        tar.consume(length);
    }
}
