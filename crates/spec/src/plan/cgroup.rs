//! Control groups: one for each hierarchy that carries a limit, and one on v2 for kill, freeze and CPU accounting.

use std::path::Path;

use crate::failure::Failure;
use crate::host::CgroupV2;
use crate::op::{Cgroup, CgroupEntry, Op};
use crate::plan::{Context, Steps, path_text, text};

/// Processes and threads that a container may have by default, as podman's.
const PIDS_LIMIT: &str = "2048";

pub(crate) fn make(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let cgroups = &context.host.cgroups;
    let Some(parent) = &cgroups.parent else {
        return Ok(());
    };
    let pids_on_v2 = cgroups
        .v2
        .as_ref()
        .is_some_and(|v2| v2.controllers.iter().any(|name| name == "pids"));
    if let Some(v2) = &cgroups.v2 {
        let group = v2_group(v2, parent, &context.place.id, pids_on_v2)?;
        steps.launcher(
            Op::MakeCgroup(group),
            "a cgroup ends or freezes all its processes at once, and counts their CPU time",
        );
    }
    if let Some(mount) = cgroups.v1.get("pids").filter(|_| !pids_on_v2) {
        let group = v1_group(mount, parent, &context.place.id)?;
        steps.launcher(
            Op::MakeCgroup(group),
            "a fork bomb stops at this many processes",
        );
    }
    Ok(())
}

fn v2_group(v2: &CgroupV2, parent: &str, id: &str, pids: bool) -> Result<Cgroup, Failure> {
    let parent = v2.mount.join(parent);
    let files = if pids {
        vec![(text("pids.max")?, text(PIDS_LIMIT)?)]
    } else {
        Vec::new()
    };
    Ok(Cgroup {
        directory: path_text(&parent.join(id))?,
        parent: path_text(&parent)?,
        enable: text(if pids { "+pids" } else { "" })?,
        files,
        entry: CgroupEntry::Clone,
        best_effort: true,
    })
}

fn v1_group(mount: &Path, parent: &str, id: &str) -> Result<Cgroup, Failure> {
    let parent = mount.join(parent);
    Ok(Cgroup {
        directory: path_text(&parent.join(id))?,
        parent: path_text(&parent)?,
        enable: text("")?,
        files: vec![(text("pids.max")?, text(PIDS_LIMIT)?)],
        entry: CgroupEntry::Tasks,
        best_effort: true,
    })
}
