//! What a request comes to on this machine: each decision made once, before any step depends on it.

use crate::capabilities;
use crate::failure::{Code, Failure};
use crate::host::HostFacts;
use crate::image::{ImageConfig, Root};
use crate::namespaces::{
    Asked, Maps, Source, Spaces, TimeOffsets, User, Userns, decide, extents, make_maps,
};
use crate::op::{IdMap, MapWriter, namespace};
use crate::plan::{Place, confinement};
use crate::request::{MountRequest, RunRequest, SeccompRequest};

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
    /// Clocks that are off.
    pub time: Option<TimeOffsets>,
    /// User and group ids; empty: the host's.
    pub uids: Vec<IdMap>,
    /// See `uids`.
    pub gids: Vec<IdMap>,
    /// The host's id of the container's root, when the caller is root and there is a user namespace; else 0.
    pub base: u32,
    /// The host's id of root's group.
    pub group_base: u32,
    /// The caller's ids inside, when the command is to run with them.
    pub kept_user: Option<(u32, u32)>,
    /// An ordinary user's id is none of the container's.
    pub caller_is_nobody: bool,
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
        confinement::check_nested(request, own_userns)?;
        let maps = id_maps(&asked, host, image, place, &userns)?;
        // An ordinary user is itself to the kernel, whatever its ids inside.
        let base = |map: &[IdMap]| {
            let root = extents::outside(map, 0).filter(|_| !host.is_rootless());
            root.unwrap_or(0)
        };
        let caller_is_nobody =
            host.is_rootless() && extents::inside(&maps.uids, host.uid).is_none();
        let last = host.last_capability;
        let most = if own_userns { u64::MAX } else { host.permitted };
        let rights = if request.privileged {
            capabilities::all(last)
        } else {
            capabilities::DEFAULT
        };
        Ok(Self {
            namespaces: spaces.own() | user_bit(&userns),
            hostname: hostname(request, &asked, host, place)?,
            spaces,
            userns,
            time: asked.time,
            base: base(&maps.uids),
            group_base: base(&maps.gids),
            caller_is_nobody,
            kept_user: kept_user(&asked, host, &maps),
            uids: maps.uids,
            gids: maps.gids,
            map_writer: maps.writer,
            set_groups: maps.set_groups,
            capabilities: capabilities::adjust(rights, &request.cap_add, &request.cap_drop, last)?
                & most,
            seccomp: !request.privileged && request.seccomp == SeccompRequest::Default,
            no_new_privileges: request.no_new_privileges && !request.privileged,
            // A user namespace inside may mount /proc and /sys only where they are seen whole (mount_namespaces(7)).
            masked_paths: request.masked_paths
                && !request.privileged
                && !request.confinement.nested,
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
        notices.extend(self.lifted(request));
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

impl Choices {
    /// The files of an ordinary user's images are the user's own on disk, and these ids are not root's inside.
    pub(crate) fn owners(&self, image: &ImageConfig, host: &HostFacts) -> Option<String> {
        let kept = matches!(&image.root, Root::Layers(layers) if !layers.is_empty());
        let root = extents::outside(&self.uids, 0);
        if !kept || !host.is_rootless() || !self.has_userns() || root == Some(host.uid) {
            return None;
        }
        let whose = extents::inside(&self.uids, host.uid)
            .map_or("nobody's".to_owned(), |uid| format!("those of user {uid}"));
        Some(format!(
            "files of root's in this root are {whose} in the container: they are yours on disk, and these ids do not make you root"
        ))
    }

    /// No kernel keeps a mount read-only against those who may mount in the namespace where it was made.
    fn lifted(&self, request: &RunRequest) -> Option<String> {
        let mut targets = request.mounts.iter().filter_map(MountRequest::read_only);
        let target = targets.next()?;
        let can = self.capabilities & capabilities::SYS_ADMIN != 0 && !request.privileged;
        can.then(|| {
            format!("SYS_ADMIN lets the container mount {target} writable again; leave it out, or give a copy, if what is there must stay as it is")
        })
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

/// The container's ids; without a user namespace none are mapped.
fn id_maps(
    asked: &Asked,
    host: &HostFacts,
    image: &ImageConfig,
    place: &Place,
    userns: &Userns,
) -> Result<Maps, Failure> {
    let mapped = |uids, gids, set_groups| Maps {
        uids,
        gids,
        writer: MapWriter::Launcher,
        set_groups,
    };
    Ok(match (userns, &place.found.ids) {
        (Userns::Own, _) => make_maps(&asked.user, host, image, place.base)?,
        (Userns::Joined, Some(ids)) => mapped(ids.uids.clone(), ids.gids.clone(), ids.set_groups),
        _ => mapped(Vec::new(), Vec::new(), true),
    })
}

/// `--userns=keep-id` is meant for the caller: the command runs as whom it keeps.
fn kept_user(asked: &Asked, host: &HostFacts, maps: &Maps) -> Option<(u32, u32)> {
    if !matches!(asked.user, User::KeepId(_)) {
        return None;
    }
    let uid = extents::inside(&maps.uids, host.uid)?;
    Some((uid, extents::inside(&maps.gids, host.gid)?))
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
