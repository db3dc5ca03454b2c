//! An event as a line of JSON. The time comes first, so that a reader need not parse what it will not show.

use super::Event;
use crate::clock::{TIME_LENGTH, Time};

/// Attributes may be labels, which strangers choose: as many as fit into this.
const LONGEST: usize = 32 * 1024;

/// The longest of the texts that are always there.
const LONGEST_TEXT: usize = 1024;

/// When what this line tells was recorded. None: it is no such line, or not a whole one.
pub(super) fn time(line: &[u8]) -> Option<Time> {
    let rest = line.strip_prefix(TIME)?;
    let is_whole = rest.ends_with(b"\"}}") && str::from_utf8(rest).is_ok();
    Time::parse(rest.get(..TIME_LENGTH)?).filter(|_| is_whole)
}

/// How every line begins.
const TIME: &[u8] = br#"{"time":""#;

/// Appends the event and a newline.
pub(super) fn write(line: &mut Vec<u8>, time: Time, event: &Event<'_>) {
    line.extend_from_slice(TIME);
    line.extend_from_slice(&time.text());
    for (key, text) in [
        (&b"\",\"type\":"[..], event.kind),
        (b",\"action\":", event.action),
        (b",\"id\":", event.id),
        (b",\"attributes\":{\"name\":", event.name),
    ] {
        line.extend_from_slice(key);
        string(line, shortened(text));
    }
    for (key, value) in event.attributes {
        let before = line.len();
        line.push(b',');
        string(line, key);
        line.push(b':');
        string(line, value);
        // Neither half of one, nor a second `name`: most readers take the last.
        if line.len() > LONGEST || *key == "name" {
            line.truncate(before);
        }
    }
    line.extend_from_slice(b"}}\n");
}

fn shortened(text: &str) -> &str {
    let end = (0..=LONGEST_TEXT.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

/// A string by RFC 8259, section 7.
fn string(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(br"\n"),
            b'\r' => line.extend_from_slice(br"\r"),
            b'\t' => line.extend_from_slice(br"\t"),
            0..=0x1f | 0x7f => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                line.extend_from_slice(&[
                    b'\\',
                    b'u',
                    b'0',
                    b'0',
                    digit(byte >> 4),
                    digit(byte & 15),
                ]);
            }
            _ => line.push(byte),
        }
    }
    line.push(b'"');
}
