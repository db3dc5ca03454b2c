//! The file service of a container that does not run: its start, without what only a command needs.

use crate::op::{Enter, Op, Side, Slot, Storage};
use crate::plan::{Plan, PlanStep, slots};

/// The steps that make the root directory of `plan` with its volumes, in its user namespace, and then serve.
#[must_use]
pub fn serve_apart(plan: Plan) -> Vec<PlanStep> {
    let mut steps: Vec<_> = plan
        .steps
        .into_iter()
        .filter(|step| is_of_root(&step.op))
        .collect();
    let mut last = |op, why| {
        steps.push(PlanStep {
            side: Side::Init,
            op,
            why,
        });
    };
    last(
        Op::NewSession,
        "signals from the caller's terminal do not reach it by themselves",
    );
    last(Op::DieWithLauncher, "it ends with who asked for it");
    last(
        Op::Enter(Enter::Serve),
        "files are looked for from inside: no link in their names leads to the host",
    );
    steps
}

/// The kernel's own file systems and the container's /dev are none of its files.
fn is_kernels(slot: Slot) -> bool {
    const KERNELS: [Slot; 9] = [
        slots::DEV,
        slots::PROC,
        slots::SYS,
        slots::PTS,
        slots::SHM,
        slots::MQUEUE,
        slots::CGROUP,
        slots::CGROUP_V1,
        slots::CGROUP_V2,
    ];
    KERNELS.contains(&slot)
}

fn is_of_root(op: &Op) -> bool {
    match op {
        Op::NewMount { slot, .. } | Op::CloneTree { slot, .. } | Op::Attach { slot, .. } => {
            !is_kernels(*slot)
        }
        Op::Storage(step) => !matches!(step, Storage::Chown { .. }),
        Op::Join { .. }
        | Op::Clone3 { .. }
        | Op::MapIds { .. }
        | Op::OwnLayers { .. }
        | Op::Overlay { .. }
        | Op::MemoryLayer { .. }
        | Op::SendMounts
        | Op::ReceiveMounts
        | Op::BecomeRoot { .. }
        | Op::PrivateMounts
        | Op::AttachRoot { .. }
        | Op::PivotRoot
        | Op::ReadOnlyRoot { .. } => true,
        _ => false,
    }
}
