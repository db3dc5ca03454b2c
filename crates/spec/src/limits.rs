//! Resource limits (getrlimit(2)) in docker's words: `nofile=1024:4096`, `core=-1`.

use crate::failure::{Code, Failure};

/// No limit (`RLIM_INFINITY`).
pub const UNLIMITED: u64 = u64::MAX;

/// `RLIMIT_CORE`.
pub(crate) const CORE: u32 = 4;
/// `RLIMIT_NOFILE`.
pub(crate) const NOFILE: u32 = 7;

/// Names by number, which are the same on x86 and arm (`asm-generic/resource.h`).
const NAMES: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

/// A limit that was asked for. The unit is the resource's own: bytes, files, processes, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// `RLIMIT_*`.
    pub resource: u32,
    /// What the container starts with.
    pub soft: u64,
    /// How far it may raise that.
    pub hard: u64,
}

/// All limits of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The caller's limits stay as they are, but for [`Limits::list`].
    pub host: bool,
    /// One for each resource that is named.
    pub list: Vec<Limit>,
}

/// The name of a resource, as `--ulimit` has it.
#[must_use]
pub fn name(resource: u32) -> &'static str {
    usize::try_from(resource)
        .ok()
        .and_then(|index| NAMES.get(index))
        .copied()
        .unwrap_or("?")
}

/// Reads `TYPE=SOFT[:HARD]` and podman's `host`; of several for one resource the last counts.
///
/// # Errors
///
/// A name, a number or an order of numbers that means nothing.
pub fn parse(texts: &[String]) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    for text in texts {
        if text == "host" {
            limits.host = true;
            continue;
        }
        let limit = one(text)?;
        limits.list.retain(|known| known.resource != limit.resource);
        limits.list.push(limit);
    }
    Ok(limits)
}

fn one(text: &str) -> Result<Limit, Failure> {
    let refuse = |why: String| {
        Failure::new(Code::InvalidArg, format!("invalid --ulimit {text:?}"))
            .why(why)
            .hint("write TYPE=SOFT[:HARD], e.g. nofile=1024:4096, or -1 for no limit")
    };
    let (given, values) = text
        .split_once('=')
        .ok_or_else(|| refuse("there is no \"=\"".into()))?;
    let lower = given.to_ascii_lowercase();
    let bare = lower.strip_prefix("rlimit_").unwrap_or(&lower);
    let resource = (0..)
        .zip(NAMES)
        .find(|(_, name)| *name == bare)
        .map(|(number, _)| number)
        .ok_or_else(|| {
            refuse(format!(
                "{given:?} is no limit; there are {}",
                NAMES.join(" ")
            ))
        })?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let value = |text: &str| match text {
        "-1" | "unlimited" => Some(UNLIMITED),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let number =
        |text: &str| value(text).ok_or_else(|| refuse(format!("{text:?} is not a number")));
    let (soft, hard) = (number(soft)?, number(hard)?);
    if soft > hard {
        return Err(refuse("the soft limit is above the hard limit".into()));
    }
    Ok(Limit {
        resource,
        soft,
        hard,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(texts: &[&str]) -> Result<Limits, Failure> {
        parse(&texts.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn dockers_words_are_read() {
        let found = limits(&["nofile=10:20", "core=-1", "RLIMIT_NPROC=5", "nofile=7"]).unwrap();
        let limit = |resource, soft, hard| Limit {
            resource,
            soft,
            hard,
        };
        assert_eq!(
            found.list,
            [
                limit(4, UNLIMITED, UNLIMITED),
                limit(6, 5, 5),
                limit(7, 7, 7)
            ]
        );
        assert!(limits(&["host"]).unwrap().host);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in [
            "nofile",
            "nofile=",
            "files=1",
            "nofile=1:",
            "nofile=+1",
            "nofile=2:1",
            "nofile=-2",
            "nofile=1:2:3",
            "nofile=99999999999999999999",
            "core=-1:5",
        ] {
            assert!(limits(&[text]).is_err(), "{text}");
        }
    }
}
