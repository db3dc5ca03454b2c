//! The roles.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use keelbox_process::Maps;
use keelbox_spec::start::{Start, fds};
use keelbox_supervisor::attach::{Ending, Ends, Outcome, Streams, Unwritten, attach};
use keelbox_supervisor::{Inherited, supervise};

use crate::{exec, files, layers, report, seal};

/// Exit code for a failure of ours.
pub(crate) const FAILED: i32 = 125;
/// Exit code for the end of a terminal: 128 and SIGHUP's number.
const HUNG_UP: i32 = 129;

/// Runs the role that `arguments` name. The exit code.
pub(crate) fn run(arguments: Vec<String>) -> i32 {
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["seal", role @ ..] => seal::again(role),
        ["supervise"] => supervise_role(),
        ["exec"] => exec::role(),
        ["files"] => files::role(),
        ["attach", mode] => attach_role(mode),
        ["remove", name] => remove_role(name),
        ["pack", lower] => layers::pack(lower),
        ["unpack", lower] => layers::unpack(lower),
        ["--version" | "-v"] => version(),
        _ => {
            report::error("this is keelbox's executable; run `keelbox --help`");
            FAILED
        }
    }
}

fn version() -> i32 {
    let line = format!("keelbox-runtime version {}\n", env!("CARGO_PKG_VERSION"));
    i32::from(std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).is_err())
}

/// What a process that starts a container's does first.
pub(crate) fn begin() {
    // What is ignored stays so across execve. posix_spawn has reset every signal but these two, which the C library keeps
    // for itself and leaves ignored in what it starts.
    keelbox_sys::signal::reset(1 << 31 | 1 << 32);
    keelbox_process::take_name();
}

fn supervise_role() -> i32 {
    begin();
    let Ok(inherited) = keelbox_sys::fd::inherit::<10>(fds::CONTROL) else {
        return FAILED;
    };
    let [
        control,
        message,
        state,
        data,
        ids,
        stdout,
        stderr,
        terminal,
        stdin,
        journal,
    ] = inherited;
    let Some(start) = read_message(message) else {
        return FAILED;
    };
    supervise(
        start,
        Inherited {
            control,
            state,
            data,
            ids,
            drains: [stdout, stderr],
            terminal,
            stdin,
            journal,
        },
    );
    0
}

pub(crate) fn read_message(message: OwnedFd) -> Option<Start> {
    let mut bytes = Vec::new();
    std::fs::File::from(message).read_to_end(&mut bytes).ok()?;
    Start::decode(&bytes).ok()
}

fn attach_role(mode: &str) -> i32 {
    let Ok([control, first, stdout, stderr]) = keelbox_sys::fd::inherit::<4>(fds::CONTROL) else {
        return FAILED;
    };
    let container = match mode {
        "terminal" => Ends::Terminal(first, true),
        "display" => Ends::Terminal(first, false),
        _ => Ends::Pipes([first, stdout, stderr].map(keelbox_supervisor::present)),
    };
    match attach(Streams { control, container }) {
        Ok(ending) => {
            // The supervisor is this process's child, from before it became the client, and has said its last word.
            if matches!(ending.outcome, Outcome::Exited(_)) {
                keelbox_process::reap_child();
            }
            exit_code(ending)
        }
        Err(errno) => {
            report::error(&format!("cannot attach to the container: {errno}"));
            FAILED
        }
    }
}

fn exit_code(ending: Ending) -> i32 {
    if let Some(Unwritten { stream, errno }) = ending.unwritten {
        let name = if stream == 1 { "stdout" } else { "stderr" };
        report::error(&format!(
            "cannot write the container's output to {name}: {}",
            errno.text()
        ));
    }
    match ending.outcome {
        // A command that worked and whose output is lost has not worked.
        Outcome::Exited(exited) if exited.exit_code() == 0 && ending.unwritten.is_some() => FAILED,
        Outcome::Exited(exited) => i32::from(exited.exit_code()),
        Outcome::HungUp => HUNG_UP,
        Outcome::Lost => {
            report::error("the container's supervisor is gone, and the container with it");
            FAILED
        }
    }
}

/// Removes `name` in the directory on fd 3, with the ids of the message on fd 4: files that only a user namespace can touch.
fn remove_role(name: &str) -> i32 {
    let Ok([parent, message]) = keelbox_sys::fd::inherit::<2>(fds::CONTROL) else {
        return FAILED;
    };
    let mut bytes = Vec::new();
    let read = std::fs::File::from(message).read_to_end(&mut bytes);
    let maps = read.ok().and_then(|_| Maps::decode(&bytes));
    let (Some(maps), Ok(name)) = (maps, std::ffi::CString::new(name)) else {
        return FAILED;
    };
    i32::from(keelbox_supervisor::remove_mapped(parent.as_fd(), &name, &maps).is_err())
}
