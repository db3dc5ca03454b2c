//! What the container may not do: hidden paths, a read-only root, limits, capabilities, the system call filter.
//!
//! Order matters. Masks need the mounts; credentials need /etc/passwd; the filter comes last of all, but before the
//! capabilities go when no_new_privs is off, since without either of the two the kernel takes no filter.

use keelbox_seccomp::{Arch, compile, nested_profile};

use crate::failure::Failure;
use crate::limits::{self, CORE, NOFILE};
use crate::op::Op;
use crate::plan::{Context, Steps, confinement};
use crate::seccomp_profile::{self, Circumstances};

/// `RLIMIT_NOFILE`'s soft limit that programs were written for: some close every fd below it, one at a time.
const NOFILE_SOFT: u64 = 1024;

pub(crate) fn restrict(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    steps.init(
        Op::PivotRoot,
        "the old root is gone: no path leads back to the host",
    );
    let asked = limits::parse(&context.request.confinement.ulimits)?;
    let left = |resource| !asked.host && !asked.list.iter().any(|one| one.resource == resource);
    if left(NOFILE) {
        open_files(context, steps);
    }
    if left(CORE) {
        let none = Op::SetRlimit {
            resource: CORE,
            soft: 0,
            hard: None,
        };
        steps.init(none, "no core files unless asked for");
    }
    Ok(())
}

fn open_files(context: &Context<'_>, steps: &mut Steps) {
    let hard = context.host.nofile_hard;
    let nofile = Op::SetRlimit {
        resource: NOFILE,
        soft: NOFILE_SOFT.min(hard),
        hard: Some(hard),
    };
    steps.init(
        nofile,
        "Node raises the soft limit for itself; the container gets the usual one",
    );
}

/// Credentials and filter, in the order that the kernel allows: with no_new_privs the filter comes last of all, so that
/// it need not let through what the setup does.
pub(crate) fn drop_rights(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    confinement::last(context, steps)?;
    let choices = context.choices;
    let credentials = Op::SetCredentials {
        capabilities: choices.capabilities,
        last: context.host.last_capability,
    };
    let why = "root, but with few of its powers, and no way to get more";
    if !choices.no_new_privileges {
        filter(context, steps)?;
    }
    steps.init(credentials, why);
    if choices.no_new_privileges {
        steps.init(
            Op::NoNewPrivileges,
            "set-user-id programs give nobody more rights",
        );
    }
    steps.init(Op::DieWithLauncher, "no supervisor, no container");
    steps.init(
        Op::CloseFds,
        "an open directory of the host would be a way out (CVE-2024-21626)",
    );
    if choices.no_new_privileges {
        filter(context, steps)?;
    }
    Ok(())
}

fn filter(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let capabilities = context.choices.capabilities;
    if let Some(profile) = &context.place.seccomp {
        let here = Circumstances {
            capabilities,
            arch: Arch::NATIVE,
            kernel: context.host.confinement.kernel,
        };
        let compiled = compile(&profile.profile(here)?, Arch::NATIVE);
        let set = Op::Seccomp {
            filter: compiled
                .map_err(|error| seccomp_profile::refuse(error.to_string()))?
                .to_bytes(),
            flags: profile.flags(),
        };
        steps.init(set, "the profile that --security-opt seccomp= names");
    } else if context.choices.seccomp && context.request.confinement.nested {
        let compiled = compile(&nested_profile(capabilities), Arch::NATIVE);
        let set = Op::Seccomp {
            filter: compiled
                .map_err(|error| seccomp_profile::refuse(error.to_string()))?
                .to_bytes(),
            flags: 0,
        };
        steps.init(
            set,
            "the usual filter, but for what a container engine inside needs",
        );
    } else if context.choices.seccomp {
        let filter = keelbox_seccomp::default_filter(capabilities).into_owned();
        steps.init(
            Op::Seccomp { filter, flags: 0 },
            "calls that containers do not need are where kernels have their bugs",
        );
    }
    Ok(())
}
