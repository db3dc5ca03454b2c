//! `--userns`, `--uidmap`, `--gidmap`, `--subuidname` and `--subgidname`, read.

use crate::failure::{Code, Failure};
use crate::namespaces::asked::{Source, contradiction, joined, unknown};
use crate::namespaces::extents::Entry;
use crate::request::{NamespacesRequest, RunRequest};

/// Which user namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum User {
    /// Nothing was said: one of its own where that makes sense.
    #[default]
    Usual,
    /// One of its own.
    Auto(Auto),
    /// The caller's.
    Host,
    /// One of its own, in which the caller keeps its ids.
    KeepId(KeepId),
    /// One of its own, in which the caller is nobody.
    Nomap,
    /// One of its own, with these extents; an empty list: the usual map.
    Maps {
        /// For users.
        uids: Vec<Entry>,
        /// For groups.
        gids: Vec<Entry>,
    },
    /// One of its own, with somebody's ranges of /etc/subuid and /etc/subgid.
    Named,
    /// Another container's, or one by its file.
    Join(Source),
}

/// `auto:OPTIONS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auto {
    /// How many ids.
    pub size: Option<u32>,
    /// Users with ids outside that are given.
    pub uids: Vec<Entry>,
    /// Groups likewise.
    pub gids: Vec<Entry>,
}

/// `keep-id:OPTIONS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeepId {
    /// The caller's user id inside; None: the same.
    pub uid: Option<u32>,
    /// Its group id, likewise.
    pub gid: Option<u32>,
    /// How many ids there are inside at most.
    pub size: Option<u32>,
}

/// Reads the flags.
pub(crate) fn read(request: &RunRequest) -> Result<User, Failure> {
    let by_map = maps(&request.namespaces)?;
    let Some(word) = request.userns.as_deref() else {
        return Ok(by_map.map_or(User::Usual, |(user, _)| user));
    };
    if let Some((_, flag)) = by_map {
        let why = "each of them says which ids the container has";
        return Err(contradiction(&format!("--userns={word}"), flag, why));
    }
    let (name, options) = word.split_once(':').unwrap_or((word, ""));
    match (name, options) {
        ("auto" | "private", "") => Ok(User::Auto(Auto::default())),
        ("auto", options) => auto(options).map(User::Auto),
        ("host", "") => Ok(User::Host),
        ("keep-id", options) => keep_id(options).map(User::KeepId),
        ("nomap", "") => Ok(User::Nomap),
        _ => match joined("--userns", word)? {
            Some(other) => Ok(User::Join(other)),
            None => Err(unknown(
                "--userns",
                word,
                &[
                    "auto[:size=N]",
                    "private",
                    "host",
                    "keep-id[:uid=N,gid=N]",
                    "nomap",
                    "container:NAME",
                    "ns:PATH",
                ],
            )),
        },
    }
}

/// The maps, and the flag that they are of.
fn maps(words: &NamespacesRequest) -> Result<Option<(User, &'static str)>, Failure> {
    let named = if words.subuid_name.is_some() {
        Some("--subuidname")
    } else {
        words.subgid_name.is_some().then_some("--subgidname")
    };
    let mapped = if words.uid_map.is_empty() {
        (!words.gid_map.is_empty()).then_some("--gidmap")
    } else {
        Some("--uidmap")
    };
    match (mapped, named) {
        (Some(map), Some(name)) => Err(contradiction(
            map,
            name,
            "each of them says which ids the container has",
        )),
        (Some(flag), None) => {
            let users = entries("--uidmap", &words.uid_map)?;
            let groups = entries("--gidmap", &words.gid_map)?;
            Ok(Some((sorted(users, groups), flag)))
        }
        (None, Some(flag)) => Ok(Some((User::Named, flag))),
        (None, None) => Ok(None),
    }
}

fn entries(flag: &str, texts: &[String]) -> Result<Vec<Entry>, Failure> {
    texts
        .iter()
        .flat_map(|text| text.split(','))
        .map(|text| Entry::read(flag, text))
        .collect()
}

/// Each entry to the side that it is for: its flag's, unless it has a `u` or a `g`; when only one of the two flags was
/// given, it is for both.
fn sorted(users: Vec<Entry>, groups: Vec<Entry>) -> User {
    let (no_users, no_groups) = (users.is_empty(), groups.is_empty());
    let pick = |list: &[Entry], marked: fn(&Entry) -> bool, plain: bool| -> Vec<Entry> {
        let wanted = |entry: &&Entry| marked(entry) || plain && entry.is_plain();
        list.iter().filter(wanted).cloned().collect()
    };
    let (is_user, is_group) = (|entry: &Entry| entry.users, |entry: &Entry| entry.groups);
    User::Maps {
        uids: [
            pick(&users, is_user, true),
            pick(&groups, is_user, no_users),
        ]
        .concat(),
        gids: [
            pick(&users, is_group, no_groups),
            pick(&groups, is_group, true),
        ]
        .concat(),
    }
}

fn auto(options: &str) -> Result<Auto, Failure> {
    let mut auto = Auto::default();
    for (key, value) in pairs("auto", options)? {
        match key {
            "size" => auto.size = Some(size("auto", value)?),
            "uidmapping" => auto
                .uids
                .push(Entry::read("--userns=auto:uidmapping", value)?),
            "gidmapping" => auto
                .gids
                .push(Entry::read("--userns=auto:gidmapping", value)?),
            _ => return Err(unknown_key("auto", key, "size, uidmapping, gidmapping")),
        }
    }
    Ok(auto)
}

fn keep_id(options: &str) -> Result<KeepId, Failure> {
    let mut keep = KeepId::default();
    for (key, value) in pairs("keep-id", options)? {
        let place = match key {
            "uid" => &mut keep.uid,
            "gid" => &mut keep.gid,
            "size" => {
                keep.size = Some(size("keep-id", value)?);
                continue;
            }
            _ => return Err(unknown_key("keep-id", key, "uid, gid, size")),
        };
        *place = Some(number("keep-id", key, value)?);
    }
    Ok(keep)
}

fn pairs<'a>(word: &str, options: &'a str) -> Result<Vec<(&'a str, &'a str)>, Failure> {
    let pair = |option: &'a str| {
        option.split_once('=').ok_or_else(|| {
            Failure::new(
                Code::InvalidArg,
                format!("--userns={word}: {option:?} has no value"),
            )
            .hint("write KEY=VALUE, with commas between them")
        })
    };
    options
        .split(',')
        .filter(|option| !option.is_empty())
        .map(pair)
        .collect()
}

fn unknown_key(word: &str, key: &str, known: &str) -> Failure {
    Failure::new(
        Code::InvalidArg,
        format!("--userns={word}: {key:?} is not one of its options"),
    )
    .hint(format!("use {known}"))
}

fn size(word: &str, value: &str) -> Result<u32, Failure> {
    match number(word, "size", value)? {
        0 => Err(not_a_number(word, "size", value)),
        size => Ok(size),
    }
}

fn number(word: &str, key: &str, value: &str) -> Result<u32, Failure> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| value.parse().ok())
        .flatten()
        .filter(|number| *number != u32::MAX)
        .ok_or_else(|| not_a_number(word, key, value))
}

fn not_a_number(word: &str, key: &str, value: &str) -> Failure {
    Failure::new(
        Code::InvalidArg,
        format!("--userns={word}: {key}={value} is not a number of ids"),
    )
    .hint("use a number from 1 to 4294967294")
}
