//! What a plan promises, checked without a kernel: who does what, and in which order.

#![allow(
    clippy::unwrap_used,
    reason = "a test states its expectations by panicking"
)]

use keelbox_spec::failure::Code;
use keelbox_spec::host::{CgroupHost, CgroupV2, HostFacts, IdRange, SubordinateIds};
use keelbox_spec::image::{HostRoot, ImageConfig, Root};
use keelbox_spec::op::{CgroupEntry, MapWriter, Op, Side, namespace};
use keelbox_spec::plan::{Place, Plan, build};
use keelbox_spec::request::RunRequest;
use keelbox_spec::start::{Start, VERSION};

const BASE: u32 = 0x7000_0000;
const SUBORDINATE: IdRange = IdRange {
    first: 100_000,
    count: 65_536,
};

fn request(text: &str) -> RunRequest {
    let mut value = serde_json::json!({"root": {"type": "rootfs", "path": "/srv/root", "overlay": true}, "command": ["sh"]});
    let given: serde_json::Value = serde_json::from_str(text).unwrap();
    value
        .as_object_mut()
        .unwrap()
        .extend(given.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

fn image() -> ImageConfig {
    ImageConfig {
        name: "root".into(),
        root: Root::Layers(vec!["/srv/root".into()]),
        ..ImageConfig::default()
    }
}

fn root_host() -> HostFacts {
    HostFacts {
        nofile_hard: 4096,
        last_capability: 40,
        permitted: u64::MAX,
        cgroups: CgroupHost {
            v2: Some(CgroupV2 {
                mount: "/cg/unified".into(),
                controllers: Vec::new(),
            }),
            v1: [("pids".to_owned(), "/cg/pids".into())].into(),
            parent: Some("keelbox".into()),
        },
        ..HostFacts::default()
    }
}

fn user_host() -> HostFacts {
    let ids = SubordinateIds {
        uids: vec![SUBORDINATE],
        gids: vec![SUBORDINATE],
    };
    HostFacts {
        uid: 1000,
        gid: 1000,
        subordinate: Some(ids),
        nofile_hard: 4096,
        last_capability: 40,
        ..HostFacts::default()
    }
}

fn place(base: u32) -> Place {
    Place {
        id: "ab".repeat(32),
        data: "/data/c".into(),
        base,
        ..Place::default()
    }
}

fn plan(text: &str, host: &HostFacts, base: u32) -> Plan {
    build(&request(text), &image(), host, &place(base)).unwrap()
}

fn position(plan: &Plan, is: impl Fn(&Op) -> bool) -> usize {
    plan.steps
        .iter()
        .position(|step| is(&step.op))
        .expect("the plan has no such step")
}

#[test]
fn the_launcher_is_done_before_the_init_begins() {
    let plan = plan("{}", &root_host(), BASE);
    let last_launcher = plan
        .steps
        .iter()
        .rposition(|step| step.side == Side::Launcher)
        .unwrap();
    let first_init = plan
        .steps
        .iter()
        .position(|step| step.side == Side::Init)
        .unwrap();
    assert!(last_launcher < first_init);
    assert!(matches!(plan.steps[last_launcher].op, Op::SendMounts));
    assert!(matches!(plan.steps.last().unwrap().op, Op::Execute(_)));
}

#[test]
fn kernel_file_systems_are_made_while_the_hosts_are_still_there() {
    let plan = plan("{}", &root_host(), BASE);
    let pivot = position(&plan, |op| matches!(op, Op::PivotRoot));
    for fstype in [c"proc", c"sysfs"] {
        assert!(
            position(
                &plan,
                |op| matches!(op, Op::NewMount { fstype: made, .. } if made.as_c_str() == fstype)
            ) < pivot
        );
    }
}

#[test]
fn settings_are_written_before_they_become_read_only() {
    let plan = plan("{}", &root_host(), BASE);
    let sysctl = plan
        .steps
        .iter()
        .rposition(|step| matches!(step.op, Op::Sysctl { .. }))
        .unwrap();
    assert!(sysctl < position(&plan, |op| matches!(op, Op::ReadOnlyPaths { .. })));
}

#[test]
fn the_filter_goes_before_the_capabilities_only_without_no_new_privs() {
    let filter = |plan: &Plan| position(plan, |op| matches!(op, Op::Seccomp { .. }));
    let rights = |plan: &Plan| position(plan, |op| matches!(op, Op::SetCredentials { .. }));
    let strict = plan("{}", &root_host(), BASE);
    assert!(rights(&strict) < position(&strict, |op| matches!(op, Op::NoNewPrivileges)));
    assert!(position(&strict, |op| matches!(op, Op::NoNewPrivileges)) < filter(&strict));
    let loose = plan(r#"{"noNewPrivileges": false}"#, &root_host(), BASE);
    assert!(filter(&loose) < rights(&loose));
    assert!(
        !loose
            .steps
            .iter()
            .any(|step| matches!(step.op, Op::NoNewPrivileges))
    );
}

#[test]
fn the_launcher_is_watched_the_fds_closed_and_the_filter_set_last_of_all() {
    let plan = plan("{}", &root_host(), BASE);
    let end = plan.steps.len();
    assert!(matches!(plan.steps[end - 4].op, Op::DieWithLauncher));
    assert!(matches!(plan.steps[end - 3].op, Op::CloseFds));
    assert!(matches!(plan.steps[end - 2].op, Op::Seccomp { .. }));
}

#[test]
fn roots_layers_are_mapped_and_an_ordinary_users_are_not() {
    let maps = |plan: &Plan| {
        plan.steps
            .iter()
            .filter(|step| matches!(step.op, Op::CloneTree { map_ids: true, .. }))
            .count()
    };
    assert_eq!(
        maps(&plan("{}", &root_host(), BASE)),
        2,
        "the layer and the writable one"
    );
    let user = plan("{}", &user_host(), 0);
    assert_eq!(maps(&user), 0);
    assert!(user.steps.iter().all(|step| step.side == Side::Init
        || !matches!(step.op, Op::CloneTree { .. } | Op::Overlay { .. })));
    assert!(user.steps.iter().any(|step| matches!(
        step.op,
        Op::Overlay {
            userxattr: true,
            ..
        }
    )));
}

#[test]
fn an_ordinary_user_maps_as_many_ids_as_there_are() {
    let map = |host: &HostFacts| {
        let plan = plan("{}", host, 0);
        plan.steps.into_iter().find_map(|step| match step.op {
            Op::MapIds {
                uids,
                writer,
                deny_setgroups,
                ..
            } => Some((uids.len(), writer, deny_setgroups)),
            _ => None,
        })
    };
    assert_eq!(map(&user_host()), Some((2, MapWriter::Programs, false)));
    let alone = HostFacts {
        subordinate: None,
        ..user_host()
    };
    assert_eq!(map(&alone), Some((1, MapWriter::Launcher, true)));
}

#[test]
fn only_hierarchies_that_carry_something_get_a_group() {
    let groups = |host: &HostFacts| -> Vec<(String, CgroupEntry)> {
        let plan = plan("{}", host, BASE);
        let groups = plan.steps.into_iter().filter_map(|step| match step.op {
            Op::MakeCgroup(group) => {
                Some((group.directory.to_string_lossy().into_owned(), group.entry))
            }
            _ => None,
        });
        groups.collect()
    };
    let hybrid = groups(&root_host());
    assert_eq!(hybrid.len(), 2);
    assert!(
        hybrid[0].0.starts_with("/cg/unified/keelbox/abab") && hybrid[0].1 == CgroupEntry::Clone
    );
    assert!(hybrid[1].0.starts_with("/cg/pids/keelbox/abab") && hybrid[1].1 == CgroupEntry::Tasks);
    let mut pure = root_host();
    pure.cgroups.v1.clear();
    pure.cgroups.v2.as_mut().unwrap().controllers = vec!["pids".into()];
    assert_eq!(groups(&pure).len(), 1);
    pure.cgroups.parent = None;
    assert_eq!(groups(&pure).len(), 0, "an ordinary user has none");
}

#[test]
fn the_hosts_network_brings_the_hosts_sysfs_and_no_settings() {
    let plan = plan(r#"{"network": "host"}"#, &root_host(), BASE);
    let mask = plan.steps.iter().fold(0, |mask, step| match step.op {
        Op::Clone3 { namespaces, .. } | Op::Unshare { namespaces } => mask | namespaces,
        _ => mask,
    });
    assert_eq!(mask & namespace::CLONE_NEWNET, 0);
    assert!(plan.steps.iter().any(
        |step| matches!(&step.op, Op::CloneTree { source, .. } if source.as_c_str() == c"/sys")
    ));
    assert!(
        !plan
            .steps
            .iter()
            .any(|step| matches!(step.op, Op::LoopbackUp | Op::Sysctl { .. }))
    );
}

#[test]
fn the_image_host_needs_a_user_namespace_or_to_be_told() {
    let host = ImageConfig {
        root: Root::Host(HostRoot::default()),
        cmd: vec!["sh".into()],
        ..ImageConfig::default()
    };
    let build = |text: &str| build(&request(text), &host, &root_host(), &place(0));
    assert_eq!(
        build(r#"{"userns": "host"}"#).unwrap_err().code,
        Code::InvalidArg
    );
    let told = build(r#"{"privileged": true}"#).unwrap();
    assert!(
        told.notices
            .iter()
            .any(|notice| notice.contains("--userns=host"))
    );
}

#[test]
fn a_privileged_container_has_what_this_machines_root_has_and_no_more() {
    let lacking = HostFacts {
        permitted: !(1 << 24),
        ..root_host()
    };
    let capabilities = plan(r#"{"privileged": true}"#, &lacking, 0)
        .choices
        .capabilities;
    assert_eq!(capabilities, ((1 << 41) - 1) & !(1 << 24));
}

#[test]
fn a_useless_capability_is_told() {
    let plan = plan(r#"{"capAdd": ["SYS_TIME"]}"#, &root_host(), BASE);
    assert!(
        plan.notices
            .iter()
            .any(|notice| notice.contains("CAP_SYS_TIME"))
    );
}

#[test]
fn mounts_go_from_the_root_downwards_and_never_over_the_kernels_own() {
    let mount =
        |target: &str| format!(r#"{{"type": "tmpfs", "target": "{target}", "options": ""}}"#);
    let targets = |list: &[&str]| {
        let mounts: Vec<_> = list.iter().map(|target| mount(target)).collect();
        build(
            &request(&format!(r#"{{"mounts": [{}]}}"#, mounts.join(","))),
            &image(),
            &root_host(),
            &place(BASE),
        )
    };
    let plan = targets(&["/a/b/c", "/a"]).unwrap();
    let at = |path: &std::ffi::CStr| {
        position(
            &plan,
            |op| matches!(op, Op::Attach { target, .. } if target.as_c_str() == path),
        )
    };
    assert!(at(c"a") < at(c"a/b/c"));
    for bad in [
        "/",
        "/proc",
        "/proc/sys",
        "//proc/",
        "/sys",
        "relative",
        "/a/../proc",
    ] {
        assert!(targets(&[bad]).is_err(), "{bad}");
    }
    assert_eq!(targets(&["/a", "//a/"]).unwrap_err().code, Code::InvalidArg);
}

#[test]
fn the_environment_is_docker_s() {
    let text =
        r#"{"env": ["A=1", "PATH=/bin", "A=2"], "tty": true, "term": "vt100", "hostname": "h"}"#;
    let plan = plan(text, &root_host(), BASE);
    let Op::Execute(command) = &plan.steps.last().unwrap().op else {
        panic!("the last step is the command")
    };
    let env: Vec<_> = command
        .env
        .iter()
        .map(|entry| entry.to_str().unwrap())
        .collect();
    assert_eq!(env, ["HOSTNAME=h", "TERM=vt100", "PATH=/bin", "A=2"]);
    assert_eq!(command.candidates, [c"/bin/sh".to_owned()]);
}

#[test]
fn a_start_message_comes_back_as_it_was_and_only_in_its_version() {
    let plan = plan("{}", &root_host(), BASE);
    let start = Start {
        version: VERSION,
        exec_id: String::new(),
        id: "ab".repeat(32),
        steps: plan
            .steps
            .into_iter()
            .map(|step| (step.side, step.op))
            .collect(),
        explain: false,
        tied_to_client: true,
        remove: true,
        cgroups: vec![c"/cg/x".into()],
        name_link: c"../../names/x".into(),
        volumes: Vec::new(),
        own_stdio: 6,
        blocking_stdio: 0,
        base: BASE,
        group_base: BASE,
        boot_id: "b".into(),
        life: keelbox_spec::start::Life::default(),
    };
    let bytes = start.encode().unwrap();
    assert_eq!(Start::decode(&bytes).unwrap(), start);
    assert!(Start::decode(&bytes[..bytes.len() / 2]).is_err());
    let other = Start {
        version: VERSION + 1,
        ..start
    };
    assert!(Start::decode(&other.encode().unwrap()).is_err());
}

#[test]
fn a_separator_after_the_image_goes_only_where_no_entry_point_could_want_it() {
    let argv = |text: &str, image: &ImageConfig| {
        let plan = build(&request(text), image, &root_host(), &place(BASE)).unwrap();
        plan.steps.iter().find_map(|step| match &step.op {
            Op::Execute(command) => Some(command.argv.clone()),
            _ => None,
        })
    };
    let with = ImageConfig {
        entrypoint: vec!["/entry".into()],
        ..image()
    };
    let command = r#"{"command": ["--", "sh"]}"#;
    assert_eq!(argv(command, &image()), Some(vec![c"sh".into()]));
    assert_eq!(
        argv(command, &with),
        Some(vec![c"/entry".into(), c"--".into(), c"sh".into()])
    );
}
