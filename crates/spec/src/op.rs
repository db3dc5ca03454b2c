//! The operations that a plan is a list of. Flat, owned data: applying one needs no more than its fields.
//!
//! A *slot* is a numbered place for an fd that one operation makes and later ones use, e.g. a mount that is not attached
//! yet. Launcher and init each have their own slots; [`Op::SendMounts`] copies the launcher's to the init.

mod confine;
mod enter;
mod kernel;
mod parts;
mod storage;

use std::ffi::CString;

pub use confine::Confine;
pub use enter::{Enter, Limit};
pub use kernel::{attribute, namespace};
pub use parts::{
    Account, Cgroup, CgroupEntry, Command, Device, IdMap, Lower, MapWriter, Target, Upper, User,
};
pub use storage::{Bind, BindIds, CopySource, Depth, FILLING, Storage, Travel};

use serde::{Deserialize, Serialize};

/// A place for an fd.
pub type Slot = u8;

/// How many slots there are.
pub const SLOTS: usize = 256;

/// Who applies an operation.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Side {
    /// The executable before and beside the container: on the host, with the caller's rights.
    Launcher,
    /// The container's first process, before it becomes the command.
    Init,
}

/// One operation.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Op {
    /// Make a control group and write its limits.
    MakeCgroup(Cgroup),
    /// Make a time namespace whose clocks since boot are off. On the launcher's side its children have it.
    TimeOffsets {
        /// The lines of /proc/PID/timens_offsets.
        lines: String,
    },
    /// Be in a namespace of somebody else's. The namespaces come with the start message.
    Join {
        /// One of `CLONE_NEW*`.
        kind: u64,
        /// Whose it is, for people.
        whose: String,
    },
    /// Clone a tmpfs of another container's, detached.
    BorrowMount {
        /// Where it goes.
        slot: Slot,
        /// Its path in that container.
        path: CString,
        /// Whose it is, for people.
        whose: String,
    },
    /// Make the container's first process in new namespaces (a mask of `CLONE_NEW*`). A base other than 0 is made the
    /// effective user id meanwhile, so that the kernel counts what the namespace uses for that id.
    Clone3 {
        /// Mask of `CLONE_NEW*`.
        namespaces: u64,
        /// First host id of the container.
        base: u32,
    },
    /// Map the container's ids.
    MapIds {
        /// User ids.
        uids: Vec<IdMap>,
        /// Group ids.
        gids: Vec<IdMap>,
        /// Who writes them.
        writer: MapWriter,
        /// Write `deny` to /proc/PID/setgroups first, without which the kernel takes no gid map from an ordinary user.
        deny_setgroups: bool,
    },
    /// Give the writable layer of an ordinary user's container to the container's root, where that is not the user, in a
    /// namespace that has all ids of both.
    OwnLayers {
        /// User ids of that namespace; 0 is the caller.
        uids: Vec<IdMap>,
        /// Group ids, likewise.
        gids: Vec<IdMap>,
        /// The directory that has them.
        data: CString,
        /// Their names, that of the layer itself first.
        layers: Vec<CString>,
        /// Directories and links of ours below the layer, to be made in it again for the container's root.
        skeleton: Option<CString>,
        /// The container's root, as that namespace counts: user and group.
        owner: (u32, u32),
        /// Whether the container's root must be let through `data`.
        open: bool,
    },
    /// Clone a mount, detached, with attributes and perhaps mapped ids.
    CloneTree {
        /// Where it goes.
        slot: Slot,
        /// The path to clone.
        source: CString,
        /// With all mounts below it.
        recursive: bool,
        /// `MOUNT_ATTR_*`.
        attributes: u64,
        /// Map its ids through the container's user namespace.
        map_ids: bool,
    },
    /// Mount an overlay, detached.
    Overlay {
        /// Where it goes.
        slot: Slot,
        /// Lower layers, topmost first.
        lower: Vec<Lower>,
        /// The writable layer.
        upper: Upper,
        /// Skip every sync: the layer is thrown away at the end.
        volatile: bool,
        /// Keep the overlay's marks in `user.overlay.*`, for callers who are not root.
        userxattr: bool,
        /// `MOUNT_ATTR_*`.
        attributes: u64,
    },
    /// Make a file system in memory, detached, with directories in it, for a writable layer that ends with the container.
    MemoryLayer {
        /// Where it goes.
        slot: Slot,
        /// The directories.
        directories: Vec<CString>,
        /// Map its ids through the container's user namespace.
        map_ids: bool,
    },
    /// Mount a fresh file system, detached.
    NewMount {
        /// Where it goes.
        slot: Slot,
        /// Its type.
        fstype: CString,
        /// Its options; no value: a flag.
        options: Vec<(CString, Option<CString>)>,
        /// `MOUNT_ATTR_*`.
        attributes: u64,
    },
    /// Make /dev with real nodes on the host's side, with the container's ids. Where no nodes can be made the slot stays
    /// empty, and [`Op::AttachDevices`] binds the host's instead.
    MakeDevices {
        /// Where it goes.
        slot: Slot,
        /// The nodes.
        devices: Vec<Device>,
        /// Map its ids through the container's user namespace.
        map_ids: bool,
    },
    /// Hand all slots to the init.
    SendMounts,
    /// Wait until the ids are mapped and the launcher's mounts have come.
    ReceiveMounts,
    /// Enter the v1 cgroups that the launcher made.
    EnterCgroups,
    /// Leave namespaces (a mask of `CLONE_NEW*`) that clone3 must not: the cgroup namespace's root is the current cgroup.
    Unshare {
        /// Mask of `CLONE_NEW*`.
        namespaces: u64,
    },
    /// Become root of the user namespace.
    BecomeRoot {
        /// Drop the caller's supplementary groups.
        set_groups: bool,
    },
    /// Let no mount come in from the host or go out to it.
    PrivateMounts,
    /// What the user's volumes need.
    Storage(Storage),
    /// Attach the mount that becomes the root.
    AttachRoot {
        /// The mount.
        slot: Slot,
    },
    /// Attach a mount inside the new root.
    Attach {
        /// The mount.
        slot: Slot,
        /// Path in the new root; links in it are followed inside the root only.
        target: CString,
        /// What to make when the path is missing.
        create: Target,
        /// Whether links in the path are followed. Not for /proc, /sys and /dev: an image that has a link there would
        /// redirect what is written to them (CVE-2023-27561, CVE-2019-19921, CVE-2026-41579).
        follow: bool,
    },
    /// Attach a mount inside one of our own, whose paths are the kernel's or ours and lead nowhere else.
    AttachInside {
        /// The mount.
        slot: Slot,
        /// The mount that it goes into.
        base: Slot,
        /// Path in that.
        path: CString,
        /// Make the directory first.
        create: bool,
    },
    /// Attach /dev, or make it here from the host's nodes.
    AttachDevices {
        /// The slot of [`Op::MakeDevices`].
        slot: Slot,
        /// The nodes.
        devices: Vec<Device>,
    },
    /// Put small files of ours over /etc/NAME.
    EtcFiles {
        /// Name below /etc and content.
        files: Vec<(CString, Vec<u8>)>,
    },
    /// Add a user and a group to the container's /etc/passwd and /etc/group, where they lack these ids.
    AddAccount(Account),
    /// Write a kernel setting of one of the container's own namespaces through the container's own /proc.
    Sysctl {
        /// The slot of /proc.
        proc: Slot,
        /// Path below /proc/sys.
        path: CString,
        /// Its value.
        value: CString,
    },
    /// Set the host name.
    SetHostname {
        /// The name.
        name: CString,
    },
    /// Bring the loopback link up.
    LoopbackUp,
    /// Make the attached root the root of the mount namespace, and let go of the host's.
    PivotRoot,
    /// Hide paths below a mount.
    Mask {
        /// The mount.
        base: Slot,
        /// Paths below it; true: a directory.
        paths: Vec<(CString, bool)>,
    },
    /// Make paths below a mount read-only.
    ReadOnlyPaths {
        /// The mount.
        base: Slot,
        /// Paths below it.
        paths: Vec<CString>,
    },
    /// Make the root's own mounts read-only.
    ReadOnlyRoot {
        /// The mounts.
        slots: Vec<Slot>,
    },
    /// A session and process group of its own.
    NewSession,
    /// A terminal of the container's own, as its controlling terminal, stdin, stdout and stderr, and /dev/console.
    Terminal {
        /// Columns and rows; 0: leave as they are.
        columns: u16,
        /// See `columns`.
        rows: u16,
    },
    /// A session keyring of the container's own.
    NewKeyring {
        /// Its name.
        name: CString,
    },
    /// Set a resource limit (getrlimit(2)).
    SetRlimit {
        /// `RLIMIT_*`.
        resource: u32,
        /// Soft limit.
        soft: u64,
        /// Hard limit; None: leave it.
        hard: Option<u64>,
    },
    /// Find out the user's ids, groups and home.
    FindUser(User),
    /// Go to the working directory; made when missing.
    ChangeDirectory {
        /// The path.
        path: CString,
    },
    /// Become the user that [`Op::FindUser`] found, with a bounding set and no other capabilities than these.
    SetCredentials {
        /// Capabilities, as a mask.
        capabilities: u64,
        /// The last capability of the kernel.
        last: u8,
    },
    /// A setting that only some containers have.
    Confine(Confine),
    /// No program gives more rights than the process has.
    NoNewPrivileges,
    /// Filter system calls.
    Seccomp {
        /// Classic BPF, 8 bytes an instruction.
        filter: Vec<u8>,
        /// `SECCOMP_FILTER_FLAG_*`.
        flags: u32,
    },
    /// End with the launcher.
    DieWithLauncher,
    /// Let no fd but stdin, stdout and stderr through.
    CloseFds,
    /// Become the command.
    Execute(Command),
    /// What is started in a container that runs already.
    Enter(Enter),
}
