//! Manifests, indexes and configurations (OCI image-spec and docker's schema 2), read with caps and without guesses.

use std::collections::BTreeMap;

use keelbox_spec::failure::Failure;
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::failures::invalid;
use crate::healthcheck::Healthcheck;
use crate::platform::Platform;

/// Bytes that a manifest or index may have: what registries accept.
pub const MANIFEST_LIMIT: u64 = 4 << 20;
/// Bytes that a configuration may have.
pub const CONFIG_LIMIT: u64 = 8 << 20;
/// Layers that an image may have: a plan has places for no more, and docker makes at most 127.
const LAYER_COUNT_LIMIT: usize = 128;

/// Media types.
pub mod media_type {
    /// An OCI manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI configuration.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// An OCI layer as it is; with `+gzip` or `+zstd` compressed.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    pub(crate) const DOCKER_INDEX: &str =
        "application/vnd.docker.distribution.manifest.list.v2+json";
    pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
}

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// A tar as it is.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// By a layer's media type; None: it is no layer.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let oci = media_type
            .strip_prefix("application/vnd.oci.image.layer.nondistributable.v1.tar")
            .or_else(|| media_type.strip_prefix(media_type::LAYER));
        let docker = media_type
            .strip_prefix("application/vnd.docker.image.rootfs.diff.tar")
            .or_else(|| {
                media_type.strip_prefix("application/vnd.docker.image.rootfs.foreign.diff.tar")
            });
        match (oci, docker) {
            (Some(""), _) | (_, Some("")) => Some(Self::Plain),
            (Some("+gzip"), _) | (_, Some(".gzip")) => Some(Self::Gzip),
            (Some("+zstd"), _) | (_, Some(".zstd")) => Some(Self::Zstd),
            _ => None,
        }
    }

    /// By a file's first bytes.
    #[must_use]
    pub fn of_magic(start: &[u8]) -> Self {
        if start.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else {
            Self::Plain
        }
    }

    /// The OCI media type of a layer so compressed.
    #[must_use]
    pub fn layer_media_type(self) -> String {
        let suffix = match self {
            Self::Plain => "",
            Self::Gzip => "+gzip",
            Self::Zstd => "+zstd",
        };
        format!("{}{suffix}", media_type::LAYER)
    }
}

/// What names a blob.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    #[serde(default)]
    pub media_type: String,
    /// What it must hash to.
    pub digest: Digest,
    /// How long it must be.
    pub size: u64,
    /// In an index: for what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Data.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

/// What an image is made of.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// 2.
    pub schema_version: u32,
    /// One of the two manifest types.
    pub media_type: String,
    /// The configuration's blob.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
}

/// A document that a descriptor may lead to.
#[derive(Debug)]
pub(crate) enum Document {
    Manifest(Manifest),
    Index(Vec<Descriptor>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<u32>,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

impl Document {
    /// Reads a manifest or index. One that could be read as either is refused (CVE-2021-41190), and one that is not what its
    /// descriptor says.
    pub(crate) fn parse(bytes: &[u8], said: Option<&str>, what: &str) -> Result<Self, Failure> {
        let bad = |why: &str| invalid(format!("{what} cannot be used")).why(why);
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
        if raw.schema_version != Some(2) {
            return Err(bad("it is not of schema version 2"));
        }
        for kind in said.into_iter().chain(raw.media_type.as_deref()) {
            let is_index = kind == media_type::INDEX || kind == media_type::DOCKER_INDEX;
            let is_manifest = kind == media_type::MANIFEST || kind == media_type::DOCKER_MANIFEST;
            let fits = (is_index && raw.manifests.is_some())
                || (is_manifest && raw.config.is_some() && raw.layers.is_some());
            if !fits {
                return Err(bad(&format!("it is called {kind:?} and is something else")));
            }
        }
        match (raw.config, raw.layers, raw.manifests) {
            (None, None, Some(manifests)) => Ok(Self::Index(manifests)),
            (Some(config), Some(layers), None) => {
                let media_type = raw
                    .media_type
                    .or_else(|| said.map(str::to_owned))
                    .unwrap_or_else(|| media_type::MANIFEST.into());
                check_parts(&config, &layers).map_err(|why| bad(&why))?;
                Ok(Self::Manifest(Manifest {
                    schema_version: 2,
                    media_type,
                    config,
                    layers,
                }))
            }
            _ => Err(bad("it could be a manifest as well as an index")),
        }
    }
}

fn check_parts(config: &Descriptor, layers: &[Descriptor]) -> Result<(), String> {
    if !matches!(
        config.media_type.as_str(),
        media_type::CONFIG | media_type::DOCKER_CONFIG
    ) {
        return Err(format!(
            "it is no image: its configuration is {:?}",
            config.media_type
        ));
    }
    if config.size > CONFIG_LIMIT {
        return Err("its configuration is larger than 8 MiB".into());
    }
    if layers.len() > LAYER_COUNT_LIMIT {
        return Err(format!(
            "it has {} layers; {LAYER_COUNT_LIMIT} are the most that can be mounted",
            layers.len()
        ));
    }
    match layers
        .iter()
        .find(|layer| Compression::of_media_type(&layer.media_type).is_none())
    {
        Some(layer) => Err(format!("it has a layer of the kind {:?}", layer.media_type)),
        None => Ok(()),
    }
}

/// Go writes `null` for an empty list or map.
fn nullable<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// The parts of an image's configuration that matter here (OCI image-spec, "Image Configuration").
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ConfigFile {
    /// RFC 3339.
    #[serde(default)]
    pub created: Option<String>,
    /// In Go's words.
    #[serde(default)]
    pub architecture: String,
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// See [`Platform`].
    #[serde(default)]
    pub variant: Option<String>,
    /// How to run it.
    #[serde(default, deserialize_with = "nullable")]
    pub config: RunConfig,
    /// Its layers.
    pub rootfs: RootFs,
}

/// The layers of a configuration.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RootFs {
    /// Lowest first.
    #[serde(default, deserialize_with = "nullable")]
    pub diff_ids: Vec<Digest>,
}

/// How an image is run. Data, never policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunConfig {
    /// `name|uid[:group|gid]`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "nullable"
    )]
    pub user: String,
    /// `KEY=value`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub env: Vec<String>,
    /// Goes before the command.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub entrypoint: Vec<String>,
    /// The command when none is given.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub cmd: Vec<String>,
    /// Where the command starts.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "nullable"
    )]
    pub working_dir: String,
    /// Directories that get a volume: keys.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "nullable"
    )]
    pub volumes: BTreeMap<String, serde_json::Value>,
    /// Ports, as documentation: keys.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "nullable"
    )]
    pub exposed_ports: BTreeMap<String, serde_json::Value>,
    /// Data.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "nullable"
    )]
    pub labels: BTreeMap<String, String>,
    /// `SIGTERM`, `15`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// How to find out whether a container is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
}

impl ConfigFile {
    /// Reads a configuration that has exactly the layers of its manifest (CVE-2024-3727's neighbours: a layer that no diff id
    /// vouches for, or a diff id without a layer, would be another image than the digest names).
    ///
    /// # Errors
    ///
    /// It cannot be read, is for another system, or has other layers.
    pub fn parse(bytes: &[u8], layers: usize) -> Result<Self, Failure> {
        let bad = |why: String| invalid("the image's configuration cannot be used").why(why);
        let config: Self = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        if config.rootfs.diff_ids.len() != layers {
            return Err(bad(format!(
                "it names {} layers, and the image has {layers}",
                config.rootfs.diff_ids.len()
            )));
        }
        if !matches!(config.os.as_str(), "linux" | "") {
            return Err(bad(format!("it is for {}, not for linux", config.os)));
        }
        Ok(config)
    }

    /// What it is for.
    #[must_use]
    pub fn platform(&self) -> Platform {
        Platform {
            architecture: self.architecture.clone(),
            os: "linux".into(),
            variant: self.variant.clone().filter(|variant| !variant.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(media_type: &str) -> String {
        let digest = Digest::of(b"");
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":2}}"#)
    }

    fn parse(text: &str, said: Option<&str>) -> Result<Document, Failure> {
        Document::parse(text.as_bytes(), said, "the manifest")
    }

    #[test]
    fn a_manifest_that_is_also_an_index_is_refused() {
        let (config, layer) = (
            descriptor(media_type::CONFIG),
            descriptor(media_type::LAYER),
        );
        let both = format!(
            r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}],"manifests":[{config}]}}"#
        );
        assert!(parse(&both, None).is_err());
        let one = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#);
        assert!(matches!(parse(&one, None), Ok(Document::Manifest(_))));
        assert!(parse(&one, Some(media_type::INDEX)).is_err());
        let twice =
            format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}],"layers":[]}}"#);
        assert!(parse(&twice, None).is_err());
    }

    #[test]
    fn layers_and_configurations_are_what_they_are_called() {
        let good = descriptor(media_type::CONFIG);
        for layer in [
            "application/json",
            "",
            "application/vnd.oci.image.layer.v1.tar+xz",
        ] {
            let layer = descriptor(layer);
            let text = format!(r#"{{"schemaVersion":2,"config":{good},"layers":[{layer}]}}"#);
            assert!(parse(&text, None).is_err(), "{layer}");
        }
        let artifact = descriptor("application/vnd.example.config+json");
        let text = format!(r#"{{"schemaVersion":2,"config":{artifact},"layers":[]}}"#);
        assert!(parse(&text, None).is_err());
    }

    #[test]
    fn a_configuration_has_the_layers_of_its_manifest() {
        let diff = Digest::of(b"x");
        let text = format!(
            r#"{{"os":"linux","config":{{"Env":null,"Cmd":["a"]}},"rootfs":{{"diff_ids":["{diff}"]}}}}"#
        );
        let config = ConfigFile::parse(text.as_bytes(), 1).expect("a configuration");
        assert_eq!(config.config.cmd, ["a"]);
        assert!(ConfigFile::parse(text.as_bytes(), 2).is_err());
        assert!(ConfigFile::parse(text.replace("linux", "windows").as_bytes(), 1).is_err());
    }
}
