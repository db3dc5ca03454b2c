//! What a container has on disk: its name, its layers, its configuration.

use std::collections::BTreeMap;
use std::ffi::CStr;

use keelbox_spec::failure::Failure;
use keelbox_spec::image::{ImageConfig, Root};
use keelbox_spec::op::Op;
use keelbox_spec::plan::{self, ExecRecord, Plan};
use keelbox_spec::request::RunRequest;

use crate::config::{self, Config};
use crate::export::RootRecord;
use crate::roots::Roots;
use crate::store::Place;
use crate::{binaries, images, names, plain_root};

/// Everything that it is made from.
#[derive(Clone, Copy)]
pub(super) struct Contents<'a> {
    pub(super) roots: &'a Roots,
    pub(super) request: &'a RunRequest,
    pub(super) place: &'a Place,
    pub(super) image: &'a ImageConfig,
    pub(super) plan: &'a Plan,
    pub(super) planned: &'a plan::Place,
}

impl Contents<'_> {
    /// For a new container; on failure, also the name that was claimed.
    pub(super) fn make(self, begun: bool) -> Result<String, (Failure, Option<String>)> {
        let Self {
            roots,
            request,
            place,
            image,
            ..
        } = self;
        let name = names::claim(roots, request.name.as_deref(), &image.name, &place.id)
            .map_err(|failure| (failure, None))?;
        self.make_root()
            .and_then(|()| place.write_config(&self.config(&name, begun)))
            .map_err(|failure| (failure, Some(name.clone())))?;
        Ok(name)
    }

    /// For one that is there: what this start needs besides what it has.
    pub(super) fn renew(self, old: &Config) -> Result<String, Failure> {
        self.make_root()?;
        let config = Config {
            created_at: old.created_at,
            image: old.image.clone(),
            command: old.command.clone(),
            restart: old.restart.clone(),
            request: old.request.clone(),
            image_config: old.image_config.clone(),
            ..self.config(&old.name, true)
        };
        self.place.write_config(&config)?;
        Ok(old.name.clone())
    }

    /// What the root is written to.
    pub(super) fn make_root(self) -> Result<(), Failure> {
        self.make_layers()?;
        self.make_plain_root()
    }

    fn make_layers(self) -> Result<(), Failure> {
        for step in &self.plan.steps {
            if let Op::Overlay { upper, .. } = &step.op
                && !upper.path.is_empty()
            {
                let name = upper.upper.to_string_lossy();
                let prefix = name.strip_suffix("-upper").unwrap_or_default();
                self.place.make_layer(prefix)?;
            }
        }
        Ok(())
    }

    fn make_plain_root(self) -> Result<(), Failure> {
        match &self.image.root {
            Root::Host(host) if plan::has_plain_root(self.planned.without) => {
                plain_root::make(&host.skeleton, &self.place.data_path, self.planned.base)
            }
            _ => Ok(()),
        }
    }

    fn config(self, name: &str, begun: bool) -> Config {
        let Self {
            request,
            place,
            image,
            plan,
            planned,
            ..
        } = self;
        let (mounted_images, mut layers) = images::kept(&planned.storage);
        if let Some(stored) = &image.stored {
            layers.extend(stored.layers.iter().cloned());
        }
        Config {
            version: config::VERSION,
            id: place.id.clone(),
            name: name.to_owned(),
            image: image.name.clone(),
            command: command(plan),
            created_at: config::now(),
            rm: request.rm,
            labels: labels(request, image),
            annotations: config::pairs(&request.confinement.annotations),
            cgroups: cgroups(plan)
                .map(|path| path.to_string_lossy().into_owned())
                .collect(),
            mounts: request.mounts.clone(),
            root: Some(RootRecord::of(&image.root)),
            image_id: image.stored.as_ref().map(|stored| stored.id.clone()),
            mounted_images: mounted_images.into_iter().collect(),
            layers: layers.into_iter().collect(),
            binaries: binaries::key_of(&image.root),
            exec: Some(Box::new(ExecRecord::of(plan, request, image))),
            request: Some(Box::new(kept(request))),
            image_config: image.stored.as_ref().map(|_| Box::new(image.clone())),
            begun,
            restart: None,
        }
    }
}

/// The request without what is for its first start only.
fn kept(request: &RunRequest) -> RunRequest {
    let mut kept = request.clone();
    // Their mounts are among its own by now.
    kept.storage.volumes_from.clear();
    kept.cidfile = None;
    kept.explain = false;
    kept
}

fn command(plan: &Plan) -> Vec<String> {
    let words = plan.steps.iter().find_map(|step| match &step.op {
        Op::Execute(command) => Some(&command.argv),
        _ => None,
    });
    let words = words.into_iter().flatten();
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

/// The control groups of a plan.
pub(super) fn cgroups(plan: &Plan) -> impl Iterator<Item = &CStr> {
    plan.steps.iter().filter_map(|step| match &step.op {
        Op::MakeCgroup(group) => Some(group.directory.as_c_str()),
        _ => None,
    })
}

/// The image's, and over them the user's.
pub(super) fn labels(request: &RunRequest, image: &ImageConfig) -> BTreeMap<String, String> {
    let mut labels = image.labels.clone();
    labels.extend(config::pairs(&request.confinement.labels));
    labels
}
