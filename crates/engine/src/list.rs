//! Which containers there are.

use std::collections::BTreeMap;

use serde::Serialize;

use keelbox_spec::failure::{Code, Failure};

use crate::collect::{collect, entries};
use crate::config::{self, Config, Exit, State};
use crate::control::Control;
use crate::names;
use crate::roots::Roots;

/// A container, for a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSummary {
    /// 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image, or the directory that is its root.
    pub image: String,
    /// The id of that image, of a stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its command.
    pub command: Vec<String>,
    /// `created`, `running`, `paused`, `restarting`, `exited` or `broken`.
    pub status: &'static str,
    /// Its first process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// Milliseconds since the epoch.
    #[serde(serialize_with = "number")]
    pub created_at: u64,
    /// See `created_at`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "some_number"
    )]
    pub started_at: Option<u64>,
    /// See `created_at`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "some_number"
    )]
    pub finished_at: Option<u64>,
    /// Of one with a health check: `starting`, `healthy` or `unhealthy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// How often its policy has started it again.
    pub restart_count: u32,
    /// Why it is broken, or could not be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// As a JavaScript number: a larger integer than 32 bits would become a BigInt there.
#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds and bytes stay far below 2^53"
)]
#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
pub(crate) fn number<S: serde::Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(*value as f64)
}

#[allow(clippy::ref_option, reason = "the signature that serde asks for")]
fn some_number<S: serde::Serializer>(
    value: &Option<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    number(&value.unwrap_or(0), serializer)
}

/// Lists containers, the newest first; those that have ended only with `all`.
///
/// # Errors
///
/// There is no place for state.
pub fn list(roots: &Roots, all: bool) -> Result<Vec<ContainerSummary>, Failure> {
    collect(roots);
    let mut found: Vec<_> = entries(&roots.containers())
        .iter()
        .filter(|id| roots.containers().join(id).is_dir())
        .map(|id| summary(roots, id))
        .collect();
    found.retain(|container| all || !matches!(container.status, "created" | "exited"));
    found.sort_by(|one, other| {
        other
            .created_at
            .cmp(&one.created_at)
            .then_with(|| one.id.cmp(&other.id))
    });
    Ok(found)
}

pub(crate) fn summary(roots: &Roots, id: &str) -> ContainerSummary {
    let data = roots.containers().join(id);
    let Some(config): Option<Config> = config::read(&data, "config.json") else {
        return broken(roots, id);
    };
    // After `collect` a state directory is a live container's.
    let place = roots.running().join(id);
    let state: Option<State> = config::read(&place, "state.json");
    let exit: Option<Exit> = match &state {
        Some(state) if !state.restarting => None,
        _ => config::read(&data, "exit.json"),
    };
    let has_ended = config.begun && exit.is_some();
    let mut error = exit.as_ref().and_then(|exit| exit.error.clone());
    let status = match &state {
        Some(state) => running_status(state),
        None if has_ended => "exited",
        None if !place.exists() => ended_status(&config),
        // A supervisor that listens has written its record.
        None if Control::connect(roots, id).is_some() => {
            error = Some("it runs, but its record (state.json) cannot be read".into());
            "broken"
        }
        // It is being started.
        None => "created",
    };
    ContainerSummary {
        status,
        id: config.id,
        name: config.name,
        image: config.image,
        image_id: config.image_id,
        labels: config.labels,
        command: config.command,
        pid: state.as_ref().map(|state| state.pid).filter(|pid| *pid > 0),
        exit_code: exit.as_ref().map(|exit| exit.exit_code),
        created_at: config.created_at,
        started_at: state
            .as_ref()
            .map(|state| state.started_at)
            .or_else(|| exit.as_ref().and_then(|exit| exit.started_at)),
        finished_at: exit
            .as_ref()
            .map(|exit| exit.finished_at)
            .filter(|_| has_ended),
        restart_count: state
            .as_ref()
            .map(|state| state.restart_count)
            .or_else(|| exit.as_ref().map(|exit| exit.restart_count))
            .unwrap_or(0),
        health: state.and_then(|state| state.health),
        error,
    }
}

fn running_status(state: &State) -> &'static str {
    if state.restarting {
        "restarting"
    } else if state.paused {
        "paused"
    } else {
        "running"
    }
}

/// Of one that was begun and has left no word, the machine was switched off.
fn ended_status(config: &Config) -> &'static str {
    if config.begun { "exited" } else { "created" }
}

/// One whose configuration cannot be read: it can be removed.
fn broken(roots: &Roots, id: &str) -> ContainerSummary {
    let named = entries(&roots.names())
        .into_iter()
        .find(|name| names::resolve(roots, name).as_deref() == Some(id));
    let data = roots.containers().join(id);
    let made = std::fs::metadata(&data).and_then(|stat| stat.created());
    let made = made
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    ContainerSummary {
        id: id.to_owned(),
        name: named.unwrap_or_default(),
        image: String::new(),
        image_id: None,
        labels: BTreeMap::new(),
        command: Vec::new(),
        status: "broken",
        pid: None,
        exit_code: None,
        created_at: made
            .and_then(|time| u64::try_from(time.as_millis()).ok())
            .unwrap_or(0),
        started_at: None,
        finished_at: None,
        health: None,
        restart_count: 0,
        error: Some("its configuration (config.json) cannot be read".into()),
    }
}

/// The id of the container that `reference` means: a name, an id, or the beginning of one id alone.
pub(crate) fn find(roots: &Roots, reference: &str) -> Result<String, Failure> {
    let exists = |id: &String| roots.containers().join(id).is_dir();
    if let Some(id) = names::resolve(roots, reference).filter(exists) {
        return Ok(id);
    }
    let hex = !reference.is_empty() && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    let candidates: Vec<_> = entries(&roots.containers())
        .into_iter()
        .filter(|id| hex && id.starts_with(reference))
        .collect();
    match candidates.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(
            Failure::new(Code::NotFound, format!("no such container: {reference}"))
                .hint("keelbox ps -a lists all containers"),
        ),
        many => Err(ambiguous(roots, reference, many)),
    }
}

fn ambiguous(roots: &Roots, reference: &str, candidates: &[String]) -> Failure {
    let named = candidates.iter().map(|id| {
        let name = summary(roots, id).name;
        format!("{id:.12} ({name})")
    });
    let named: Vec<_> = named.collect();
    Failure::new(
        Code::AmbiguousId,
        format!(
            "{reference} could be any of {} containers",
            candidates.len()
        ),
    )
    .why(named.join(", "))
    .hint("write more of the id, or the name")
}
