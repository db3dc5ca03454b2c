//! Profiles in docker's JSON, down to the verdicts of the compiled program on a machine of our own.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is a failed test, in the helpers too"
)]

#[path = "../../seccomp/tests/verdicts/machine.rs"]
mod machine;

use keelbox_seccomp::{Abi, Action, Arch, Filter, compile};
use keelbox_spec::failure::Failure;
use keelbox_spec::seccomp_profile::{Circumstances, Document};
use machine::{Call, check, run, verdict};

const HERE: Circumstances = Circumstances {
    capabilities: 1 << 18 | 1 << 5,
    arch: Arch::X86_64,
    kernel: (6, 1),
};

/// docker's default.json in small: its fields, and each kind of entry that it has.
const DOCKERS: &str = r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 1,
  "archMap": [
    {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}
  ],
  "syscalls": [
    {"names": ["read", "write", "exit_group", "no_such_call_on_any_machine"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["process_vm_readv"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
    {"names": ["pidfd_getfd"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.2"}},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]},
    {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 0, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]},
    {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 4294967295, "op": "SCMP_CMP_EQ"}]},
    {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
    {"names": ["s390_pci_mmio_read"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390"]}},
    {"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_CHROOT"]}},
    {"names": ["mount", "bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "comment": "no namespaces",
     "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
     "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390", "s390x"]}},
    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}}
  ]
}"#;

fn profile(text: &str) -> Result<Filter, Failure> {
    let document: Document = serde_json::from_str(text).unwrap();
    document.profile(HERE).map(|profile| {
        let filter = compile(&profile, HERE.arch).unwrap();
        check(&filter);
        filter
    })
}

fn filter(syscalls: &str) -> Filter {
    profile(&format!(
        r#"{{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [{syscalls}]}}"#
    ))
    .unwrap()
}

fn call(name: &str) -> Call {
    Call::new(Abi::X86_64, Abi::X86_64.number_of(name).unwrap())
}

fn i386(name: &str) -> Call {
    Call::new(Abi::I386, Abi::I386.number_of(name).unwrap())
}

fn x32(name: &str) -> Call {
    Call::new(
        Abi::X86_64,
        Abi::X86_64.number_of(name).unwrap() | 0x4000_0000,
    )
}

#[test]
fn a_profile_of_dockers_shape_means_what_it_means_to_docker() {
    let filter = profile(DOCKERS).unwrap();
    let is = |call: Call, wanted| assert_eq!(verdict(&filter, &call), wanted, "{call:?}");
    let eperm = Action::Errno(1);
    for name in ["read", "process_vm_readv", "arch_prctl", "chroot"] {
        is(call(name), Action::Allow);
    }
    for name in ["mount", "bpf", "unshare", "keyctl"] {
        is(call(name), eperm);
    }
    is(call("clone3"), Action::Errno(38));
    // Newer than what the profile names, for this kernel: does not exist.
    is(call("pidfd_getfd"), Action::Errno(38));
    is(call("personality"), Action::Allow);
    is(call("personality").arg(0, 0xffff_ffff), Action::Allow);
    is(call("personality").arg(0, 8), eperm);
    is(call("clone").arg(0, 17), Action::Allow);
    is(call("clone").arg(0, 0x1000_0011), eperm);
    is(i386("read"), Action::Allow);
    is(i386("mount"), eperm);
    is(x32("read"), Action::Errno(38));
}

#[test]
fn high_bits_of_an_int_argument_step_around_nothing() {
    // CVE-2026-123876, for profiles in docker's format: both the list of what is let in and the list of what is not.
    let allow = profile(DOCKERS).unwrap();
    let deny = filter(
        r#"{"names": ["socket", "socketpair"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97, "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_EQ"}]}"#,
    );
    for high in [0, 1, 0x8000_0000, 0xffff_ffff_u64] {
        let family = high << 32 | 40;
        assert_eq!(
            verdict(&allow, &call("socket").arg(0, family)),
            Action::Errno(1)
        );
        assert_eq!(
            verdict(&allow, &i386("socket").arg(0, family)),
            Action::Errno(1)
        );
        for denied in [call("socket"), call("socketpair"), i386("socket")] {
            assert_eq!(verdict(&deny, &denied.arg(0, family)), Action::Errno(97));
        }
        assert_eq!(
            verdict(&allow, &call("clone").arg(0, high << 32 | 17)),
            Action::Allow
        );
    }
    assert_eq!(
        verdict(&deny, &x32("socket").arg(0, 40)),
        Action::Errno(38),
        "x32 has no way around"
    );
    assert_eq!(verdict(&deny, &call("socket").arg(0, 2)), Action::Allow);
}

#[test]
fn a_pointer_or_a_length_is_compared_whole() {
    let filter = filter(
        r#"{"names": ["mmap"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 4096, "op": "SCMP_CMP_EQ"}]}"#,
    );
    assert_eq!(
        verdict(&filter, &call("mmap").arg(1, 4096)),
        Action::Errno(1)
    );
    assert_eq!(
        verdict(&filter, &call("mmap").arg(1, 1 << 32 | 4096)),
        Action::Allow
    );
}

#[test]
fn every_operator_and_every_abi_agree_with_plain_arithmetic() {
    const VALUES: [u64; 6] = [0, 1, 39, 40, 41, 0x7fff_ffff];
    let holds = |op: &str, left: u64, right: u64| match op {
        "NE" => left != right,
        "LT" => left < right,
        "LE" => left <= right,
        "EQ" => left == right,
        "GE" => left >= right,
        "GT" => left > right,
        _ => left & 0x28 == right,
    };
    for op in ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"] {
        for value in VALUES {
            let (first, second) = if op == "MASKED_EQ" {
                (0x28, value)
            } else {
                (value, 0)
            };
            let filter = filter(&format!(
                r#"{{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7, "args": [{{"index": 0, "value": {first}, "valueTwo": {second}, "op": "SCMP_CMP_{op}"}}]}}"#
            ));
            for given in VALUES {
                for high in [0, 5 << 32] {
                    let wanted = if holds(op, given, value) {
                        Action::Errno(7)
                    } else {
                        Action::Allow
                    };
                    for call in [call("socket"), i386("socket")] {
                        let call = call.arg(0, high | given);
                        assert_eq!(verdict(&filter, &call), wanted, "{op} {value} {call:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_unconditional_rule_wins_wherever_it_stands() {
    let filter = filter(
        r#"{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "args": [{"index": 1, "value": 9, "op": "SCMP_CMP_EQ"}]},
           {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 6},
           {"names": ["kill"], "action": "SCMP_ACT_KILL_PROCESS"}"#,
    );
    assert_eq!(verdict(&filter, &call("kill").arg(1, 9)), Action::Errno(6));
    assert_eq!(verdict(&filter, &call("kill").arg(1, 1)), Action::Errno(6));
}

#[test]
fn two_conditions_on_one_argument_are_alternatives() {
    let filter = filter(
        r#"{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [
             {"index": 1, "value": 9, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 15, "op": "SCMP_CMP_EQ"}]},
           {"names": ["tkill"], "action": "SCMP_ACT_ERRNO", "args": [
             {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 15, "op": "SCMP_CMP_EQ"}]}"#,
    );
    for (signal, wanted) in [(9, 1), (15, 1), (1, 0)] {
        let found = verdict(&filter, &call("kill").arg(1, signal));
        assert_eq!(found == Action::Errno(1), wanted == 1, "{signal}");
    }
    let both = call("tkill").arg(0, 1).arg(1, 15);
    assert_eq!(verdict(&filter, &both), Action::Errno(1));
    assert_eq!(verdict(&filter, &call("tkill").arg(1, 15)), Action::Allow);
}

#[test]
fn all_actions_and_errno_numbers() {
    for (name, wanted) in [
        ("SCMP_ACT_KILL", Action::KillThread),
        ("SCMP_ACT_KILL_THREAD", Action::KillThread),
        ("SCMP_ACT_KILL_PROCESS", Action::Kill),
        ("SCMP_ACT_TRAP", Action::Trap),
        ("SCMP_ACT_LOG", Action::Log),
        ("SCMP_ACT_TRACE", Action::Trace(1)),
        ("SCMP_ACT_ERRNO", Action::Errno(1)),
    ] {
        let filter = filter(&format!(r#"{{"name": "kill", "action": "{name}"}}"#));
        assert_eq!(verdict(&filter, &call("kill")), wanted);
    }
    let podmans = profile(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "defaultErrno": "ENOSYS",
            "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errno": "EPERM"}, {"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}"#,
    )
    .unwrap();
    assert_eq!(verdict(&podmans, &call("kill")), Action::Errno(1));
    assert_eq!(verdict(&podmans, &call("mount")), Action::Errno(38));
    assert_eq!(
        run(&podmans, &i386("read")).0,
        Action::Kill,
        "an ABI that is not named is not served"
    );
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    for (text, why) in [
        (
            r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#,
            "defaultAction: SCMP_ACT_NOTIFY",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "action": "SCMP_ACT_ALLOW"}, {"name": "kill", "action": "SCMP_ACT_NOTIFY"}]}"#,
            "syscalls[1]: SCMP_ACT_NOTIFY",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_LOG"}]}"#,
            "both name and names",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "kill", "action": "SCMP_ACT_LOG", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]}"#,
            "syscalls[0].args[0].index",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "kill", "action": "SCMP_ACT_ERRNO", "errnoRet": 4096}]}"#,
            "syscalls[0]: 4096 is no errno",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "kill", "action": "SCMP_ACT_LOG", "includes": {"minKernel": "six"}}]}"#,
            "minKernel \"six\"",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]}"#,
            "both architectures and archMap",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x"}"#,
            "listenerPath",
        ),
    ] {
        let failure = profile(text).unwrap_err();
        assert!(
            failure.why.as_ref().unwrap().contains(why),
            "{failure} {why}"
        );
    }
}

#[test]
fn words_that_are_not_known_are_refused_with_line_and_column() {
    for (text, said) in [
        (
            r#"{"defaultAction": "SCMP_ACT_DENY"}"#,
            "unknown variant `SCMP_ACT_DENY`",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "sycalls": []}"#,
            "unknown field `sycalls`",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 0, "op": "=="}]}]}"#,
            "unknown variant `==`",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["x86"]}"#,
            "unknown variant `x86`",
        ),
        (r#"{"syscalls": []}"#, "missing field `defaultAction`"),
    ] {
        let error = serde_json::from_str::<Document>(text)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(said) && error.contains("line 1 column"),
            "{error}"
        );
    }
}
