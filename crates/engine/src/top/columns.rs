//! Columns: docker's own, those of ps(1) that people write in its words, and podman's descriptors.

use keelbox_spec::failure::{Code, Failure};

use super::process::Process;

/// One column.
pub(super) struct Column {
    title: &'static str,
    value: fn(&Process) -> String,
}

impl Column {
    pub(super) fn title(&self) -> String {
        self.title.to_owned()
    }

    pub(super) fn value(&self, process: &Process) -> String {
        (self.value)(process)
    }
}

type Known = (
    &'static [&'static str],
    &'static str,
    fn(&Process) -> String,
);

/// Words for a column, its title, and what is in it. Ids and numbers are this machine's, but for `cpid`.
const KNOWN: [Known; 31] = [
    (&["pid"], "PID", |process| process.pid.to_string()),
    (&["hpid"], "HPID", |process| process.pid.to_string()),
    (&["cpid", "nspid"], "CPID", |process| {
        process.inner_pid.to_string()
    }),
    (&["ppid"], "PPID", |process| process.ppid.to_string()),
    (&["pgid", "pgrp"], "PGID", |process| {
        process.pgid.to_string()
    }),
    (&["uid", "euid"], "UID", |process| process.uid.to_string()),
    (&["user", "euser", "uname", "huser"], "USER", |process| {
        user(process.uid)
    }),
    (&["gid", "egid"], "GID", |process| process.gid.to_string()),
    (&["group", "hgroup", "egroup"], "GROUP", |process| {
        process.gid.to_string()
    }),
    (&["groups", "hgroups", "supgrp"], "GROUPS", |process| {
        process.groups.clone()
    }),
    (&["c"], "C", |process| (process.cpu_tenths / 10).to_string()),
    (&["pcpu", "%cpu"], "%CPU", |process| {
        format!("{}.{}", process.cpu_tenths / 10, process.cpu_tenths % 10)
    }),
    (&["stime", "start", "start_time"], "STIME", |process| {
        clock(process.started)
    }),
    (&["tty", "tt", "tname"], "TTY", |process| tty(process.tty)),
    (&["time", "cputime"], "TIME", |process| {
        hours(process.cpu_seconds)
    }),
    (&["etime"], "ELAPSED", |process| elapsed(process.elapsed)),
    (&["etimes"], "ELAPSED", |process| {
        process.elapsed.to_string()
    }),
    (&["cmd"], "CMD", |process| process.args.clone()),
    (&["args", "command"], "COMMAND", |process| {
        process.args.clone()
    }),
    (&["comm", "ucmd"], "COMMAND", |process| process.comm.clone()),
    (&["state", "s"], "STATE", |process| process.state.clone()),
    (&["stat"], "STAT", |process| process.state.clone()),
    (&["nice", "ni"], "NI", |process| process.nice.to_string()),
    (&["vsz", "vsize"], "VSZ", |process| {
        (process.virtual_bytes / 1024).to_string()
    }),
    (&["rss", "rsz"], "RSS", |process| {
        (process.resident_bytes / 1024).to_string()
    }),
    (&["seccomp"], "SECCOMP", |process| {
        seccomp(&process.seccomp).to_owned()
    }),
    (&["capeff"], "EFFECTIVE CAPS", |process| {
        process.cap_eff.clone()
    }),
    (&["capbnd"], "BOUNDING CAPS", |process| {
        process.cap_bnd.clone()
    }),
    (&["capinh"], "INHERITED CAPS", |process| {
        process.cap_inh.clone()
    }),
    (&["capprm"], "PERMITTED CAPS", |process| {
        process.cap_prm.clone()
    }),
    (&["capamb"], "AMBIENT CAPS", |process| {
        process.cap_amb.clone()
    }),
];

/// Docker's: what `ps -ef` shows, with ids in the place of names.
const DOCKER: [&str; 8] = ["uid", "pid", "ppid", "c", "stime", "tty", "time", "cmd"];
/// What `aux` means to ps(1).
const AUX: [&str; 10] = [
    "user", "pid", "pcpu", "vsz", "rss", "tty", "stat", "stime", "time", "command",
];

/// The columns that words ask for: descriptors, or ps(1) options such as `-ef`, `aux`, `-eo pid,comm`.
///
/// # Errors
///
/// A word that is neither.
pub(super) fn columns(words: &[String]) -> Result<Vec<Column>, Failure> {
    let mut asked = Vec::new();
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let option = word.strip_prefix('-');
        match option.map(|letters| letters.split_once('o')) {
            // `-o LIST`, `-eo LIST`, `-opid,comm`
            Some(Some((before, list))) if before.chars().all(|letter| "eAaxf".contains(letter)) => {
                let list = if list.is_empty() {
                    words.next().unwrap_or_default()
                } else {
                    list
                };
                asked.extend(list.split([',', ' ']).filter(|name| !name.is_empty()));
            }
            // Which processes, and how many columns: all of the container's, and docker's.
            Some(None)
                if option.is_some_and(|letters| {
                    letters.chars().all(|letter| "eAafFl".contains(letter))
                }) => {}
            None if word == "aux" || word == "axu" => asked.extend(AUX),
            None if word == "ax" => asked.extend(["pid", "tty", "stat", "time", "command"]),
            _ => asked.extend(word.split(',').filter(|name| !name.is_empty())),
        }
    }
    if asked.is_empty() {
        asked.extend(DOCKER);
    }
    asked.into_iter().map(column).collect()
}

fn column(word: &str) -> Result<Column, Failure> {
    let name = word.to_ascii_lowercase();
    // `pid=NUMBER` renames in ps(1); only the name counts here.
    let name = name.split('=').next().unwrap_or_default();
    let found = KNOWN.iter().find(|(words, ..)| words.contains(&name));
    let (_, title, value) = found.ok_or_else(|| {
        let all: Vec<_> = KNOWN
            .iter()
            .filter_map(|(words, ..)| words.first())
            .copied()
            .collect();
        Failure::new(Code::InvalidArg, format!("top knows no column {word:?}"))
            .hint(format!("use some of {}", all.join(" ")))
    })?;
    Ok(Column {
        title,
        value: *value,
    })
}

fn seccomp(mode: &str) -> &'static str {
    match mode {
        "0" => "disabled",
        "1" => "strict",
        _ => "filter",
    }
}

/// `HH:MM:SS`, as ps(1) has CPU time.
fn hours(seconds: u64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `[[DD-]HH:]MM:SS`, as ps(1) has it.
fn elapsed(seconds: u64) -> String {
    let (days, clock) = (seconds / 86_400, hours(seconds % 86_400));
    match (days, seconds / 3600) {
        (0, 0) => clock.get(3..).unwrap_or_default().to_owned(),
        (0, _) => clock,
        (days, _) => format!("{days}-{clock}"),
    }
}

/// The time of day, in UTC: nothing of this machine's time zone is read.
fn clock(seconds: u64) -> String {
    hours(seconds % 86_400)
        .get(..5)
        .unwrap_or_default()
        .to_owned()
}

/// The name of a terminal by its device number (proc_pid_stat(5), `tty_nr`).
fn tty(number: i32) -> String {
    let number = number.cast_unsigned();
    let (major, minor) = (
        (number >> 8) & 0xfff,
        (number & 0xff) | ((number >> 12) & 0xfff00),
    );
    match major {
        0 => "?".to_owned(),
        // UNIX98_PTY_SLAVE_MAJOR and seven more (devices.txt).
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        4 if minor < 64 => format!("tty{minor}"),
        _ => format!("{major}:{minor}"),
    }
}

/// A user of this machine's by /etc/passwd, else the number.
fn user(uid: u32) -> String {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(words: &[&str]) -> Vec<String> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        columns(&words)
            .map(|columns| columns.iter().map(Column::title).collect())
            .unwrap_or_default()
    }

    #[test]
    fn columns_come_from_descriptors_and_from_options_of_ps() {
        assert_eq!(
            titles(&[]),
            ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
        );
        assert_eq!(titles(&["-ef"]).len(), 8);
        assert_eq!(titles(&["aux"]).len(), 10);
        assert_eq!(titles(&["-eo", "pid,comm"]), ["PID", "COMMAND"]);
        assert_eq!(titles(&["-o", "pid", "-o", "args"]), ["PID", "COMMAND"]);
        assert_eq!(titles(&["pid", "huser"]), ["PID", "USER"]);
        assert_eq!(titles(&["nonsense"]), Vec::<String>::new());
    }

    #[test]
    fn times_and_terminals_look_as_in_ps() {
        assert_eq!(hours(3_661), "01:01:01");
        assert_eq!(elapsed(61), "01:01");
        assert_eq!(elapsed(3_661), "01:01:01");
        assert_eq!(elapsed(90_061), "1-01:01:01");
        assert_eq!(tty(0), "?");
        assert_eq!(tty(0x8803), "pts/3");
    }
}
