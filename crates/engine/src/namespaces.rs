//! Namespaces of others: containers and paths of a request, looked up.

use keelbox_spec::failure::Failure;
use keelbox_spec::host::HostFacts;
use keelbox_spec::image::ImageConfig;
use keelbox_spec::namespaces::{Asked, Found, Userns, decide};
use keelbox_spec::request::RunRequest;

use crate::roots::Roots;

/// What a request's namespaces came to.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// As asked for.
    pub(crate) asked: Asked,
    /// As found.
    pub(crate) found: Found,
}

impl Looked {
    /// Reads the request, and opens what it names.
    pub(crate) fn up(_roots: &Roots, request: &RunRequest) -> Result<Self, Failure> {
        let asked = Asked::read(request)?;
        Ok(Self {
            asked,
            ..Self::default()
        })
    }

    /// Whether the container is to have a range of host ids of its own.
    pub(crate) fn wants_range(
        &self,
        request: &RunRequest,
        image: &ImageConfig,
        host: &HostFacts,
    ) -> Result<bool, Failure> {
        let userns = decide(&self.asked, &self.found, request, image, host)?;
        Ok(!host.is_rootless() && userns == Userns::Own)
    }
}
