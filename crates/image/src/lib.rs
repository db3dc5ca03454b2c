//! Images as files: references, digests, documents, the store's records, archive formats.
//!
//! Pure files: nothing here forks, mounts or unpacks. What an archive or a document says is the word of a stranger: it is
//! parsed with caps, checked against digests, and never used as a path.

mod archive;
mod digest;
mod document;
mod failures;
mod garbage;
mod healthcheck;
mod index;
mod layout;
mod names;
mod platform;
mod record;
mod reference;
mod room;
mod save;
mod source;

pub use archive::{Candidate, LayerSource, read_archive};
pub use digest::{Digest, Hasher};
pub use document::{
    CONFIG_LIMIT, Compression, ConfigFile, Descriptor, MANIFEST_LIMIT, Manifest, RunConfig,
    media_type,
};
pub use failures::invalid;
pub use garbage::{Unused, unused};
pub use healthcheck::Healthcheck;
pub use index::index;
pub use layout::Store;
pub use names::{Named, names, resolve_name, write_name};
pub use platform::{Platform, machine};
pub use record::{ImageRecord, LayerRecord, LayerShape, StoredLayer, images, read_image};
pub use reference::{Reference, familiar};
pub use room::{reason, size};
pub use save::{ArchiveSink, DirectorySink, Saved, Sink, save_docker, save_oci};
pub use source::{Member, Source};
