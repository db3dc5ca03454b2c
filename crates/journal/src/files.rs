//! The files of a log or of a journal: `NAME`, which is written to, and `NAME.1`, `NAME.2`, ..., which are older.
//!
//! They are renamed at any moment, always to the next number. So a file is told by its inode, which cannot be another's while
//! it is open here, and looking from the lowest number upwards meets each one: at worst twice.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};

/// `NAME`, or `NAME.N`.
pub(crate) fn file_name(base: &str, number: u32) -> String {
    match number {
        0 => base.to_owned(),
        number => format!("{base}.{number}"),
    }
}

/// One of them, open.
#[derive(Debug)]
pub(crate) struct Segment {
    fd: OwnedFd,
    key: Key,
}

/// Device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64, u64);

impl Key {
    #[allow(clippy::useless_conversion, reason = "narrower on some machines")]
    fn of(stat: &Stat) -> Self {
        Self(stat.st_dev.into(), stat.st_ino.into())
    }
}

impl Segment {
    fn open(directory: BorrowedFd<'_>, name: &str) -> Result<Option<Self>> {
        // A pipe of that name must not hold anybody up.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let fd = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let stat = rustix::fs::fstat(&fd)?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let key = Key::of(&stat);
        Ok(is_file.then_some(Self { fd, key }))
    }

    pub(crate) fn size(&self) -> Result<u64> {
        Ok(u64::try_from(self.stat()?.st_size).unwrap_or(0))
    }

    /// When it was written to last, in seconds since the epoch.
    pub(crate) fn modified(&self) -> Result<i128> {
        Ok(i128::from(self.stat()?.st_mtime))
    }

    /// Whether it still has a name.
    fn has_name(&self) -> bool {
        self.stat().is_ok_and(|stat| stat.st_nlink > 0)
    }

    fn stat(&self) -> Result<Stat> {
        rustix::fs::fstat(&self.fd)
    }

    /// pread(2) into the end of `buffer`, up to `length` bytes more. 0 at the end of the file.
    pub(crate) fn read_at(&self, buffer: &mut Vec<u8>, length: usize, at: u64) -> Result<usize> {
        let before = buffer.len();
        buffer.resize(before + length, 0);
        let read = loop {
            match rustix::io::pread(&self.fd, &mut buffer[before..], at) {
                Err(Errno::INTR) => {}
                other => break other,
            }
        };
        buffer.truncate(before + read.unwrap_or(0));
        read
    }
}

/// All that there are, the oldest first.
pub(crate) fn segments(directory: BorrowedFd<'_>, base: &str) -> Result<Vec<Segment>> {
    let highest = highest(directory, base)?;
    let mut found: Vec<Segment> = Vec::new();
    // While we look, the highest may be renamed once or twice more.
    for number in 0..=highest.saturating_add(2) {
        if let Some(segment) = Segment::open(directory, &file_name(base, number))?
            && !found.iter().any(|other| other.key == segment.key)
        {
            found.push(segment);
        }
    }
    found.reverse();
    Ok(found)
}

fn highest(directory: BorrowedFd<'_>, base: &str) -> Result<u32> {
    let number = |name: &[u8]| {
        let rest = name.strip_prefix(base.as_bytes())?.strip_prefix(b".")?;
        str::from_utf8(rest).ok()?.parse::<u32>().ok()
    };
    let mut highest = 0;
    for entry in Dir::read_from(directory)? {
        // A stray `log.4000000000` is none of ours.
        let found = number(entry?.file_name().to_bytes()).filter(|&number| number < 10_000);
        highest = highest.max(found.unwrap_or(0));
    }
    Ok(highest)
}

/// The files that are newer than `segment`, the oldest first. None when it is the one that is written to.
pub(crate) fn newer_than(
    directory: BorrowedFd<'_>,
    base: &str,
    segment: &Segment,
) -> Result<Vec<Segment>> {
    match rustix::fs::statat(directory.as_fd(), base, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if Key::of(&stat) == segment.key => return Ok(Vec::new()),
        // Just being renamed, or the directory is gone.
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Ok(_) => {}
        Err(errno) => return Err(errno),
    }
    loop {
        let mut all = segments(directory, base)?;
        match all.iter().position(|other| other.key == segment.key) {
            Some(at) => return Ok(all.split_off(at + 1)),
            // Removed, and what was between it and the oldest with it.
            None if !segment.has_name() => return Ok(all),
            // Renamed further than we looked.
            None => {}
        }
    }
}
