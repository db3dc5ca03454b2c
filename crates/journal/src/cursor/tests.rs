use super::*;
use crate::scratch::Scratch;

fn cursor(scratch: &Scratch) -> Cursor {
    Cursor::new(scratch.fd().try_clone_to_owned().unwrap(), "log").unwrap()
}

fn next(cursor: &mut Cursor) -> Option<String> {
    cursor.advance().unwrap()?;
    Some(String::from_utf8(cursor.line().to_vec()).unwrap())
}

fn rename(scratch: &Scratch, from: &str, to: &str) {
    std::fs::rename(scratch.path.join(from), scratch.path.join(to)).unwrap();
}

#[test]
fn between_two_renames_there_is_nothing_new() {
    let scratch = Scratch::new();
    scratch.write("log", "one\n");
    let mut cursor = cursor(&scratch);
    assert_eq!(next(&mut cursor).as_deref(), Some("one"));
    rename(&scratch, "log", "log.1");
    assert_eq!(next(&mut cursor), None);
    scratch.write("log", "two\n");
    assert_eq!(next(&mut cursor).as_deref(), Some("two"));
    assert_eq!(next(&mut cursor), None);
}

#[test]
fn what_came_before_the_rename_is_read_before_the_next_file() {
    let scratch = Scratch::new();
    scratch.write("log", "one\n");
    let mut cursor = cursor(&scratch);
    assert_eq!(next(&mut cursor).as_deref(), Some("one"));
    scratch.write("log", "one\ntwo\nthr");
    rename(&scratch, "log", "log.1");
    scratch.write("log", "four\n");
    let rest: Vec<_> = std::iter::from_fn(|| next(&mut cursor)).collect();
    assert_eq!(rest, ["two", "thr", "four"]);
}

#[test]
fn a_log_that_comes_later_is_found() {
    let scratch = Scratch::new();
    let mut cursor = cursor(&scratch);
    assert_eq!(next(&mut cursor), None);
    scratch.write("log", "one\n");
    assert_eq!(next(&mut cursor).as_deref(), Some("one"));
}

#[test]
fn what_is_no_file_is_passed_over() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path.join("log.1")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", scratch.path.join("log.2")).unwrap();
    std::os::unix::net::UnixListener::bind(scratch.path.join("log.4")).unwrap();
    scratch.write("log.3", "three\n");
    scratch.write("log", "one\n");
    let mut cursor = cursor(&scratch);
    let all: Vec<_> = std::iter::from_fn(|| next(&mut cursor)).collect();
    assert_eq!(all, ["three", "one"]);
}

#[test]
fn a_directory_that_is_gone_has_nothing_more() {
    let scratch = Scratch::new();
    scratch.write("log", "one\n");
    let mut cursor = cursor(&scratch);
    std::fs::remove_dir_all(&scratch.path).unwrap();
    assert_eq!(next(&mut cursor).as_deref(), Some("one"));
    assert_eq!(next(&mut cursor), None);
}
