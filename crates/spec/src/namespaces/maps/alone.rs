//! What an ordinary user without subordinate ids can have.

use crate::failure::{Code, Failure};
use crate::host::HostFacts;
use crate::namespaces::extents::{Entry, consecutive};
use crate::namespaces::users::{KeepId, User};
use crate::op::MapWriter;

use super::{Maps, keep_id, own_range};

/// Without subordinate ids, one id: the caller's.
pub(super) fn maps(user: &User, host: &HostFacts) -> Result<Maps, Failure> {
    let needs = |what: &str| Err(needs_subordinate(what, host));
    let keep = match user {
        User::Nomap => return needs("--userns=nomap"),
        User::Named => return needs("--subuidname"),
        User::Auto(auto) if auto.size.is_some_and(|size| size > 1) => {
            return needs("--userns=auto:size");
        }
        User::Maps { uids, gids } => return mapped(uids, gids, host),
        User::KeepId(keep) => keep.clone(),
        _ => KeepId {
            uid: Some(0),
            gid: Some(0),
            size: None,
        },
    };
    Ok(Maps {
        uids: keep_id(host.uid, keep.uid, None, &[]),
        gids: keep_id(host.gid, keep.gid, None, &[]),
        writer: MapWriter::Launcher,
        set_groups: false,
    })
}

fn mapped(uids: &[Entry], gids: &[Entry], host: &HostFacts) -> Result<Maps, Failure> {
    let one = |entries: &[Entry], own: u32| match entries {
        [] => Ok(consecutive(0, [own_range(own)])),
        [entry] if entry.count == 1 && (entry.from == if entry.absolute { own } else { 0 }) => {
            Ok(consecutive(entry.inside, [own_range(own)]))
        }
        _ => Err(needs_subordinate("more than your own id", host)),
    };
    Ok(Maps {
        uids: one(uids, host.uid)?,
        gids: one(gids, host.gid)?,
        writer: MapWriter::Launcher,
        set_groups: false,
    })
}

fn needs_subordinate(what: &str, host: &HostFacts) -> Failure {
    let name = if host.user_name.is_empty() {
        host.uid.to_string()
    } else {
        host.user_name.clone()
    };
    let failure = Failure::new(Code::Userns, format!("{what} needs subordinate ids"));
    if host.nested {
        return failure
            .why("you are root of a user namespace that has only some ids")
            .hint("run keelbox outside of it");
    }
    failure
        .why("/etc/subuid and /etc/subgid have none for you, or newuidmap and newgidmap are missing")
        .hint(format!(
            "install uidmap, and: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}"
        ))
}
