//! What keelbox has found on this machine.

use std::collections::BTreeMap;

use keelbox_spec::failure::Failure;
use serde::Serialize;

use crate::caller;
use crate::facts;
use crate::ids;
use crate::list::list;
use crate::roots::Roots;
use crate::spawn::executable;

/// The report.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostReport {
    /// This package's version.
    pub version: &'static str,
    /// Where the executable is.
    pub runtime_path: String,
    /// The kernel's release.
    pub kernel: String,
    /// The machine's architecture.
    pub arch: &'static str,
    /// Whether the caller is an ordinary user.
    pub rootless: bool,
    /// Where layers and configurations are.
    pub root: String,
    /// Where the state of running containers is.
    pub run_root: String,
    /// `v2`, `v1`, `hybrid` or `none`.
    pub cgroups: &'static str,
    /// Controller name to `v1` or `v2`.
    pub controllers: BTreeMap<String, &'static str>,
    /// Whether the kernel has `AppArmor` switched on, for `--security-opt apparmor=`.
    pub apparmor: bool,
    /// How many containers there are.
    pub containers: Counts,
    /// Host ids that the caller's containers have: ranges of these for root, all of these for an ordinary user.
    pub id_range: String,
}

/// How many containers there are.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Counts {
    /// All.
    pub total: usize,
    /// Those that run.
    pub running: usize,
    /// Those that have ended.
    pub exited: usize,
}

/// Looks around.
///
/// # Errors
///
/// There is no place for state.
pub fn info(roots: &Roots) -> Result<HostReport, Failure> {
    let cgroups = keelbox_cgroups::discover(None);
    let mut controllers: BTreeMap<String, &'static str> =
        cgroups.v1.keys().map(|name| (name.clone(), "v1")).collect();
    let v2 = cgroups.v2.as_ref().map(|v2| v2.controllers.clone());
    controllers.extend(v2.iter().flatten().map(|name| (name.clone(), "v2")));
    let containers = list(roots, true)?;
    let running = containers
        .iter()
        .filter(|container| container.status == "running")
        .count();
    Ok(HostReport {
        version: env!("CARGO_PKG_VERSION"),
        runtime_path: executable()?.display().to_string(),
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        arch: std::env::consts::ARCH,
        rootless: !caller::is_host_root(),
        root: roots.root.display().to_string(),
        run_root: roots.run_root.display().to_string(),
        cgroups: match (v2.is_some(), cgroups.v1.is_empty()) {
            (true, true) => "v2",
            (true, false) => "hybrid",
            (false, false) => "v1",
            (false, true) => "none",
        },
        controllers,
        apparmor: facts::has_apparmor(),
        containers: Counts {
            total: containers.len(),
            running,
            exited: containers.len() - running,
        },
        id_range: id_range(),
    })
}

fn id_range() -> String {
    if caller::is_host_root() {
        let last = ids::FIRST + (ids::COUNT - 1) * ids::SIZE + (ids::SIZE - 1);
        return format!("{}-{last}", ids::FIRST);
    }
    let own = rustix::process::geteuid().as_raw();
    match facts::subordinate_maps().and_then(|maps| maps.uids.get(1).copied()) {
        Some(map) => format!("{own}, {}-{}", map.outside, map.outside + (map.count - 1)),
        None => own.to_string(),
    }
}
