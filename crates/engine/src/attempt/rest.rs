//! The root directory of a container that does not run, for as long as somebody looks after its files.

use std::os::fd::OwnedFd;

use keelbox_spec::failure::Failure;
use keelbox_spec::plan::{self, PlanStep};
use keelbox_spec::request::{ConfinementRequest, NamespacesRequest, RunRequest};

use super::{Planned, Purpose};
use crate::config::Config;
use crate::fallback::Fallback;
use crate::roots::Roots;
use crate::store::Place;

/// A container that stays as it is: while this is held nobody starts it, and its ids are nobody else's.
pub(crate) struct Rest {
    /// What makes its root, and serves.
    pub(crate) steps: Vec<PlanStep>,
    /// Namespaces of others that the steps name.
    pub(crate) namespaces: Vec<OwnedFd>,
    /// The host's ids of the container's root and its group: who makes its overlays.
    pub(crate) base: (u32, u32),
    place: Option<Place>,
    _ids: OwnedFd,
    _layers: Option<OwnedFd>,
}

impl Rest {
    /// Plans its start again, without what only a command needs, and without what `fallback` does without.
    ///
    /// # Errors
    ///
    /// What it was made with cannot be had any more; it is being started.
    pub(crate) fn of(
        roots: &Roots,
        config: &Config,
        request: &RunRequest,
        fallback: &Fallback,
    ) -> Result<Self, Failure> {
        let request = quiet(&fallback.request(request));
        let planned = Planned::make(roots, &request, fallback, Purpose::Again(config))?;
        let place = Place::make(roots, config.id.clone(), true)?;
        if let Err(failure) = planned.contents(roots, &place).make_root() {
            place.release();
            return Err(failure);
        }
        let choices = &planned.plan.choices;
        Ok(Self {
            base: (choices.base, choices.group_base),
            steps: plan::serve_apart(planned.plan),
            namespaces: planned.looked.fds,
            place: Some(place),
            _ids: planned.ids,
            _layers: planned._held,
        })
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            place.release();
        }
    }
}

/// The request as far as its files depend on it: other containers and devices need not be there.
fn quiet(request: &RunRequest) -> RunRequest {
    let mut quiet = request.clone();
    quiet.network = Some("none".to_owned());
    quiet.namespaces = NamespacesRequest {
        pid: None,
        ipc: None,
        uts: None,
        cgroup: None,
        time_offset: None,
        ..quiet.namespaces
    };
    quiet.confinement = ConfinementRequest::default();
    quiet.storage.devices.clear();
    quiet.rm = false;
    quiet.tty = false;
    quiet.explain = false;
    quiet
}
