use super::*;
use crate::scratch::Scratch;

/// The fields of a message, in order.
fn fields(mut message: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut found = Vec::new();
    while !message.is_empty() {
        let end = message.iter().position(|&byte| byte == b'\n').unwrap();
        let (key, rest) = (&message[..end], &message[end + 1..]);
        let length = usize::try_from(u64::from_le_bytes(rest[..8].try_into().unwrap())).unwrap();
        found.push((text(key), text(&rest[8..8 + length])));
        assert_eq!(rest[8 + length], b'\n');
        message = &rest[8 + length + 1..];
    }
    found
}

fn receive(server: &UnixDatagram) -> Vec<(String, String)> {
    let mut buffer = vec![0; 64 * 1024];
    let length = server.recv(&mut buffer).unwrap();
    fields(&buffer[..length])
}

fn value<'a>(fields: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(each, _)| each == key);
    found.map(|(_, value)| value.as_str())
}

fn begin(scratch: &Scratch) -> (UnixDatagram, JournaldWriter) {
    let path = scratch.path.join("socket");
    let server = UnixDatagram::bind(&path).unwrap();
    let id = "0123456789abcdef".repeat(4);
    let writer = JournaldWriter::open_at(&path, &id, "web", "my\ntag").unwrap();
    (server, writer)
}

#[test]
fn a_line_is_a_message_with_the_fields_of_docker() {
    let scratch = Scratch::new();
    let (server, mut writer) = begin(&scratch);
    writer.write(Stream::Stderr, b"bad\nres");
    let message = receive(&server);
    assert_eq!(value(&message, "MESSAGE"), Some("bad"));
    assert_eq!(value(&message, "PRIORITY"), Some("3"));
    assert_eq!(value(&message, "CONTAINER_ID"), Some("0123456789ab"));
    assert_eq!(value(&message, "CONTAINER_ID_FULL").map(str::len), Some(64));
    assert_eq!(value(&message, "CONTAINER_NAME"), Some("web"));
    assert_eq!(value(&message, "CONTAINER_TAG"), Some("my\ntag"));
    assert_eq!(value(&message, "SYSLOG_IDENTIFIER"), Some("my\ntag"));
    assert_eq!(value(&message, "CONTAINER_PARTIAL_MESSAGE"), None);
    writer.flush();
    let message = receive(&server);
    assert_eq!(value(&message, "MESSAGE"), Some("res"));
    assert_eq!(value(&message, "CONTAINER_PARTIAL_MESSAGE"), Some("true"));
}

#[test]
fn a_journald_that_does_not_read_never_blocks() {
    let scratch = Scratch::new();
    let (server, mut writer) = begin(&scratch);
    for _ in 0..100_000 {
        writer.write(Stream::Stdout, b"1234567\n");
    }
    let lost = writer.lost;
    assert!(lost > 0);
    server.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    while server.recv(&mut buffer).is_ok() {}
    writer.write(Stream::Stdout, b"again\n");
    let notice = receive(&server);
    let expected = format!("keelbox: {lost} bytes of output were lost");
    assert_eq!(value(&notice, "MESSAGE"), Some(expected.as_str()));
    assert_eq!(value(&receive(&server), "MESSAGE"), Some("again"));
}

#[test]
fn a_journald_that_was_started_again_is_found() {
    let scratch = Scratch::new();
    let (server, mut writer) = begin(&scratch);
    drop(server);
    writer.write(Stream::Stdout, b"nobody\n");
    std::fs::remove_file(scratch.path.join("socket")).unwrap();
    let server = UnixDatagram::bind(scratch.path.join("socket")).unwrap();
    writer.write(Stream::Stdout, b"here\n");
    assert_eq!(
        value(&receive(&server), "MESSAGE"),
        Some("keelbox: 7 bytes of output were lost")
    );
    assert_eq!(value(&receive(&server), "MESSAGE"), Some("here"));
}

#[test]
fn without_journald_the_open_says_so() {
    let scratch = Scratch::new();
    let missing = JournaldWriter::open_at(&scratch.path.join("socket"), "id", "name", "tag");
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_tag_may_say_id_and_name_as_docker_has_it() {
    let scratch = Scratch::new();
    let path = scratch.path.join("socket");
    let server = UnixDatagram::bind(&path).unwrap();
    let id = "0123456789abcdef".repeat(4);
    for (tag, expected) in [
        ("", "0123456789ab"),
        ("{{.Name}}/{{.ID}}", "web/0123456789ab"),
        ("{{.FullID}}", id.as_str()),
        ("{{.Other}}", "{{.Other}}"),
    ] {
        let mut writer = JournaldWriter::open_at(&path, &id, "web", tag).unwrap();
        writer.write(Stream::Stdout, b"line\n");
        assert_eq!(value(&receive(&server), "CONTAINER_TAG"), Some(expected));
    }
}
