//! Writing a log: whole records, in files of bounded size.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_sys::Errno;
use rustix::fs::{AtFlags, Mode, OFlags};

use super::{HEADER, NAME};
use crate::Stream;
use crate::clock::{TIME_LENGTH, Time};
use crate::files::file_name;
use crate::lines::{LONGEST_PIECE, Piece, Splitter};

/// Bounds of a log. Nothing is smaller than 1 KiB or more than 512 files, whatever they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of one file: docker's `max-size`.
    pub max_size: u64,
    /// Files at most, the one that is written to among them: docker's `max-file`.
    pub max_files: u32,
}

impl Default for Bounds {
    /// Three files of 10 MB.
    fn default() -> Self {
        Self {
            max_size: 10_000_000,
            max_files: 3,
        }
    }
}

impl Bounds {
    const SMALLEST: u64 = 1024;
    const MOST_FILES: u32 = 512;

    fn clamped(self) -> Self {
        Self {
            max_size: self.max_size.max(Self::SMALLEST),
            max_files: self.max_files.clamp(1, Self::MOST_FILES),
        }
    }

    /// A record is no longer than a file.
    fn longest_piece(self) -> usize {
        let room = usize::try_from(self.max_size).unwrap_or(usize::MAX);
        LONGEST_PIECE.min(room - HEADER - 2)
    }
}

/// How much is gathered for one write(2). What a container writes in a burst comes in as much as a pipe holds.
const BATCH: usize = 32 * 1024;

/// What is kept of the buffer between two writes: this stays in memory for every container.
const KEPT: usize = 1024;

/// The log of one container, in the container's data directory: `log`, older ones `log.1`, `log.2`, ...
///
/// It alone writes there. What cannot be written (a full disk) is lost and counted, and the log says so when it works again:
/// a container never waits for its log, and never fails because of it.
#[derive(Debug)]
pub struct LogWriter {
    splitters: [Splitter; 2],
    batch: Vec<u8>,
    file: File,
}

impl LogWriter {
    /// Opens the log in a directory, and goes on where an earlier one ended.
    ///
    /// # Errors
    ///
    /// The directory's fd cannot be copied (EMFILE). A file that cannot be opened is no error: it is tried again.
    pub fn open(directory: BorrowedFd<'_>, bounds: Bounds) -> rustix::io::Result<Self> {
        let bounds = bounds.clamped();
        let directory = rustix::io::fcntl_dupfd_cloexec(directory, 3)?;
        let mut file = File {
            directory,
            bounds,
            open: None,
            lost: Lost::default(),
        };
        file.remove_surplus();
        let _ = file.open();
        let splitter = || Splitter::new(bounds.longest_piece());
        Ok(Self {
            splitters: [splitter(), splitter()],
            batch: Vec::new(),
            file,
        })
    }

    /// Takes bytes of a stream as they came, and writes the lines that they complete. A line longer than 16 KiB is cut; what
    /// comes after the last newline is held back until more comes, or [`flush`](Self::flush).
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let time = Time::now().text();
        let (batch, file) = (&mut self.batch, &mut self.file);
        let mut take = |piece: Piece<'_>| append(batch, file, time, stream, piece);
        self.splitters[stream.index()].feed(bytes, &mut take);
        self.send();
    }

    /// Writes what is held back, as a line that goes on: the container has ended.
    pub fn flush(&mut self) {
        let time = Time::now().text();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let (batch, file) = (&mut self.batch, &mut self.file);
            let mut take = |piece: Piece<'_>| append(batch, file, time, stream, piece);
            self.splitters[stream.index()].flush(&mut take);
        }
        self.send();
        self.file.write(&[]);
    }

    fn send(&mut self) {
        if !self.batch.is_empty() {
            self.file.write(&self.batch);
            self.batch.clear();
            self.batch.shrink_to(KEPT);
        }
    }
}

/// Adds a record; writes first what would not go into the same file, or has become much.
fn append(
    batch: &mut Vec<u8>,
    file: &mut File,
    time: [u8; TIME_LENGTH],
    stream: Stream,
    piece: Piece<'_>,
) {
    let length = HEADER + piece.text.len() + 1;
    if !batch.is_empty() && (batch.len() + length > BATCH || !file.has_room(batch.len() + length)) {
        file.write(batch);
        batch.clear();
    }
    batch.extend_from_slice(&time);
    batch.push(b' ');
    batch.extend_from_slice(stream.name().as_bytes());
    batch.extend_from_slice(if piece.is_partial { b" P " } else { b" F " });
    batch.extend_from_slice(piece.text);
    batch.push(b'\n');
}

/// Text that never came to the disk.
#[derive(Debug, Default)]
struct Lost {
    bytes: u64,
    errno: Option<Errno>,
}

#[derive(Debug)]
struct Open {
    fd: OwnedFd,
    size: u64,
    /// The last byte is no newline: something was cut short.
    is_torn: bool,
}

#[derive(Debug)]
struct File {
    directory: OwnedFd,
    bounds: Bounds,
    open: Option<Open>,
    lost: Lost,
}

impl File {
    fn has_room(&self, length: usize) -> bool {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        let size = self.open.as_ref().map_or(0, Open::size);
        size.saturating_add(length) <= self.bounds.max_size
    }

    /// Writes whole records. Before them, how much was lost since it last worked.
    fn write(&mut self, records: &[u8]) {
        if self.lost.bytes > 0 {
            let notice = self.lost.notice();
            if self.put(notice.as_bytes()).is_err() {
                return self.lose(lost_text(records, 0), None);
            }
            self.lost = Lost::default();
        }
        if records.is_empty() {
            return;
        }
        if let Err((written, errno)) = self.put(records) {
            self.lose(lost_text(records, written), Some(errno));
        }
    }

    fn lose(&mut self, bytes: u64, errno: Option<Errno>) {
        self.lost.bytes = self.lost.bytes.saturating_add(bytes);
        self.lost.errno = errno.or(self.lost.errno);
    }

    /// One write(2), unless the kernel takes less. The error comes with how much it took.
    fn put(&mut self, records: &[u8]) -> Result<(), (usize, Errno)> {
        self.open().map_err(|errno| (0, errno))?;
        if !self.has_room(records.len()) {
            self.rotate();
        }
        let open = self.open().map_err(|errno| (0, errno))?;
        if open.is_torn {
            open.append(b"\n").map_err(|(_, errno)| (0, errno))?;
        }
        open.append(records)
    }

    fn open(&mut self) -> Result<&mut Open, Errno> {
        if self.open.is_none() {
            // It is also read, to see how it ends.
            let flags = OFlags::CREATE | OFlags::APPEND | OFlags::RDWR;
            let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let mode = Mode::from_raw_mode(0o600);
            let fd = rustix::fs::openat(&self.directory, NAME, flags, mode)?;
            self.open = Some(Open::of(fd)?);
        }
        self.open.as_mut().ok_or(Errno::EIO)
    }

    /// Renames the files, each to the next number, and the oldest one away. The next write begins a new one.
    ///
    /// Readers have the old one open still and find it by its inode, so it is not written to any more before it is renamed.
    fn rotate(&mut self) {
        self.open = None;
        let directory = self.directory.as_fd();
        for number in (0..self.bounds.max_files - 1).rev() {
            let (from, to) = (file_name(NAME, number), file_name(NAME, number + 1));
            let _ = rustix::fs::renameat(directory, &from, directory, &to);
        }
        // Still there when it is the only one, or when a disk is too full for another name: the bound holds all the same.
        let _ = rustix::fs::unlinkat(directory, NAME, AtFlags::empty());
    }

    /// Files of an earlier start that was allowed more of them.
    fn remove_surplus(&self) {
        let mut number = self.bounds.max_files;
        while rustix::fs::unlinkat(&self.directory, file_name(NAME, number), AtFlags::empty())
            .is_ok()
        {
            number += 1;
        }
    }
}

impl Open {
    fn of(fd: OwnedFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(&fd)?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let mut last = [b'\n'];
        if size > 0 {
            rustix::io::pread(&fd, &mut last, size - 1)?;
        }
        Ok(Self {
            fd,
            size,
            is_torn: last != *b"\n",
        })
    }

    /// What is in the file, and the newline that it lacks.
    fn size(&self) -> u64 {
        self.size + u64::from(self.is_torn)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), (usize, Errno)> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match rustix::io::write(&self.fd, rest) {
                Ok(0) => return Err((written, Errno::EIO)),
                Ok(length) => {
                    written += length;
                    self.size += u64::try_from(length).unwrap_or(0);
                    self.is_torn = bytes.get(written - 1) != Some(&b'\n');
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err((written, errno.into())),
            }
        }
        Ok(())
    }
}

impl Lost {
    /// A record of its own; whoever reads the log should not take it for the container's words.
    fn notice(&self) -> String {
        let why = self.errno.unwrap_or(Errno::EIO).text().to_lowercase();
        let time = Time::now().text();
        format!(
            "{} stderr F keelbox: {} bytes of output were lost: {why}\n",
            String::from_utf8_lossy(&time),
            self.bytes
        )
    }
}

/// How much text did not come to the disk when it took only the first `written` bytes of these records. A record that it took
/// a part of has said its first words: a reader sees a line that ends there.
fn lost_text(records: &[u8], written: usize) -> u64 {
    let (before, after) = records.split_at(written.min(records.len()));
    let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let torn = before.len() - start;
    let kept = u64::try_from(torn.saturating_sub(HEADER)).unwrap_or(0);
    if torn == 0 {
        return text_length(after);
    }
    text_length(records.get(start..).unwrap_or_default()) - kept
}

/// How many bytes of the container's are in these records, newlines of its own among them.
fn text_length(records: &[u8]) -> u64 {
    let lines = records.split_inclusive(|&byte| byte == b'\n');
    let text = lines.map(|line| {
        let is_partial = line.get(HEADER - 2) == Some(&b'P');
        line.len().saturating_sub(HEADER + usize::from(is_partial))
    });
    u64::try_from(text.sum::<usize>()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
