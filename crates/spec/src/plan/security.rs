//! What the container may not do: hidden paths, a read-only root, limits, capabilities, the system call filter.
//!
//! Order matters. Masks need the mounts; credentials need /etc/passwd; the filter comes last of all, but before the
//! capabilities go when no_new_privs is off, since without either of the two the kernel takes no filter.

use crate::op::Op;
use crate::plan::{Context, Steps};

/// `RLIMIT_NOFILE`'s soft limit that programs were written for: some close every fd below it, one at a time.
const NOFILE_SOFT: u64 = 1024;
const RLIMIT_CORE: u32 = 4;
const RLIMIT_NOFILE: u32 = 7;

pub(crate) fn restrict(context: &Context<'_>, steps: &mut Steps) {
    steps.init(
        Op::PivotRoot,
        "the old root is gone: no path leads back to the host",
    );
    let hard = context.host.nofile_hard;
    let nofile = Op::SetRlimit {
        resource: RLIMIT_NOFILE,
        soft: NOFILE_SOFT.min(hard),
        hard: Some(hard),
    };
    steps.init(
        nofile,
        "Node raises the soft limit for itself; the container gets the usual one",
    );
    steps.init(
        Op::SetRlimit {
            resource: RLIMIT_CORE,
            soft: 0,
            hard: None,
        },
        "no core files unless asked for",
    );
}

/// Credentials and filter, in the order that the kernel allows.
pub(crate) fn drop_rights(context: &Context<'_>, steps: &mut Steps) {
    let choices = context.choices;
    let credentials = Op::SetCredentials {
        capabilities: choices.capabilities,
        last: context.host.last_capability,
    };
    let why = "root, but with few of its powers, and no way to get more";
    if choices.no_new_privileges {
        steps.init(credentials, why);
        steps.init(
            Op::NoNewPrivileges,
            "set-user-id programs give nobody more rights",
        );
        filter(context, steps);
    } else {
        filter(context, steps);
        steps.init(credentials, why);
    }
}

fn filter(context: &Context<'_>, steps: &mut Steps) {
    if context.choices.seccomp {
        let filter = keelbox_seccomp::default_filter(context.choices.capabilities);
        steps.init(
            Op::Seccomp {
                filter: filter.into_owned(),
            },
            "calls that containers do not need are where kernels have their bugs",
        );
    }
}
