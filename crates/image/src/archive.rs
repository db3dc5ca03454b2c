//! What images an archive has: OCI layouts (image-spec, "Image Layout Specification") and docker's archives.

use std::collections::BTreeMap;

use keelbox_spec::failure::Failure;
use serde::Deserialize;

use crate::digest::Digest;
use crate::document::{
    CONFIG_LIMIT, Compression, ConfigFile, Descriptor, Document, MANIFEST_LIMIT, Manifest,
};
use crate::failures::invalid;
use crate::platform::machine;
use crate::reference::Reference;
use crate::source::{Member, Source};

/// Indexes below indexes.
const DEPTH_LIMIT: u32 = 4;
/// Manifests and indexes that are read of one archive: an index that names another a thousand times, and that a third,
/// asks for more work than it is long (GO-2026-6597).
const DOCUMENT_LIMIT: u32 = 512;

/// An image of an archive. Its documents are verified; its layers are not yet.
#[derive(Debug)]
pub struct Candidate {
    /// With domain and tag.
    pub names: Vec<String>,
    /// The digest of its configuration.
    pub id: Digest,
    /// Its configuration as it came.
    pub config_bytes: Vec<u8>,
    /// The same, read.
    pub config: ConfigFile,
    /// Its manifest as it came; docker's archives have none.
    pub manifest: Option<Vec<u8>>,
    /// Lowest first.
    pub layers: Vec<LayerSource>,
}

/// A layer of an archive.
#[derive(Clone, Debug)]
pub struct LayerSource {
    /// What its tar must hash to.
    pub diff_id: Digest,
    /// What its bytes must hash to, where something says so.
    pub digest: Option<Digest>,
    /// How it is compressed.
    pub compression: Compression,
    /// Its bytes.
    pub member: Member,
}

/// Reads the documents of an archive.
///
/// # Errors
///
/// It is no archive of images, or one of its documents is not what something says it is.
pub fn read_archive(source: &Source) -> Result<Vec<Candidate>, Failure> {
    let found = if source.find("oci-layout")?.is_some() || source.find("manifest.json")?.is_none() {
        read_layout(source)?
    } else {
        read_docker(source)?
    };
    let mut images: Vec<Candidate> = Vec::new();
    for candidate in found {
        match images.iter_mut().find(|image| image.id == candidate.id) {
            Some(known) => known.names.extend(candidate.names),
            None => images.push(candidate),
        }
    }
    if images.is_empty() {
        return Err(invalid("the archive has no images"));
    }
    Ok(images)
}

struct Layout<'a> {
    source: &'a Source,
    documents: u32,
}

fn read_layout(source: &Source) -> Result<Vec<Candidate>, Failure> {
    let Some(index) = source.find("index.json")? else {
        return Err(invalid("this is no archive of images")
            .why("it has neither index.json (OCI) nor manifest.json (docker)")
            .hint("make an image of a root directory's tar with: keelbox import FILE NAME"));
    };
    let bytes = index.read_all("index.json", MANIFEST_LIMIT)?;
    let Document::Index(tops) = Document::parse(&bytes, None, "index.json")? else {
        return Err(invalid("index.json is no index"));
    };
    let mut layout = Layout {
        source,
        documents: 0,
    };
    let mut images = Vec::new();
    for top in choose_named(&tops) {
        let descriptor = layout.manifest_of(top, 1)?;
        images.push(layout.image(top, &descriptor)?);
    }
    Ok(images)
}

/// The entries of `index.json` that are images for this machine. One that stands alone is taken whatever it is for.
fn choose_named(tops: &[Descriptor]) -> Vec<&Descriptor> {
    let real: Vec<_> = tops.iter().filter(|top| !is_attestation(top)).collect();
    let fits = |top: &&Descriptor| {
        top.platform
            .as_ref()
            .is_none_or(|platform| platform.fit().is_some())
    };
    let fitting: Vec<_> = real.iter().copied().filter(fits).collect();
    if fitting.is_empty() { real } else { fitting }
}

fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor
        .platform
        .as_ref()
        .is_some_and(crate::platform::Platform::is_attestation)
}

impl Layout<'_> {
    fn blob(&self, descriptor: &Descriptor, what: &str) -> Result<Member, Failure> {
        let member = self
            .source
            .need(&format!("blobs/sha256/{}", descriptor.digest.hex()))?;
        if member.length == descriptor.size {
            return Ok(member);
        }
        Err(
            invalid(format!("{what} has another size than its descriptor says")).why(format!(
                "{} bytes instead of {}",
                member.length, descriptor.size
            )),
        )
    }

    fn document(&mut self, descriptor: &Descriptor) -> Result<(Vec<u8>, Document), Failure> {
        self.documents += 1;
        if self.documents > DOCUMENT_LIMIT {
            return Err(invalid("the archive names too many manifests"));
        }
        let what = format!("the manifest {}", descriptor.digest);
        let bytes = self
            .blob(descriptor, &what)?
            .read_all(&what, MANIFEST_LIMIT)?;
        verify(&bytes, &descriptor.digest, &what)?;
        let said = Some(descriptor.media_type.as_str()).filter(|said| !said.is_empty());
        let document = Document::parse(&bytes, said, &what)?;
        Ok((bytes, document))
    }

    /// The manifest for this machine that a descriptor leads to.
    fn manifest_of(&mut self, descriptor: &Descriptor, depth: u32) -> Result<Descriptor, Failure> {
        let (_, Document::Index(manifests)) = self.document(descriptor)? else {
            return Ok(descriptor.clone());
        };
        if depth >= DEPTH_LIMIT {
            return Err(invalid("the archive has indexes of indexes of indexes"));
        }
        let real: Vec<_> = manifests
            .iter()
            .filter(|manifest| !is_attestation(manifest))
            .collect();
        let best = real
            .iter()
            .filter_map(|manifest| {
                let fit = manifest
                    .platform
                    .as_ref()
                    .map_or(Some(0), |platform| platform.fit());
                Some((fit?, *manifest))
            })
            // The first of those that fit as well.
            .rev()
            .max_by_key(|(fit, _)| *fit);
        match (best, real.as_slice()) {
            (Some((_, manifest)), _) => self.manifest_of(manifest, depth + 1),
            (None, [alone]) => self.manifest_of(alone, depth + 1),
            (None, _) => {
                let there: Vec<_> = real
                    .iter()
                    .filter_map(|manifest| manifest.platform.as_ref())
                    .map(ToString::to_string)
                    .collect();
                Err(invalid(format!("the image is not for linux/{}", machine()))
                    .why(format!("it is for {}", there.join(", "))))
            }
        }
    }

    fn image(&mut self, top: &Descriptor, descriptor: &Descriptor) -> Result<Candidate, Failure> {
        let (bytes, Document::Manifest(manifest)) = self.document(descriptor)? else {
            return Err(invalid(format!("{} is no manifest", descriptor.digest)));
        };
        let what = "the image's configuration";
        let config_bytes = self
            .blob(&manifest.config, what)?
            .read_all(what, CONFIG_LIMIT)?;
        verify(&config_bytes, &manifest.config.digest, what)?;
        let config = ConfigFile::parse(&config_bytes, manifest.layers.len())?;
        let layers = self.layers(&manifest, &config)?;
        Ok(Candidate {
            names: names_of(&top.annotations),
            id: manifest.config.digest,
            config_bytes,
            config,
            manifest: Some(bytes),
            layers,
        })
    }

    fn layers(
        &self,
        manifest: &Manifest,
        config: &ConfigFile,
    ) -> Result<Vec<LayerSource>, Failure> {
        let pairs = manifest.layers.iter().zip(&config.rootfs.diff_ids);
        pairs
            .map(|(layer, diff_id)| {
                let member = self.blob(layer, &format!("the layer {}", layer.digest))?;
                // Its first bytes say how it is compressed: some tools write the wrong media type, and the diff id decides.
                let compression = Compression::of_magic(&member.magic());
                Ok(LayerSource {
                    diff_id: diff_id.clone(),
                    digest: Some(layer.digest.clone()),
                    compression,
                    member,
                })
            })
            .collect()
    }
}

fn verify(bytes: &[u8], digest: &Digest, what: &str) -> Result<(), Failure> {
    let found = Digest::of(bytes);
    if found == *digest {
        return Ok(());
    }
    Err(invalid(format!("{what} has another digest than its name says")).why(format!("{found}")))
}

/// containerd and docker write the whole name, others what they were given.
fn names_of(annotations: &BTreeMap<String, String>) -> Vec<String> {
    let keys = [
        "io.containerd.image.name",
        "org.opencontainers.image.ref.name",
    ];
    let texts = keys.iter().filter_map(|key| annotations.get(*key));
    // Other tools' annotations follow other rules: what is no name leaves the image without one.
    texts
        .filter_map(|text| Reference::parse(text).ok())
        .map(|reference| reference.name())
        .take(1)
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

fn read_docker(source: &Source) -> Result<Vec<Candidate>, Failure> {
    let bytes = source
        .need("manifest.json")?
        .read_all("manifest.json", MANIFEST_LIMIT)?;
    let images: Vec<DockerImage> = serde_json::from_slice(&bytes)
        .map_err(|error| invalid("manifest.json cannot be read").why(error.to_string()))?;
    images
        .iter()
        .map(|image| docker_image(source, image))
        .collect()
}

fn docker_image(source: &Source, image: &DockerImage) -> Result<Candidate, Failure> {
    let what = "the image's configuration";
    let config_bytes = source.need(&image.config)?.read_all(what, CONFIG_LIMIT)?;
    let id = Digest::of(&config_bytes);
    if digest_in_name(&image.config).is_some_and(|named| named != id) {
        return Err(
            invalid(format!("{what} has another digest than its name says"))
                .why(format!("{} is {id}", image.config)),
        );
    }
    let paths = image.layers.as_deref().unwrap_or_default();
    let config = ConfigFile::parse(&config_bytes, paths.len())?;
    let pairs = paths.iter().zip(&config.rootfs.diff_ids);
    let layers = pairs.map(|(path, diff_id)| {
        let member = source.need(path)?;
        let compression = Compression::of_magic(&member.magic());
        // Podman and skopeo call a layer's file by its diff id, docker by its digest: the same when it is plain.
        let named = digest_in_name(path).filter(|_| path.starts_with("blobs/"));
        Ok(LayerSource {
            diff_id: diff_id.clone(),
            digest: named,
            compression,
            member,
        })
    });
    let layers = layers.collect::<Result<_, Failure>>()?;
    let names = image.repo_tags.iter().flatten();
    let names = names.map(|tag| Reference::parse(tag).map(|reference| reference.name()));
    Ok(Candidate {
        names: names.collect::<Result<_, _>>()?,
        id,
        config_bytes,
        config,
        manifest: None,
        layers,
    })
}

/// `HEX`, `HEX.json` or `blobs/sha256/HEX`.
fn digest_in_name(name: &str) -> Option<Digest> {
    let last = name.rsplit('/').next()?;
    Digest::from_hex(last.split('.').next()?)
}
