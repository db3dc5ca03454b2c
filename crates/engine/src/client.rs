//! Becoming the client of a container: this process is replaced, and Node's memory with it.

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use keelbox_spec::failure::Failure;

use crate::attach::ClientOptions;
use crate::lifecycle::Running;
use crate::spawn;
use crate::stdio::null;
use crate::store::internal;

/// Replaces this process by the client of a container. Returns only with the reason why that failed.
#[must_use]
pub fn attach(running: Running, options: &ClientOptions) -> Failure {
    match exec_client(running, options) {
        Ok(never) => match never {},
        Err(failure) => failure,
    }
}

fn exec_client(
    running: Running,
    options: &ClientOptions,
) -> Result<std::convert::Infallible, Failure> {
    options.check()?;
    let [stdin, stdout, stderr] = running.ends;
    let mode = match (&running.console, running.interactive) {
        (Some(_), true) => "terminal",
        (Some(_), false) => "display",
        (None, _) if running.relayed && running.tty => "relayed-terminal",
        (None, _) if running.relayed => "relayed",
        (None, _) => "pipes",
    };
    let first = running.console.or(stdin);
    let fds = [Some(running.control), first, stdout, stderr];
    let words = ["attach".to_owned(), mode.to_owned()];
    // It did not start the container.
    let guest = (running.supervisor == 0).then(|| "guest".to_owned());
    let beside = running.beside.then(|| "beside".to_owned());
    let role: Vec<_> = words
        .into_iter()
        .chain(options.words())
        .chain(guest)
        .chain(beside)
        .map(|word| CString::new(word).unwrap_or_default())
        .collect();
    exec(&role, &fds)
}

/// Replaces this process by the executable in a role, with `fds` as its 3, 4, 5, ... where /dev/null stands for nothing.
/// Returns only with the reason why that failed.
pub(crate) fn exec(
    role: &[CString],
    fds: &[Option<OwnedFd>],
) -> Result<std::convert::Infallible, Failure> {
    let path = spawn::executable()?;
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    place_fds(fds, &nothing)
        .map_err(|errno| internal("cannot pass fds to the client", errno.into()))?;
    let program =
        CString::new(path.clone().into_os_string().into_encoded_bytes()).unwrap_or_default();
    let argv = [&[c"keelbox-runtime".to_owned()], role].concat();
    let environment = std::env::vars_os().filter_map(|(key, value)| {
        let entry = [key.as_encoded_bytes(), b"=", value.as_encoded_bytes()].concat();
        CString::new(entry).ok()
    });
    let (argv, environment) = (
        keelbox_sys::exec::CStringArray::new(argv),
        keelbox_sys::exec::CStringArray::new(environment.collect()),
    );
    let errno = keelbox_sys::exec::execve(&program, &argv, &environment);
    Err(internal(
        &format!("cannot become the client ({})", path.display()),
        errno,
    ))
}

/// Puts the fds at 3, 4, 5, ..., where the client finds them; nothing else of this process survives execve.
fn place_fds(fds: &[Option<OwnedFd>], nothing: &OwnedFd) -> rustix::io::Result<()> {
    let after = RawFd::try_from(fds.len()).map_or(RawFd::MAX, |count| count.saturating_add(3));
    let free = after.max(spawn::FIRST_FREE);
    let high: Vec<OwnedFd> = fds
        .iter()
        .map(|fd| rustix::io::fcntl_dupfd_cloexec(fd.as_ref().unwrap_or(nothing), free))
        .collect::<rustix::io::Result<_>>()?;
    for stream in [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ] {
        keep_open(stream);
    }
    keelbox_sys::fd::replace_from(3, &high)
        .map_err(|errno| rustix::io::Errno::from_raw_os_error(errno.raw()))
}

/// Node marks its stdio close-on-exec, and pipes non-blocking; both would reach the client.
fn keep_open(stream: BorrowedFd<'_>) {
    let _ = rustix::io::fcntl_setfd(stream, rustix::io::FdFlags::empty());
    if let Ok(flags) = rustix::fs::fcntl_getfl(stream) {
        let _ = rustix::fs::fcntl_setfl(stream, flags - rustix::fs::OFlags::NONBLOCK);
    }
}
