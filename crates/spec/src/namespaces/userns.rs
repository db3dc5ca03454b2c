//! Which user namespace a container gets: one of its own, the caller's, or somebody else's.

use crate::failure::Failure;
use crate::host::HostFacts;
use crate::image::{ImageConfig, Root};
use crate::namespaces::asked::contradiction;
use crate::namespaces::{Asked, Found, User};
use crate::op::namespace;
use crate::request::RunRequest;

/// A container's user namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Userns {
    /// A new one.
    Own,
    /// The caller's; with a notice when the user has not said so.
    Host(Option<String>),
    /// That of the containers whose other namespaces are entered.
    Joined,
}

/// Decides it.
///
/// # Errors
///
/// `--userns` asks for another one than the namespaces that are entered belong to.
pub fn decide(
    asked: &Asked,
    found: &Found,
    request: &RunRequest,
    image: &ImageConfig,
    host: &HostFacts,
) -> Result<Userns, Failure> {
    if found.ids.is_some() {
        return joined(asked, found, request);
    }
    let userns = alone(asked, found, request, image, host);
    if userns == Userns::Own {
        sees_processes(found, request)?;
    }
    Ok(userns)
}

/// The /proc of a pid namespace can be mounted only with rights over it, and what this machine has mounted shows others.
fn sees_processes(found: &Found, request: &RunRequest) -> Result<(), Failure> {
    let pid = namespace::CLONE_NEWPID;
    let joined = found.joins.iter().find(|join| join.kind == pid);
    let Some(join) = joined.filter(|_| found.foreign & pid != 0) else {
        return Ok(());
    };
    let flag = match &request.userns {
        Some(word) => format!("--userns={word}"),
        None => "a user namespace of its own".to_owned(),
    };
    Err(contradiction(
        &flag,
        &format!("--pid with the processes of {}", join.whose),
        "their pid namespace belongs to this machine's user namespace, and the container could not mount a /proc of it",
    )
    .hint("add --userns=host if the container may be root on this machine, or leave --pid out"))
}

/// For a container that enters nobody's user namespace.
fn alone(
    asked: &Asked,
    found: &Found,
    request: &RunRequest,
    image: &ImageConfig,
    host: &HostFacts,
) -> Userns {
    // The only way for an ordinary user to have any rights at all over a mount or a namespace.
    if host.is_rootless() {
        return Userns::Own;
    }
    match &asked.user {
        User::Auto(_) | User::KeepId(_) | User::Nomap | User::Maps { .. } | User::Named => {
            Userns::Own
        }
        User::Host | User::Join(_) => Userns::Host(None),
        User::Usual if request.privileged => Userns::Host(None),
        // Its safety rests on the user namespace: there, this machine's processes or names are only to be seen.
        User::Usual if matches!(image.root, Root::Host(_)) => Userns::Own,
        User::Usual => without(asked, found).map_or(Userns::Own, |why| Userns::Host(Some(why))),
    }
}

fn joined(asked: &Asked, found: &Found, request: &RunRequest) -> Result<Userns, Failure> {
    let whose = found.joins.first().map_or("", |join| join.whose.as_str());
    if !matches!(asked.user, User::Usual | User::Join(_)) {
        let flag = match &request.userns {
            Some(word) => format!("--userns={word}"),
            None => "--uidmap".to_owned(),
        };
        return Err(contradiction(
            &flag,
            &format!("joining {whose}"),
            "a namespace can be used only with the rights of the user namespace that it belongs to, so that is joined too",
        ));
    }
    Ok(Userns::Joined)
}

/// Why a container that was told nothing about user namespaces is better off without one: who shares processes, names or
/// shared memory with this machine means to use them.
fn without(asked: &Asked, found: &Found) -> Option<String> {
    if let Some(whose) = &found.without_userns {
        return Some(format!("{whose} has none"));
    }
    let host = asked.sources().into_iter().find(|(kind, source, _)| {
        let shared = found.foreign & kind != 0 || **source == crate::namespaces::Source::Host;
        let counts = namespace::CLONE_NEWPID | namespace::CLONE_NEWIPC | namespace::CLONE_NEWUTS;
        shared && kind & counts != 0
    });
    host.map(|(_, _, flag)| format!("{flag} shares a namespace of this machine's"))
}
