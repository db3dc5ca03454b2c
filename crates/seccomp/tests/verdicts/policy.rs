//! The default policy, call by call, under each ABI.

use std::borrow::Cow;

use keelbox_seccomp::{
    Abi, Action, Arch, DEFAULT_CAPABILITIES, Filter, compile, default_filter, default_filter_for,
    default_profile,
};

use crate::machine::{Call, check, run, verdict};

const ARCHES: [Arch; 2] = [Arch::X86_64, Arch::Aarch64];
const EPERM: Action = Action::Errno(1);
const ENOSYS: Action = Action::Errno(38);

const NET_RAW: u64 = 1 << 13;
const SYS_CHROOT: u64 = 1 << 18;
const SYS_ADMIN: u64 = 1 << 21;
/// Those that the policy asks about.
const ASKED: [u32; 15] = [2, 13, 16, 17, 18, 19, 20, 21, 22, 23, 25, 26, 34, 38, 39];

/// Values that the kernel reads as `value` from an argument declared `int`.
fn spellings(value: u64) -> [u64; 4] {
    [0, 1, 0x8000_0000, 0xffff_ffff].map(|upper| upper << 32 | value)
}

fn filter(arch: Arch, caps: u64) -> Filter {
    Filter::from_bytes(&default_filter_for(arch, caps)).unwrap()
}

/// Runs `test` with the filter of each machine and each ABI of it.
fn each_abi(caps: u64, test: impl Fn(&Filter, Abi)) {
    for arch in ARCHES {
        let filter = filter(arch, caps);
        test(&filter, arch.native_abi());
        test(&filter, arch.compat_abi());
    }
}

/// Asserts the verdict on each of these calls, where the ABI has them.
fn expect(caps: u64, names: &str, expected: Action) {
    each_abi(caps, |filter, abi| {
        for name in names.split_whitespace() {
            if let Some(nr) = abi.number_of(name) {
                assert_eq!(
                    verdict(filter, &Call::new(abi, nr)),
                    expected,
                    "{name} {abi:?}"
                );
            }
        }
    });
}

/// Asserts the verdict on a call with one `int` argument, in every spelling, under every ABI, and
/// that x32 offers no way round.
fn expect_int(caps: u64, name: &str, (index, value): (usize, u64), expected: Action) {
    each_abi(caps, |filter, abi| {
        let Some(nr) = abi.number_of(name) else {
            return;
        };
        for value in spellings(value) {
            let call = Call::new(abi, nr).arg(index, value);
            assert_eq!(
                verdict(filter, &call),
                expected,
                "{name} {abi:?} {value:#x}"
            );
            if abi == Abi::X86_64 {
                let nr = nr | 0x4000_0000;
                assert_eq!(verdict(filter, &Call { nr, ..call }), ENOSYS, "{name} x32");
            }
        }
    });
}

#[test]
fn refused_address_families_stay_refused_whatever_the_upper_bits() {
    for family in [17, 21, 29, 38, 40, 44] {
        for name in ["socket", "socketpair"] {
            expect_int(DEFAULT_CAPABILITIES, name, (0, family), EPERM);
        }
    }
}

#[test]
fn other_address_families_are_allowed() {
    for family in (0..64).filter(|family| ![17, 21, 29, 38, 40, 44].contains(family)) {
        expect_int(DEFAULT_CAPABILITIES, "socket", (0, family), Action::Allow);
        expect_int(
            DEFAULT_CAPABILITIES,
            "socketpair",
            (0, family),
            Action::Allow,
        );
    }
}

#[test]
fn packet_sockets_need_net_raw_in_either_spelling() {
    let caps = DEFAULT_CAPABILITIES | NET_RAW;
    expect_int(caps, "socket", (0, 17), Action::Allow);
    expect_int(caps, "socket", (0, 38), EPERM);
    let obsolete = |caps, kind: u64, expected| {
        each_abi(caps, |filter, abi| {
            let nr = abi.number_of("socket").unwrap();
            for (family, kind) in spellings(2).into_iter().zip(spellings(kind)) {
                let call = Call::new(abi, nr).arg(0, family).arg(1, kind);
                assert_eq!(verdict(filter, &call), expected, "{abi:?} {kind:#x}");
            }
        });
    };
    obsolete(DEFAULT_CAPABILITIES, 10, EPERM);
    obsolete(DEFAULT_CAPABILITIES, 10 | 0o2_000_000, EPERM);
    obsolete(DEFAULT_CAPABILITIES, 1 | 0o2_000_000, Action::Allow);
    obsolete(DEFAULT_CAPABILITIES, 3, Action::Allow);
    obsolete(caps, 10, Action::Allow);
}

#[test]
fn nothing_can_be_typed_into_a_terminal() {
    for command in [0x5412, 0x541c] {
        expect_int(u64::MAX, "ioctl", (1, command), EPERM);
        expect_int(DEFAULT_CAPABILITIES, "ioctl", (1, command), EPERM);
    }
    for command in [0x5401, 0x5411, 0x5413, 0x541b, 0x541d, 0x5421, 0] {
        expect_int(DEFAULT_CAPABILITIES, "ioctl", (1, command), Action::Allow);
    }
}

#[test]
fn clone_makes_threads_and_processes_but_no_namespaces() {
    let kinds = [
        0x2_0000,
        0x0200_0000,
        0x0400_0000,
        0x0800_0000,
        0x1000_0000,
        0x2000_0000,
        0x4000_0000,
    ];
    for kind in kinds {
        for flags in [kind, kind | 0x11, kind | 0x003d_0f00] {
            expect_int(DEFAULT_CAPABILITIES, "clone", (0, flags), EPERM);
            expect_int(SYS_ADMIN, "clone", (0, flags), Action::Allow);
        }
    }
    for flags in [0x11, 0x4111, 0x003d_0f00, 0x0120_0011] {
        expect_int(DEFAULT_CAPABILITIES, "clone", (0, flags), Action::Allow);
    }
}

#[test]
fn personality_takes_the_five_harmless_values() {
    for persona in [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff] {
        expect_int(
            DEFAULT_CAPABILITIES,
            "personality",
            (0, persona),
            Action::Allow,
        );
    }
    for persona in [1, 7, 9, 0x4_0000, 0x40_0000, 0x2_0009, 0xffff_fffe] {
        expect_int(DEFAULT_CAPABILITIES, "personality", (0, persona), EPERM);
    }
}

#[test]
fn calls_that_reach_the_host_are_refused() {
    expect(
        DEFAULT_CAPABILITIES,
        "vmsplice unshare setns mount umount umount2 pivot_root fsopen fsmount fsconfig fspick \
         move_mount open_tree mount_setattr keyctl add_key request_key bpf perf_event_open \
         userfaultfd io_uring_setup io_uring_enter io_uring_register kexec_load kexec_file_load \
         reboot init_module finit_module delete_module swapon swapoff acct quotactl quotactl_fd \
         syslog sethostname setdomainname settimeofday stime clock_settime clock_settime64 \
         iopl ioperm vm86 vm86old kcmp pidfd_getfd process_madvise open_by_handle_at \
         lookup_dcookie fanotify_init vhangup mbind set_mempolicy get_mempolicy move_pages \
         migrate_pages set_mempolicy_home_node lsm_get_self_attr lsm_set_self_attr \
         lsm_list_modules nfsservctl uselib ustat sysfs _sysctl create_module query_module",
        EPERM,
    );
    expect(
        u64::MAX,
        "vmsplice keyctl userfaultfd io_uring_setup kexec_load",
        EPERM,
    );
}

#[test]
fn calls_of_ordinary_programs_are_allowed() {
    expect(
        DEFAULT_CAPABILITIES,
        "read write openat openat2 execve execveat mmap mprotect futex futex_time64 futex_waitv \
         futex_wait futex_wake futex_requeue fork vfork wait4 waitid ptrace process_vm_readv \
         process_vm_writev seccomp prctl rseq statx close_range cachestat fchmodat2 mseal \
         map_shadow_stack memfd_create memfd_secret pidfd_open pidfd_send_signal process_mrelease \
         landlock_create_ruleset landlock_add_rule landlock_restrict_self listmount statmount \
         getxattrat setxattrat listxattrat removexattrat io_setup io_submit epoll_pwait2 \
         socketcall ipc chroot mknod mknodat name_to_handle_at modify_ldt arch_prctl set_tls \
         cacheflush splice tee sendfile setuid setgid setgroups capset",
        Action::Allow,
    );
}

#[test]
fn every_call_that_the_profile_allows_outright_is_allowed_by_the_program() {
    let profile = default_profile(DEFAULT_CAPABILITIES);
    let mut seen = 0;
    for rule in profile.rules.iter().filter(|rule| rule.args.is_empty()) {
        for name in &rule.names {
            let known = [Abi::X86_64, Abi::I386, Abi::Aarch64, Abi::Arm]
                .into_iter()
                .any(|abi| abi.number_of(name).is_some());
            assert!(known, "{name} is in no table");
            expect(DEFAULT_CAPABILITIES, name, rule.action);
            seen += 1;
        }
    }
    assert!(seen > 360);
}

#[test]
fn each_capability_opens_its_calls_and_no_others() {
    let opened = [
        (2, "open_by_handle_at"),
        (16, "init_module finit_module delete_module"),
        (17, "iopl ioperm"),
        (18, "chroot"),
        (19, "kcmp pidfd_getfd process_madvise"),
        (20, "acct"),
        (
            21,
            "mount umount2 unshare setns fsopen bpf perf_event_open syslog clone3",
        ),
        (22, "reboot"),
        (
            23,
            "mbind set_mempolicy get_mempolicy set_mempolicy_home_node",
        ),
        (25, "settimeofday clock_settime stime"),
        (26, "vhangup"),
        (34, "syslog"),
        (38, "perf_event_open"),
        (39, "bpf"),
    ];
    for (cap, names) in opened {
        expect(1 << cap, names, Action::Allow);
        for name in names.split_whitespace() {
            let openers = opened
                .iter()
                .filter(|(_, names)| names.split(' ').any(|n| n == name));
            let without = openers.fold(u64::MAX, |caps, (cap, _)| caps & !(1 << cap));
            expect(without, name, if name == "clone3" { ENOSYS } else { EPERM });
        }
    }
}

#[test]
fn clone3_and_numbers_that_are_newer_than_the_policy_do_not_exist() {
    expect(
        DEFAULT_CAPABILITIES,
        "clone3 open_tree_attr file_getattr file_setattr listns rseq_slice_yield",
        ENOSYS,
    );
    each_abi(DEFAULT_CAPABILITIES, |filter, abi| {
        for nr in [
            472,
            511,
            512,
            547,
            548,
            1023,
            0x0fff_ffff,
            0x8000_0000,
            u32::MAX,
        ] {
            assert_eq!(verdict(filter, &Call::new(abi, nr)), ENOSYS, "{nr} {abi:?}");
        }
    });
}

#[test]
fn x32_does_not_exist_whatever_the_number() {
    let filter = filter(Arch::X86_64, u64::MAX);
    for nr in 0..1024 {
        let call = Call::new(Abi::X86_64, 0x4000_0000 | nr);
        assert_eq!(verdict(&filter, &call), ENOSYS, "{nr}");
    }
}

#[test]
fn another_architecture_is_fatal() {
    for arch in ARCHES {
        let filter = filter(arch, u64::MAX);
        let other = ARCHES.into_iter().find(|other| *other != arch).unwrap();
        let foreign = [other.native_abi(), other.compat_abi()].map(Abi::audit_arch);
        for audit_arch in foreign.into_iter().chain([0, u32::MAX]) {
            let call = Call {
                arch: audit_arch,
                ..Call::new(arch.native_abi(), 0)
            };
            assert_eq!(verdict(&filter, &call), Action::Kill);
        }
    }
}

#[test]
fn the_precompiled_programs_are_what_the_compiler_makes_now() {
    let asked = ASKED.iter().fold(0, |caps, cap| caps | 1_u64 << cap);
    let sets = [
        DEFAULT_CAPABILITIES,
        DEFAULT_CAPABILITIES ^ SYS_CHROOT,
        0,
        !asked,
        u64::MAX,
    ];
    let flipped = |caps: u64| (0..64).map(move |cap| caps ^ 1 << cap);
    for caps in sets.into_iter().chain(sets.into_iter().flat_map(flipped)) {
        for arch in ARCHES {
            let served = default_filter_for(arch, caps);
            let compiled = compile(&default_profile(caps), arch).unwrap();
            assert_eq!(*served, compiled.to_bytes(), "{caps:#x}");
            let usual = caps & asked & !(SYS_CHROOT | NET_RAW) == 0;
            assert_eq!(matches!(served, Cow::Borrowed(_)), usual, "{caps:#x}");
        }
    }
    assert_eq!(default_filter(0), default_filter_for(Arch::NATIVE, 0));
}

#[test]
fn every_pair_of_capabilities_gives_a_program_that_the_kernel_accepts() {
    for first in ASKED {
        for second in ASKED {
            for arch in ARCHES {
                check(&filter(arch, 1 << first | 1 << second));
                check(&filter(arch, !(1 << first | 1 << second)));
            }
        }
    }
}

#[test]
fn the_default_programs_stay_small_and_shallow() {
    for arch in ARCHES {
        let filter = filter(arch, DEFAULT_CAPABILITIES);
        check(&filter);
        assert!(
            filter.instructions().len() <= 200,
            "{}",
            filter.instructions().len()
        );
        let steps = |abi| {
            (0..472)
                .map(move |nr| run(&filter, &Call::new(abi, nr)).1)
                .max()
        };
        assert!(steps(arch.native_abi()) <= Some(20));
    }
}
