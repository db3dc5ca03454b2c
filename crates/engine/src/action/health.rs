//! One check of a container's health, made now.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use keelbox_process::receive;
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::life::{health_test, life};
use keelbox_spec::request::StdioRequest;
use keelbox_supervisor::protocol::Event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use serde_json::{Value, json};

use super::{Found, start};
use crate::control::not_running;
use crate::exec::{ExecRequest, exec};
use crate::lifecycle::reap;
use crate::roots::Roots;

/// Bytes of output that are kept, as docker keeps them.
const MOST: usize = 4096;

/// Makes it, with the container's own words and time.
pub(super) fn check(roots: &Roots, found: &Found) -> Result<Value, Failure> {
    if !found.is_running(roots) {
        return Err(not_running(&found.reference).exit_code(125));
    }
    let request = start::request(found.config()?)?;
    let image = found.image();
    let test = health_test(&request.life.health, &image.healthcheck);
    let life = life(&request, &image, &found.name)?;
    let (Some(test), Some(health)) = (test, life.health) else {
        return Err(Failure::new(
            Code::State,
            format!("the container {} has no health check", found.reference),
        )
        .hint("give it one when it is made: --health-cmd")
        .exit_code(125));
    };
    let (kind, words) = test
        .split_first()
        .map_or(("", test), |(kind, words)| (kind.as_str(), words));
    let command = match kind {
        "CMD-SHELL" => vec!["/bin/sh".into(), "-c".into(), words.join(" ")],
        _ => words.to_vec(),
    };
    let (code, output) = run(roots, found, command, Duration::from_millis(health.timeout))?;
    let status = if code == 0 { "healthy" } else { "unhealthy" };
    Ok(json!({"status": status, "exitCode": code, "output": output}))
}

/// Runs a command in the container. Its exit code and the beginning of what it printed; -1 when its time was over.
fn run(
    roots: &Roots,
    found: &Found,
    command: Vec<String>,
    timeout: Duration,
) -> Result<(i32, String), Failure> {
    let running = exec(
        roots,
        &ExecRequest {
            reference: found.id.clone(),
            command,
            stdio: StdioRequest::Pipe { stdin: false },
            tied: true,
            ..ExecRequest::default()
        },
    )?;
    let until = Instant::now() + timeout;
    let [_, stdout, stderr] = running.ends;
    let mut streams: Vec<OwnedFd> = stdout.into_iter().chain(stderr).collect();
    let mut output = Vec::new();
    let code = loop {
        let mut fds: Vec<_> = streams
            .iter()
            .chain([&running.control])
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        if poll(&mut fds, Some(&left)).unwrap_or(0) == 0 {
            break -1;
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut at = 0;
        streams.retain(|stream| {
            at += 1;
            !ready.get(at - 1).is_some_and(|ready| *ready) || take(stream, &mut output)
        });
        if streams.is_empty() {
            let left = until
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1));
            let _ =
                sockopt::set_socket_timeout(&running.control, sockopt::Timeout::Recv, Some(left));
            break end(&running.control);
        }
    };
    // With its client gone, one that still runs is ended.
    drop(running.control);
    reap(running.supervisor);
    output.truncate(MOST);
    Ok((code, String::from_utf8_lossy(&output).into_owned()))
}

/// Reads once. False: that was all.
fn take(stream: &OwnedFd, output: &mut Vec<u8>) -> bool {
    let mut bytes = [0; MOST];
    match rustix::io::read(stream.as_fd(), &mut bytes) {
        Ok(0) | Err(_) => false,
        Ok(count) => {
            if output.len() < MOST {
                output.extend_from_slice(bytes.get(..count).unwrap_or_default());
            }
            true
        }
    }
}

fn end(control: &OwnedFd) -> i32 {
    loop {
        match receive::<Event>(control) {
            Ok(Some(received)) => {
                if let Event::Exited(exited) = received.message {
                    return i32::from(exited.exit_code());
                }
            }
            Ok(None) | Err(_) => return -1,
        }
    }
}
