//! Namespaces of others: containers and paths of a request, looked up.

use keelbox_spec::failure::Failure;
use keelbox_spec::host::HostFacts;
use keelbox_spec::image::ImageConfig;
use keelbox_spec::namespaces::{Asked, Found, Userns, decide, pool};
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

    /// How many ids of the pool the container is to have.
    pub(crate) fn range(
        &self,
        request: &RunRequest,
        image: &ImageConfig,
        host: &HostFacts,
    ) -> Result<u32, Failure> {
        let userns = decide(&self.asked, &self.found, request, image, host)?;
        if host.is_rootless() || userns != Userns::Own {
            return Ok(0);
        }
        Ok(pool(&self.asked.user))
    }
}
