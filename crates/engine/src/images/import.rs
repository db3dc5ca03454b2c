//! Making an image of a root directory's tar.

use std::path::PathBuf;
use std::sync::Arc;

use keelbox_image::{
    Candidate, Compression, ConfigFile, LayerSource, Member, Reference, RunConfig, machine,
};
use keelbox_spec::failure::{Code, Failure};
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use super::sweep::tidy;
use super::{open, open_store, programs};
use crate::event::record_image;
use crate::roots::Roots;

/// What is to be imported, and what its configuration says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Importing {
    /// A tar archive, as it is or compressed; None: stdin.
    pub path: Option<PathBuf>,
    /// Programs of this machine: the archive is then made of them and what they need.
    #[serde(default)]
    pub programs: Vec<String>,
    /// What the image is to be called.
    pub name: Option<String>,
    /// RFC 3339.
    pub created: String,
    /// For the image's history.
    pub comment: String,
    /// In docker's words: `Env`, `Cmd`, ...
    pub config: serde_json::Value,
}

#[derive(Serialize)]
struct NewConfig<'a> {
    created: &'a str,
    architecture: &'static str,
    os: &'static str,
    config: &'a serde_json::Value,
    rootfs: NewRootFs,
    history: [NewHistory<'a>; 1],
}

#[derive(Serialize)]
struct NewRootFs {
    r#type: &'static str,
    diff_ids: [String; 1],
}

#[derive(Serialize)]
struct NewHistory<'a> {
    created: &'a str,
    comment: &'a str,
}

/// Imports an archive as an image of one layer; its id.
///
/// # Errors
///
/// It is no tar archive, or the store cannot be written.
pub fn import(roots: &Roots, importing: &Importing) -> Result<String, Failure> {
    let bad = |error: serde_json::Error| Failure::new(Code::Internal, error.to_string());
    let name = importing.name.as_deref().map(Reference::parse);
    let name = name.transpose()?.map(|reference| reference.name());
    let store = open_store(roots)?;
    tidy(roots, &store)?;
    let mut stage = Stage::new(&store)?;
    let mut run_config = importing.config.clone();
    let file = if importing.programs.is_empty() {
        open::open_file(&store, importing.path.as_deref())?
    } else {
        programs::archive(&store, &importing.programs, &mut run_config)?
    };
    // Read as what runs it will read it: a value of a wrong kind is an error now.
    RunConfig::deserialize(&run_config).map_err(bad)?;
    let member = Member::whole(Arc::new(file))?;
    let diff_id = member.digest("the archive", None)?;
    let config_bytes = serde_json::to_vec(&NewConfig {
        created: &importing.created,
        architecture: machine(),
        os: "linux",
        config: &run_config,
        rootfs: NewRootFs {
            r#type: "layers",
            diff_ids: [diff_id.to_string()],
        },
        history: [NewHistory {
            created: &importing.created,
            comment: &importing.comment,
        }],
    })
    .map_err(bad)?;
    let image = stage.add(Candidate {
        names: name.into_iter().collect(),
        id: keelbox_image::Digest::of(&config_bytes),
        config: ConfigFile::parse(&config_bytes, 1)?,
        config_bytes,
        manifest: None,
        layers: vec![LayerSource {
            diff_id,
            digest: None,
            compression: Compression::Plain,
            member,
        }],
    })?;
    stage.publish()?;
    let id = image.id.to_string();
    let name = importing.name.as_deref().unwrap_or(&id);
    record_image(roots, "import", &id, name);
    Ok(id)
}
