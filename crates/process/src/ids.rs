//! Mapping the ids of a user namespace (user_namespaces(7), "User and group ID mappings").

use std::fs;
use std::process::Command;

use keelbox_rootfs::{Call, Fault, Outcome};
use keelbox_spec::op::{IdMap, MapWriter};
use keelbox_sys::Errno;

/// Maps the ids of a new user namespace, that of process `pid`.
///
/// # Errors
///
/// EPERM: the ids are not the caller's to map, or namespaces have no rights here (AppArmor).
pub(crate) fn write_maps(
    pid: i32,
    uids: &[IdMap],
    gids: &[IdMap],
    writer: MapWriter,
    deny_setgroups: bool,
) -> Outcome {
    if writer == MapWriter::Programs {
        run_mapper("newuidmap", pid, uids)?;
        return run_mapper("newgidmap", pid, gids);
    }
    if deny_setgroups {
        write_proc(pid, "setgroups", "deny")?;
    }
    write_proc(pid, "uid_map", &lines(uids))?;
    write_proc(pid, "gid_map", &lines(gids))
}

fn lines(maps: &[IdMap]) -> String {
    maps.iter()
        .map(|map| format!("{} {} {}\n", map.inside, map.outside, map.count))
        .collect()
}

fn write_proc(pid: i32, file: &str, text: &str) -> Outcome {
    let path = format!("/proc/{pid}/{file}");
    // One write for the whole map: a second one is refused (user_namespaces(7)).
    fs::write(&path, text)
        .map_err(|error| Fault::new("write", error).on(format!("/proc/PID/{file}")))
}

/// newuidmap(1) and newgidmap(1): set-user-id programs that check /etc/subuid and /etc/subgid.
fn run_mapper(program: &'static str, pid: i32, maps: &[IdMap]) -> Outcome {
    let mut command = Command::new(program);
    command
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .arg(pid.to_string());
    for map in maps {
        command.args([map.inside, map.outside, map.count].map(|number| number.to_string()));
    }
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .call(program)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Fault::new(program, Errno::EPERM).on(said))
}
