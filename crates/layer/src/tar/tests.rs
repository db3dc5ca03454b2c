//! Reader and writer against each other, and the reader against bytes that nobody wrote.

use super::{Entry, Extent, Kind, Reader, Time, Writer};
use crate::{Fault, Limits};

type File = (Entry, Vec<u8>);

fn write(files: &[File]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, data) in files {
        writer.entry(entry).unwrap();
        writer.data(data).unwrap();
    }
    writer.finish().unwrap()
}

fn read(archive: &[u8]) -> Result<Vec<File>, Fault> {
    let mut reader = Reader::new(archive, Limits::default());
    let mut files = Vec::new();
    while let Some(entry) = reader.next()? {
        let mut data = Vec::new();
        loop {
            let chunk = reader.data()?;
            let count = chunk.len();
            if count == 0 {
                break;
            }
            data.extend_from_slice(chunk);
            reader.consume(count);
        }
        files.push((
            Entry {
                position: 0,
                ..entry
            },
            data,
        ));
    }
    Ok(files)
}

fn samples() -> Vec<File> {
    let entry = |kind, path: &str| Entry::new(kind, path);
    let long = "long/".repeat(60);
    vec![
        (entry(Kind::Directory, "./"), Vec::new()),
        (
            Entry {
                size: 5,
                stored: 5,
                mode: 0o4755,
                uid: 3_000_000,
                gid: u32::MAX - 1,
                mtime: Time {
                    seconds: -5,
                    nanoseconds: 250_000_000,
                },
                xattrs: vec![
                    (b"security.capability".to_vec(), vec![1, 0, 10, 61, 255]),
                    (b"user.empty".to_vec(), Vec::new()),
                ],
                ..entry(Kind::File, &format!("{long}file"))
            },
            b"hello".to_vec(),
        ),
        (
            Entry {
                link: format!("{long}file").into_bytes(),
                ..entry(Kind::HardLink, "hard")
            },
            Vec::new(),
        ),
        (
            Entry {
                link: b"/absolute".to_vec(),
                ..entry(Kind::SymbolicLink, "soft")
            },
            Vec::new(),
        ),
        (
            Entry {
                device: (259, 70_000),
                ..entry(Kind::BlockDevice, "disk")
            },
            Vec::new(),
        ),
        (entry(Kind::Fifo, "pipe"), Vec::new()),
        (sparse(), b"abc".to_vec()),
    ]
}

fn sparse() -> Entry {
    let extent = |offset, length| Extent { offset, length };
    Entry {
        size: 1 << 40,
        stored: 3,
        extents: Some(vec![extent(4096, 2), extent((1 << 40) - 1, 1)]),
        ..Entry::new(Kind::File, "sparse")
    }
}

#[test]
fn what_is_written_is_read() {
    let mut limits_apply = samples();
    let sparse = limits_apply.pop().unwrap();
    assert_eq!(read(&write(&limits_apply)).unwrap(), limits_apply);
    assert_eq!(read(&write(&[sparse])).unwrap_err().limit, "bytes");
    let mut small = samples();
    if let Some((entry, _)) = small.last_mut() {
        entry.size = 1 << 20;
        if let Some(extent) = entry
            .extents
            .as_mut()
            .and_then(|extents| extents.last_mut())
        {
            extent.offset = (1 << 20) - 1;
        }
    }
    assert_eq!(read(&write(&small)).unwrap(), small);
}

#[test]
fn an_entry_has_the_data_that_it_says() {
    let mut entry = Entry::new(Kind::File, "a");
    (entry.size, entry.stored) = (2, 2);
    let mut writer = Writer::new(Vec::new());
    writer.entry(&entry).unwrap();
    assert!(writer.data(b"abc").is_err());
    writer.data(b"a").unwrap();
    assert!(writer.finish().is_err());
}

#[test]
fn files_are_skipped_by_seeking_and_cuts_are_seen_all_the_same() {
    let mut entry = Entry::new(Kind::File, "a");
    (entry.size, entry.stored) = (5000, 5000);
    let archive = write(&[
        (entry, vec![7; 5000]),
        (Entry::new(Kind::Fifo, "b"), Vec::new()),
    ]);
    let count = |bytes: &[u8]| -> Result<usize, Fault> {
        let mut reader = Reader::seekable(std::io::Cursor::new(bytes), Limits::default());
        let mut count = 0;
        while reader.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    };
    assert_eq!(count(&archive).unwrap(), 2);
    assert!(count(archive.get(..3000).unwrap()).is_err());
}

/// Bytes that nobody wrote end in an error or in entries, never in a panic or without an end.
#[test]
fn changed_bytes_do_no_harm() {
    let honest = write(samples().get(..6).unwrap());
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).unwrap_or(0) % below
    };
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut archive = honest.clone();
        for _ in 0..=random(3) {
            let at = random(archive.len());
            if let Some(byte) = archive.get_mut(at) {
                *byte = u8::try_from(random(256)).unwrap();
            }
        }
        archive.truncate(archive.len() - random(2) * random(honest.len()));
        reseal(&mut archive);
        accepted += usize::from(read(&archive).is_ok());
    }
    assert!(accepted > 100, "the changes are too wild to test anything");
}

/// Makes the checksums right again, or hardly any change would get past them.
fn reseal(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(512) {
        if block.get(257..262) != Some(b"ustar") {
            continue;
        }
        if let Some(sum) = block.get_mut(148..156) {
            sum.fill(b' ');
        }
        let total: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        if let Some(sum) = block.get_mut(148..156) {
            sum.copy_from_slice(format!("{total:06o}\0 ").as_bytes());
        }
    }
}
