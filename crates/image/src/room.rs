//! How much a file system still takes: what a failure for lack of room says.

use std::path::Path;

use keelbox_sys::Errno;
use rustix::fs::StatVfs;

/// For a lack of room, the kernel's text and how much there is on the file system that `path` is on, or was to be made on;
/// otherwise the kernel's text alone.
#[must_use]
pub fn reason(errno: Errno, path: &Path) -> String {
    let text = errno.text();
    if errno != Errno::ENOSPC && errno != Errno::EDQUOT {
        return text.to_owned();
    }
    // What failed may have been removed, or never have been there.
    let stat = path
        .ancestors()
        .find_map(|place| Some((place, rustix::fs::statvfs(place).ok()?)));
    match stat {
        Some((place, stat)) => format!("{text}: {}", left(place, &stat)),
        None => text.to_owned(),
    }
}

fn left(place: &Path, stat: &StatVfs) -> String {
    let bytes = |blocks: u64| size(blocks.saturating_mul(stat.f_frsize));
    let place = place.display();
    // A file system that makes its inodes as it needs them has zero of zero.
    if stat.f_files > 0 && stat.f_favail == 0 {
        return format!(
            "the file system of {place} has no inode left of {}, so that no file can be made on it",
            stat.f_files
        );
    }
    format!(
        "the file system of {place} has {} left of {}",
        bytes(stat.f_bavail),
        bytes(stat.f_blocks)
    )
}

/// Bytes in docker's decimal units, with one digit after the point.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        let shown = [0, 999, 1000, 1_999_999, 12_340_000, 5_000_000_000].map(size);
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "1.9 MB", "12.3 MB", "5.0 GB"]
        );
    }

    #[test]
    fn only_a_lack_of_room_is_told_with_the_room() {
        let path = Path::new("/proc/self/no/such/file");
        assert_eq!(reason(Errno::EACCES, path), Errno::EACCES.text());
        let text = reason(Errno::ENOSPC, path);
        assert!(text.contains("/proc/self has "), "{text}");
    }
}
