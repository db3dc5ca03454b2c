//! Limits and settings that only a container that asks for them has.

use std::ffi::CString;

use crate::failure::{Code, Failure};
use crate::limits::{self, Limit, NOFILE, UNLIMITED};
use crate::mask::matches;
use crate::op::{CgroupEntry, Confine, IdMap, Op, namespace};
use crate::plan::{Context, Steps, slots, text};
use crate::request::RunRequest;

/// The profile of containers that name none, if it is loaded.
const APPARMOR_DEFAULT: &str = "keelbox-default";
/// Podman's word for the groups that the caller is in.
const KEEP_GROUPS: &str = "keep-groups";

/// What only the host's root can do, before there is a container: its first process inherits it.
pub(crate) fn prepare(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    for limit in asked(context)? {
        let (soft, hard) = current(context, limit.resource);
        if limit.hard > hard {
            let raise = Op::SetRlimit {
                resource: limit.resource,
                soft,
                hard: Some(limit.hard),
            };
            steps.launcher(
                raise,
                "only the host's root may raise a hard limit; the container's is another",
            );
        }
    }
    if let Some(value) = oom_score(context)? {
        let set = Op::Confine(Confine::OomScore { value });
        steps.launcher(
            set,
            "whom the kernel ends first when memory is short; the first process inherits it",
        );
    }
    Ok(())
}

/// The paths of /proc and the namespaces that `--nested` opens are this machine's without a user namespace.
pub(crate) fn check_nested(request: &RunRequest, own_userns: bool) -> Result<(), Failure> {
    if !request.confinement.nested || own_userns || request.privileged {
        return Ok(());
    }
    Err(
        Failure::new(Code::InvalidArg, "--nested does not go with --userns=host")
            .why(
                "what it opens is bounded by the container's own user namespace, and there is none",
            )
            .hint("leave --userns=host out, or use --privileged if that is what you mean"),
    )
}

/// Whether the container may change its own control group.
pub(crate) fn writes_cgroup(context: &Context<'_>) -> bool {
    let asked = &context.request.confinement;
    let unmasked = asked
        .unmasks
        .iter()
        .any(|pattern| matches(pattern, "/sys/fs/cgroup"));
    context.request.privileged || asked.nested || asked.writable_cgroups || unmasked
}

/// Once the first process is born.
pub(crate) fn after_clone(context: &Context<'_>, steps: &mut Steps) {
    delegate(context, steps);
    if context.request.confinement.oom_score_adj.is_some() {
        let value = context.host.confinement.oom_score_adj;
        let back = Op::Confine(Confine::OomScore { value });
        steps.launcher(back, "the supervisor stays as it was");
    }
}

/// v1 has no such thing: what is below a group is as much the host's as the group itself (cgroups(7), "Delegation").
fn delegate(context: &Context<'_>, steps: &mut Steps) {
    let root = |maps: &[IdMap]| {
        maps.iter()
            .find(|map| map.inside == 0)
            .map(|map| map.outside)
    };
    let (uid, gid) = (root(&context.choices.uids), root(&context.choices.gids));
    let (Some(uid), Some(gid), true) = (uid, gid, writes_cgroup(context)) else {
        return;
    };
    let groups: Vec<_> = steps
        .list
        .iter()
        .filter_map(|step| match &step.op {
            Op::MakeCgroup(group) if group.entry == CgroupEntry::Clone => Some(&group.directory),
            _ => None,
        })
        .cloned()
        .collect();
    for directory in groups {
        let give = Op::Confine(Confine::DelegateCgroup {
            directory,
            uid,
            gid,
        });
        steps.launcher(
            give,
            "root of the container may make groups below its own, not change its limits",
        );
    }
}

/// Names of the container's own.
pub(crate) fn settle(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let Some(name) = &context.request.confinement.domainname else {
        return Ok(());
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        return Err(
            Failure::new(Code::InvalidArg, format!("{name:?} is not a domain name"))
                .hint("use 1 to 64 letters, digits, dots and hyphens"),
        );
    }
    if context.choices.namespaces & namespace::CLONE_NEWUTS == 0 {
        return Err(Failure::new(Code::InvalidArg, "cannot set the domain name")
            .why("the container has no UTS namespace of its own: it would change another's")
            .hint("leave --domainname or --uts out"));
    }
    let name = text(name.as_str())?;
    let set = Op::Confine(Confine::Domainname { name });
    steps.init(set, "as --domainname asks, in its own UTS namespace");
    Ok(())
}

/// Options of the container's /proc.
pub(crate) fn proc_options<'a>(context: &Context<'a>) -> Result<Vec<(&'a str, &'a str)>, Failure> {
    let read = |option: &'a String| match option.split_once('=') {
        Some((key @ "hidepid", value)) if !value.is_empty() => Ok((key, value)),
        _ => Err(Failure::new(
            Code::InvalidArg,
            format!("invalid option of /proc {option:?}"),
        )
        .why("subset=pid would hide the settings that the container needs")
        .hint("use --security-opt proc-opts=hidepid=invisible, or leave it out")),
    };
    let asked = &context.request.confinement.proc_options;
    asked.iter().map(read).collect()
}

/// What the setup itself must not be under.
pub(crate) fn last(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    if let Some(profile) = apparmor(context)? {
        let set = Op::Confine(Confine::AppArmor {
            proc: slots::PROC,
            profile: text(profile)?,
        });
        steps.init(
            set,
            "the security module's own limits, from the command's execve on",
        );
    }
    if let Some(persona) = persona(context)? {
        let set = Op::Confine(Confine::Personality { persona });
        steps.init(set, "as --personality asks: what uname(2) answers");
    }
    for Limit {
        resource,
        soft,
        hard,
    } in asked(context)?
    {
        let set = Op::SetRlimit {
            resource,
            soft,
            hard: Some(hard),
        };
        steps.init(
            set,
            "as --ulimit asks; last, for the setup needs files and memory itself",
        );
    }
    Ok(())
}

/// The limits that the container gets: what was asked for, as far as the caller may give it.
fn asked(context: &Context<'_>) -> Result<Vec<Limit>, Failure> {
    let limits = limits::parse(&context.request.confinement.ulimits)?;
    let clamped = limits.list.into_iter().map(|limit| {
        let hard = limit.hard.min(ceiling(context, limit.resource));
        Limit {
            soft: limit.soft.min(hard),
            hard,
            ..limit
        }
    });
    Ok(clamped.collect())
}

fn ceiling(context: &Context<'_>, resource: u32) -> u64 {
    let facts = &context.host.confinement;
    match context.host.may_raise_limits() {
        true if resource == NOFILE => facts.nr_open.max(current(context, resource).1),
        true => UNLIMITED,
        false => current(context, resource).1,
    }
}

fn current(context: &Context<'_>, resource: u32) -> (u64, u64) {
    let limits = &context.host.confinement.limits;
    limits
        .get(&resource)
        .copied()
        .unwrap_or((UNLIMITED, UNLIMITED))
}

/// The value: not less than the caller's own, unless the caller may.
fn oom_score(context: &Context<'_>) -> Result<Option<i32>, Failure> {
    let Some(asked) = context.request.confinement.oom_score_adj else {
        return Ok(None);
    };
    if !(-1000..=1000).contains(&asked) {
        return Err(
            Failure::new(Code::InvalidArg, format!("invalid --oom-score-adj {asked}"))
                .hint("use a number from -1000 (never ended) to 1000 (ended first)"),
        );
    }
    let own = context.host.confinement.oom_score_adj;
    let lowers = context.host.may_raise_limits();
    Ok(Some(if lowers { asked } else { asked.max(own) }))
}

/// The profile that was named; else the default one, where there is one and nothing was said.
fn apparmor<'a>(context: &Context<'a>) -> Result<Option<&'a str>, Failure> {
    let (request, facts) = (context.request, &context.host.confinement);
    let refuse = |why: &str, hint: &str| {
        Failure::new(
            Code::InvalidArg,
            "cannot confine the container with AppArmor",
        )
        .why(why)
        .hint(hint)
    };
    match request.confinement.apparmor.as_deref() {
        Some("unconfined") => Ok(None),
        None if request.privileged || !facts.apparmor_default => Ok(None),
        None => Ok(Some(APPARMOR_DEFAULT)),
        Some(_) if !facts.apparmor => Err(refuse(
            "this machine does not have AppArmor switched on, so the profile would not be applied",
            "leave --security-opt apparmor= out, or boot with lsm=...,apparmor",
        )),
        Some(profile) if profile.chars().any(|c| c.is_control() || c == ' ') => Err(refuse(
            "the profile's name has a blank or a control character",
            "use a name that aa-status shows",
        )),
        Some(profile) => Ok(Some(profile)),
    }
}

fn persona(context: &Context<'_>) -> Result<Option<u32>, Failure> {
    match context.request.confinement.personality.as_deref() {
        None => Ok(None),
        Some("LINUX") => Ok(Some(0)),
        Some("LINUX32") => Ok(Some(8)),
        Some(other) => Err(Failure::new(
            Code::InvalidArg,
            format!("invalid --personality {other:?}"),
        )
        .hint("use LINUX or LINUX32")),
    }
}

/// The command's umask.
pub(crate) fn umask(context: &Context<'_>) -> Result<u32, Failure> {
    match context.request.confinement.umask {
        None => Ok(0o022),
        Some(umask) if umask <= 0o777 => Ok(umask),
        Some(umask) => Err(
            Failure::new(Code::InvalidArg, format!("invalid umask {umask:#o}"))
                .hint("use an octal number from 0 to 777"),
        ),
    }
}

/// Groups to add, by name or number.
pub(crate) fn groups(context: &Context<'_>) -> Result<Vec<CString>, Failure> {
    let asked = &context.request.confinement.group_add;
    if !keeps_groups(context) {
        return asked.iter().map(|group| text(group.as_str())).collect();
    }
    let refuse = |why: &str| {
        Failure::new(Code::InvalidArg, "cannot keep the caller's groups")
            .why(why)
            .hint("leave --group-add keep-groups out, or name the groups")
    };
    if asked.len() > 1 {
        return Err(refuse(
            "keep-groups stands alone: adding a group would replace those that are kept",
        ));
    }
    if !context.host.is_rootless() {
        return Err(refuse(
            "root's own groups would open this machine's files to the container",
        ));
    }
    Ok(Vec::new())
}

fn keeps_groups(context: &Context<'_>) -> bool {
    let asked = &context.request.confinement.group_add;
    asked.iter().any(|group| group == KEEP_GROUPS)
}

/// Whether the command's groups are set, and the caller's dropped.
pub(crate) fn sets_groups(context: &Context<'_>) -> bool {
    context.choices.set_groups && !keeps_groups(context)
}

/// What was done differently than asked.
pub(crate) fn notices(context: &Context<'_>) -> Result<Vec<String>, Failure> {
    let wanted = limits::parse(&context.request.confinement.ulimits)?.list;
    let clamped = wanted.into_iter().zip(asked(context)?);
    let mut notices: Vec<_> = clamped
        .filter(|(wanted, given)| wanted != given)
        .map(|(_, given)| {
            let name = limits::name(given.resource);
            format!(
                "--ulimit {name}: more than the caller may give; the container gets {}:{}",
                number(given.soft),
                number(given.hard)
            )
        })
        .collect();
    if let (Some(wanted), Some(given)) = (
        context.request.confinement.oom_score_adj,
        oom_score(context)?,
    ) && wanted != given
    {
        notices.push(format!(
            "--oom-score-adj {wanted}: less than the caller may give; the container gets {given}"
        ));
    }
    Ok(notices)
}

fn number(limit: u64) -> String {
    if limit == UNLIMITED {
        return "unlimited".into();
    }
    limit.to_string()
}
