//! A plan as people and programs see it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use keelbox_spec::capabilities;
use keelbox_spec::describe::describe;
use keelbox_spec::op::{Op, namespace};
use keelbox_spec::plan::{Plan, PlanStep};
use rustix::fs::Access;
use serde::Serialize;

/// A plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanView {
    /// Namespaces that the container gets, as `lsns` names them.
    pub namespaces: Vec<&'static str>,
    /// Control file to value.
    pub cgroup: BTreeMap<String, String>,
    /// What is mounted, in order.
    pub mounts: Vec<String>,
    /// Capabilities that the command has.
    pub caps: Vec<String>,
    /// Every step, in order.
    pub steps: Vec<StepView>,
}

/// A step.
#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    /// A short name.
    pub op: &'static str,
    /// The system call.
    pub syscall: &'static str,
    /// Its arguments.
    pub detail: String,
    /// The reason for it.
    pub why: &'static str,
    /// Whether this machine can do it, as far as that can be told beforehand.
    pub available: bool,
}

impl PlanView {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mask = plan
            .steps
            .iter()
            .fold(plan.choices.namespaces, |mask, step| match &step.op {
                Op::Unshare { namespaces } => mask | namespaces,
                _ => mask,
            });
        let namespaces = namespace::ALL
            .iter()
            .filter(|(bit, ..)| mask & bit != 0)
            .map(|(_, _, name)| *name)
            .collect();
        Self {
            namespaces,
            cgroup: cgroup(&plan.steps),
            mounts: plan
                .steps
                .iter()
                .filter_map(|step| mount(&step.op))
                .collect(),
            caps: capabilities::names(plan.choices.capabilities),
            steps: plan.steps.iter().map(StepView::of).collect(),
        }
    }
}

impl StepView {
    pub(crate) fn of(step: &PlanStep) -> Self {
        let words = describe(&step.op);
        Self {
            op: words.op,
            syscall: words.syscall,
            detail: words.detail,
            why: step.why,
            available: available(&step.op),
        }
    }
}

/// What can be told without doing it: whether control groups can be made here, and user namespaces at all.
fn available(op: &Op) -> bool {
    match op {
        Op::MakeCgroup(group) => {
            let path = Path::new(OsStr::from_bytes(group.directory.to_bytes()));
            let there = path.ancestors().find(|directory| directory.is_dir());
            there.is_some_and(|there| rustix::fs::access(there, Access::WRITE_OK).is_ok())
        }
        Op::Clone3 { namespaces, .. } if namespaces & namespace::CLONE_NEWUSER != 0 => {
            std::fs::read_to_string("/proc/sys/user/max_user_namespaces")
                .is_ok_and(|most| most.trim() != "0")
        }
        _ => true,
    }
}

fn cgroup(steps: &[PlanStep]) -> BTreeMap<String, String> {
    let groups = steps.iter().filter_map(|step| match &step.op {
        Op::MakeCgroup(group) => Some(group),
        _ => None,
    });
    let files = groups.flat_map(|group| {
        let directory = group.directory.to_string_lossy().into_owned();
        group.files.iter().map(move |(name, value)| {
            (
                format!("{directory}/{}", name.to_string_lossy()),
                value.to_string_lossy().into_owned(),
            )
        })
    });
    files.collect()
}

fn mount(op: &Op) -> Option<String> {
    match op {
        Op::CloneTree { .. }
        | Op::Overlay { .. }
        | Op::MemoryLayer { .. }
        | Op::NewMount { .. }
        | Op::Attach { .. }
        | Op::AttachInside { .. }
        | Op::AttachRoot { .. }
        | Op::AttachDevices { .. }
        | Op::Storage(_) => {
            let words = describe(op);
            Some(format!("{} {}", words.op, words.detail))
        }
        _ => None,
    }
}
