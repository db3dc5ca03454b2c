//! The kernel's names and values.

/// Namespaces, with the kernel's names and values (`linux/sched.h`).
#[allow(missing_docs, reason = "namespaces(7) says what each is")]
pub mod namespace {
    pub const CLONE_NEWTIME: u64 = 0x80;
    pub const CLONE_NEWNS: u64 = 0x0002_0000;
    pub const CLONE_NEWCGROUP: u64 = 0x0200_0000;
    pub const CLONE_NEWUTS: u64 = 0x0400_0000;
    pub const CLONE_NEWIPC: u64 = 0x0800_0000;
    pub const CLONE_NEWUSER: u64 = 0x1000_0000;
    pub const CLONE_NEWPID: u64 = 0x2000_0000;
    pub const CLONE_NEWNET: u64 = 0x4000_0000;

    /// Each with the name that `lsns` has for it.
    pub const ALL: [(u64, &str, &str); 8] = [
        (CLONE_NEWUSER, "CLONE_NEWUSER", "user"),
        (CLONE_NEWNS, "CLONE_NEWNS", "mount"),
        (CLONE_NEWPID, "CLONE_NEWPID", "pid"),
        (CLONE_NEWUTS, "CLONE_NEWUTS", "uts"),
        (CLONE_NEWIPC, "CLONE_NEWIPC", "ipc"),
        (CLONE_NEWNET, "CLONE_NEWNET", "net"),
        (CLONE_NEWCGROUP, "CLONE_NEWCGROUP", "cgroup"),
        (CLONE_NEWTIME, "CLONE_NEWTIME", "time"),
    ];
}

/// Mount attributes, with the kernel's names and values (`linux/mount.h`).
#[allow(missing_docs, reason = "mount_setattr(2) says what each does")]
pub mod attribute {
    pub const MOUNT_ATTR_RDONLY: u64 = 0x1;
    pub const MOUNT_ATTR_NOSUID: u64 = 0x2;
    pub const MOUNT_ATTR_NODEV: u64 = 0x4;
    pub const MOUNT_ATTR_NOEXEC: u64 = 0x8;
    pub const MOUNT_ATTR_NOATIME: u64 = 0x10;
    pub const MOUNT_ATTR_STRICTATIME: u64 = 0x20;
    pub const MOUNT_ATTR_NODIRATIME: u64 = 0x80;

    /// Each with its name.
    pub const ALL: [(u64, &str); 7] = [
        (MOUNT_ATTR_RDONLY, "MOUNT_ATTR_RDONLY"),
        (MOUNT_ATTR_NOSUID, "MOUNT_ATTR_NOSUID"),
        (MOUNT_ATTR_NODEV, "MOUNT_ATTR_NODEV"),
        (MOUNT_ATTR_NOEXEC, "MOUNT_ATTR_NOEXEC"),
        (MOUNT_ATTR_NOATIME, "MOUNT_ATTR_NOATIME"),
        (MOUNT_ATTR_STRICTATIME, "MOUNT_ATTR_STRICTATIME"),
        (MOUNT_ATTR_NODIRATIME, "MOUNT_ATTR_NODIRATIME"),
    ];
}
