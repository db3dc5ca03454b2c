use super::*;
use crate::scratch::Scratch;

fn small(max_files: u32) -> Bounds {
    Bounds {
        max_size: 1024,
        max_files,
    }
}

/// The records without their times.
fn told(scratch: &Scratch, name: &str) -> Vec<String> {
    let text = scratch.read(name);
    assert!(text.is_empty() || text.ends_with('\n'));
    let record = |line: &str| {
        assert!(
            Time::parse(&line.as_bytes()[..TIME_LENGTH]).is_some(),
            "{line}"
        );
        line[TIME_LENGTH + 1..].to_owned()
    };
    text.lines().map(record).collect()
}

#[test]
fn lines_are_records_with_time_stream_and_mark() {
    let scratch = Scratch::new();
    let mut log = LogWriter::open(scratch.fd(), Bounds::default()).unwrap();
    log.write(Stream::Stdout, b"one\ntw");
    log.write(Stream::Stderr, b"bad\n\n");
    log.write(Stream::Stdout, b"o\nend");
    log.flush();
    let expected = [
        "stdout F one",
        "stderr F bad",
        "stderr F ",
        "stdout F two",
        "stdout P end",
    ];
    assert_eq!(told(&scratch, "log"), expected);
    let header = scratch.read("log").find("one").unwrap();
    assert_eq!(header, HEADER);
}

#[test]
fn a_long_line_is_cut_into_pieces_of_16_kib() {
    let scratch = Scratch::new();
    let mut log = LogWriter::open(scratch.fd(), Bounds::default()).unwrap();
    let line = [vec![b'x'; 40_000], vec![b'\n']].concat();
    for chunk in line.chunks(7_777) {
        log.write(Stream::Stdout, chunk);
    }
    let lengths = told(&scratch, "log")
        .iter()
        .map(|record| (record[7..8].to_owned(), record.len() - 9))
        .collect::<Vec<_>>();
    let expected = [("P", 16_384), ("P", 16_384), ("F", 7_232)];
    assert_eq!(
        lengths,
        expected.map(|(mark, length)| (mark.to_owned(), length))
    );
}

#[test]
fn files_stay_below_their_bound_and_the_newest_are_kept() {
    for max_files in [1, 2, 3] {
        let scratch = Scratch::new();
        let mut log = LogWriter::open(scratch.fd(), small(max_files)).unwrap();
        for number in 0..500 {
            log.write(Stream::Stdout, format!("line {number}\n").as_bytes());
        }
        let names: Vec<_> = (0..max_files)
            .map(|number| file_name(NAME, number))
            .collect();
        assert_eq!(scratch.names(), names);
        let mut numbers = Vec::new();
        for name in names.iter().rev() {
            assert!(scratch.size(name) <= 1024);
            numbers.extend(
                told(&scratch, name)
                    .iter()
                    .map(|record| record[14..].parse::<u32>().unwrap()),
            );
        }
        let first = *numbers.first().unwrap();
        assert!(numbers.into_iter().eq(first..500));
    }
}

#[test]
fn a_burst_is_spread_over_the_files() {
    let scratch = Scratch::new();
    let mut log = LogWriter::open(
        scratch.fd(),
        Bounds {
            max_size: 50_000,
            max_files: 4,
        },
    )
    .unwrap();
    let burst: String = (0..1800).map(|number| format!("line {number}\n")).collect();
    log.write(Stream::Stderr, burst.as_bytes());
    let mut records = Vec::new();
    for name in scratch.names().iter().rev() {
        assert!(scratch.size(name) <= 50_000);
        records.extend(told(&scratch, name));
    }
    assert_eq!(records.len(), 1800);
    assert_eq!(records[1799], "stderr F line 1799");
}

#[test]
fn a_piece_is_never_longer_than_a_file() {
    let scratch = Scratch::new();
    let mut log = LogWriter::open(scratch.fd(), small(2)).unwrap();
    log.write(Stream::Stdout, &[b'x'; 100_000]);
    log.flush();
    assert!(scratch.size("log") <= 1024 && scratch.size("log.1") <= 1024);
}

#[test]
fn a_new_start_goes_on_and_drops_surplus_files() {
    let scratch = Scratch::new();
    for name in ["log.1", "log.2", "log.3", "log.4"] {
        scratch.write(name, "");
    }
    LogWriter::open(scratch.fd(), Bounds::default())
        .unwrap()
        .write(Stream::Stdout, b"one\n");
    LogWriter::open(scratch.fd(), Bounds::default())
        .unwrap()
        .write(Stream::Stdout, b"two\n");
    assert_eq!(scratch.names(), ["log", "log.1", "log.2"]);
    assert_eq!(told(&scratch, "log"), ["stdout F one", "stdout F two"]);
}

#[test]
fn what_was_cut_short_stays_a_line_of_its_own() {
    let scratch = Scratch::new();
    scratch.write("log", "2026-11-22T23:00:00.000000000Z stdout F hal");
    LogWriter::open(scratch.fd(), Bounds::default())
        .unwrap()
        .write(Stream::Stdout, b"next\n");
    assert_eq!(told(&scratch, "log"), ["stdout F hal", "stdout F next"]);
}

/// Writes to it fail with ENOSPC.
fn full() -> Open {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    Open {
        fd: full.into(),
        size: 0,
        is_torn: false,
    }
}

#[test]
fn lost_output_is_counted_and_told_when_there_is_room_again() {
    let scratch = Scratch::new();
    let mut log = LogWriter::open(scratch.fd(), Bounds::default()).unwrap();
    log.write(Stream::Stdout, b"before\n");
    log.file.open = Some(full());
    log.write(Stream::Stdout, b"12345\n12");
    log.write(Stream::Stderr, b"123\n");
    assert_eq!(log.file.lost.bytes, 10);
    log.file.open = None;
    log.write(Stream::Stdout, b"345\n");
    log.write(Stream::Stdout, b"after\n");
    let expected = [
        "stdout F before",
        "stderr F keelbox: 10 bytes of output were lost: no space left on device",
        "stdout F 12345",
        "stdout F after",
    ];
    assert_eq!(told(&scratch, "log"), expected);
}

#[test]
fn a_loss_is_told_at_the_end_too() {
    let scratch = Scratch::new();
    let mut log = LogWriter::open(scratch.fd(), Bounds::default()).unwrap();
    log.file.open = Some(full());
    log.write(Stream::Stdout, b"12345\n");
    log.file.open = None;
    log.flush();
    let expected = ["stderr F keelbox: 6 bytes of output were lost: no space left on device"];
    assert_eq!(told(&scratch, "log"), expected);
}

#[test]
fn a_log_that_cannot_be_opened_is_tried_again() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path.join("log")).unwrap();
    let mut log = LogWriter::open(scratch.fd(), Bounds::default()).unwrap();
    log.write(Stream::Stdout, b"1234\n");
    std::fs::remove_dir(scratch.path.join("log")).unwrap();
    log.write(Stream::Stdout, b"here\n");
    let records = told(&scratch, "log");
    assert!(records[0].starts_with("stderr F keelbox: 5 bytes of output were lost: "));
    assert_eq!(records[1..], ["stdout F here"]);
}

#[test]
fn the_text_of_what_was_taken_in_part_is_counted_to_the_byte() {
    let time = String::from_utf8(Time::now().text().to_vec()).unwrap();
    let records = format!("{time} stdout F 12345\n{time} stdout P 123\n{time} stderr F \n");
    let records = records.as_bytes();
    // 5 and a newline, 3, a newline.
    let total = 6 + 3 + 1;
    let first = HEADER + 6;
    for (written, lost) in [
        (0, total),
        (7, total),
        (HEADER, total),
        (HEADER + 2, total - 2),
        (HEADER + 5, total - 5),
        (first, total - 6),
        (first + HEADER + 1, total - 7),
        (first + HEADER + 4, 1),
        (records.len(), 0),
    ] {
        assert_eq!(lost_text(records, written), lost, "{written}");
    }
}
