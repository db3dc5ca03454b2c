//! Lists of id extents, as /proc/PID/uid_map takes them, and podman's way to write one.

use crate::failure::{Code, Failure};
use crate::host::IdRange;
use crate::op::IdMap;

/// What the kernel takes (user_namespaces(7)).
const MOST: usize = 340;

/// `[FLAGS]CONTAINER:[@]FROM[:COUNT]`, as podman's `--uidmap` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `+`: into the usual map, in the place of what overlaps.
    pub(crate) extends: bool,
    /// `u`: for users; with neither, for what its flag is for.
    pub(crate) users: bool,
    /// `g`: for groups.
    pub(crate) groups: bool,
    /// The first id inside.
    pub(crate) inside: u32,
    /// The first id outside.
    pub(crate) from: u32,
    /// `@`: `from` is an id of this machine, also for an ordinary user.
    pub(crate) absolute: bool,
    /// How many.
    pub(crate) count: u32,
}

impl Entry {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// It is not of that form, or ends past the last id.
    pub fn read(flag: &str, text: &str) -> Result<Self, Failure> {
        let bad = |why: &str| {
            Failure::new(
                Code::InvalidArg,
                format!("invalid value {text:?} for {flag}"),
            )
            .why(why)
            .hint("write CONTAINER:HOST:COUNT, for example 0:100000:65536")
        };
        let flags = text
            .find(|c: char| !matches!(c, '+' | 'u' | 'g'))
            .unwrap_or(text.len());
        let (flags, numbers) = text.split_at(flags);
        let parts: Vec<_> = numbers.split(':').collect();
        let (inside, from, count) = match parts.as_slice() {
            [inside, from] => (*inside, *from, "1"),
            [inside, from, count] => (*inside, *from, *count),
            _ => return Err(bad("it has not two or three numbers with colons between")),
        };
        let (absolute, from) = from
            .strip_prefix('@')
            .map_or((false, from), |from| (true, from));
        let number = |text: &str| -> Option<u32> {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        let (Some(inside), Some(from), Some(count)) = (number(inside), number(from), number(count))
        else {
            return Err(bad("ids and counts are numbers from 0 to 4294967294"));
        };
        let ends = |first: u32| first.checked_add(count).is_some();
        if count == 0 || !ends(inside) || !ends(from) {
            return Err(bad("the count is 0, or leads past the last id, 4294967294"));
        }
        Ok(Self {
            extends: flags.contains('+'),
            users: flags.contains('u'),
            groups: flags.contains('g'),
            inside,
            from,
            absolute,
            count,
        })
    }

    /// It was not said whether it is for users or for groups.
    pub(crate) fn is_plain(&self) -> bool {
        !self.users && !self.groups
    }
}

/// The extents of consecutive ids inside, beginning with `inside`, for ranges outside.
pub(crate) fn consecutive(inside: u32, ranges: impl IntoIterator<Item = IdRange>) -> Vec<IdMap> {
    let mut next = inside;
    let extent = |range: IdRange| {
        let count = range.count.min(u32::MAX - next);
        let map = IdMap {
            inside: next,
            outside: range.first,
            count,
        };
        next += count;
        map
    };
    ranges
        .into_iter()
        .map(extent)
        .filter(|map| map.count > 0)
        .collect()
}

/// The first `count` ids of ranges.
pub(crate) fn first_of(ranges: &[IdRange], count: u32) -> Vec<IdRange> {
    part_of(ranges, 0, count)
}

/// `count` ids of ranges, after the first `skip`; as many as there are.
pub(crate) fn part_of(ranges: &[IdRange], mut skip: u32, mut count: u32) -> Vec<IdRange> {
    let mut part = Vec::new();
    for range in ranges {
        let skipped = skip.min(range.count);
        skip -= skipped;
        let taken = (range.count - skipped).min(count);
        count -= taken;
        if taken > 0 {
            part.push(IdRange {
                first: range.first + skipped,
                count: taken,
            });
        }
    }
    part
}

/// How many ids ranges have.
pub(crate) fn total(ranges: &[IdRange]) -> u32 {
    ranges
        .iter()
        .fold(0, |sum, range| sum.saturating_add(range.count))
}

/// Puts an extent into a map, in the place of what overlaps it on either side.
pub(crate) fn insert(map: &[IdMap], new: IdMap) -> Vec<IdMap> {
    let mut list: Vec<_> = map
        .iter()
        .flat_map(|old| without(*old, |map| map.inside, new.inside, new.count))
        .flat_map(|old| without(old, |map| map.outside, new.outside, new.count))
        .collect();
    list.push(new);
    list.sort_by_key(|map| map.inside);
    list
}

/// What is left of an extent without `count` ids from `first` on; `side` says which of its sides they are on.
fn without(old: IdMap, side: impl Fn(&IdMap) -> u32, first: u32, count: u32) -> Vec<IdMap> {
    let begin = side(&old);
    let before = first.saturating_sub(begin).min(old.count);
    let end = (first + count).saturating_sub(begin).min(old.count);
    if before >= end {
        return vec![old];
    }
    let part = |skip: u32, count: u32| IdMap {
        inside: old.inside + skip,
        outside: old.outside + skip,
        count,
    };
    [part(0, before), part(end, old.count - end)]
        .into_iter()
        .filter(|map| map.count > 0)
        .collect()
}

/// What /proc/PID/uid_map and gid_map say.
#[must_use]
pub fn listed(text: &str) -> Vec<IdMap> {
    let extent = |line: &str| {
        let mut numbers = line.split_whitespace().map_while(|word| word.parse().ok());
        Some(IdMap {
            inside: numbers.next()?,
            outside: numbers.next()?,
            count: numbers.next()?,
        })
    };
    text.lines().filter_map(extent).collect()
}

/// Which id outside an id inside is.
#[must_use]
pub fn outside(map: &[IdMap], inside: u32) -> Option<u32> {
    map.iter()
        .find(|map| inside >= map.inside && inside - map.inside < map.count)
        .map(|map| map.outside + (inside - map.inside))
}

/// Which id inside an id outside is.
#[must_use]
pub fn inside(map: &[IdMap], outside: u32) -> Option<u32> {
    map.iter()
        .find(|map| outside >= map.outside && outside - map.outside < map.count)
        .map(|map| map.inside + (outside - map.outside))
}

/// Sorted, checked for what the kernel refuses.
pub(crate) fn checked(flag: &str, mut map: Vec<IdMap>) -> Result<Vec<IdMap>, Failure> {
    let fail = |why: String| {
        Failure::new(
            Code::InvalidArg,
            format!("the map of {flag} cannot be used"),
        )
        .why(why)
    };
    if map.len() > MOST {
        return Err(fail(format!(
            "the kernel takes {MOST} extents, and it has {}",
            map.len()
        ))
        .hint("use fewer and larger extents"));
    }
    for side in [|map: &IdMap| map.outside, |map: &IdMap| map.inside] {
        map.sort_by_key(side);
        let twice = map.windows(2).find_map(|pair| match pair {
            [one, two] if one.count > side(two) - side(one) => Some(side(two)),
            _ => None,
        });
        if let Some(id) = twice {
            return Err(fail(format!("id {id} is in two of its extents"))
                .hint("let no two extents overlap, inside or outside"));
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(inside: u32, outside: u32, count: u32) -> IdMap {
        IdMap {
            inside,
            outside,
            count,
        }
    }

    #[test]
    fn entries_are_podmans() {
        let entry = Entry::read("--uidmap", "+u1000:@2000:5").unwrap();
        assert!(entry.extends && entry.users && !entry.groups && entry.absolute);
        assert_eq!((entry.inside, entry.from, entry.count), (1000, 2000, 5));
        assert_eq!(Entry::read("--uidmap", "5:6").unwrap().count, 1);
        for bad in [
            "",
            "5",
            "0:1:0",
            "a:1:1",
            "0:1:1:1",
            "-1:0:1",
            "0:1:4294967295",
            "1:2:x",
            "4294967295:0:1",
            "0:4294967290:9",
            "0:@:1",
            " 0:1:1",
            "99999999999:0:1",
        ] {
            let result = Entry::read("--uidmap", bad);
            assert!(bad == "0:1:4294967295" || result.is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_inserted_takes_the_place_of_what_overlaps() {
        let whole = [map(0, 1000, 100)];
        assert_eq!(
            insert(&whole, map(10, 5000, 5)),
            [map(0, 1000, 10), map(10, 5000, 5), map(15, 1015, 85)]
        );
        assert_eq!(
            insert(&whole, map(200, 1099, 1)),
            [map(0, 1000, 99), map(200, 1099, 1)]
        );
        assert_eq!(insert(&whole, map(0, 7, 100)), [map(0, 7, 100)]);
    }

    #[test]
    fn overlaps_are_refused_on_either_side() {
        assert!(checked("x", vec![map(0, 10, 5), map(4, 20, 1)]).is_err());
        assert!(checked("x", vec![map(0, 10, 5), map(5, 14, 1)]).is_err());
        assert!(checked("x", vec![map(5, 15, 1), map(0, 10, 5)]).is_ok());
    }

    #[test]
    fn ids_are_found_from_both_sides() {
        let list = [map(0, 1000, 10), map(20, 500, 5)];
        assert_eq!((outside(&list, 22), outside(&list, 15)), (Some(502), None));
        assert_eq!((inside(&list, 1009), inside(&list, 1010)), (Some(9), None));
    }
}
