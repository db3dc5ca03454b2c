//! Writing an archive: ustar headers, with an extended header (pax) for what they cannot say.

use std::io::Write;

use super::entry::{Entry, Kind, Time};
use super::{BLOCK, BLOCK_LENGTH, padded};
use crate::Fault;

/// The largest numbers of 7 and of 11 octal digits.
const SMALL: u64 = 0o777_7777;
const LARGE: u64 = 0o777_7777_7777;
const ZEROES: [u8; BLOCK] = [0; BLOCK];

/// An archive in the making. The same entries make the same bytes.
#[derive(Debug)]
pub struct Writer<W> {
    sink: W,
    /// Bytes of data that the entry still lacks.
    left: u64,
    padding: u64,
}

impl<W: Write> Writer<W> {
    /// Writes to `sink`.
    pub fn new(sink: W) -> Self {
        Self {
            sink,
            left: 0,
            padding: 0,
        }
    }

    /// Begins an entry. Its `stored` bytes of data follow, by [`Writer::data`]; those of a sparse file without its holes.
    ///
    /// # Errors
    ///
    /// The last entry lacks data; the sink cannot be written.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.finish_entry()?;
        let map = sparse_map(entry);
        let map_length = u64::try_from(map.len()).unwrap_or_default();
        let stored = entry.stored + map_length;
        let records = records(entry, stored);
        if !records.is_empty() {
            let length = u64::try_from(records.len()).unwrap_or_default();
            let name = extended_name(&entry.path);
            self.write(&header(&Entry::new(Kind::File, name), b'x', length))?;
            self.write(&records)?;
            self.pad(padded(length) - length)?;
        }
        self.write(&header(entry, flag(entry.kind), stored))?;
        self.write(&map)?;
        self.left = entry.stored;
        self.padding = padded(stored) - stored;
        Ok(())
    }

    /// Writes some of the entry's data.
    ///
    /// # Errors
    ///
    /// More than the entry said that there are; the sink cannot be written.
    pub fn data(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| Fault::archive("an entry has more data than it said"))?;
        self.write(bytes)
    }

    /// Ends the archive; the sink.
    ///
    /// # Errors
    ///
    /// The last entry lacks data; the sink cannot be written.
    pub fn finish(mut self) -> Result<W, Fault> {
        self.finish_entry()?;
        self.pad(2 * BLOCK_LENGTH)?;
        self.sink.flush().map_err(written)?;
        Ok(self.sink)
    }

    fn finish_entry(&mut self) -> Result<(), Fault> {
        if self.left > 0 {
            return Err(Fault::archive("an entry has less data than it said"));
        }
        self.pad(self.padding)?;
        self.padding = 0;
        Ok(())
    }

    fn pad(&mut self, mut length: u64) -> Result<(), Fault> {
        while length > 0 {
            let count = length.min(BLOCK_LENGTH);
            let zeroes = usize::try_from(count)
                .ok()
                .and_then(|end| ZEROES.get(..end));
            self.write(zeroes.unwrap_or_default())?;
            length -= count;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.sink.write_all(bytes).map_err(written)
    }
}

fn written(error: std::io::Error) -> Fault {
    Fault::call("write the archive", keelbox_sys::Errno::from(error))
}

fn flag(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::SymbolicLink => b'2',
        Kind::CharacterDevice => b'3',
        Kind::BlockDevice => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    }
}

/// What readers that know no extended headers make of one: a file in a directory of its own.
fn extended_name(path: &[u8]) -> Vec<u8> {
    let trimmed = path.strip_suffix(b"/").unwrap_or(path);
    let last = trimmed.rsplit(|byte| *byte == b'/').next();
    let name = last.unwrap_or_default();
    [b"PaxHeaders/", name.get(..80).unwrap_or(name)].concat()
}

fn header(entry: &Entry, flag: u8, stored: u64) -> [u8; BLOCK] {
    let mut block = ZEROES;
    let mut put = |at: usize, length: usize, value: &[u8]| {
        let value = value.get(..length).unwrap_or(value);
        if let Some(field) = block.get_mut(at..at + value.len()) {
            field.copy_from_slice(value);
        }
    };
    put(0, 100, &entry.path);
    put(100, 8, &octal(entry.mode.into(), 7));
    put(108, 8, &octal(entry.uid.into(), 7));
    put(116, 8, &octal(entry.gid.into(), 7));
    put(124, 12, &octal(stored, 11));
    let seconds = u64::try_from(entry.mtime.seconds).unwrap_or_default();
    put(136, 12, &octal(seconds, 11));
    put(148, 8, b"        ");
    put(156, 1, &[flag]);
    put(157, 100, &entry.link);
    put(257, 8, b"ustar\x0000");
    put(329, 8, &octal(entry.device.0.into(), 7));
    put(337, 8, &octal(entry.device.1.into(), 7));
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    let sum = [&octal(sum, 6)[..], b"\0 "].concat();
    if let Some(field) = block.get_mut(148..156) {
        field.copy_from_slice(&sum);
    }
    block
}

/// A number too large for its field is 0 there, and in the extended header as it is.
fn octal(value: u64, digits: usize) -> Vec<u8> {
    let most = if digits > 7 { LARGE } else { SMALL };
    let value = if value > most { 0 } else { value };
    format!("{value:0digits$o}").into_bytes()
}

/// The extended header's records; empty: none is needed.
fn records(entry: &Entry, stored: u64) -> Vec<u8> {
    let mut records = Vec::new();
    let mut add = |key: &[u8], value: &[u8]| record(&mut records, key, value);
    if entry.extents.is_some() {
        add(b"GNU.sparse.major", b"1");
        add(b"GNU.sparse.minor", b"0");
        add(b"GNU.sparse.name", &entry.path);
        add(b"GNU.sparse.realsize", entry.size.to_string().as_bytes());
    }
    if entry.path.len() > 100 {
        add(b"path", &entry.path);
    }
    if entry.link.len() > 100 {
        add(b"linkpath", &entry.link);
    }
    for (key, value, most) in [
        (&b"uid"[..], u64::from(entry.uid), SMALL),
        (b"gid", u64::from(entry.gid), SMALL),
        (b"size", stored, LARGE),
    ] {
        if value > most {
            add(key, value.to_string().as_bytes());
        }
    }
    let Time {
        seconds,
        nanoseconds,
    } = entry.mtime;
    if nanoseconds > 0 || !u64::try_from(seconds).is_ok_and(|seconds| seconds <= LARGE) {
        add(b"mtime", time(entry.mtime).as_bytes());
    }
    for (name, value) in &entry.xattrs {
        add(&[b"SCHILY.xattr.", name.as_slice()].concat(), value);
    }
    records
}

/// A record begins with its own length, the length's digits included.
fn record(into: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    into.extend_from_slice(length.to_string().as_bytes());
    into.push(b' ');
    into.extend_from_slice(key);
    into.push(b'=');
    into.extend_from_slice(value);
    into.push(b'\n');
}

/// Seconds with their fraction; before the epoch both count backwards.
fn time(time: Time) -> String {
    let (seconds, nanoseconds) = (time.seconds, time.nanoseconds);
    let text = if seconds < 0 && nanoseconds > 0 {
        format!("-{}.{:09}", -(seconds + 1), 1_000_000_000 - nanoseconds)
    } else {
        format!("{seconds}.{nanoseconds:09}")
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The map of a sparse file (format 1.0), filled up to a whole block.
fn sparse_map(entry: &Entry) -> Vec<u8> {
    let Some(extents) = &entry.extents else {
        return Vec::new();
    };
    let mut map = format!("{}\n", extents.len());
    for extent in extents {
        map.push_str(&format!("{}\n{}\n", extent.offset, extent.length));
    }
    let mut map = map.into_bytes();
    map.resize(map.len().next_multiple_of(BLOCK), 0);
    map
}
