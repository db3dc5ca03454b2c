//! The policy of a container that asks for nothing special.
//!
//! Docker's list (moby/profiles, `seccomp/default.json`, June 2026: the names of the calls and the
//! capability that opens each) with these changes, all towards less:
//! - `vmsplice` is refused: with `splice` it writes to pages of files that others share
//!   (CVE-2022-0847, CVE-2026-31431).
//! - Address families whose kernel code has no use in a container and a record of holes are
//!   refused: `AF_ALG`, `AF_VSOCK`, `AF_XDP`, `AF_RDS`, `AF_CAN`, and without `CAP_NET_RAW` also
//!   `AF_PACKET`. Docker refuses the first two. `socketpair` is treated alike, since it creates
//!   the sockets, and loads their module, before it finds that they cannot be paired.
//! - `ioctl` with `TIOCSTI` or `TIOCLINUX` is refused: both type into a terminal inherited from
//!   outside (CVE-2016-10124, CVE-2017-5226).
//! - Those comparisons, and the one on `personality`, look at the 32 bits that the kernel looks at.
//! - x32 is refused, where docker lists it as a sub-architecture.
//!
//! What this leaves open: i386 also makes sockets through `socketcall`, whose arguments lie behind
//! a pointer that a filter cannot follow. Refusing `socketcall` as a whole breaks 32-bit programs;
//! moby did so and took it back within a week (moby/profiles pull requests 21 and 23).
//!
//! Relies on the caller to say which capabilities the container keeps. Leaves out kernel versions:
//! docker allows `ptrace` from Linux 4.8 on, and keelbox runs on nothing older.

use std::borrow::Cow;

use crate::profile::{Action, ArgCmp, Operator, Profile, Rule, Width};
use crate::verdict::ENOSYS;

const EPERM: u16 = 1;

/// The capabilities a container has unless told otherwise, bit n for capability n: `CHOWN`,
/// `DAC_OVERRIDE`, `FOWNER`, `FSETID`, `KILL`, `SETGID`, `SETUID`, `SETPCAP`, `NET_BIND_SERVICE`,
/// `SYS_CHROOT` and `SETFCAP` (podman's eleven).
pub const DEFAULT_CAPABILITIES: u64 = 0x8004_05fb;

// Numbers of linux/capability.h.
const CAP_DAC_READ_SEARCH: u8 = 2;
const CAP_NET_RAW: u8 = 13;
const CAP_SYS_MODULE: u8 = 16;
const CAP_SYS_RAWIO: u8 = 17;
const CAP_SYS_CHROOT: u8 = 18;
const CAP_SYS_PTRACE: u8 = 19;
const CAP_SYS_PACCT: u8 = 20;
const CAP_SYS_ADMIN: u8 = 21;
const CAP_SYS_BOOT: u8 = 22;
const CAP_SYS_NICE: u8 = 23;
const CAP_SYS_TIME: u8 = 25;
const CAP_SYS_TTY_CONFIG: u8 = 26;
const CAP_SYSLOG: u8 = 34;
const CAP_PERFMON: u8 = 38;
const CAP_BPF: u8 = 39;

// Numbers of linux/socket.h and linux/net.h.
const AF_INET: u64 = 2;
const AF_PACKET: u64 = 17;
const REFUSED_FAMILIES: [u64; 5] = [
    21, /* RDS */
    29, /* CAN */
    38, /* ALG */
    40, /* VSOCK */
    44, /* XDP */
];
const SOCK_PACKET: u64 = 10;
/// The rest of a socket's type are flags.
const SOCK_TYPE_MASK: u64 = 0xf;

// Numbers of asm-generic/ioctls.h, which both machines use.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;

/// `CLONE_NEWNS`, `NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID` and `NEWNET`. `NEWTIME` is
/// not among them: clone(2) reads that bit as part of the exit signal.
const CLONE_NAMESPACES: u64 = 0x7e02_0000;

/// `PER_LINUX`, `PER_LINUX32`, each also with `UNAME26`, and the query that changes nothing.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Allowed whatever the arguments and capabilities.
const ALWAYS: &str = "\
    _llseek _newselect accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64 \
    arm_sync_file_range bind breakpoint brk cacheflush cachestat capget capset chdir chmod \
    chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime \
    clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect \
    copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old \
    epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit \
    exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir \
    fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr \
    flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 \
    fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv \
    futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 \
    getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer \
    getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 \
    getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid \
    gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init \
    inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents \
    io_pgetevents_time64 io_setup io_submit ioprio_get ioprio_set ipc kill landlock_add_rule \
    landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat \
    listen listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat \
    lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir \
    mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr \
    mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 \
    mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap \
    name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open \
    pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 \
    prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev \
    pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readlink \
    readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages \
    removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq \
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend \
    rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max \
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler \
    sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr \
    sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop \
    semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto \
    set_robust_list set_thread_area set_tid_address set_tls setfsgid setfsgid32 setfsuid \
    setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid \
    setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit \
    setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown \
    sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall splice stat stat64 statfs \
    statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill \
    time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 \
    timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 \
    timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname \
    unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork wait4 waitid \
    waitpid write writev
";

/// Allowed to those who have the capability.
const BY_CAPABILITY: [(u8, &str); 14] = [
    (CAP_DAC_READ_SEARCH, "open_by_handle_at"),
    (
        CAP_SYS_ADMIN,
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie \
         lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount \
         open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog \
         umount umount2 unshare",
    ),
    (CAP_SYS_BOOT, "reboot"),
    (CAP_SYS_CHROOT, "chroot"),
    (CAP_SYS_MODULE, "delete_module finit_module init_module"),
    (CAP_SYS_PACCT, "acct"),
    (CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise"),
    (CAP_SYS_RAWIO, "ioperm iopl"),
    (
        CAP_SYS_TIME,
        "clock_settime clock_settime64 settimeofday stime",
    ),
    (CAP_SYS_TTY_CONFIG, "vhangup"),
    (
        CAP_SYS_NICE,
        "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    ),
    (CAP_SYSLOG, "syslog"),
    (CAP_BPF, "bpf"),
    (CAP_PERFMON, "perf_event_open"),
];

/// What a container engine needs besides: namespaces, mounts, a new root, and a session keyring. All of it is bounded by the
/// user namespace that the container is in; `bpf`, `perf_event_open`, `syslog` and the rest of what `CAP_SYS_ADMIN` opens
/// stays refused.
const NESTED: &str = "\
    chroot clone clone3 fsconfig fsmount fsopen fspick keyctl mount mount_setattr move_mount \
    open_tree open_tree_attr pivot_root setdomainname sethostname setns umount umount2 unshare";

/// The default profile, and in it what a container engine inside needs.
#[must_use]
pub fn nested_profile(caps: u64) -> Profile {
    let mut profile = default_profile(caps);
    profile.rules.insert(0, allow(NESTED));
    profile
}

/// The default profile for a container that keeps the capabilities in `caps` (bit n set for
/// capability n, as in `CapBnd` of proc_pid_status(5)).
#[must_use]
pub fn default_profile(caps: u64) -> Profile {
    let mut rules = socket_rules(caps);
    rules.extend([TIOCSTI, TIOCLINUX].map(|command| Rule {
        names: words("ioctl"),
        action: Action::Errno(EPERM),
        args: vec![low32(1, Operator::Eq, command)],
    }));
    rules.push(allow("ioctl"));
    rules.extend(PERSONALITIES.map(|persona| Rule {
        args: vec![low32(0, Operator::Eq, persona)],
        ..allow("personality")
    }));
    rules.push(allow(ALWAYS));
    let kept = BY_CAPABILITY.iter().filter(|(cap, _)| has(caps, *cap));
    rules.extend(kept.map(|(_, names)| allow(names)));
    if !has(caps, CAP_SYS_ADMIN) {
        rules.extend(clone_rules());
    }
    Profile {
        default_action: Action::Errno(EPERM),
        unknown_action: Action::Errno(ENOSYS),
        compat: true,
        rules,
    }
}

/// The capability sets that the build script compiles for, less the bits that make no difference:
/// our default, docker's (with `CAP_NET_RAW`), and the same two with `CAP_SYS_CHROOT` dropped, as
/// by `--cap-drop=all`.
pub(crate) const PRECOMPILED: [u64; 4] = [
    1 << CAP_SYS_CHROOT,
    1 << CAP_SYS_CHROOT | 1 << CAP_NET_RAW,
    0,
    1 << CAP_NET_RAW,
];

/// Where in [`PRECOMPILED`] the program for `caps` is, if it is there.
pub(crate) fn precompiled_index(caps: u64) -> Option<usize> {
    let conditional = BY_CAPABILITY.iter().map(|(cap, _)| 1 << cap);
    let asked = conditional.fold(1 << CAP_NET_RAW, |all: u64, bit: u64| all | bit);
    PRECOMPILED.iter().position(|&set| set == caps & asked)
}

fn socket_rules(caps: u64) -> Vec<Rule> {
    let refuse = |args| Rule {
        names: words("socket socketpair"),
        action: Action::Errno(EPERM),
        args,
    };
    let mut rules: Vec<_> = REFUSED_FAMILIES
        .map(|family| refuse(vec![low32(0, Operator::Eq, family)]))
        .into();
    if !has(caps, CAP_NET_RAW) {
        rules.push(refuse(vec![low32(0, Operator::Eq, AF_PACKET)]));
        // The old spelling, which net/socket.c (__sock_create) turns into AF_PACKET.
        let mask = SOCK_TYPE_MASK;
        rules.push(refuse(vec![
            low32(0, Operator::Eq, AF_INET),
            low32(1, Operator::MaskedEq { mask }, SOCK_PACKET),
        ]));
    }
    rules.push(allow("socket socketpair"));
    rules
}

/// Threads and processes, but no namespaces. The flags of `clone3` are behind a pointer; told that
/// it does not exist, C libraries fall back to `clone`.
fn clone_rules() -> [Rule; 2] {
    let mask = CLONE_NAMESPACES;
    [
        Rule {
            args: vec![low32(0, Operator::MaskedEq { mask }, 0)],
            ..allow("clone")
        },
        Rule {
            action: Action::Errno(ENOSYS),
            ..allow("clone3")
        },
    ]
}

fn allow(names: &'static str) -> Rule {
    Rule {
        names: words(names),
        action: Action::Allow,
        args: Vec::new(),
    }
}

fn words(names: &'static str) -> Vec<Cow<'static, str>> {
    names.split_whitespace().map(Cow::Borrowed).collect()
}

fn low32(index: u8, operator: Operator, value: u64) -> ArgCmp {
    ArgCmp {
        index,
        operator,
        value,
        width: Width::Low32,
    }
}

const fn has(caps: u64, cap: u8) -> bool {
    caps >> cap & 1 == 1
}
