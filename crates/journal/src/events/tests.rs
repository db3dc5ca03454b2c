use std::collections::HashMap;

use super::*;
use crate::scratch::Scratch;

fn event<'a>(name: &'a str, attributes: &'a [(&'a str, &'a str)]) -> Event<'a> {
    Event {
        kind: "container",
        action: "start",
        id: "4f6a",
        name,
        attributes,
    }
}

#[test]
fn an_event_is_a_line_of_json() {
    let scratch = Scratch::new();
    let image = [("image", "alpine:3"), ("name", "other"), ("exitCode", "0")];
    record(scratch.fd(), &event("we\"b\\\n\u{1}\u{7f}é", &image));
    let text = scratch.read("events");
    let (time, rest) = text.split_at(9 + 30);
    assert!(time.starts_with(r#"{"time":"20"#) && Time::parse(&time.as_bytes()[9..]).is_some());
    let expected = r#"","type":"container","action":"start","id":"4f6a","attributes":{"name":"we\"b\\\n\u0001\u007fé","image":"alpine:3","exitCode":"0"}}"#;
    assert_eq!(rest, format!("{expected}\n"));
}

#[test]
fn endless_texts_are_cut_and_labels_left_out() {
    let scratch = Scratch::new();
    let long = "é".repeat(100_000);
    record(scratch.fd(), &event(&long, &[(&long, "x"), ("image", "a")]));
    let text = scratch.read("events");
    assert!(text.len() < 5000);
    assert!(text.ends_with("é\",\"image\":\"a\"}}\n"));
}

#[test]
fn a_line_that_was_cut_short_stays_alone() {
    let scratch = Scratch::new();
    scratch.write("events", r#"{"time":"2026"#);
    record(scratch.fd(), &event("web", &[]));
    assert_eq!(scratch.read("events").lines().count(), 2);
}

#[test]
fn a_writer_that_was_stopped_with_the_lock_stops_nobody() {
    let scratch = Scratch::new();
    scratch.write("events", "x".repeat(1_100_000));
    let lock = open(scratch.fd(), LOCK, OFlags::empty()).unwrap();
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
    record(scratch.fd(), &event("web", &[]));
    assert!(scratch.read("events").ends_with("}}\n"));
    drop(lock);
    record(scratch.fd(), &event("web", &[]));
    assert_eq!(scratch.read("events").lines().count(), 1);
}

#[test]
fn many_writers_tear_no_line_and_keep_the_bound() {
    let scratch = Scratch::new();
    let padding = "x".repeat(100);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (scratch, padding) = (&scratch, &padding);
            scope.spawn(move || {
                for number in 0..1250 {
                    let name = format!("{writer}-{number}");
                    record(scratch.fd(), &event(&name, &[("padding", padding)]));
                }
            });
        }
    });
    assert_eq!(scratch.names(), ["events", "events.1", "events.lock"]);
    let mut last: HashMap<String, u32> = HashMap::new();
    let mut count = 0;
    let mut before = String::new();
    for name in ["events.1", "events"] {
        assert!(scratch.size(name) <= MAX_SIZE);
        for line in scratch.read(name).lines() {
            assert!(
                line.starts_with("{\"time\":\"20") && line.ends_with("x\"}}"),
                "{line}"
            );
            // In the order of their times, and each writer's own without a gap.
            assert!(line[9..39] >= *before);
            before = line[9..39].to_owned();
            let start = line.find("\"name\":\"").unwrap() + 8;
            let (writer, number) = line[start..]
                .split('"')
                .next()
                .unwrap()
                .split_once('-')
                .unwrap();
            let number = number.parse().unwrap();
            if let Some(last) = last.insert(writer.to_owned(), number) {
                assert_eq!(number, last + 1);
            }
            count += 1;
        }
    }
    assert!(last.values().all(|&last| last == 1249));
    assert!(count > 3000);
}

fn read(scratch: &Scratch, since: Option<Time>, until: Option<Time>) -> EventsReader {
    let directory = scratch.fd().try_clone_to_owned().unwrap();
    EventsReader::open(directory, since, until).unwrap()
}

fn names(reader: &mut EventsReader) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(line) = reader.read().unwrap() {
        let start = line.find("\"name\":\"").unwrap() + 8;
        found.push(line[start..].split('"').next().unwrap().to_owned());
    }
    found
}

#[test]
fn a_reader_without_a_beginning_sees_what_comes_from_now_on() {
    let scratch = Scratch::new();
    record(scratch.fd(), &event("before", &[]));
    let mut reader = read(&scratch, None, None);
    assert!(names(&mut reader).is_empty());
    record(scratch.fd(), &event("after", &[]));
    assert_eq!(names(&mut reader), ["after"]);
    assert_eq!(
        names(&mut read(&scratch, Some(Time::MIN), None)),
        ["before", "after"]
    );
}

#[test]
fn times_bound_what_a_reader_sees() {
    let scratch = Scratch::new();
    record(scratch.fd(), &event("one", &[]));
    let between = Time::now();
    std::thread::sleep(Duration::from_millis(1));
    record(scratch.fd(), &event("two", &[]));
    assert_eq!(names(&mut read(&scratch, Some(between), None)), ["two"]);
    assert_eq!(
        names(&mut read(&scratch, Some(Time::MIN), Some(between))),
        ["one"]
    );
}

#[test]
fn readers_pass_over_what_is_no_event() {
    let scratch = Scratch::new();
    let time = String::from_utf8(Time::now().text().to_vec()).unwrap();
    let torn = format!("{{\"time\":\"{time}\",\"type\":\"conta\n\0\0\0\n{{}}\n[]\nrubbish\n");
    scratch.write("events", torn.as_bytes());
    record(scratch.fd(), &event("web", &[]));
    assert_eq!(names(&mut read(&scratch, Some(Time::MIN), None)), ["web"]);
}

#[test]
fn a_reader_beside_writers_sees_every_event_once() {
    let scratch = Scratch::new();
    let padding = "x".repeat(300);
    let mut reader = read(&scratch, None, None);
    let mut counts = [0_u32; 4];
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (scratch, padding) = (&scratch, &padding);
            scope.spawn(move || {
                for number in 0..1500 {
                    let name = format!("{writer}-{number}");
                    record(scratch.fd(), &event(&name, &[("padding", padding)]));
                }
            });
        }
        while counts.iter().sum::<u32>() < 6000 {
            for name in names(&mut reader) {
                let (writer, number) = name.split_once('-').unwrap();
                let next = &mut counts[writer.parse::<usize>().unwrap()];
                assert_eq!(number.parse(), Ok(*next));
                *next += 1;
            }
        }
    });
    assert_eq!(scratch.names().len(), 3);
}
