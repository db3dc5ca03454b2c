//! What a request comes to on this machine: each decision made once, before any step depends on it.

use crate::capabilities;
use crate::failure::{Code, Failure};
use crate::host::{HostFacts, SubordinateIds};
use crate::image::{ImageConfig, Root};
use crate::namespaces::{Asked, Source, Spaces, Userns, decide};
use crate::op::{IdMap, MapWriter, namespace};
use crate::plan::Place;
use crate::request::{RunRequest, SeccompRequest};

/// Host ids in a root container's range (`userns.md`).
const RANGE: u32 = 65_536;

/// The decisions.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent decisions")]
pub struct Choices {
    /// Namespaces of the container's own, as a mask of `CLONE_NEW*`.
    pub namespaces: u64,
    /// Where each namespace comes from.
    pub spaces: Spaces,
    /// The user namespace.
    pub userns: Userns,
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
        let asked = Asked::read(request)?;
        let spaces = Spaces::of(&asked, &place.found);
        let userns = decide(&asked, &place.found, request, image, host)?;
        let own_userns = !matches!(userns, Userns::Host(_));
        check_host_image(request, image, own_userns)?;
        let (uids, gids, map_writer, set_groups) = id_maps(host, place, &userns);
        let last = host.last_capability;
        let most = if own_userns { u64::MAX } else { host.permitted };
        let base = if request.privileged {
            capabilities::all(last)
        } else {
            capabilities::DEFAULT
        };
        Ok(Self {
            namespaces: spaces.own() | user_bit(&userns),
            hostname: hostname(request, &asked, host, place)?,
            spaces,
            userns,
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
        })
    }

    /// Whether its ids are others than the caller's.
    pub(crate) fn has_userns(&self) -> bool {
        !matches!(self.userns, Userns::Host(_))
    }

    /// Whether its root has rights over its namespace of this kind: to mount the file system that shows it, for one.
    pub(crate) fn has_rights(&self, kind: u64) -> bool {
        self.spaces.has_rights(kind, self.has_userns())
    }

    /// Lines about what was done differently than asked, or may surprise.
    pub(crate) fn notices(&self, request: &RunRequest, host: &HostFacts) -> Vec<String> {
        let mut notices = Vec::new();
        let own_userns = self.has_userns();
        if let Userns::Host(Some(why)) = &self.userns {
            notices.push(format!(
                "no user namespace for this container: {why}; root in it is root on this machine"
            ));
        }
        if request.privileged && !own_userns {
            notices.push("--privileged implies --userns=host: root in this container is root on this machine".into());
        }
        if host.is_rootless() && request.userns.as_deref() == Some("host") {
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

fn user_bit(userns: &Userns) -> u64 {
    if *userns == Userns::Own {
        namespace::CLONE_NEWUSER
    } else {
        0
    }
}

type IdMaps = (Vec<IdMap>, Vec<IdMap>, MapWriter, bool);

fn id_maps(host: &HostFacts, place: &Place, userns: &Userns) -> IdMaps {
    let one = |inside, outside, count| IdMap {
        inside,
        outside,
        count,
    };
    match (userns, &place.found.ids) {
        (Userns::Host(_), _) => return (Vec::new(), Vec::new(), MapWriter::Launcher, true),
        (Userns::Joined, Some(ids)) => {
            let (uids, gids) = (ids.uids.clone(), ids.gids.clone());
            return (uids, gids, MapWriter::Launcher, ids.set_groups);
        }
        _ => {}
    }
    if !host.is_rootless() {
        // A base of 0 would map root to root.
        debug_assert_ne!(place.base, 0);
        let range = vec![one(0, place.base, RANGE)];
        return (range.clone(), range, MapWriter::Launcher, true);
    }
    match &host.subordinate {
        Some(ids) => {
            let (uids, gids) = subordinate_maps(host.uid, host.gid, ids);
            // newuidmap serves users that /etc/subuid names; root of a container has the right itself.
            let writer = if host.uid == 0 {
                MapWriter::Launcher
            } else {
                MapWriter::Programs
            };
            (uids, gids, writer, true)
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

/// The name that was given, or that of the UTS namespace; for one of its own the short id.
fn hostname(
    request: &RunRequest,
    asked: &Asked,
    host: &HostFacts,
    place: &Place,
) -> Result<String, Failure> {
    let Some(name) = &request.hostname else {
        let uts = namespace::CLONE_NEWUTS;
        let shared = asked.uts == Source::Host || place.found.host & uts != 0;
        let known = if shared {
            Some(&host.hostname)
        } else {
            place.found.hostname.as_ref()
        };
        return Ok(known.map_or_else(|| place.id.chars().take(12).collect(), String::clone));
    };
    if !is_hostname(name) {
        return Err(
            Failure::new(Code::InvalidArg, format!("{name:?} is not a host name"))
                .hint("use 1 to 64 letters, digits, dots and hyphens"),
        );
    }
    Ok(name.clone())
}

/// Host names have letters, digits, `-`, `.` and at most 64 characters (sethostname(2), RFC 1123).
#[must_use]
pub fn is_hostname(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !name.is_empty() && name.len() <= 64 && name.chars().all(good)
}
