//! Everything about a container.

use std::collections::BTreeMap;
use std::path::PathBuf;

use keelbox_spec::failure::Failure;
use keelbox_spec::image::ImageConfig;
use keelbox_spec::life;
use keelbox_spec::request::{MountRequest, RunRequest};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Found;
use crate::config::{self, Exit};
use crate::list::{self, ContainerSummary};
use crate::roots::Roots;

/// `ContainerDetails` of `src/border/containers.ts`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Details {
    #[serde(flatten)]
    summary: ContainerSummary,
    signal: Option<i32>,
    oom_killed: bool,
    annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Value>,
    request: Option<RunRequest>,
    image_config: Value,
    env: Vec<String>,
    working_dir: String,
    user: String,
    hostname: String,
    mounts: Vec<Value>,
    paths: Paths,
    log_driver: String,
    cgroups: Vec<String>,
    stop_signal: String,
    stop_timeout: i64,
    restart_policy: String,
}

#[derive(Clone, Debug, Serialize)]
struct Paths {
    data: PathBuf,
    state: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper: Option<PathBuf>,
}

/// Reads it all.
pub(super) fn details(roots: &Roots, found: &Found) -> Result<Details, Failure> {
    let config = found.config()?;
    let summary = list::summary(roots, &found.id);
    let data = roots.containers().join(&found.id);
    let exit: Option<Exit> = config::read(&data, "exit.json");
    let request = config.request.as_deref().cloned();
    let image = image_of(roots, config.image_config.as_deref(), request.as_ref());
    let asked = request.as_ref();
    let state = roots.running().join(&found.id);
    let or_image = |own: Option<&String>, of_image: Option<&String>| {
        own.or(of_image).cloned().unwrap_or_default()
    };
    Ok(Details {
        health: config::read(&state, "health.json").or_else(|| config::read(&data, "health.json")),
        signal: exit.as_ref().and_then(|exit| exit.signal),
        oom_killed: exit.as_ref().is_some_and(|exit| exit.oom_killed),
        annotations: config.annotations.clone(),
        image_config: image_json(&image),
        env: image
            .env
            .iter()
            .chain(asked.iter().flat_map(|request| &request.env))
            .cloned()
            .collect(),
        working_dir: or_image(
            asked.and_then(|request| request.cwd.as_ref()),
            image.working_dir.as_ref(),
        ),
        user: or_image(
            asked.and_then(|request| request.user.as_ref()),
            image.user.as_ref(),
        ),
        hostname: asked
            .and_then(|request| request.hostname.clone())
            .unwrap_or_else(|| found.id.chars().take(12).collect()),
        mounts: asked
            .iter()
            .flat_map(|request| &request.mounts)
            .map(|mount| mount_json(roots, mount))
            .collect(),
        paths: paths(data, state),
        log_driver: asked.map_or("json-file", life::log_driver).to_owned(),
        cgroups: config.cgroups.clone(),
        stop_signal: asked
            .map_or("SIGTERM", |request| {
                life::stop_signal(&request.life, &image)
            })
            .to_owned(),
        stop_timeout: found.stop_timeout(),
        restart_policy: config
            .restart
            .clone()
            .or_else(|| asked.and_then(|request| request.life.restart.clone()))
            .unwrap_or_else(|| "no".into()),
        request,
        summary,
    })
}

fn paths(data: PathBuf, state: PathBuf) -> Paths {
    let upper = data.join(keelbox_spec::plan::layer_names("").0);
    let log = data.join("log");
    Paths {
        log: log.exists().then_some(log),
        upper: upper.exists().then_some(upper),
        state,
        data,
    }
}

/// What its image said; of one that is in no store, what can be said of it now.
fn image_of(
    roots: &Roots,
    kept: Option<&ImageConfig>,
    request: Option<&RunRequest>,
) -> ImageConfig {
    if let Some(image) = kept {
        return image.clone();
    }
    let image = request.and_then(|request| crate::source::image(roots, request, false).ok());
    image.unwrap_or_default()
}

fn image_json(image: &ImageConfig) -> Value {
    let ports = image.exposed_ports.iter();
    let ports: Map<_, _> = ports.map(|port| (port.clone(), json!({}))).collect();
    json!({
        "Entrypoint": image.entrypoint,
        "Cmd": image.cmd,
        "Env": image.env,
        "WorkingDir": image.working_dir,
        "User": image.user,
        "StopSignal": image.stop_signal,
        "Volumes": image.volumes,
        "ExposedPorts": ports,
        "Labels": image.labels,
        "Healthcheck": image.healthcheck.test,
    })
}

/// As docker has them in `Mounts`.
fn mount_json(roots: &Roots, mount: &MountRequest) -> Value {
    let entry =
        |kind: &str, name: Option<&str>, source: String, readonly: bool, propagation: &str| {
            json!({
                "type": kind,
                "name": name,
                "source": source,
                "destination": mount.target(),
                "mode": if readonly { "ro" } else { "" },
                "rw": !readonly,
                "propagation": propagation,
            })
        };
    match mount {
        MountRequest::Bind {
            source,
            readonly,
            options,
            ..
        } => {
            let propagation = format!("r{}", options.propagation.flag());
            entry("bind", None, source.clone(), *readonly, &propagation)
        }
        MountRequest::Volume { name, readonly, .. } => {
            let name = name.as_deref().unwrap_or_default();
            let source = roots.volumes().join(name).join("data");
            entry(
                "volume",
                Some(name),
                source.display().to_string(),
                *readonly,
                "",
            )
        }
        MountRequest::Image {
            source, writable, ..
        } => entry("image", None, source.clone(), !writable, ""),
        MountRequest::Tmpfs { .. } => entry("tmpfs", None, String::new(), false, ""),
    }
}
