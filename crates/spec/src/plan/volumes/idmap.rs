//! The option `idmap`: whose the files of a mount are.

use crate::failure::{Code, Failure};
use crate::op::{BindIds, IdMap};
use crate::plan::Context;
use crate::request::{IdmapRange, IdmapRequest, MountOptions};

/// The kernel's limit of lines in an id map (user_namespaces(7)).
const MOST: usize = 340;

/// How the ids of a bind's files are shown. Without the option, an ordinary user's are as the user namespace shows them,
/// and those of root's containers are on disk what they are in the container.
pub(super) fn ids(context: &Context<'_>, options: &MountOptions) -> Result<BindIds, Failure> {
    let natural = if context.maps_mounts() {
        BindIds::Container
    } else {
        BindIds::Plain
    };
    let Some(asked) = &options.idmap else {
        return Ok(natural);
    };
    if context.host.is_rootless() {
        return Err(Failure::new(Code::Mount, "cannot map the ids of a mount")
            .why("the kernel lets only root do that to the host's file systems")
            .hint("leave idmap out, or run as root"));
    }
    if asked.uids.is_empty() && asked.gids.is_empty() {
        return Ok(natural);
    }
    given(asked, context.place.base)
}

fn given(asked: &IdmapRequest, base: u32) -> Result<BindIds, Failure> {
    let uids = ranges(&asked.uids, base)?;
    let gids = ranges(&asked.gids, base)?;
    // crun's rule: one list is for both.
    let (uids, gids) = match (uids.is_empty(), gids.is_empty()) {
        (true, _) => (gids.clone(), gids),
        (_, true) => (uids.clone(), uids),
        _ => (uids, gids),
    };
    Ok(BindIds::Given { uids, gids })
}

fn ranges(asked: &[IdmapRange], base: u32) -> Result<Vec<IdMap>, Failure> {
    let bad = |why: String| {
        Failure::new(Code::InvalidArg, "the idmap of a mount is not one")
            .why(why)
            .hint("write idmap=uids=DISK-HOST-COUNT#...;gids=..., or @DISK-CONTAINER-COUNT")
    };
    if asked.len() > MOST {
        return Err(bad(format!(
            "{} ranges are more than the kernel's {MOST}",
            asked.len()
        )));
    }
    let map = |range: &IdmapRange| {
        let first = if range.relative { base } else { 0 };
        let outside = first.checked_add(range.to);
        let ends = |first: u32| first.checked_add(range.count).is_some();
        match outside.filter(|outside| range.count > 0 && ends(*outside) && ends(range.from)) {
            Some(outside) => Ok(IdMap {
                inside: range.from,
                outside,
                count: range.count,
            }),
            None => Err(bad(format!(
                "{}-{}-{} is not a range of ids",
                range.from, range.to, range.count
            ))),
        }
    };
    asked.iter().map(map).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: u32, to: u32, count: u32, relative: bool) -> IdmapRange {
        IdmapRange {
            from,
            to,
            count,
            relative,
        }
    }

    #[test]
    fn a_relative_range_starts_at_the_containers_own() {
        let maps = ranges(&[range(5, 1, 2, true), range(0, 7, 1, false)], 1000).unwrap();
        let plain: Vec<_> = maps
            .iter()
            .map(|map| (map.inside, map.outside, map.count))
            .collect();
        assert_eq!(plain, [(5, 1001, 2), (0, 7, 1)]);
    }

    #[test]
    fn a_range_past_the_last_id_is_refused() {
        for bad in [
            range(0, 0, 0, false),
            range(u32::MAX, 0, 2, false),
            range(0, u32::MAX, 1, true),
        ] {
            assert!(ranges(&[bad], 7).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_list_is_for_users_and_groups() {
        let asked = IdmapRequest {
            uids: vec![range(0, 1, 1, false)],
            gids: Vec::new(),
        };
        let BindIds::Given { uids, gids } = given(&asked, 0).unwrap() else {
            panic!("not given");
        };
        assert_eq!(uids, gids);
    }
}
