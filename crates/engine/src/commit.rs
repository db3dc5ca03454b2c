//! Making an image of a container: its image's layers, shared, and one more with what the container has changed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_image::RunConfig;
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::request::RunRequest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::action::{Found, freeze};
use crate::diff::parts;
use crate::event::record_of;
use crate::export::directories;
use crate::images::{NewImage, commit_image, run_config};
use crate::pack::{Tree, pack};
use crate::roots::Roots;
use crate::store::open_directory;

/// What `commit` was told. Mirrors `src/border/files.ts`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommitRequest {
    /// Name, id or the beginning of one id alone.
    pub reference: String,
    /// A name for the image.
    pub image: Option<String>,
    /// For the image's history.
    pub message: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// What Dockerfile instructions came to, in docker's words.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// Freeze a running container meanwhile.
    pub pause: Option<bool>,
    /// One layer with everything, instead of one more.
    #[serde(default)]
    pub squash: bool,
}

/// An image that was made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Committed {
    /// `sha256:HEX`
    pub image_id: String,
    /// Lines for the user.
    pub notices: Vec<String>,
}

/// Makes an image of a container.
///
/// # Errors
///
/// No such container (exit code 1); one of the image `host`, whose files are the machine's; one whose image is gone; the
/// store cannot be written.
pub fn commit(roots: &Roots, request: &CommitRequest) -> Result<Committed, Failure> {
    let found = Found::look_up(roots, &request.reference)?;
    let config = found.config()?;
    let whole = directories(roots, &found, "committed")?;
    let base = config.image_id.as_deref().filter(|_| !request.squash);
    let mut notices = Vec::new();
    let _frozen = Frozen::of(roots, &found, request.pause, &mut notices);
    let image = NewImage {
        base: config.image_id.as_deref(),
        shares: base.is_some(),
        name: request.image.as_deref(),
        author: request.author.as_deref().unwrap_or_default(),
        comment: request.message.as_deref().unwrap_or_default(),
        created_by: config.command.join(" "),
        config: merged(
            run_config(roots, config.image_id.as_deref())?,
            &found,
            request,
        )?,
    };
    let image_id = commit_image(roots, &image, |output| match base {
        Some(_) => changes(roots, &found, output),
        None => everything(&whole, output),
    })?;
    record_of(roots, "commit", config, &[("imageID", &image_id)]);
    Ok(Committed { image_id, notices })
}

fn changes(roots: &Roots, found: &Found, output: BorrowedFd<'_>) -> Result<(), Failure> {
    for part in parts(roots, found)? {
        let open = part.open()?;
        let fds: Vec<_> = open.iter().map(AsFd::as_fd).collect();
        pack(Tree::Changes(&fds), output)?;
    }
    Ok(())
}

fn everything(paths: &[std::path::PathBuf], output: BorrowedFd<'_>) -> Result<(), Failure> {
    let open: Vec<OwnedFd> = paths
        .iter()
        .map(|path| open_directory(path))
        .collect::<Result<_, _>>()?;
    let fds: Vec<_> = open.iter().map(AsFd::as_fd).collect();
    match fds.as_slice() {
        [only] => pack(Tree::Directory(*only), output),
        layers => pack(Tree::Layers(layers), output),
    }
    .map(drop)
}

/// A running container that stands still until this is dropped.
struct Frozen<'a> {
    roots: &'a Roots,
    found: &'a Found,
}

impl<'a> Frozen<'a> {
    /// None: it does not run, is paused already, or cannot be.
    fn of(
        roots: &'a Roots,
        found: &'a Found,
        wanted: Option<bool>,
        notices: &mut Vec<String>,
    ) -> Option<Self> {
        let stands = !found.is_running(roots) || found.is_paused(roots);
        if stands || wanted == Some(false) {
            return None;
        }
        match freeze(roots, found, true) {
            Ok(()) => Some(Self { roots, found }),
            Err(failure) => {
                if wanted == Some(true) {
                    notices.push(format!("it runs on while its files are read: {failure}"));
                }
                None
            }
        }
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let _ = freeze(self.roots, self.found, false);
    }
}

/// The image's configuration, over it what the container was started with, and over that the caller's instructions.
fn merged(
    image: RunConfig,
    found: &Found,
    request: &CommitRequest,
) -> Result<Map<String, Value>, Failure> {
    let config = found.config()?;
    let mut run = image;
    if let Some(made_with) = config.request.as_deref() {
        run = as_run(run, made_with);
    }
    run.labels.clone_from(&config.labels);
    let bad = |error: serde_json::Error| Failure::new(Code::Internal, error.to_string());
    let Value::Object(mut words) = serde_json::to_value(&run).map_err(bad)? else {
        return Ok(Map::new());
    };
    instruct(&mut words, &request.config);
    // Read as what runs it will read it: a value of a wrong kind is an error now.
    RunConfig::deserialize(Value::Object(words.clone())).map_err(bad)?;
    Ok(words)
}

fn as_run(mut run: RunConfig, request: &RunRequest) -> RunConfig {
    run.env = merged_env(&run.env, &request.env);
    if let Some(entrypoint) = &request.entrypoint {
        run.entrypoint.clone_from(entrypoint);
        run.cmd.clear();
    }
    if !request.command.is_empty() {
        run.cmd.clone_from(&request.command);
    }
    if let Some(user) = &request.user {
        run.user.clone_from(user);
    }
    if let Some(cwd) = &request.cwd {
        run.working_dir.clone_from(cwd);
    }
    for port in &request.life.expose {
        let port = if port.contains('/') {
            port.clone()
        } else {
            format!("{port}/tcp")
        };
        run.exposed_ports.insert(port, json!({}));
    }
    if let Some(signal) = &request.life.stop_signal {
        run.stop_signal = Some(signal.clone());
    }
    run
}

/// Variables by name; later ones win and go last.
fn merged_env(first: &[String], second: &[String]) -> Vec<String> {
    let key = |entry: &str| {
        entry
            .split_once('=')
            .map_or(entry, |(key, _)| key)
            .to_owned()
    };
    let mut merged: Vec<String> = first.to_vec();
    for entry in second {
        merged.retain(|known| key(known) != key(entry));
        merged.push(entry.clone());
    }
    merged
}

/// Lists of variables and sets grow; everything else is replaced. A new entry point takes the command away with it, unless
/// there is one in the same breath.
fn instruct(words: &mut Map<String, Value>, changes: &Map<String, Value>) {
    if changes.contains_key("Entrypoint") && !changes.contains_key("Cmd") {
        words.remove("Cmd");
    }
    for (key, value) in changes {
        let known = words.remove(key);
        let value = match (known, value) {
            (Some(Value::Array(known)), Value::Array(new)) if key == "Env" => {
                let texts = |list: &[Value]| -> Vec<String> {
                    let texts = list.iter().filter_map(Value::as_str);
                    texts.map(str::to_owned).collect()
                };
                json!(merged_env(&texts(&known), &texts(new)))
            }
            (Some(Value::Object(mut known)), Value::Object(new)) => {
                known.extend(new.clone());
                Value::Object(known)
            }
            (_, new) => new.clone(),
        };
        words.insert(key.clone(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_add_to_lists_of_names_and_replace_the_rest() {
        let mut words =
            json!({"Env": ["A=1", "B=1"], "Cmd": ["sh"], "Labels": {"a": "1"}, "User": "x"});
        let changes =
            json!({"Env": ["A=2"], "Entrypoint": ["run"], "Labels": {"b": "2"}, "User": "y"});
        let (Some(words), Some(changes)) = (words.as_object_mut(), changes.as_object()) else {
            return;
        };
        instruct(words, changes);
        let expected = json!({"Env": ["B=1", "A=2"], "Entrypoint": ["run"], "Labels": {"a": "1", "b": "2"}, "User": "y"});
        assert_eq!(Value::Object(words.clone()), expected);
    }
}
