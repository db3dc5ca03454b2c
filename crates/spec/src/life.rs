//! What a request and its image say about the time after the start.

use crate::failure::{Code, Failure};
use crate::image::ImageConfig;
use crate::request::{HealthRequest, LifeRequest, RunRequest};
use crate::signals::signal_number;
use crate::start::{Health, Life, Log, Restart, Unhealthy};

/// Docker's and podman's.
const STOP_SIGNAL: &str = "SIGTERM";
/// Seconds between that and SIGKILL, likewise.
pub const STOP_TIMEOUT: i64 = 10;

/// Bytes of one log file and how many there are (`design.md`, "Decisions").
const LOG_SIZE: u64 = 10_000_000;
const LOG_FILES: u32 = 3;

/// What the supervisor is told. Health checks come without their steps.
///
/// # Errors
///
/// A word that is none, or words that contradict each other.
pub fn life(request: &RunRequest, image: &ImageConfig, name: &str) -> Result<Life, Failure> {
    let asked = &request.life;
    let restart = restart_policy(asked.restart.as_deref().unwrap_or("no"))?;
    if request.rm && restart != Restart::No {
        return Err(
            Failure::new(Code::InvalidArg, "--rm and --restart contradict each other")
                .hint("leave one of them out"),
        );
    }
    Ok(Life {
        name: name.to_owned(),
        image: image.name.clone(),
        labels: Vec::new(),
        log: log(request)?,
        restart,
        restarts: 0,
        stop_signal: signal_number(stop_signal(asked, image))?,
        stop_timeout: u64::try_from(asked.stop_timeout.unwrap_or(STOP_TIMEOUT))
            .ok()
            .map(|seconds| seconds.saturating_mul(1000)),
        timeout: asked.timeout.saturating_mul(1000),
        stdin_once: request.interactive && !asked.detach,
        existing: false,
        health: health(asked, image)?,
    })
}

/// The word for the signal of `stop`.
#[must_use]
pub fn stop_signal<'a>(asked: &'a LifeRequest, image: &'a ImageConfig) -> &'a str {
    let word = asked
        .stop_signal
        .as_deref()
        .or(image.stop_signal.as_deref());
    word.filter(|word| !word.is_empty()).unwrap_or(STOP_SIGNAL)
}

/// Reads the words of `--restart`.
///
/// # Errors
///
/// They are none.
pub fn restart_policy(text: &str) -> Result<Restart, Failure> {
    let (name, count) = text.split_once(':').unwrap_or((text, ""));
    match (name, count) {
        ("no" | "", "") => Ok(Restart::No),
        ("always", "") => Ok(Restart::Always),
        ("unless-stopped", "") => Ok(Restart::UnlessStopped),
        ("on-failure", "") => Ok(Restart::OnFailure(0)),
        ("on-failure", count) => count
            .parse()
            .map(Restart::OnFailure)
            .map_err(|_| no_policy(text)),
        _ => Err(no_policy(text)),
    }
}

fn no_policy(text: &str) -> Failure {
    Failure::new(
        Code::InvalidArg,
        format!("{text:?} is not a restart policy"),
    )
    .hint("use no, on-failure, on-failure:N, always or unless-stopped")
}

/// The word for where the output goes.
#[must_use]
pub fn log_driver(request: &RunRequest) -> &str {
    let detached = request.life.detach;
    let usual = if request.rm && !detached {
        "passthrough"
    } else {
        "json-file"
    };
    request.life.log_driver.as_deref().unwrap_or(usual)
}

fn log(request: &RunRequest) -> Result<Log, Failure> {
    let refuse = |what: String| {
        Failure::new(Code::InvalidArg, what).hint(
            "the drivers are json-file (max-size, max-file), journald (tag), none and passthrough",
        )
    };
    let mut options = Options {
        max_size: LOG_SIZE,
        max_files: LOG_FILES,
        tag: String::new(),
    };
    for option in &request.life.log_opts {
        options
            .read(option)
            .ok_or_else(|| refuse(format!("{option:?} is not a --log-opt")))?;
    }
    match log_driver(request) {
        "passthrough" if request.life.detach => Err(refuse(
            "--log-driver passthrough needs a client to pass the output to".into(),
        )
        .why("a detached container has none")),
        "passthrough" => Ok(Log::Passthrough),
        "none" => Ok(Log::None),
        "json-file" | "k8s-file" | "local" => {
            let Options {
                max_size,
                max_files,
                ..
            } = options;
            Ok(Log::File {
                max_size,
                max_files,
            })
        }
        "journald" => Ok(Log::Journald { tag: options.tag }),
        other => Err(refuse(format!("there is no log driver {other:?}"))),
    }
}

struct Options {
    max_size: u64,
    max_files: u32,
    tag: String,
}

impl Options {
    fn read(&mut self, option: &str) -> Option<()> {
        let (key, value) = option.split_once('=')?;
        match key {
            "max-size" => self.max_size = bytes(value)?,
            "max-file" => self.max_files = value.parse().ok().filter(|files| *files > 0)?,
            "tag" => value.clone_into(&mut self.tag),
            // Of docker's driver; data that our files do not have.
            "compress" | "labels" | "env" | "mode" => {}
            _ => return None,
        }
        Some(())
    }
}

/// Docker's units for log files: powers of 1,000. -1 is no bound.
fn bytes(text: &str) -> Option<u64> {
    if text == "-1" {
        return Some(u64::MAX);
    }
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match lower.get(digits.len()..)?.trim_end_matches('b') {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        _ => return None,
    };
    let number: u64 = digits.parse().ok().filter(|number| *number > 0)?;
    number.checked_mul(unit)
}

fn health(asked: &LifeRequest, image: &ImageConfig) -> Result<Option<Health>, Failure> {
    let (own, of_image) = (&asked.health, &image.healthcheck);
    if health_test(own, of_image).is_none() {
        return Ok(None);
    }
    let time = |own: Option<u64>, of_image: Option<u64>, usual: u64| {
        own.or(of_image).filter(|time| *time > 0).unwrap_or(usual)
    };
    let retries = own
        .retries
        .or(of_image.retries)
        .filter(|retries| *retries > 0);
    Ok(Some(Health {
        steps: Vec::new(),
        interval: time(own.interval, of_image.interval, 30_000),
        timeout: time(own.timeout, of_image.timeout, 30_000),
        start_period: time(own.start_period, of_image.start_period, 0),
        start_interval: time(own.start_interval, of_image.start_interval, 5_000),
        retries: retries.unwrap_or(3),
        on_failure: unhealthy(own.on_failure.as_deref().unwrap_or("none"))?,
    }))
}

/// The words of the check, in docker's form; None: there is no check.
#[must_use]
pub fn health_test<'a>(
    own: &'a HealthRequest,
    of_image: &'a HealthRequest,
) -> Option<&'a [String]> {
    let test = own.test.as_ref().or(of_image.test.as_ref())?;
    let words = match test.split_first()? {
        (kind, words) if kind == "CMD" || kind == "CMD-SHELL" => words,
        _ => return None,
    };
    (!words.is_empty()).then_some(test.as_slice())
}

fn unhealthy(text: &str) -> Result<Unhealthy, Failure> {
    match text {
        "none" => Ok(Unhealthy::Nothing),
        "kill" => Ok(Unhealthy::Kill),
        "stop" => Ok(Unhealthy::Stop),
        "restart" => Ok(Unhealthy::Restart),
        _ => Err(Failure::new(
            Code::InvalidArg,
            format!("{text:?} is no action for --health-on-failure"),
        )
        .hint("use none, kill, restart or stop")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restart_words() {
        assert_eq!(restart_policy("no").ok(), Some(Restart::No));
        assert_eq!(
            restart_policy("on-failure:3").ok(),
            Some(Restart::OnFailure(3))
        );
        assert_eq!(
            restart_policy("unless-stopped").ok(),
            Some(Restart::UnlessStopped)
        );
        for text in ["sometimes", "always:1", "on-failure:x", "on-failure:-1"] {
            assert!(restart_policy(text).is_err(), "{text}");
        }
    }

    #[test]
    fn log_sizes() {
        assert_eq!(bytes("10m"), Some(10_000_000));
        assert_eq!(bytes("64KB"), Some(64_000));
        assert_eq!(bytes("7"), Some(7));
        assert_eq!(bytes("-1"), Some(u64::MAX));
        for text in ["", "m", "0", "1x", "1.5m", "99999999999999999999g"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
