//! The words of `--pid`, `--ipc`, `--uts`, `--network`, `--cgroupns` and `--userns`, read.

use crate::failure::{Code, Failure};
use crate::namespaces::time::TimeOffsets;
use crate::namespaces::users::{self, User};
use crate::op::namespace;
use crate::request::RunRequest;

/// Where one namespace comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// A new one of the container's own.
    #[default]
    New,
    /// The caller's.
    Host,
    /// That of another container, by name or id.
    Container(String),
    /// The one that a file of the kernel's refers to, such as /run/netns/NAME or /proc/PID/ns/net.
    Path(String),
}

/// Where the IPC namespace comes from, and the shared memory that goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipc {
    /// The namespace.
    pub source: Source,
    /// No /dev/shm at all.
    pub without_shm: bool,
}

/// All namespaces, as asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `--pid`.
    pub pid: Source,
    /// `--ipc`.
    pub ipc: Ipc,
    /// `--uts`.
    pub uts: Source,
    /// `--network`.
    pub network: Source,
    /// `--cgroupns`.
    pub cgroup: Source,
    /// `--userns`.
    pub user: User,
    /// `--time-offset`.
    pub time: Option<TimeOffsets>,
}

impl Asked {
    /// Reads the words.
    ///
    /// # Errors
    ///
    /// A word that means nothing, or two that contradict each other.
    pub fn read(request: &RunRequest) -> Result<Self, Failure> {
        let words = &request.namespaces;
        let asked = Self {
            pid: source("--pid", words.pid.as_deref(), &[])?,
            ipc: ipc(words.ipc.as_deref())?,
            uts: source("--uts", words.uts.as_deref(), &[])?,
            network: source("--network", network_word(request), &["none"])?,
            cgroup: source("--cgroupns", words.cgroup.as_deref(), &[])?,
            user: users::read(request)?,
            time: words
                .time_offset
                .as_deref()
                .map(TimeOffsets::read)
                .transpose()?,
        };
        asked.check(request)?;
        Ok(asked)
    }

    /// Each kind of namespace but the user namespace, with where it comes from and its flag.
    #[must_use]
    pub fn sources(&self) -> [(u64, &Source, &'static str); 5] {
        [
            (namespace::CLONE_NEWPID, &self.pid, "--pid"),
            (namespace::CLONE_NEWIPC, &self.ipc.source, "--ipc"),
            (namespace::CLONE_NEWUTS, &self.uts, "--uts"),
            (namespace::CLONE_NEWNET, &self.network, "--network"),
            (namespace::CLONE_NEWCGROUP, &self.cgroup, "--cgroupns"),
        ]
    }

    fn check(&self, request: &RunRequest) -> Result<(), Failure> {
        if request.hostname.is_some() && self.uts != Source::New {
            let uts = request.namespaces.uts.as_deref().unwrap_or_default();
            return Err(contradiction(
                "--hostname",
                &format!("--uts={uts}"),
                "the name belongs to the UTS namespace, and that is somebody else's",
            ));
        }
        let own_shm = self.ipc.source == Source::New && !self.ipc.without_shm;
        if request.storage.shm_size.is_some() && !own_shm {
            let ipc = request.namespaces.ipc.as_deref().unwrap_or_default();
            return Err(contradiction(
                "--shm-size",
                &format!("--ipc={ipc}"),
                "only a /dev/shm of the container's own has a size to choose",
            ));
        }
        Ok(())
    }
}

/// Two flags of which one must go.
pub(crate) fn contradiction(one: &str, other: &str, why: &str) -> Failure {
    Failure::new(
        Code::InvalidArg,
        format!("{one} and {other} contradict each other"),
    )
    .why(why)
    .hint(format!("leave {one} or {other} out"))
}

fn network_word(request: &RunRequest) -> Option<&str> {
    request.network.as_deref()
}

fn ipc(word: Option<&str>) -> Result<Ipc, Failure> {
    Ok(Ipc {
        source: source("--ipc", word, &["none", "shareable"])?,
        without_shm: word == Some("none"),
    })
}

/// `own`: other words for a namespace of the container's own.
fn source(flag: &str, word: Option<&str>, own: &[&str]) -> Result<Source, Failure> {
    let Some(word) = word else {
        return Ok(Source::New);
    };
    match word {
        "private" => return Ok(Source::New),
        "host" => return Ok(Source::Host),
        _ if own.contains(&word) => return Ok(Source::New),
        _ => {}
    }
    if let Some(other) = joined(flag, word)? {
        return Ok(other);
    }
    let mut words = vec!["private", "host"];
    words.extend(own);
    words.extend(["container:NAME", "ns:PATH"]);
    Err(unknown(flag, word, &words))
}

/// `container:NAME` and `ns:PATH`.
pub(crate) fn joined(flag: &str, word: &str) -> Result<Option<Source>, Failure> {
    let (source, name) = if let Some(name) = word.strip_prefix("container:") {
        (Source::Container(name.to_owned()), name)
    } else if let Some(path) = word.strip_prefix("ns:") {
        (Source::Path(path.to_owned()), path)
    } else {
        return Ok(None);
    };
    if name.is_empty() {
        return Err(
            Failure::new(Code::InvalidArg, format!("{flag}={word} names nothing"))
                .hint("write container:NAME or ns:PATH"),
        );
    }
    Ok(Some(source))
}

pub(crate) fn unknown(flag: &str, word: &str, words: &[&str]) -> Failure {
    Failure::new(
        Code::InvalidArg,
        format!("invalid value {word:?} for {flag}"),
    )
    .why(format!("expected {}", words.join(", ")))
    .hint(format!("use one of: {}", words.join(", ")))
}
