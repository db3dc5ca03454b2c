//! Who the container is: its namespaces, its ids, its names.

use crate::failure::Failure;
use crate::op::{CgroupEntry, Op, Side, Storage, Travel, namespace};
use crate::plan::{Context, Steps, confinement, slots, text};
use crate::request::MountRequest;

/// The first process and its ids.
pub(crate) fn create(context: &Context<'_>, steps: &mut Steps) {
    let choices = context.choices;
    let clone = Op::Clone3 {
        namespaces: choices.namespaces & !namespace::CLONE_NEWNET,
        base: context.place.base,
    };
    steps.launcher(
        clone,
        "the container's first process is born in namespaces of its own",
    );
    confinement::after_clone(context, steps);
    if !choices.uids.is_empty() {
        let maps = Op::MapIds {
            uids: choices.uids.clone(),
            gids: choices.gids.clone(),
            writer: choices.map_writer,
            deny_setgroups: !choices.set_groups,
        };
        steps.launcher(maps, "root in the container is nobody on this machine");
    }
    steps.launcher(
        Op::SendMounts,
        "the init gets the mounts as open files: none is ever in the host's mount table",
    );
    enter(context, steps);
}

fn enter(context: &Context<'_>, steps: &mut Steps) {
    let v1 = steps_cgroups(steps).any(|entry| entry == CgroupEntry::Tasks);
    if v1 {
        steps.init(
            Op::EnterCgroups,
            "a process that moves itself does not wait for the kernel's 11 ms grace period",
        );
    }
    let network = context.choices.namespaces & namespace::CLONE_NEWNET;
    let namespaces = namespace::CLONE_NEWCGROUP | network;
    let why = "the group that it is in now is the root that it sees; and a network namespace takes longest to make: meanwhile the launcher goes on";
    steps.init(Op::Unshare { namespaces }, why);
    let receive = "wait until the ids are mapped and the mounts are there";
    steps.init(Op::ReceiveMounts, receive);
    if !context.choices.uids.is_empty() {
        let set_groups = confinement::sets_groups(context);
        steps.init(
            Op::BecomeRoot { set_groups },
            "id 0 of the user namespace owns everything in it",
        );
    }
    if follows_host(context) {
        let why = "mounts made here stay here; the host's later ones come in where a volume asks for them";
        return steps.init(Op::Storage(Storage::FollowHost), why);
    }
    steps.init(
        Op::PrivateMounts,
        "mounts made here stay here, and the host's later ones stay out",
    );
}

/// An ordinary user's init clones volumes itself, from what its mount namespace has: there it must still hear of the host's.
fn follows_host(context: &Context<'_>) -> bool {
    let travels = |mount: &MountRequest| {
        let travel = mount.options().map(|options| options.propagation);
        matches!(travel, Some(Travel::Slave | Travel::Shared))
    };
    context.mounting_side() == Side::Init && context.request.mounts.iter().any(travels)
}

fn steps_cgroups(steps: &Steps) -> impl Iterator<Item = CgroupEntry> {
    steps.list.iter().filter_map(|step| match &step.op {
        Op::MakeCgroup(group) => Some(group.entry),
        _ => None,
    })
}

/// Names and network settings, which need the container's own /proc.
pub(crate) fn settle(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let name = text(context.choices.hostname.as_str())?;
    steps.init(
        Op::SetHostname { name },
        "the container's own name, in its own UTS namespace",
    );
    if context.choices.namespaces & namespace::CLONE_NEWNET == 0 {
        return Ok(());
    }
    steps.init(
        Op::LoopbackUp,
        "a new network namespace has a loopback link that is down",
    );
    let mut sysctl = |path: &str, value: &str, why| -> Result<(), Failure> {
        steps.init(
            Op::Sysctl {
                proc: slots::PROC,
                path: text(path)?,
                value: text(value)?,
            },
            why,
        );
        Ok(())
    };
    let groups = context
        .choices
        .gids
        .iter()
        .map(|map| u64::from(map.inside) + u64::from(map.count))
        .max();
    let last_group = groups.unwrap_or(u64::from(u32::MAX) / 2) - 1;
    sysctl(
        "net/ipv4/ping_group_range",
        &format!("0 {last_group}"),
        "ping works without CAP_NET_RAW",
    )?;
    sysctl(
        "net/ipv4/ip_unprivileged_port_start",
        "0",
        "any user of the container may listen on port 80",
    )
}
