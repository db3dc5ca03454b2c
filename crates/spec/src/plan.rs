//! The plan: from what was asked, what the image says and what the machine has, to an ordered list of operations.

mod borrowed;
mod cgroup;
mod choices;
mod command;
mod confinement;
mod devices;
mod exec;
mod identity;
mod masks;
mod mounts;
mod root;
mod security;
mod slots;
mod storage;
mod sysctl;
mod volumes;
mod without;

use std::path::PathBuf;

pub use choices::{Choices, is_hostname};
pub use exec::{ExecCommand, ExecRecord, ExecTarget, SeccompRecord, exec, health, serve};
pub use root::{has_plain_root, layer_names};
pub use slots::{
    DATA as DATA_SLOT, DEV as DEV_SLOT, PROC as PROC_SLOT, PTS as PTS_SLOT, slot_path,
};
pub use storage::{HostDevice, ImageFacts, StorageFacts, VolumeFacts, VolumeKind};
pub use volumes::file_key;
pub use without::Without;

use crate::failure::Failure;
use crate::host::HostFacts;
use crate::image::ImageConfig;
use crate::namespaces::Found;
use crate::op::{Op, Side};
use crate::request::RunRequest;
use crate::seccomp_profile::Document;

/// Where the engine has put this container.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// 64 hex digits.
    pub id: String,
    /// Its data directory, with the writable layers.
    pub data: PathBuf,
    /// The first host id of its range, 0 when it has none.
    pub base: u32,
    /// What the namespaces that are somebody else's came to.
    pub found: Found,
    /// Which bind sources are files, not directories.
    pub file_sources: Vec<String>,
    /// The devices and volumes that the request names, as they are on this machine.
    pub storage: StorageFacts,
    /// What it does without.
    pub without: Without,
    /// The seccomp profile that the request names, as read.
    pub seccomp: Option<Document>,
}

/// One operation, who applies it, and the reason for it.
#[derive(Clone, Debug)]
pub struct PlanStep {
    /// Who.
    pub side: Side,
    /// What.
    pub op: Op,
    /// Why, for a learner.
    pub why: &'static str,
}

/// The ordered list, and what was decided on the way.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The operations.
    pub steps: Vec<PlanStep>,
    /// What the request came to.
    pub choices: Choices,
    /// What was done differently than asked, or may surprise; one line each.
    pub notices: Vec<String>,
}

/// Collects steps in order.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    list: Vec<PlanStep>,
}

impl Steps {
    pub(crate) fn push(&mut self, side: Side, op: Op, why: &'static str) {
        self.list.push(PlanStep { side, op, why });
    }

    pub(crate) fn launcher(&mut self, op: Op, why: &'static str) {
        self.push(Side::Launcher, op, why);
    }

    pub(crate) fn init(&mut self, op: Op, why: &'static str) {
        self.push(Side::Init, op, why);
    }
}

/// Everything that planning one container looks at.
pub(crate) struct Context<'a> {
    pub(crate) request: &'a RunRequest,
    pub(crate) image: &'a ImageConfig,
    pub(crate) host: &'a HostFacts,
    pub(crate) place: &'a Place,
    pub(crate) choices: &'a Choices,
}

impl Context<'_> {
    /// Who makes mounts from the host's files: root on the host's side, where it may map ids; an ordinary user inside
    /// the new user namespace, which is where the right to mount comes from.
    pub(crate) fn mounting_side(&self) -> Side {
        if self.host.is_rootless() {
            Side::Init
        } else {
            Side::Launcher
        }
    }

    /// Whether mounts are mapped through the container's user namespace.
    pub(crate) fn maps_mounts(&self) -> bool {
        self.maps_ids() && !self.place.without.mapped_volumes
    }

    /// The same for this machine's own directories.
    pub(crate) fn maps_system(&self) -> bool {
        self.maps_ids() && !self.place.without.mapped_system
    }

    /// Whether root's container has ids of its own.
    pub(crate) fn maps_ids(&self) -> bool {
        !self.host.is_rootless() && !self.choices.uids.is_empty()
    }
}

/// Makes the plan.
///
/// # Errors
///
/// A request that contradicts itself, the image or the machine.
pub fn build(
    request: &RunRequest,
    image: &ImageConfig,
    host: &HostFacts,
    place: &Place,
) -> Result<Plan, Failure> {
    let choices = Choices::make(request, image, host, place)?;
    let context = Context {
        request,
        image,
        host,
        place,
        choices: &choices,
    };
    let mut steps = Steps::default();
    cgroup::make(&context, &mut steps)?;
    confinement::prepare(&context, &mut steps)?;
    identity::create(&context, &mut steps)?;
    root::make(&context, &mut steps)?;
    mounts::make(&context, &mut steps)?;
    volumes::make(&context, &mut steps)?;
    identity::settle(&context, &mut steps)?;
    confinement::settle(&context, &mut steps)?;
    sysctl::make(&context, &mut steps)?;
    security::restrict(&context, &mut steps)?;
    command::execute(&context, &mut steps)?;
    let mut steps = root::in_order(steps.list);
    if choices.caller_is_nobody {
        steps = identity::reach_first(steps);
    }
    let mut notices = choices.notices(request, host);
    notices.extend(choices.owners(image, host));
    notices.extend(volumes::notices(&context));
    notices.extend(confinement::notices(&context)?);
    Ok(Plan {
        steps,
        choices,
        notices,
    })
}

/// A path or word as the kernel takes it.
pub(crate) fn text(bytes: impl Into<Vec<u8>>) -> Result<std::ffi::CString, Failure> {
    std::ffi::CString::new(bytes).map_err(|error| {
        let shown = String::from_utf8_lossy(&error.into_vec()).replace('\0', "\\0");
        Failure::new(
            crate::failure::Code::InvalidArg,
            format!("{shown:?} contains a NUL byte"),
        )
        .hint("leave the NUL byte out: the kernel's paths, arguments and variables cannot hold one")
    })
}

/// A path as the kernel takes it.
pub(crate) fn path_text(path: &std::path::Path) -> Result<std::ffi::CString, Failure> {
    use std::os::unix::ffi::OsStrExt;
    text(path.as_os_str().as_bytes())
}
