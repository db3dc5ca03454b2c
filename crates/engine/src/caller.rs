//! Who calls: this machine's root, or somebody with no more rights than an ordinary user, whatever the user id says.

use std::fs;
use std::sync::{Mutex, PoisonError};

use keelbox_spec::host::{IdRange, SubordinateIds};
use rustix::thread::CapabilitySet;

use crate::ids;

/// What a launcher on the host's side does needs: namespaces and mounts, other ids, their processes and files. Root in a
/// container of another engine has some of them, and is served as an ordinary user is.
const LAUNCHER: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::DAC_OVERRIDE);

/// What the kernel asks of somebody who maps more than their own id (user_namespaces(7)); SETFCAP to map id 0.
const MAPPER: CapabilitySet = CapabilitySet::SETUID
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETFCAP);

/// Ids that a container can use, as everywhere.
const COUNT: u32 = 65_536;

/// Whether the caller is root, with the rights of one, and of a user namespace that has every id: root of one that an
/// ordinary user has made is one of those (user_namespaces(7)).
pub(crate) fn is_host_root() -> bool {
    /// The answer, and for which user id: a process may give up being root.
    static KNOWN: Mutex<Option<(u32, bool)>> = Mutex::new(None);
    let uid = rustix::process::geteuid().as_raw();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, answer)) = known.filter(|(of, _)| *of == uid) {
        return answer;
    }
    let answer = uid == 0 && permitted().contains(LAUNCHER) && outer_ids("uid") == Some(u32::MAX);
    *known = Some((uid, answer));
    answer
}

/// The caller's permitted capabilities.
pub(crate) fn permitted() -> CapabilitySet {
    rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted)
}

/// How many ids from 0 on the caller's own user namespace has; None: the first ones are not mapped.
fn outer_ids(kind: &str) -> Option<u32> {
    counted(&fs::read_to_string(format!("/proc/self/{kind}_map")).ok()?)
}

fn counted(map: &str) -> Option<u32> {
    let mut lines: Vec<(u32, u32)> = map
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (inside, _, count) = (words.next()?, words.next()?, words.next()?);
            Some((inside.parse().ok()?, count.parse().ok()?))
        })
        .collect();
    lines.sort_unstable();
    let end = lines.into_iter().fold(0, |end: u32, (inside, count)| {
        if inside == end {
            end.saturating_add(count)
        } else {
            end
        }
    });
    (end > 0).then_some(end)
}

/// What root without the rights of this machine's root can map besides its own id.
pub(crate) fn ids_of_nested_root() -> Option<SubordinateIds> {
    if !permitted().contains(MAPPER) {
        return None;
    }
    let beyond = |kind| {
        let (first, count) = beyond_root(outer_ids(kind)?)?;
        Some(vec![IdRange { first, count }])
    };
    Some(SubordinateIds {
        uids: beyond("uid")?,
        gids: beyond("gid")?,
    })
}

/// Ids that nobody else has where there are such, else those that follow root's.
fn beyond_root(outer: u32) -> Option<(u32, u32)> {
    if outer > ids::FIRST.saturating_add(COUNT) {
        return Some((ids::FIRST + 1, COUNT - 1));
    }
    (outer > 1).then(|| (1, (outer - 1).min(COUNT - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_counted_from_zero_as_far_as_they_have_no_gap() {
        assert_eq!(
            counted("         0          0 4294967295\n"),
            Some(u32::MAX)
        );
        assert_eq!(counted("1 100000 65536\n0 1001 1\n"), Some(65_537));
        assert_eq!(counted("0 1001 1\n5 100000 10\n"), Some(1));
        assert_eq!(counted("1000 1000 1\n"), None);
        assert_eq!(counted(""), None);
    }

    #[test]
    fn root_of_a_container_maps_ids_that_are_nobodys_where_it_has_them() {
        assert_eq!(beyond_root(u32::MAX), Some((ids::FIRST + 1, 65_535)));
        assert_eq!(beyond_root(65_537), Some((1, 65_535)));
        assert_eq!(beyond_root(3), Some((1, 2)));
        assert_eq!(beyond_root(1), None);
    }
}
