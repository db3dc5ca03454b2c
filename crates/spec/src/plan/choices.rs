//! What a request comes to on this machine: each decision made once, before any step depends on it.

use crate::capabilities;
use crate::failure::{Code, Failure};
use crate::host::{HostFacts, SubordinateIds};
use crate::image::{ImageConfig, Root};
use crate::op::{IdMap, MapWriter, namespace};
use crate::plan::Place;
use crate::request::{NetworkRequest, RunRequest, SeccompRequest, UsernsRequest};

/// Host ids in a root container's range (`userns.md`).
const RANGE: u32 = 65_536;

/// The decisions.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent decisions")]
pub struct Choices {
    /// Mask of `CLONE_NEW*` for clone3.
    pub namespaces: u64,
    /// User and group ids; empty: the host's.
    pub uids: Vec<IdMap>,
    /// See `uids`.
    pub gids: Vec<IdMap>,
    /// Who writes them.
    pub map_writer: MapWriter,
    /// Whether setgroups(2) can be used.
    pub set_groups: bool,
    /// Capabilities of the command.
    pub capabilities: u64,
    /// Whether the system call filter is on.
    pub seccomp: bool,
    /// Whether no_new_privs is on.
    pub no_new_privileges: bool,
    /// Whether paths of /proc and /sys are masked.
    pub masked_paths: bool,
    /// The host name.
    pub hostname: String,
}

impl Choices {
    pub(crate) fn make(
        request: &RunRequest,
        image: &ImageConfig,
        host: &HostFacts,
        place: &Place,
    ) -> Result<Self, Failure> {
        let own_userns = host.is_rootless() || place.base != 0;
        check_host_image(request, image, own_userns)?;
        let (uids, gids, map_writer, set_groups) = id_maps(host, place, own_userns);
        let last = host.last_capability;
        let most = if own_userns { u64::MAX } else { host.permitted };
        let base = if request.privileged {
            capabilities::all(last)
        } else {
            capabilities::DEFAULT
        };
        Ok(Self {
            namespaces: namespaces(request, own_userns),
            uids,
            gids,
            map_writer,
            set_groups,
            capabilities: capabilities::adjust(base, &request.cap_add, &request.cap_drop, last)?
                & most,
            seccomp: !request.privileged && request.seccomp == SeccompRequest::Default
                || matches!(request.seccomp, SeccompRequest::Profile(_)),
            no_new_privileges: request.no_new_privileges && !request.privileged,
            masked_paths: request.masked_paths && !request.privileged,
            hostname: hostname(request, place)?,
        })
    }

    /// Lines about what was done differently than asked, or may surprise.
    pub(crate) fn notices(&self, request: &RunRequest, host: &HostFacts) -> Vec<String> {
        let mut notices = Vec::new();
        let own_userns = self.namespaces & namespace::CLONE_NEWUSER != 0;
        if request.privileged && !own_userns {
            notices.push("--privileged implies --userns=host: root in this container is root on this machine".into());
        }
        if host.is_rootless() && request.userns == UsernsRequest::Host {
            notices.push("--userns=host: an ordinary user's container always has a user namespace; it maps you to root".into());
        }
        let useless = capabilities::useless_in_userns(self.capabilities);
        if own_userns && useless != 0 && !request.privileged {
            notices.push(format!(
                "{} means nothing inside a user namespace; add --userns=host if the container is to have it",
                capabilities::names(useless).join(" ")
            ));
        }
        notices
    }
}

fn check_host_image(
    request: &RunRequest,
    image: &ImageConfig,
    own_userns: bool,
) -> Result<(), Failure> {
    if matches!(image.root, Root::Host(_)) && !own_userns && !request.privileged {
        return Err(Failure::new(
            Code::InvalidArg,
            "the image `host` does not run with --userns=host",
        )
        .why("its root would be this machine's root, over this machine's own files")
        .hint("leave --userns=host out, or add --privileged if that is what you mean"));
    }
    Ok(())
}

fn namespaces(request: &RunRequest, own_userns: bool) -> u64 {
    let mut mask = namespace::CLONE_NEWNS
        | namespace::CLONE_NEWPID
        | namespace::CLONE_NEWUTS
        | namespace::CLONE_NEWIPC;
    if own_userns {
        mask |= namespace::CLONE_NEWUSER;
    }
    if request.network == NetworkRequest::None {
        mask |= namespace::CLONE_NEWNET;
    }
    mask
}

type IdMaps = (Vec<IdMap>, Vec<IdMap>, MapWriter, bool);

fn id_maps(host: &HostFacts, place: &Place, own_userns: bool) -> IdMaps {
    let one = |inside, outside, count| IdMap {
        inside,
        outside,
        count,
    };
    if !own_userns {
        return (Vec::new(), Vec::new(), MapWriter::Launcher, true);
    }
    if !host.is_rootless() {
        let range = vec![one(0, place.base, RANGE)];
        return (range.clone(), range, MapWriter::Launcher, true);
    }
    match &host.subordinate {
        Some(ids) => {
            let (uids, gids) = subordinate_maps(host.uid, host.gid, ids);
            (uids, gids, MapWriter::Programs, true)
        }
        None => (
            vec![one(0, host.uid, 1)],
            vec![one(0, host.gid, 1)],
            MapWriter::Launcher,
            false,
        ),
    }
}

/// The caller is root inside, and the ids after that are those of /etc/subuid and /etc/subgid.
#[must_use]
pub fn subordinate_maps(uid: u32, gid: u32, ids: &SubordinateIds) -> (Vec<IdMap>, Vec<IdMap>) {
    let map = |own, first, count| {
        vec![
            IdMap {
                inside: 0,
                outside: own,
                count: 1,
            },
            IdMap {
                inside: 1,
                outside: first,
                count,
            },
        ]
    };
    (
        map(uid, ids.uid, ids.uid_count),
        map(gid, ids.gid, ids.gid_count),
    )
}

/// Host names have letters, digits, `-`, `.` and at most 64 characters (sethostname(2), RFC 1123).
fn hostname(request: &RunRequest, place: &Place) -> Result<String, Failure> {
    let Some(name) = &request.hostname else {
        return Ok(place.id.chars().take(12).collect());
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        return Err(
            Failure::new(Code::InvalidArg, format!("{name:?} is not a host name"))
                .hint("use 1 to 64 letters, digits, dots and hyphens"),
        );
    }
    Ok(name.clone())
}
