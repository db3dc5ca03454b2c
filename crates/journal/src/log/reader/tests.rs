use std::os::fd::OwnedFd;

use super::*;
use crate::scratch::Scratch;
use crate::{Bounds, LogWriter, Stream, TIME_LENGTH};

fn open(scratch: &Scratch, range: Range) -> LogReader {
    let directory: OwnedFd = scratch.fd().try_clone_to_owned().unwrap();
    LogReader::open(directory, range).unwrap()
}

fn tail(lines: u64) -> Range {
    Range {
        tail: Some(lines),
        ..Range::default()
    }
}

/// `o` or `e` for the stream, `+` after a piece that goes on.
fn rest(reader: &mut LogReader) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(entry) = reader.read().unwrap() {
        let stream = if entry.stream == Stream::Stdout {
            "o"
        } else {
            "e"
        };
        let text = String::from_utf8_lossy(entry.text);
        let more = if entry.is_partial { "+" } else { "" };
        found.push(format!("{stream} {text}{more}"));
    }
    found
}

fn seconds(seconds: i128) -> Time {
    Time::from_nanos((1_795_000_000 + seconds) * 1_000_000_000)
}

/// A log of records `(second, what)`; `what` is `stdout F text`.
fn records(records: &[(i128, &str)]) -> String {
    let line = |&(second, what): &(i128, &str)| {
        let time = seconds(second).text();
        format!("{} {what}\n", str::from_utf8(&time).unwrap())
    };
    records.iter().map(line).collect()
}

#[test]
fn a_log_is_read_over_its_files_oldest_first() {
    let scratch = Scratch::new();
    assert!(rest(&mut open(&scratch, Range::default())).is_empty());
    scratch.write("log.12", records(&[(0, "stdout F zero")]));
    scratch.write("log.2", records(&[(1, "stdout F one"), (2, "stderr P tw")]));
    scratch.write("log.1", records(&[(3, "stderr F o")]));
    scratch.write("log", records(&[(4, "stdout F ")]));
    scratch.write("log.1.bak", records(&[(4, "stdout F no")]));
    let all = ["o zero", "o one", "e tw+", "e o", "o "];
    assert_eq!(rest(&mut open(&scratch, Range::default())), all);
}

#[test]
fn a_tail_counts_whole_lines_of_each_stream() {
    let scratch = Scratch::new();
    scratch.write(
        "log.1",
        records(&[(0, "stdout F old"), (1, "stderr F b"), (2, "stdout P 1")]),
    );
    let newest = [
        (3, "stderr F a"),
        (4, "stdout P 2"),
        (5, "stdout F 3"),
        (6, "stderr P half"),
    ];
    scratch.write("log", records(&newest));
    let told = |lines| rest(&mut open(&scratch, tail(lines)));
    let all = ["o old", "e b", "o 1+", "e a", "o 2+", "o 3", "e half+"];
    assert!(told(0).is_empty());
    assert_eq!(told(1), ["e half+"]);
    assert_eq!(told(2), ["o 1+", "o 2+", "o 3", "e half+"]);
    assert_eq!(told(3), ["o 1+", "e a", "o 2+", "o 3", "e half+"]);
    assert_eq!(told(4), all[1..]);
    assert_eq!(told(5), all);
    assert_eq!(told(u64::MAX), all);
}

#[test]
fn a_tail_is_exact_for_every_number_of_lines() {
    let scratch = Scratch::new();
    let bounds = Bounds {
        max_size: 20_000,
        max_files: 5,
    };
    let mut log = LogWriter::open(scratch.fd(), bounds).unwrap();
    for number in 0..2000 {
        let stream = if number % 3 == 0 {
            Stream::Stderr
        } else {
            Stream::Stdout
        };
        log.write(stream, format!("{number}\n").as_bytes());
    }
    let all = rest(&mut open(&scratch, Range::default()));
    assert_eq!(all.last().unwrap(), "o 1999");
    for lines in [
        1,
        2,
        3,
        10,
        399,
        400,
        401,
        402,
        403,
        404,
        405,
        1000,
        all.len() - 1,
        all.len(),
        5000,
    ] {
        let told = rest(&mut open(&scratch, tail(lines.try_into().unwrap())));
        assert_eq!(told, all[all.len().saturating_sub(lines)..], "{lines}");
    }
}

#[test]
fn times_bound_what_is_read_and_both_ends_belong_to_it() {
    let scratch = Scratch::new();
    let numbers: Vec<_> = (0..10)
        .map(|number| (number, format!("stdout F {number}")))
        .collect();
    let numbers: Vec<_> = numbers
        .iter()
        .map(|(number, text)| (*number, text.as_str()))
        .collect();
    scratch.write("log.1", records(&numbers[..5]));
    scratch.write("log", records(&numbers[5..]));
    let range = |since: Option<i128>, until: Option<i128>, tail| Range {
        since: since.map(seconds),
        until: until.map(seconds),
        tail,
    };
    let told = |range| rest(&mut open(&scratch, range)).concat().replace("o ", "");
    assert_eq!(told(range(Some(4), None, None)), "456789");
    assert_eq!(told(range(None, Some(5), None)), "012345");
    assert_eq!(told(range(Some(3), Some(6), None)), "3456");
    // The last two that were there by then, and of these what is late enough.
    assert_eq!(told(range(None, Some(6), Some(2))), "56");
    assert_eq!(told(range(Some(6), Some(6), Some(2))), "6");
    assert_eq!(told(range(Some(20), None, None)), "");
}

#[test]
fn a_file_that_is_too_old_is_not_read() {
    let scratch = Scratch::new();
    scratch.write("log.1", records(&[(0, "stdout F one")]));
    scratch.write("log", records(&[(1, "stdout F two")]));
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let file = std::fs::File::options()
        .append(true)
        .open(scratch.path.join("log.1"))
        .unwrap();
    file.set_modified(old).unwrap();
    let since = Some(Time::from_nanos(Time::now().nanos() - 60_000_000_000));
    let reader = open(
        &scratch,
        Range {
            since,
            ..Range::default()
        },
    );
    assert_eq!(reader.cursor.segments().len(), 1);
}

/// What is read while it is written, by a reader that looks now and then.
#[test]
fn nothing_is_lost_or_repeated_while_files_are_renamed() {
    let scratch = Scratch::new();
    let bounds = Bounds {
        max_size: 4096,
        max_files: 3,
    };
    let mut log = LogWriter::open(scratch.fd(), bounds).unwrap();
    let mut reader = open(&scratch, Range::default());
    let mut found = Vec::new();
    for number in 0..5000_u32 {
        log.write(Stream::Stdout, format!("{number}\n").as_bytes());
        // Often enough for the bound, and at every moment of a file's life.
        if number % 53 == 0 {
            found.extend(rest(&mut reader));
        }
    }
    found.extend(rest(&mut reader));
    let expected: Vec<_> = (0..5000).map(|number| format!("o {number}")).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_reader_that_comes_late_misses_what_the_bound_took_and_no_more() {
    for max_files in [1, 2, 3] {
        let scratch = Scratch::new();
        let mut log = LogWriter::open(
            scratch.fd(),
            Bounds {
                max_size: 2048,
                max_files,
            },
        )
        .unwrap();
        log.write(Stream::Stdout, b"first\n");
        let mut reader = open(&scratch, Range::default());
        for number in 0..2000 {
            log.write(Stream::Stdout, format!("{number}\n").as_bytes());
        }
        let kept = rest(&mut open(&scratch, Range::default()));
        let found = rest(&mut reader);
        // The file that it had open, and then all that are there.
        let (own, after) = found.split_at(found.len() - kept.len());
        assert_eq!(own[..2], ["o first", "o 0"]);
        assert_eq!(after, kept);
    }
}

#[test]
fn a_reader_beside_a_writer_sees_every_line_once() {
    let scratch = Scratch::new();
    // Files enough that a reader on a busy machine keeps up.
    let bounds = Bounds {
        max_size: 16 * 1024,
        max_files: 400,
    };
    let mut log = LogWriter::open(scratch.fd(), bounds).unwrap();
    let mut reader = open(&scratch, Range::default());
    let count = 60_000_u32;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..count {
                log.write(Stream::Stdout, format!("{number}\n").as_bytes());
            }
        });
        let mut next = 0;
        while next < count {
            while let Some(entry) = reader.read().unwrap() {
                assert_eq!(entry.text, next.to_string().as_bytes());
                next += 1;
            }
        }
    });
    assert!(rest(&mut reader).is_empty());
}

#[test]
fn a_line_without_an_end_waits_for_it_until_nobody_writes() {
    let scratch = Scratch::new();
    let whole = records(&[(0, "stdout F one"), (1, "stdout F two")]);
    scratch.write("log", &whole[..whole.len() - 2]);
    let mut reader = open(&scratch, Range::default());
    assert_eq!(rest(&mut reader), ["o one"]);
    scratch.write("log", &whole);
    assert_eq!(rest(&mut reader), ["o two"]);
    scratch.write("log", &whole[..whole.len() - 2]);
    let mut reader = open(&scratch, Range::default());
    reader.finish();
    assert_eq!(rest(&mut reader), ["o one", "o tw"]);
}

#[test]
fn rubbish_is_left_out_and_the_rest_is_read() {
    let scratch = Scratch::new();
    let good = |text: &str| records(&[(0, &format!("stdout F {text}"))]).into_bytes();
    let parts = [
        good("one"),
        vec![0; 300_000],
        good("two"),
        b"\n\nnot a record\n2026-11-22T23:00:00.000000000Z stdxxx F no\n".to_vec(),
        b"2026-99-22T23:00:00.000000000Z stdout F no\n".to_vec(),
        b"2026-11-22T23:00:0".to_vec(),
        b"\n".to_vec(),
        vec![0xff; 2_000_000],
        b"\n".to_vec(),
        good("three"),
        vec![0; 5000],
    ];
    scratch.write("log", parts.concat());
    let mut reader = open(&scratch, Range::default());
    reader.finish();
    assert_eq!(rest(&mut reader), ["o one", "o two", "o three"]);
    for lines in 1..4 {
        let told = rest(&mut open(&scratch, tail(lines)));
        assert_eq!(told.len(), usize::try_from(lines).unwrap());
    }
}

#[test]
fn a_log_that_somebody_empties_goes_on_from_its_beginning() {
    let scratch = Scratch::new();
    scratch.write(
        "log",
        records(&[(0, "stdout F a long line that was there")]),
    );
    let mut reader = open(&scratch, Range::default());
    assert_eq!(rest(&mut reader).len(), 1);
    let file = std::fs::File::options()
        .write(true)
        .open(scratch.path.join("log"))
        .unwrap();
    file.set_len(0).unwrap();
    assert!(rest(&mut reader).is_empty());
    std::io::Write::write_all(&mut &file, records(&[(1, "stdout F new")]).as_bytes()).unwrap();
    assert_eq!(rest(&mut reader), ["o new"]);
}

/// A small generator of numbers that look random (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

#[test]
fn nothing_that_a_file_may_hold_is_an_error() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let good = records(&[
        (0, "stdout F one"),
        (1, "stderr P two"),
        (2, "stderr F three"),
        (3, "stdout F "),
    ]);
    for round in 0..400 {
        let scratch = Scratch::new();
        for name in ["log", "log.1", "log.2"] {
            let mut bytes = good.repeat(1 + random.below(40)).into_bytes();
            for _ in 0..random.below(30) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
                    1 => bytes.truncate(at + 1),
                    2 => {
                        drop(bytes.drain(at..(at + random.below(90)).min(bytes.len() - 1).max(at)))
                    }
                    _ => bytes[at..].fill(0),
                }
            }
            scratch.write(name, bytes);
        }
        let mut reader = open(&scratch, Range::default());
        reader.finish();
        let all = rest(&mut reader);
        for lines in [0, 1, 5, 40, 1000] {
            let mut reader = open(&scratch, tail(lines));
            reader.finish();
            let told = rest(&mut reader);
            assert!(told.len() <= all.len(), "round {round}");
            let whole = told.iter().filter(|text| !text.ends_with('+')).count();
            assert!(u64::try_from(whole).unwrap() <= lines, "round {round}");
        }
    }
}

#[test]
fn a_record_is_as_long_as_its_parts() {
    assert_eq!(records(&[(0, "stdout F ")]).len(), TIME_LENGTH + 11);
}
