//! Capability names, the default set, and docker's words for changing it.

use crate::failure::{Code, Failure};

/// Names by number (capabilities(7)), without `CAP_`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// podman's eleven: CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT.
pub const DEFAULT: u64 = 0x8004_05fb;

/// `CAP_SYS_ADMIN`.
pub const SYS_ADMIN: u64 = 1 << 21;

/// Capabilities that only count in the first user namespace, so that adding them to a container with one of its own
/// gives it nothing: SYS_MODULE, SYS_RAWIO, SYS_BOOT, SYS_TIME, MKNOD, MAC_OVERRIDE, MAC_ADMIN, SYSLOG, WAKE_ALARM, BLOCK_SUSPEND.
const USELESS_IN_USERNS: u64 = 1 << 16
    | 1 << 17
    | 1 << 22
    | 1 << 25
    | 1 << 27
    | 1 << 32
    | 1 << 33
    | 1 << 34
    | 1 << 35
    | 1 << 36;

/// Every capability up to `last`.
#[must_use]
pub fn all(last: u8) -> u64 {
    if last >= 63 {
        u64::MAX
    } else {
        (1 << (last + 1)) - 1
    }
}

/// The names of a set's members, with `CAP_`.
#[must_use]
pub fn names(set: u64) -> Vec<String> {
    (0..64u8)
        .filter(|bit| set & (1 << bit) != 0)
        .map(name)
        .collect()
}

fn name(bit: u8) -> String {
    NAMES
        .get(usize::from(bit))
        .map_or_else(|| format!("CAP_{bit}"), |name| format!("CAP_{name}"))
}

/// The number of a capability, by its name with or without `CAP_`.
#[must_use]
pub fn bit(name: &str) -> Option<u8> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let position = NAMES.iter().position(|known| *known == bare)?;
    u8::try_from(position).ok()
}

/// Members of `set` that count for nothing inside a user namespace of the container's own.
#[must_use]
pub fn useless_in_userns(set: u64) -> u64 {
    set & USELESS_IN_USERNS
}

/// `base` with docker's `--cap-add` and `--cap-drop` applied: `ALL` first, then single names; a drop wins over an add
/// unless everything was dropped.
///
/// # Errors
///
/// A name that is no capability.
pub fn adjust(base: u64, add: &[String], drop: &[String], last: u8) -> Result<u64, Failure> {
    let (add_all, added) = parse(add, "--cap-add", last)?;
    let (drop_all, dropped) = parse(drop, "--cap-drop", last)?;
    let start = if add_all { all(last) } else { base };
    if drop_all {
        return Ok(added);
    }
    Ok((start | added) & !dropped)
}

fn parse(names: &[String], flag: &str, last: u8) -> Result<(bool, u64), Failure> {
    let mut everything = false;
    let mut set = 0;
    for given in names {
        let upper = given.to_ascii_uppercase();
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if bare == "ALL" {
            everything = true;
        } else {
            set |= 1 << number(bare, given, flag, last)?;
        }
    }
    Ok((everything, set))
}

fn number(bare: &str, given: &str, flag: &str, last: u8) -> Result<u8, Failure> {
    bit(bare)
        .filter(|_| NAMES.contains(&bare))
        .filter(|number| *number <= last)
        .ok_or_else(|| {
            Failure::new(
                Code::InvalidArg,
                format!("{flag} {given}: no such capability"),
            )
            .hint(match near(bare).as_slice() {
                [] => "use a name of capabilities(7), with or without CAP_, or ALL".to_owned(),
                names => format!("did you mean {}?", names.join(" or ")),
            })
        })
}

/// Names that differ in at most two letters, the nearest first.
fn near(bare: &str) -> Vec<String> {
    let mut found: Vec<_> = NAMES
        .iter()
        .map(|name| (distance(bare, name), *name))
        .filter(|(distance, _)| *distance <= 2)
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .take(3)
        .map(|(_, name)| format!("CAP_{name}"))
        .collect()
}

/// Letters to insert, delete or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let replace = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_told_the_name_that_was_meant() {
        assert_eq!(near("NET_ADMN"), ["CAP_NET_ADMIN"]);
        assert_eq!(near("SYSADMIN"), ["CAP_SYS_ADMIN"]);
        assert!(near("EVERYTHING").is_empty());
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_set_is_podmans_eleven() {
        assert_eq!(names(DEFAULT).len(), 11);
        assert!(names(DEFAULT).contains(&"CAP_SETFCAP".to_owned()));
    }

    #[test]
    fn all_is_applied_before_single_names() {
        assert_eq!(
            adjust(DEFAULT, &words(&["chown"]), &words(&["ALL"]), 40).unwrap(),
            1
        );
        assert_eq!(
            adjust(DEFAULT, &words(&["all"]), &words(&["CAP_SYS_ADMIN"]), 40).unwrap(),
            all(40) & !SYS_ADMIN
        );
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        assert_eq!(
            adjust(DEFAULT, &words(&["NET_RWA"]), &[], 40)
                .unwrap_err()
                .code,
            Code::InvalidArg
        );
        assert!(
            adjust(DEFAULT, &words(&["BPF"]), &[], 37).is_err(),
            "a kernel before 5.8 has no CAP_BPF"
        );
    }
}
