//! Which mount a path is on, and how mounts travel there (proc_pid_mountinfo(5)).

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags};

/// A mount.
pub(super) struct Mount {
    /// Where it is attached.
    pub(super) point: PathBuf,
    pub(super) is_shared: bool,
    pub(super) is_slave: bool,
}

/// The mount that `path` is on; None: the kernel does not tell (before 5.8).
pub(super) fn of(path: &Path) -> Option<Mount> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let stat = rustix::fs::statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    if stat.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
        return None;
    }
    let text = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    text.lines()
        .find(|line| line.split(' ').next() == Some(&stat.stx_mnt_id.to_string()))
        .map(parse)
}

fn parse(line: &str) -> Mount {
    let mut fields = line.split(' ');
    let point = fields.nth(4).unwrap_or_default().into();
    let tags: Vec<_> = fields.skip(1).take_while(|field| *field != "-").collect();
    let has = |tag: &str| tags.iter().any(|field| field.starts_with(tag));
    Mount {
        point,
        is_shared: has("shared:"),
        is_slave: has("master:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_those_before_the_dash() {
        let line = "36 35 98:0 / /mnt rw,noatime master:1 shared:2 - ext4 /dev/shared: rw";
        let mount = parse(line);
        assert!(mount.is_shared && mount.is_slave);
        let mount = parse("36 35 98:0 / /mnt rw - ext4 shared:1 rw");
        assert!(!mount.is_shared && !mount.is_slave);
        assert_eq!(mount.point, Path::new("/mnt"));
    }
}
