//! Who the container is: its namespaces, its ids, its names.

use crate::failure::Failure;
use crate::image::Root;
use crate::namespaces::{Userns, extents, subordinate_maps};
use crate::op::{Account, CgroupEntry, IdMap, Op, Side, Storage, Travel, namespace};
use crate::plan::{Context, PlanStep, Steps, confinement, layer_names, path_text, slots, text};
use crate::request::MountRequest;

/// Made by the init itself: the group that it is in by then is the root that a new cgroup namespace shows, and a network
/// namespace takes longest to make.
const AFTER_CLONE: u64 = namespace::CLONE_NEWNET | namespace::CLONE_NEWCGROUP;

/// The first process and its ids.
pub(crate) fn create(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let choices = context.choices;
    layers(context, steps)?;
    let clone = Op::Clone3 {
        namespaces: choices.namespaces & !AFTER_CLONE,
        base: choices.base,
    };
    steps.launcher(
        clone,
        "the container's first process is born in namespaces of its own",
    );
    confinement::after_clone(context, steps);
    if choices.userns == Userns::Own {
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
    Ok(())
}

fn enter(context: &Context<'_>, steps: &mut Steps) {
    let v1 = steps_cgroups(steps).any(|entry| entry == CgroupEntry::Tasks);
    if v1 {
        steps.init(
            Op::EnterCgroups,
            "a process that moves itself does not wait for the kernel's 11 ms grace period",
        );
    }
    let namespaces = context.choices.namespaces & AFTER_CLONE;
    if namespaces != 0 {
        let why = "the group that it is in now is the root that it sees; and a network namespace takes longest to make: meanwhile the launcher goes on";
        steps.init(Op::Unshare { namespaces }, why);
    }
    let receive = "wait until the ids are mapped and the mounts are there";
    steps.init(Op::ReceiveMounts, receive);
    // Without an id 0 the init stays who it is; its rights come from the namespace.
    if extents::outside(&context.choices.uids, 0).is_some() {
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
    if context.choices.spaces.is_new(namespace::CLONE_NEWUTS) {
        let name = text(context.choices.hostname.as_str())?;
        steps.init(
            Op::SetHostname { name },
            "the container's own name, in its own UTS namespace",
        );
    }
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
    let (first, last) = group_range(&context.choices.gids);
    sysctl(
        "net/ipv4/ping_group_range",
        &format!("{first} {last}"),
        "ping works without CAP_NET_RAW",
    )?;
    sysctl(
        "net/ipv4/ip_unprivileged_port_start",
        "0",
        "any user of the container may listen on port 80",
    )
}

/// An ordinary user's container whose root is not that user: the files of its writable layer are to be its root's.
fn layers(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let (host, choices) = (context.host, context.choices);
    let own_layer = !matches!(context.image.root, Root::InPlace(_));
    let (Some(ids), Userns::Own, true) = (&host.subordinate, &choices.userns, own_layer) else {
        return Ok(());
    };
    let (uids, gids) = subordinate_maps(host.uid, host.gid, ids);
    let root = |map: &[IdMap], all: &[IdMap]| extents::inside(all, extents::outside(map, 0)?);
    let (Some(user), Some(group)) = (root(&choices.uids, &uids), root(&choices.gids, &gids)) else {
        return Ok(());
    };
    if (user, group) == (0, 0) {
        return Ok(());
    }
    let (upper, work) = layer_names("");
    let op = Op::OwnLayers {
        uids,
        gids,
        data: path_text(&context.place.data)?,
        layers: vec![text(upper)?, text(work)?],
        skeleton: match &context.image.root {
            Root::Host(host) => Some(path_text(&host.skeleton)?),
            _ => None,
        },
        owner: (user, group),
        open: choices.caller_is_nobody,
    };
    steps.launcher(
        op,
        "root in this container is another of your ids, and writes there",
    );
    Ok(())
}

/// The caller keeps its own ids inside: as whom, and where its home is, is for the container to know.
pub(crate) fn account(context: &Context<'_>, steps: &mut Steps) {
    let Some((uid, gid)) = context.choices.kept_user else {
        return;
    };
    let named = context.host.user_name.clone();
    let name = if named.is_empty() {
        uid.to_string()
    } else {
        named
    };
    let working_directory = context.image.working_dir.as_ref();
    let home = context.request.cwd.as_ref().or(working_directory);
    let account = Account {
        name,
        uid,
        gid,
        home: home
            .filter(|home| !home.contains([':', '\n']))
            .map_or_else(|| "/".to_owned(), String::clone),
    };
    steps.init(
        Op::AddAccount(account),
        "programs ask for the name of the user that they run as",
    );
}

/// Where the caller is nobody inside, what only it can reach is cloned before the init becomes the container's root.
pub(crate) fn reach_first(list: Vec<PlanStep>) -> Vec<PlanStep> {
    let early = |step: &PlanStep| {
        step.side == Side::Init && matches!(step.op, Op::CloneTree { .. } | Op::PrivateMounts)
    };
    let (mut early, mut rest): (Vec<_>, Vec<_>) = list.into_iter().partition(early);
    early.sort_by_key(|step| step.op != Op::PrivateMounts);
    let become_root = rest
        .iter()
        .position(|step| matches!(step.op, Op::BecomeRoot { .. }));
    let at = become_root.unwrap_or(0);
    rest.splice(at..at, early);
    rest
}

/// From the first group of the container to its last one, both of which must be mapped.
fn group_range(gids: &[IdMap]) -> (u32, u32) {
    let first = gids.iter().map(|map| map.inside).min();
    let last = gids.iter().map(|map| map.inside + (map.count - 1)).max();
    (first.unwrap_or(0), last.unwrap_or(u32::MAX / 2 - 1))
}
