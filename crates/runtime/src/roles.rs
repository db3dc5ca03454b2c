//! The roles.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use keelbox_process::Maps;
use keelbox_spec::start::{Start, fds};
use keelbox_supervisor::attach::{
    DetachKeys, Ending, Ends, Options, Outcome, Streams, Unwritten, attach,
};
use keelbox_supervisor::{Inherited, again, supervise};

use crate::{exec, files, layers, logs, report, seal};

/// Exit code for a failure of ours.
pub(crate) const FAILED: i32 = 125;
/// Exit code for the end of a terminal: 128 and SIGHUP's number.
const HUNG_UP: i32 = 129;

/// Exit code for output that nobody reads: 128 and SIGPIPE's number.
const UNREAD: i32 = 141;
/// The keys that leave a container alone.
const DETACH_KEYS: &str = "ctrl-]";

/// Runs the role that `arguments` name. The exit code.
pub(crate) fn run(arguments: Vec<String>) -> i32 {
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["seal", role @ ..] => seal::again(role),
        ["supervise", words @ ..] => supervise_role(words),
        ["exec"] => exec::role(),
        ["files"] => files::role(),
        ["attach", mode, words @ ..] => attach_role(mode, words),
        ["logs", words @ ..] => logs::run(words),
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

fn supervise_role(words: &[&str]) -> i32 {
    /// The fds of every start.
    const USUAL: usize = 10;
    begin();
    let again = again(words);
    let more = again.as_ref().map_or(0, |(count, _)| *count);
    let Ok(mut inherited) = keelbox_sys::fd::inherit_all(fds::CONTROL, USUAL + more) else {
        return FAILED;
    };
    let rest = inherited.split_off(USUAL);
    let again = again.and_then(|(_, take)| take(rest));
    let Ok(inherited) = <[OwnedFd; USUAL]>::try_from(inherited) else {
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
    let Some(start) = read_message(&message) else {
        return FAILED;
    };
    supervise(
        start,
        Inherited {
            control,
            message,
            state,
            data,
            ids,
            drains: [stdout, stderr],
            terminal,
            stdin,
            journal,
            again,
        },
    );
    0
}

pub(crate) fn read_message(message: &OwnedFd) -> Option<Start> {
    let mut bytes = Vec::new();
    loop {
        // At an offset of its own: the message is read again for the next start.
        let mut part = [0; 16384];
        let offset = u64::try_from(bytes.len()).ok()?;
        let length = rustix::io::pread(message, &mut part, offset).ok()?;
        bytes.extend_from_slice(part.get(..length)?);
        if length < part.len() {
            return Start::decode(&bytes).ok();
        }
    }
}

fn attach_role(mode: &str, words: &[&str]) -> i32 {
    let Ok([control, first, stdout, stderr]) = keelbox_sys::fd::inherit::<4>(fds::CONTROL) else {
        return FAILED;
    };
    let pipes = |first| [first, stdout, stderr].map(keelbox_supervisor::present);
    let container = match mode {
        "terminal" => Ends::Terminal(first, true),
        "display" => Ends::Terminal(first, false),
        "relayed" => Ends::Relayed(pipes(first), false),
        "relayed-terminal" => Ends::Relayed(pipes(first), true),
        _ => Ends::Pipes(pipes(first)),
    };
    let streams = Streams {
        control,
        container,
        options: attach_options(words),
    };
    match attach(streams) {
        Ok(ending) => {
            // The supervisor is this process's child, from before it became the client, and has said its last word.
            if matches!(ending.outcome, Outcome::Exited(_)) {
                keelbox_process::reap_child();
            }
            exit_code(ending, words.contains(&"beside"))
        }
        Err(errno) => {
            report::error(&format!("cannot attach to the container: {errno}"));
            FAILED
        }
    }
}

/// `keys=KEYS`, `keep-signals` and `guest`, each or none; `beside` is for [`exit_code`].
fn attach_options(words: &[&str]) -> Options {
    let keys = words.iter().find_map(|word| word.strip_prefix("keys="));
    Options {
        detach_keys: DetachKeys::parse(keys.unwrap_or(DETACH_KEYS)),
        passes_signals: !words.contains(&"keep-signals"),
        is_guest: words.contains(&"guest"),
    }
}

/// `beside`: it was a command beside the container's own.
fn exit_code(ending: Ending, beside: bool) -> i32 {
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
        Outcome::Signalled(signal) => 128 + signal,
        Outcome::Unread => UNREAD,
        Outcome::Detached => {
            // As docker has it, of a container and of a command beside it: what was left goes on.
            report::line("read escape sequence");
            0
        }
        Outcome::Lost if beside => {
            report::error("the process beside the command is gone, and the command with it");
            FAILED
        }
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
