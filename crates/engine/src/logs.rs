//! What containers have printed: for the command line by becoming a process that shows it, for the library as entries.

mod stream;

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;

use keelbox_journal::{Range, Time, Writer};
use keelbox_spec::failure::{Code, Failure};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Deserialize;

use crate::client;
use crate::collect::collect;
use crate::config::{self, State};
use crate::list::find;
use crate::roots::Roots;
use crate::store::open_directory;

pub(crate) use stream::failed;
pub use stream::{LogEntry, LogStream, Waker};

/// Which part of a log is wanted. Times are nanoseconds since the epoch as text: JavaScript's numbers do not hold them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LogOptions {
    /// Go on with what comes, until the container does not run any more.
    pub follow: bool,
    /// Only so many of the last lines.
    pub tail: Option<u64>,
    /// Only what came then or later.
    pub since: Option<String>,
    /// Only what came then or before.
    pub until: Option<String>,
}

/// What `logs` was told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LogsRequest {
    /// Names, ids, or beginnings of ids.
    pub references: Vec<String>,
    /// Which part.
    pub options: LogOptions,
    /// The time before each line.
    pub timestamps: bool,
    /// The names before the lines; of several containers it is their ids otherwise.
    pub names: bool,
    /// A colour for each container.
    pub color: bool,
}

/// Replaces this process by one that shows logs. Returns only with the reason why that failed.
#[must_use]
pub fn show_logs(roots: &Roots, request: &LogsRequest) -> Failure {
    match exec_reader(roots, request) {
        Ok(never) => match never {},
        Err(failure) => failure,
    }
}

fn exec_reader(roots: &Roots, request: &LogsRequest) -> Result<std::convert::Infallible, Failure> {
    let options = &request.options;
    range(options)?;
    let mut words = vec!["logs".to_owned()];
    for (is_wanted, word) in [
        (options.follow, "follow"),
        (request.timestamps, "times"),
        (request.color, "color"),
    ] {
        if is_wanted {
            words.push(word.to_owned());
        }
    }
    words.extend(options.tail.map(|lines| format!("tail={lines}")));
    words.extend(options.since.as_ref().map(|nanos| format!("since={nanos}")));
    words.extend(options.until.as_ref().map(|nanos| format!("until={nanos}")));
    let several = request.references.len() > 1;
    let mut fds = Vec::new();
    collect(roots);
    for reference in &request.references {
        let log = Log::find(roots, reference)?;
        let label = match (request.names, several) {
            (true, _) => log.name.as_str(),
            (false, true) => log.id.get(..12).unwrap_or(&log.id),
            (false, false) => "",
        };
        let (kind, state, process) = match log.writer.map(Writer::into_parts) {
            None => ("-", None, None),
            Some((state, None)) => ("d", Some(state), None),
            Some((state, process)) => ("p", Some(state), process),
        };
        words.push(format!("{kind}:{label}"));
        fds.extend([Some(log.data), state, process]);
    }
    let words: Vec<_> = words
        .into_iter()
        .map(|word| CString::new(word).unwrap_or_default())
        .collect();
    client::exec(&words, &fds)
}

/// Opens the log of a container, for the library.
///
/// # Errors
///
/// No such container (exit code 1), or one without a log; what the kernel says.
pub fn open_log(
    roots: &Roots,
    reference: &str,
    options: &LogOptions,
) -> Result<LogStream, Failure> {
    let range = range(options)?;
    collect(roots);
    let log = Log::find(roots, reference)?;
    LogStream::open(log, range, options.follow)
}

fn range(options: &LogOptions) -> Result<Range, Failure> {
    Ok(Range {
        tail: options.tail,
        since: time(options.since.as_deref())?,
        until: time(options.until.as_deref())?,
    })
}

/// Nanoseconds since the epoch.
pub(crate) fn time(nanos: Option<&str>) -> Result<Option<Time>, Failure> {
    let Some(nanos) = nanos else { return Ok(None) };
    let wrong = || {
        Failure::new(Code::InvalidArg, format!("{nanos:?} is no time"))
            .hint("give nanoseconds since the epoch, as digits")
    };
    let nanos = nanos.parse().map_err(|_| wrong())?;
    Ok(Some(Time::from_nanos(nanos)))
}

/// The log of one container.
struct Log {
    id: String,
    name: String,
    data: OwnedFd,
    writer: Option<Writer>,
}

/// What the configuration says about the log, and no more of it: that of a broken container may have one still.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Made {
    name: String,
    rm: bool,
    request: MadeOf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MadeOf {
    life: Life,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Life {
    detach: bool,
    log_driver: Option<String>,
}

impl Made {
    /// As `spec::life::log_driver`.
    fn driver(&self) -> &str {
        let life = &self.request.life;
        let usual = match self.rm && !life.detach {
            true => "passthrough",
            false => "json-file",
        };
        life.log_driver.as_deref().unwrap_or(usual)
    }
}

impl Log {
    fn find(roots: &Roots, reference: &str) -> Result<Self, Failure> {
        let id = find(roots, reference)?;
        let path = roots.containers().join(&id);
        let data = open_directory(&path)?;
        let made: Made = config::read(&path, "config.json").unwrap_or_default();
        // One that was made with another driver before may have a log from then.
        if !path.join("log").exists() {
            readable(&id, reference, made.driver())?;
        }
        Ok(Self {
            writer: writer(&roots.running().join(&id)),
            id,
            name: made.name,
            data,
        })
    }
}

/// Who writes it. After `collect`, a container with a state directory is one that runs.
fn writer(state: &Path) -> Option<Writer> {
    let directory = open_directory(state).ok()?;
    let record = config::read::<State>(state, "state.json");
    let supervisor = record.and_then(|record| Pid::from_raw(record.supervisor));
    let process = supervisor.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    Some(Writer::new(directory, process))
}

fn readable(id: &str, reference: &str, driver: &str) -> Result<(), Failure> {
    let (why, hint) = match driver {
        "none" => (
            "it was made with --log-driver none, and what it prints is not kept".to_owned(),
            "make it again with --log-driver json-file".to_owned(),
        ),
        "passthrough" => (
            "what it prints goes to the command that started it (--log-driver passthrough, or --rm without -d) and is not kept".to_owned(),
            "make it again with --log-driver json-file".to_owned(),
        ),
        "journald" => (
            "journald has it (--log-driver journald)".to_owned(),
            format!("journalctl CONTAINER_ID_FULL={id}"),
        ),
        _ => return Ok(()),
    };
    let what = format!("{reference} has no log here");
    Err(Failure::new(Code::State, what).why(why).hint(hint))
}
