//! Which file systems can hold the store. Most are left to the kernel to try; those that are known to lack what a store
//! rests on are refused when the store is made, since there the errors come late and are hard to read.

use std::path::Path;

use keelbox_spec::failure::{Code, Failure};

/// What a file system is, as far as a store is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Files are on another machine: no locks that end with their process, no owners of the container's choosing.
    Remote,
    /// Files have no owners or permissions.
    Ownerless,
    /// The kernel finds out.
    Local,
}

/// `statfs.f_type`, name, kind (`linux/magic.h`, and the sources of those that are not in it).
const KNOWN: [(u64, &str, Kind); 26] = [
    (0x6969, "NFS", Kind::Remote),
    (0x517b, "SMB", Kind::Remote),
    (0xff53_4d42, "CIFS", Kind::Remote),
    (0xfe53_4d42, "SMB", Kind::Remote),
    (0x0102_1997, "9p", Kind::Remote),
    (0x5346_414f, "AFS", Kind::Remote),
    (0x6b41_4653, "AFS", Kind::Remote),
    (0x7375_7245, "Coda", Kind::Remote),
    (0x00c3_6400, "Ceph", Kind::Remote),
    (0x0bd0_0bd0, "Lustre", Kind::Remote),
    (0x4750_4653, "GPFS", Kind::Remote),
    (0x1983_0326, "BeeGFS", Kind::Remote),
    (0x4d44, "FAT", Kind::Ownerless),
    (0x2011_bab0, "exFAT", Kind::Ownerless),
    (0x7366_746e, "NTFS", Kind::Ownerless),
    (0x794c_7630, "overlay", Kind::Local),
    (0x6573_5546, "FUSE", Kind::Local),
    (0x0102_1994, "tmpfs", Kind::Local),
    (0x8584_58f6, "ramfs", Kind::Local),
    (0x9123_683e, "btrfs", Kind::Local),
    (0x5846_5342, "xfs", Kind::Local),
    (0xef53, "ext4", Kind::Local),
    (0x2fc1_2fc1, "ZFS", Kind::Local),
    (0xf2f5_2010, "f2fs", Kind::Local),
    (0xf15f, "eCryptfs", Kind::Local),
    (0xca45_1a4e, "bcachefs", Kind::Local),
];

fn known(magic: u64) -> Option<(&'static str, Kind)> {
    let entry = KNOWN.iter().find(|(number, ..)| *number == magic);
    entry.map(|(_, name, kind)| (*name, *kind))
}

fn magic(path: &Path) -> Option<u64> {
    // What is not there yet will be on the file system of what is.
    let stat = path
        .ancestors()
        .find_map(|path| rustix::fs::statfs(path).ok())?;
    // Numbers with the highest bit set may come with its sign extended.
    Some(stat.f_type.cast_unsigned() & 0xffff_ffff)
}

/// The name of the file system that `path` is on, for messages.
pub(crate) fn name(path: &Path) -> Option<&'static str> {
    known(magic(path)?).map(|(name, _)| name)
}

/// Refuses a directory of the store on a file system that cannot hold one.
///
/// # Errors
///
/// What it is and where the store may be instead.
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    let Some((name, kind)) = magic(path).and_then(known) else {
        return Ok(());
    };
    refusal(path, name, kind).map_or(Ok(()), Err)
}

fn refusal(path: &Path, name: &str, kind: Kind) -> Option<Failure> {
    let why = match kind {
        Kind::Remote => {
            "a network file system has neither the locks nor the owners of files that containers need"
        }
        Kind::Ownerless => "it keeps no owners and permissions of files",
        Kind::Local => return None,
    };
    let what = format!(
        "cannot keep containers in {}: it is on {name}",
        path.display()
    );
    Some(
        Failure::new(Code::Store, what)
            .why(why)
            .hint("choose a directory on a local file system (ext4, xfs, btrfs, tmpfs): --root DIR and --runroot DIR")
            .path(path),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_other_machines_are_refused_by_name_with_the_fix() {
        for (number, wanted) in [
            (0x6969, "NFS"),
            (0xfe53_4d42, "SMB"),
            (0xff53_4d42, "CIFS"),
            (0x0102_1997, "9p"),
            (0x00c3_6400, "Ceph"),
            (0x4d44, "FAT"),
        ] {
            let (name, kind) = known(number).unwrap();
            assert_eq!(name, wanted);
            let failure = refusal(Path::new("/mnt/s"), name, kind).unwrap();
            assert!(failure.message.contains("/mnt/s") && failure.message.contains(wanted));
            assert!(failure.hint.unwrap().contains("--root DIR"));
        }
    }

    #[test]
    fn what_the_kernel_can_try_is_left_to_it() {
        for number in [0xef53, 0x0102_1994, 0x6573_5546, 0x794c_7630, 0x5846_5342] {
            let (name, kind) = known(number).unwrap();
            assert!(refusal(Path::new("/"), name, kind).is_none(), "{name}");
        }
        assert_eq!(known(0x1234_5678), None);
    }

    #[test]
    fn the_kernel_is_asked() {
        assert_eq!(
            known(magic(Path::new("/dev/shm")).unwrap()).unwrap().0,
            "tmpfs"
        );
        assert!(check(Path::new("/dev/shm")).is_ok());
    }
}
