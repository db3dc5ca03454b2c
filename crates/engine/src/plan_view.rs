//! A plan as people and programs see it.

use std::collections::BTreeMap;

use keelbox_spec::capabilities;
use keelbox_spec::describe::describe;
use keelbox_spec::op::{Op, namespace};
use keelbox_spec::plan::{Plan, PlanStep};
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
    /// Whether this machine can do it.
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
            available: true,
        }
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
        | Op::NewMount { .. }
        | Op::Attach { .. }
        | Op::AttachInside { .. }
        | Op::AttachRoot { .. }
        | Op::AttachDevices { .. } => {
            let words = describe(op);
            Some(format!("{} {}", words.op, words.detail))
        }
        _ => None,
    }
}
