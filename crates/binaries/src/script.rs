//! The first line of a script (execve(2), "Interpreter scripts").

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Linux reads no more of a script than this to find its interpreter (`BINPRM_BUF_SIZE`).
const READ: usize = 256;

/// What a `#!` line names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// The interpreter's path.
    pub(crate) interpreter: String,
    /// The program that `env` looks up in PATH, when that is the interpreter.
    pub(crate) found_by_env: Option<String>,
}

/// None: it is no script.
pub(crate) fn read(path: &Path) -> std::io::Result<Option<Script>> {
    let mut bytes = [0; READ];
    let length = File::open(path)?.read_at(&mut bytes, 0)?;
    Ok(parse(bytes.get(..length).unwrap_or_default()))
}

fn parse(bytes: &[u8]) -> Option<Script> {
    let line = bytes
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    let interpreter = words.next()?.to_owned();
    let is_env = interpreter.ends_with("/env");
    let found_by_env = words.find(|word| !word.starts_with('-') && !word.contains('='));
    Some(Script {
        interpreter,
        found_by_env: found_by_env.filter(|_| is_env).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_an_interpreter_or_what_env_finds() {
        let read = |line: &[u8]| {
            parse(line).map(|script| (script.interpreter, script.found_by_env.unwrap_or_default()))
        };
        let expect =
            |interpreter: &str, name: &str| Some((interpreter.to_owned(), name.to_owned()));
        assert_eq!(read(b"#!/bin/sh\necho"), expect("/bin/sh", ""));
        assert_eq!(read(b"#! /bin/sh -e\n"), expect("/bin/sh", ""));
        assert_eq!(
            read(b"#!/usr/bin/env python3\n"),
            expect("/usr/bin/env", "python3")
        );
        assert_eq!(
            read(b"#!/usr/bin/env -S A=1 node --x"),
            expect("/usr/bin/env", "node")
        );
        assert_eq!(read(b"#!\n"), None);
        assert_eq!(read(b"\x7fELF"), None);
    }
}
