//! Bytes from one thread to the next: a bounded number of buffers that go round and round.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::Fault;
use crate::digest::Sha256;

/// A buffer, and how much of it is filled.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) buffer: Vec<u8>,
    pub(crate) length: usize,
}

impl Chunk {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

/// The end that fills buffers.
pub(crate) struct Filler {
    full: SyncSender<Result<Chunk, Fault>>,
    empty: Receiver<Chunk>,
    size: usize,
}

/// The end that drains them, as a stream.
pub(crate) struct Drainer {
    full: Receiver<Result<Chunk, Fault>>,
    empty: SyncSender<Chunk>,
    chunk: Chunk,
    used: usize,
    /// Bytes of all chunks before this one.
    before: u64,
    digest: Option<Sha256>,
}

/// `count` buffers of `size` bytes, made when they are first needed. With `hash`, what is drained is hashed on its way.
pub(crate) fn ring(count: usize, size: usize, hash: bool) -> (Filler, Drainer) {
    let (full_in, full_out) = sync_channel(count);
    let (empty_in, empty_out) = sync_channel(count);
    for _ in 0..count {
        let _ = empty_in.send(Chunk::default());
    }
    let filler = Filler {
        full: full_in,
        empty: empty_out,
        size,
    };
    let drainer = Drainer {
        full: full_out,
        empty: empty_in,
        chunk: Chunk::default(),
        used: 0,
        before: 0,
        digest: hash.then(Sha256::new),
    };
    (filler, drainer)
}

impl Filler {
    /// A buffer to fill; None: nobody drains any more.
    pub(crate) fn buffer(&self) -> Option<Chunk> {
        let mut chunk = self.empty.recv().ok()?;
        if chunk.buffer.is_empty() {
            chunk.buffer = vec![0; self.size];
        }
        chunk.length = 0;
        Some(chunk)
    }

    /// Hands a buffer on. False: nobody drains any more.
    pub(crate) fn send(&self, chunk: Chunk) -> bool {
        self.full.send(Ok(chunk)).is_ok()
    }

    /// Says why nothing more comes.
    pub(crate) fn fail(&self, fault: Fault) {
        let _ = self.full.send(Err(fault));
    }
}

impl Drainer {
    /// How many bytes have been taken out.
    pub(crate) fn total(&self) -> u64 {
        self.before + u64::try_from(self.used).unwrap_or_default()
    }

    /// The digest of all that was drained; empty when it was not to be hashed.
    pub(crate) fn digest(self) -> String {
        self.digest.map(Sha256::finish).unwrap_or_default()
    }

    fn next(&mut self) -> io::Result<()> {
        self.before = self.total();
        self.used = 0;
        let done = std::mem::take(&mut self.chunk);
        if !done.buffer.is_empty() {
            let _ = self.empty.send(done);
        }
        // Closed: the other end has said all.
        if let Ok(chunk) = self.full.recv() {
            self.chunk = chunk?;
        }
        if let Some(digest) = &mut self.digest {
            digest.update(self.chunk.bytes());
        }
        Ok(())
    }
}

impl BufRead for Drainer {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.chunk.length {
            self.next()?;
        }
        Ok(self.chunk.bytes().get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.chunk.length);
    }
}

impl Read for Drainer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}
