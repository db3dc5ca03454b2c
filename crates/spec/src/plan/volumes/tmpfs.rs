//! tmpfs mounts, with the options that docker's and podman's `--tmpfs` take.

use std::ffi::CString;

use crate::failure::{Code, Failure};
use crate::op::{CopySource, Op, Storage, Target, attribute};
use crate::plan::mounts::NO_SUID_DEV_EXEC;
use crate::plan::volumes::{Free, attach_to};
use crate::plan::{Steps, text};

/// What the options of one tmpfs come to.
struct Tmpfs {
    options: Vec<(CString, Option<CString>)>,
    attributes: u64,
    copy_up: bool,
}

pub(super) fn mount(
    steps: &mut Steps,
    free: &mut Free,
    target: &str,
    options: &str,
    why: &'static str,
) -> Result<(), Failure> {
    let tmpfs = read(options)?;
    let slot = free.take()?;
    let read_only = tmpfs.attributes & attribute::MOUNT_ATTR_RDONLY;
    if tmpfs.copy_up && read_only != 0 {
        return Err(Failure::new(
            Code::InvalidArg,
            format!("--tmpfs {target}: tmpcopyup and ro contradict each other"),
        )
        .hint("leave one of them out"));
    }
    let make = Op::NewMount {
        slot,
        fstype: text("tmpfs")?,
        options: tmpfs.options,
        attributes: tmpfs.attributes,
    };
    steps.init(make, "memory of the container's own, gone with it");
    if tmpfs.copy_up {
        let copy = Storage::CopyUp {
            into: CopySource::Fresh(slot),
            target: text(target.trim_start_matches('/'))?,
        };
        steps.init(
            Op::Storage(copy),
            "tmpcopyup: it begins with what the root has there",
        );
    }
    attach_to(steps, slot, target, Target::Directory, why)
}

/// Flags become attributes, the rest goes to tmpfs (tmpfs(5)).
fn read(given: &str) -> Result<Tmpfs, Failure> {
    let mut tmpfs = Tmpfs {
        options: Vec::new(),
        attributes: NO_SUID_DEV_EXEC,
        copy_up: false,
    };
    for option in given.split(',').filter(|option| !option.is_empty()) {
        if let Some((clear, set)) = flag(option) {
            tmpfs.attributes = tmpfs.attributes & !clear | set;
        } else {
            match option {
                "tmpcopyup" => tmpfs.copy_up = true,
                "notmpcopyup" => tmpfs.copy_up = false,
                // Of the super block, not of the mount.
                "sync" | "dirsync" | "async" => tmpfs.options.push((text(option)?, None)),
                _ => tmpfs.options.push(setting(option)?),
            }
        }
    }
    let has_mode = tmpfs
        .options
        .iter()
        .any(|(key, _)| key.as_bytes() == b"mode");
    if !has_mode {
        tmpfs.options.push((text("mode")?, Some(text("1777")?)));
    }
    Ok(tmpfs)
}

/// Attributes that a flag clears, and those that it sets then.
fn flag(option: &str) -> Option<(u64, u64)> {
    use attribute::{
        MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODEV as NODEV,
        MOUNT_ATTR_NODIRATIME as NODIRATIME, MOUNT_ATTR_NOEXEC as NOEXEC,
        MOUNT_ATTR_NOSUID as NOSUID, MOUNT_ATTR_RDONLY as RDONLY,
        MOUNT_ATTR_STRICTATIME as STRICTATIME,
    };
    const ATIME: u64 = NOATIME | STRICTATIME;
    let pair = match option {
        "rw" => (RDONLY, 0),
        "ro" => (0, RDONLY),
        "suid" => (NOSUID, 0),
        "nosuid" => (0, NOSUID),
        "dev" => (NODEV, 0),
        "nodev" => (0, NODEV),
        "exec" => (NOEXEC, 0),
        "noexec" => (0, NOEXEC),
        "noatime" => (ATIME, NOATIME),
        "strictatime" => (ATIME, STRICTATIME),
        "atime" | "relatime" | "norelatime" | "nostrictatime" => (ATIME, 0),
        "nodiratime" => (0, NODIRATIME),
        "diratime" => (NODIRATIME, 0),
        // A fresh mount has no peers, and mand is no more (Linux 5.15).
        "defaults" | "private" | "rprivate" | "nomand" => (0, 0),
        _ => return None,
    };
    Some(pair)
}

fn setting(option: &str) -> Result<(CString, Option<CString>), Failure> {
    const KNOWN: [&str; 8] = [
        "size",
        "mode",
        "uid",
        "gid",
        "nr_inodes",
        "nr_blocks",
        "huge",
        "mpol",
    ];
    match option.split_once('=') {
        Some((key, value)) if KNOWN.contains(&key) && !value.is_empty() => {
            Ok((text(key)?, Some(text(value)?)))
        }
        None if matches!(option, "inode32" | "inode64") => Ok((text(option)?, None)),
        _ => Err(Failure::new(
            Code::Mount,
            format!("--tmpfs: {option:?} is not an option of tmpfs"),
        )
        .hint(
            "use size, mode, uid, gid, nr_inodes, nr_blocks, huge, mpol with a value, or ro, exec, suid, dev, noatime, tmpcopyup",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_cancel_each_other_in_order() {
        assert_eq!(read("").unwrap().attributes, NO_SUID_DEV_EXEC);
        assert_eq!(read("exec,suid,dev").unwrap().attributes, 0);
        assert_eq!(read("exec,noexec").unwrap().attributes, NO_SUID_DEV_EXEC);
        let atime = read("noatime,strictatime").unwrap().attributes;
        assert_eq!(atime, NO_SUID_DEV_EXEC | attribute::MOUNT_ATTR_STRICTATIME);
    }

    #[test]
    fn the_mode_is_everybodys_unless_said() {
        let mode = |given| {
            let options = read(given).unwrap().options;
            let found = options
                .into_iter()
                .find(|(key, _)| key.as_bytes() == b"mode");
            found.and_then(|(_, value)| value).unwrap()
        };
        assert_eq!(mode("size=1m").as_bytes(), b"1777");
        assert_eq!(mode("mode=700").as_bytes(), b"700");
    }

    #[test]
    fn what_tmpfs_does_not_know_is_refused() {
        for option in ["size", "size=", "bogus", "bind", "remount"] {
            assert!(read(option).is_err(), "{option}");
        }
    }
}
