//! The ids of a new user namespace: which of this machine's are which inside, and who may map them.

mod alone;

use crate::failure::{Code, Failure};
use crate::host::{HostFacts, IdRange, SubordinateIds};
use crate::image::ImageConfig;
use crate::namespaces::extents::{
    Entry, checked, consecutive, first_of, insert, outside, part_of, total,
};
use crate::namespaces::users::User;
use crate::op::{IdMap, MapWriter};

/// Ids that a container has when nothing else is said.
pub const USUAL: u32 = 65_536;

/// Host ids that root's containers get ranges of. Up to 2^31 these are nobody's: above systemd's container ranges, and not
/// negative as signed numbers (systemd, "Users, Groups, UIDs and GIDs").
pub const POOL: IdRange = IdRange {
    first: 0x7000_0000,
    count: 0x1000_0000,
};

/// Maps, and who writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maps {
    /// User ids.
    pub uids: Vec<IdMap>,
    /// Group ids.
    pub gids: Vec<IdMap>,
    /// Who.
    pub writer: MapWriter,
    /// Whether setgroups(2) can be used.
    pub set_groups: bool,
}

/// Ids that a container can have without asking, when files of its image need them: 2^24.
const MOST: u32 = 1 << 24;

/// How many ids of root's pool a new user namespace takes; 0: none. More than usual when an image's files need them and the
/// user has not said how many.
#[must_use]
pub fn pool(user: &User, image: &ImageConfig) -> u32 {
    let needed = || {
        let largest = image.stored.as_ref().map_or(0, |stored| stored.largest_id);
        (largest.min(MOST - 1) + 1).next_multiple_of(USUAL)
    };
    match user {
        User::Auto(auto) => auto.size.unwrap_or_else(needed),
        User::Maps { uids, gids } => {
            let whole = |list: &[Entry]| list.is_empty() || list.iter().any(|entry| entry.extends);
            if whole(uids) || whole(gids) { USUAL } else { 0 }
        }
        User::Named => 0,
        _ => needed(),
    }
}

/// Whether files of the image have ids that no container gets without asking.
///
/// # Errors
///
/// They have.
pub fn check_largest(user: &User, image: &ImageConfig) -> Result<(), Failure> {
    let chosen = matches!(user, User::Maps { .. } | User::Named)
        || matches!(user, User::Auto(auto) if auto.size.is_some());
    let largest = image.stored.as_ref().map_or(0, |stored| stored.largest_id);
    if chosen || largest < MOST {
        return Ok(());
    }
    let name = &image.name;
    Err(Failure::new(
        Code::Userns,
        format!("the image {name} has files of the user or group {largest}"),
    )
    .why(format!(
        "a container gets ids up to {} by itself; files of others would belong to nobody",
        MOST - 1
    ))
    .hint("add --userns=auto:size=65536 if those files do not matter, or --userns=host if you trust the image"))
}

/// The maps of a new user namespace. `base`: the first id of the pool that root's container has.
///
/// # Errors
///
/// Ids that the caller may not map, with those that it may; a way that needs subordinate ids, where there are none; a map
/// without a root.
pub fn make(
    user: &User,
    host: &HostFacts,
    image: &ImageConfig,
    base: u32,
) -> Result<Maps, Failure> {
    if host.is_rootless() {
        ordinary(user, host)
    } else {
        check_largest(user, image)?;
        root(user, host, pool(user, image), base)
    }
}

fn root(user: &User, host: &HostFacts, size: u32, base: u32) -> Result<Maps, Failure> {
    let range = [IdRange {
        first: base,
        count: size,
    }];
    let usual = consecutive(0, range);
    if size > 0 && base == 0 {
        return Err(Failure::new(
            Code::Internal,
            "the container has no range of ids",
        ));
    }
    let absolute = |entry: &Entry| {
        outside_pool(entry)?;
        Ok(vec![IdMap {
            inside: entry.inside,
            outside: entry.from,
            count: entry.count,
        }])
    };
    let (uids, gids) = match user {
        User::KeepId(_) => return Err(not_for_root()),
        User::Named => {
            let named = host.named.clone().unwrap_or_default();
            (consecutive(0, named.uids), consecutive(0, named.gids))
        }
        User::Auto(auto) => (
            list(
                "--userns=auto:uidmapping",
                &auto.uids,
                &usual,
                true,
                absolute,
            )?,
            list(
                "--userns=auto:gidmapping",
                &auto.gids,
                &usual,
                true,
                absolute,
            )?,
        ),
        User::Maps { uids, gids } => (
            list("--uidmap", uids, &usual, false, absolute)?,
            list("--gidmap", gids, &usual, false, absolute)?,
        ),
        _ => (usual.clone(), usual),
    };
    let (uids, gids) = (checked("--uidmap", uids)?, checked("--gidmap", gids)?);
    has_root(&uids, "--uidmap")?;
    has_root(&gids, "--gidmap")?;
    Ok(Maps {
        uids,
        gids,
        writer: MapWriter::Launcher,
        set_groups: true,
    })
}

/// What somebody else's container may have now or later is no container's to name.
fn outside_pool(entry: &Entry) -> Result<(), Failure> {
    let (first, end) = (
        u64::from(entry.from),
        u64::from(entry.from) + u64::from(entry.count),
    );
    let pool_end = u64::from(POOL.first) + u64::from(POOL.count);
    if end <= u64::from(POOL.first) || first >= pool_end {
        return Ok(());
    }
    let last = pool_end - 1;
    Err(Failure::new(
        Code::InvalidArg,
        format!(
            "the ids {first} to {} cannot be mapped by hand",
            end.saturating_sub(1)
        ),
    )
    .why(format!(
        "containers get their own ids from {} to {last}, so these may be another container's",
        POOL.first
    ))
    .hint(format!(
        "use ids below {}, such as 0:100000:65536",
        POOL.first
    )))
}

/// podman refuses it as well: root that is mapped to itself is not mapped.
fn not_for_root() -> Failure {
    Failure::new(
        Code::InvalidArg,
        "--userns=keep-id is for ordinary users, and you are root",
    )
    .why("root kept as root is root on this machine")
    .hint(
        "leave it out for ids of its own, or write --userns=host if you mean root on this machine",
    )
}

fn has_root(map: &[IdMap], flag: &str) -> Result<(), Failure> {
    if outside(map, 0).is_some() {
        return Ok(());
    }
    Err(
        Failure::new(Code::InvalidArg, format!("{flag} leaves id 0 out"))
            .why("the container is set up by its root")
            .hint(format!("add an id for it, for example {flag} 0:100000:1")),
    )
}

/// A map of entries; `whole`: into the usual one, as if each had a `+`.
fn list(
    flag: &str,
    entries: &[Entry],
    usual: &[IdMap],
    whole: bool,
    extents: impl Fn(&Entry) -> Result<Vec<IdMap>, Failure>,
) -> Result<Vec<IdMap>, Failure> {
    if entries.is_empty() {
        return Ok(usual.to_vec());
    }
    let extends = whole || entries.iter().any(|entry| entry.extends);
    let mut given = Vec::new();
    for entry in entries {
        given.extend(extents(entry)?);
    }
    let given = checked(flag, given)?;
    if !extends {
        return Ok(given);
    }
    Ok(given
        .into_iter()
        .fold(usual.to_vec(), |map, new| insert(&map, new)))
}

fn ordinary(user: &User, host: &HostFacts) -> Result<Maps, Failure> {
    let Some(ids) = &host.subordinate else {
        return alone::maps(user, host);
    };
    let both = |make: &dyn Fn(u32, &[IdRange]) -> Vec<IdMap>| {
        (make(host.uid, &ids.uids), make(host.gid, &ids.gids))
    };
    let (uids, gids) = match user {
        User::KeepId(keep) => (
            keep_id(host.uid, keep.uid, keep.size, &ids.uids),
            keep_id(host.gid, keep.gid, keep.size, &ids.gids),
        ),
        User::Nomap => both(&|_, ranges| consecutive(0, ranges.iter().copied())),
        User::Named => named(host, ids)?,
        User::Auto(auto) => {
            let usual = |own, ranges: &[IdRange]| sized(own, ranges, auto.size);
            let (uids, gids) = (usual(host.uid, &ids.uids)?, usual(host.gid, &ids.gids)?);
            let uid = |entry: &Entry| intermediate("--userns", entry, host.uid, &ids.uids);
            let gid = |entry: &Entry| intermediate("--userns", entry, host.gid, &ids.gids);
            (
                list("--userns=auto:uidmapping", &auto.uids, &uids, true, uid)?,
                list("--userns=auto:gidmapping", &auto.gids, &gids, true, gid)?,
            )
        }
        User::Maps {
            uids: users,
            gids: groups,
        } => {
            let (usual_uids, usual_gids) = both(&|own, ranges| usual(own, ranges));
            let uid = |entry: &Entry| intermediate("--uidmap", entry, host.uid, &ids.uids);
            let gid = |entry: &Entry| intermediate("--gidmap", entry, host.gid, &ids.gids);
            (
                list("--uidmap", users, &usual_uids, false, uid)?,
                list("--gidmap", groups, &usual_gids, false, gid)?,
            )
        }
        _ => both(&|own, ranges| usual(own, ranges)),
    };
    let (uids, gids) = (checked("--uidmap", uids)?, checked("--gidmap", gids)?);
    has_root(&uids, "--uidmap")?;
    has_root(&gids, "--gidmap")?;
    // newgidmap forbids it when it maps nothing but the caller's own group (CVE-2018-7169).
    let set_groups = gids
        .iter()
        .any(|map| map.outside != host.gid || map.count > 1);
    // newuidmap serves users that /etc/subuid names; root of a container has the right itself.
    let writer = if host.uid == 0 {
        MapWriter::Launcher
    } else {
        MapWriter::Programs
    };
    Ok(Maps {
        uids,
        gids,
        writer,
        set_groups,
    })
}

/// The caller is root inside, and the ids after that are those of /etc/subuid and /etc/subgid.
fn usual(own: u32, ranges: &[IdRange]) -> Vec<IdMap> {
    consecutive(
        0,
        [own_range(own)].into_iter().chain(ranges.iter().copied()),
    )
}

/// See [`usual`]; for removing what such a container left.
#[must_use]
pub fn subordinate_maps(uid: u32, gid: u32, ids: &SubordinateIds) -> (Vec<IdMap>, Vec<IdMap>) {
    (usual(uid, &ids.uids), usual(gid, &ids.gids))
}

fn own_range(first: u32) -> IdRange {
    IdRange { first, count: 1 }
}

fn sized(own: u32, ranges: &[IdRange], size: Option<u32>) -> Result<Vec<IdMap>, Failure> {
    let Some(size) = size else {
        return Ok(usual(own, ranges));
    };
    let there = total(ranges).saturating_add(1);
    if size > there {
        return Err(Failure::new(
            Code::Userns,
            format!("--userns=auto:size={size} is more ids than you have"),
        )
        .why(format!("you have {there}: your own and {}", shown(ranges)))
        .hint(format!(
            "use a size of at most {there}, or ask for more in /etc/subuid and /etc/subgid"
        )));
    }
    Ok(usual(own, &first_of(ranges, size - 1)))
}

/// The caller keeps its own id, or gets `wanted`; ids below and above it are subordinate ones.
fn keep_id(own: u32, wanted: Option<u32>, size: Option<u32>, ranges: &[IdRange]) -> Vec<IdMap> {
    let at = wanted.unwrap_or(own);
    let ranges = match size {
        Some(size) => first_of(ranges, size.saturating_sub(1)),
        None => ranges.to_vec(),
    };
    let mut map = consecutive(0, first_of(&ranges, at));
    map.extend(consecutive(at, [own_range(own)]));
    map.extend(consecutive(
        at.saturating_add(1),
        part_of(&ranges, at, u32::MAX),
    ));
    map
}

fn named(host: &HostFacts, own: &SubordinateIds) -> Result<(Vec<IdMap>, Vec<IdMap>), Failure> {
    let named = host.named.clone().unwrap_or_default();
    let check = |flag: &str, wanted: &[IdRange], own: &[IdRange]| {
        let lacks = wanted
            .iter()
            .find(|range| !holds(own, range.first, range.count));
        lacks.map_or(Ok(()), |range| {
            Err(not_yours(flag, range.first, range.count, own))
        })
    };
    check("--subuidname", &named.uids, &own.uids)?;
    check("--subgidname", &named.gids, &own.gids)?;
    Ok((consecutive(0, named.uids), consecutive(0, named.gids)))
}

/// For an ordinary user, ids outside are counted in the usual map, 0 being the caller's own, unless there is an `@`.
fn intermediate(
    flag: &str,
    entry: &Entry,
    own: u32,
    ranges: &[IdRange],
) -> Result<Vec<IdMap>, Failure> {
    let all: Vec<_> = [own_range(own)]
        .into_iter()
        .chain(ranges.iter().copied())
        .collect();
    if entry.absolute {
        let is_own = entry.from == own && entry.count == 1;
        if !is_own && !holds(ranges, entry.from, entry.count) {
            return Err(not_yours(flag, entry.from, entry.count, ranges));
        }
        let range = IdRange {
            first: entry.from,
            count: entry.count,
        };
        return Ok(consecutive(entry.inside, [range]));
    }
    let part = part_of(&all, entry.from, entry.count);
    if total(&part) < entry.count {
        let (last, there) = (entry.from + (entry.count - 1), total(&all));
        return Err(Failure::new(
            Code::Userns,
            format!("{flag} maps id {last}, and you have {there}"),
        )
        .why(format!(
            "for an ordinary user 0 is your own id, and 1 to {} are {}",
            there - 1,
            shown(ranges)
        ))
        .hint("use ids among those, or an id of this machine's with @ before it"));
    }
    Ok(consecutive(entry.inside, part))
}

fn holds(ranges: &[IdRange], first: u32, count: u32) -> bool {
    ranges.iter().any(|range| {
        first >= range.first
            && u64::from(first - range.first) + u64::from(count) <= u64::from(range.count)
    })
}

fn not_yours(flag: &str, first: u32, count: u32, ranges: &[IdRange]) -> Failure {
    let last = first.saturating_add(count - 1);
    Failure::new(
        Code::Userns,
        format!("{flag}: ids {first} to {last} are not yours to map"),
    )
    .why(format!("yours are {}", shown(ranges)))
    .hint("use ids among those, or have the range added to /etc/subuid and /etc/subgid")
}

fn shown(ranges: &[IdRange]) -> String {
    let shown: Vec<_> = ranges
        .iter()
        .map(|range| {
            let last = range.first.saturating_add(range.count - 1);
            format!("{} to {last}", range.first)
        })
        .collect();
    shown.join(", ")
}
