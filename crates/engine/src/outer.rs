//! What is around us and takes rights away: another engine's container, a security module, a setting of the kernel. For
//! errors only: each says what is in the way, and the words that move it.

use std::path::Path;

use keelbox_spec::failure::{Code, Failure};
use keelbox_sys::Errno;
use rustix::thread::CapabilitySet;

use crate::caller;

/// Ubuntu's, from 23.10 on: user namespaces of programs without a profile have no rights.
const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
/// Debian's, older.
const DEBIAN: &str = "/proc/sys/kernel/unprivileged_userns_clone";
/// Everybody's.
const LIMIT: &str = "/proc/sys/user/max_user_namespaces";

/// An engine whose container this process is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Docker,
    Podman,
    Other,
}

/// The marks that engines leave in their containers.
fn engine() -> Option<Engine> {
    if Path::new("/run/.containerenv").exists() {
        return Some(Engine::Podman);
    }
    if Path::new("/.dockerenv").exists() {
        return Some(Engine::Docker);
    }
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    (set("container") || set("KUBERNETES_SERVICE_HOST")).then_some(Engine::Other)
}

/// The flags that let a container run containers.
fn flags(engine: Engine) -> &'static str {
    match engine {
        Engine::Docker => {
            "start this container with: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined ... (or --privileged)"
        }
        Engine::Podman => {
            "start this container with: podman run --security-opt seccomp=unconfined --security-opt unmask=ALL ... (or --privileged)"
        }
        Engine::Other => {
            "start this container without a seccomp filter and without masked paths of /proc, or privileged (Kubernetes: seccompProfile Unconfined, procMount Unmasked)"
        }
    }
}

fn setting(path: &str) -> Option<String> {
    std::fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

/// Whether AppArmor takes the rights of a user namespace from programs that it does not know.
pub(crate) fn apparmor_restricts() -> bool {
    setting(APPARMOR).is_some_and(|value| value == "1")
}

/// A user namespace that could not be made (`clone3`), or had no rights (`write` to its map).
pub(crate) fn no_userns(what: &str, errno: Errno, note: &str) -> Failure {
    let failure = Failure::new(Code::Userns, what);
    let (why, hint) = match errno {
        Errno::ENOSPC if setting(LIMIT).as_deref() == Some("0") => (
            format!("user namespaces are forbidden here: {LIMIT} is 0"),
            "raise the limit: sudo sysctl user.max_user_namespaces=15000".into(),
        ),
        Errno::ENOSPC => (
            format!("the limit of user namespaces is reached ({LIMIT})"),
            "raise the limit: sudo sysctl user.max_user_namespaces=15000".into(),
        ),
        Errno::EPERM | Errno::EACCES => forbidden(),
        _ => (
            if note.is_empty() {
                errno.text().to_owned()
            } else {
                format!("{note}: {}", errno.text())
            },
            "see what this machine has with keelbox info".into(),
        ),
    };
    failure.why(why).hint(hint)
}

/// Which of the ways to forbid user namespaces is in force here.
fn forbidden() -> (String, String) {
    if apparmor_restricts() {
        return (
            format!(
                "AppArmor gives user namespaces no rights, but to programs that it has a profile for: {APPARMOR} is 1"
            ),
            profile(&crate::spawn::executable().unwrap_or_default()),
        );
    }
    if setting(DEBIAN).as_deref() == Some("0") {
        return (
            format!("user namespaces are root's alone here: {DEBIAN} is 0"),
            "allow them: sudo sysctl kernel.unprivileged_userns_clone=1".into(),
        );
    }
    // Before Linux 5.12 any owner of a user namespace could map its own id 0 into it.
    if rustix::process::geteuid().is_root() && !caller::permitted().contains(CapabilitySet::SETFCAP)
    {
        return (
            "root without CAP_SETFCAP may map its own id into no user namespace".into(),
            "be another user than root (docker run --user 1000, podman run --user 1000), or have the capability (--cap-add SETFCAP)".into(),
        );
    }
    match engine() {
        Some(engine) => (
            "this process is in a container whose engine lets it make no user namespace (its seccomp filter, or a security module)".into(),
            flags(engine).into(),
        ),
        None => (
            "a seccomp filter or security module around this process forbids user namespaces".into(),
            "run keelbox outside of it, or as root".into(),
        ),
    }
}

/// A profile that allows the one thing, in the words of apparmor.d(5).
fn profile(executable: &Path) -> String {
    let lines = [
        "give keelbox-runtime a profile (once, as root):".to_owned(),
        "cat > /etc/apparmor.d/keelbox <<'END'".to_owned(),
        "abi <abi/4.0>,".to_owned(),
        "include <tunables/global>".to_owned(),
        format!(
            "profile keelbox \"{}\" flags=(unconfined) {{",
            executable.display()
        ),
        "  userns,".to_owned(),
        "}".to_owned(),
        "END".to_owned(),
        "apparmor_parser -r /etc/apparmor.d/keelbox".to_owned(),
        "or, for every program: sysctl kernel.apparmor_restrict_unprivileged_userns=0".to_owned(),
    ];
    lines.join("\n")
}

/// The AppArmor profile that this process is confined by.
fn confinement() -> Option<String> {
    let label = setting("/proc/self/attr/apparmor/current")?;
    (!label.is_empty() && !label.ends_with("(unconfined)") && label != "unconfined")
        .then_some(label)
}

/// A step that the caller may take as far as its capabilities go, and that was refused all the same.
pub(crate) fn confined(step: &str, call: &str, errno: Errno) -> Option<Failure> {
    if !matches!(errno, Errno::EACCES | Errno::EPERM) {
        return None;
    }
    let label = confinement()?;
    let failure = Failure::new(
        Code::Permission,
        format!("the step {step} failed: {call} is forbidden here"),
    )
    .why(format!(
        "AppArmor confines this process by the profile {label}"
    ));
    Some(match engine() {
        Some(engine) => failure.hint(flags(engine)),
        None => failure.hint(
            "run keelbox outside of that profile, or let the profile allow mounts (mount, umount, pivot_root, userns)",
        ),
    })
}

/// The kernel's own file systems, which a user namespace gets only where all of the caller's can be seen
/// (`mount_too_revealing`).
pub(crate) fn too_revealing(fstype: &str) -> Failure {
    let path = if fstype == "proc" { "/proc" } else { "/sys" };
    let failure = Failure::new(
        Code::Permission,
        format!("cannot mount a {path} of the container's own"),
    )
    .why(format!(
        "parts of this process's {path} are hidden or read-only, and the kernel does not show them by a fresh one"
    ))
    .path(path);
    match engine() {
        Some(engine) => failure.hint(flags(engine)),
        None => failure.hint(format!(
            "run keelbox where nothing is mounted over parts of {path} (systemd: ProtectKernelTunables=no, ProtectKernelLogs=no, ProtectProc=default)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_names_the_executable_and_allows_user_namespaces_only() {
        let text = profile(Path::new("/opt/a b/keelbox-runtime"));
        assert!(text.contains(
            "profile keelbox \"/opt/a b/keelbox-runtime\" flags=(unconfined) {\n  userns,\n}"
        ));
        assert!(text.contains("apparmor_parser -r"));
    }

    #[test]
    fn each_engine_has_its_own_words() {
        assert!(flags(Engine::Docker).contains("systempaths=unconfined"));
        assert!(flags(Engine::Podman).contains("unmask=ALL"));
        assert!(flags(Engine::Other).contains("procMount"));
    }

    #[test]
    fn a_hidden_part_of_proc_is_told_with_its_path() {
        assert_eq!(too_revealing("sysfs").path.as_deref(), Some("/sys"));
        assert!(too_revealing("proc").message.contains("/proc"));
    }
}
