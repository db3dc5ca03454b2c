//! What is started in a container that runs: a command of `exec`, a health check, the file service.
//!
//! The container's plan says what its command may do. [`ExecRecord`] keeps that part of it with the container's
//! configuration, so that a command which comes later has the same user, environment, limits and rights, whatever has become
//! of the image and of the containers whose namespaces were joined.

mod record;

use keelbox_seccomp::{Arch, compile, nested_profile};
pub use record::{ExecRecord, SeccompRecord};

use crate::capabilities;
use crate::failure::{Code, Failure};
use crate::image::ImageConfig;
use crate::op::{Command, Confine, Enter, Op, Side, User, namespace};
use crate::plan::command::{DEFAULT_PATH, Variables, candidates, check_cwd, split};
use crate::plan::{Plan, PlanStep, Steps, slots, text};
use crate::request::{RunRequest, TerminalSize};

/// What is to be run, and where it differs from the container's own command.
#[derive(Clone, Debug, Default)]
pub struct ExecCommand<'a> {
    /// Program and arguments.
    pub command: &'a [String],
    /// `KEY=value`, over the container's own.
    pub env: &'a [String],
    /// Another working directory.
    pub cwd: Option<&'a str>,
    /// Another user.
    pub user: Option<&'a str>,
    /// All capabilities, no filter, no profile.
    pub privileged: bool,
    /// Capabilities to add.
    pub cap_add: &'a [String],
    /// A terminal of its own.
    pub tty: bool,
    /// The terminal's size.
    pub size: Option<TerminalSize>,
    /// TERM for a command with a terminal.
    pub term: Option<&'a str>,
}

/// The container, as it runs now.
#[derive(Clone, Debug, Default)]
pub struct ExecTarget {
    /// Its id.
    pub id: String,
    /// `container NAME`, for people.
    pub whose: String,
    /// Its namespaces that are not the caller's, as a mask of `CLONE_NEW*`.
    pub namespaces: u64,
    /// Whether its user namespace has an id 0; true without one.
    pub has_root: bool,
    /// The caller's own capabilities: the most that a command without a user namespace can have.
    pub permitted: u64,
}

impl ExecTarget {
    /// The container of a plan, for what the supervisor starts in it.
    fn planned(plan: &Plan, id: &str) -> Self {
        let choices = &plan.choices;
        let joined = choices.spaces.joins.iter();
        let time = choices
            .time
            .as_ref()
            .map_or(0, |_| namespace::CLONE_NEWTIME);
        Self {
            id: id.to_owned(),
            whose: "this container".to_owned(),
            namespaces: joined.fold(choices.namespaces, |mask, join| mask | join.kind) | time,
            has_root: choices.uids.is_empty() || choices.uids.iter().any(|map| map.inside == 0),
            permitted: u64::MAX,
        }
    }
}

/// The steps of a command in a container that runs. The process in whose namespaces it is to be comes with the start message,
/// as a pidfd.
///
/// # Errors
///
/// A word that is no variable, capability or path; no command.
pub fn exec(
    record: &ExecRecord,
    wanted: &ExecCommand<'_>,
    target: &ExecTarget,
) -> Result<Vec<PlanStep>, Failure> {
    let env = environment(record, wanted)?;
    let last = Op::Execute(command(record, wanted, &env)?);
    let set_home = !env.iter().any(|(key, _)| key == "HOME");
    let mut steps = Steps::default();
    limit(record, target, &mut steps);
    join(record, target, &mut steps);
    session(wanted, target, &mut steps)?;
    let user = User {
        spec: text(wanted.user.unwrap_or(&record.user))?,
        add_groups: record
            .groups
            .iter()
            .map(|group| text(group.as_str()))
            .collect::<Result<_, _>>()?,
        set_groups: record.set_groups,
        set_home,
    };
    steps.init(
        Op::FindUser(user),
        "names and groups as the container's own /etc/passwd has them",
    );
    let cwd = wanted.cwd.unwrap_or(&record.cwd);
    check_cwd(cwd)?;
    let path = text(cwd)?;
    steps.init(
        Op::Enter(Enter::Directory { path }),
        "where the command starts",
    );
    rights(record, wanted, target, &mut steps)?;
    steps.init(last, "the process becomes the command");
    Ok(steps.list)
}

/// The steps of a process that looks after files in a container that runs: it is the container's root, in its namespaces but
/// not in its control groups, so that it works in one that is frozen, and ends with whoever started it.
///
/// # Errors
///
/// None in practice.
pub fn serve(record: &ExecRecord, target: &ExecTarget) -> Result<Vec<PlanStep>, Failure> {
    let mut steps = Steps::default();
    join(record, target, &mut steps);
    steps.init(
        Op::NewSession,
        "signals from the caller's terminal do not reach it by themselves",
    );
    steps.init(Op::DieWithLauncher, "it ends with who asked for it");
    steps.init(
        Op::Enter(Enter::Serve),
        "files are looked for from inside: no link in their names leads to the host",
    );
    Ok(steps.list)
}

/// The steps of a health check in docker's words (`Test`); None: there is to be none. The process that comes with them is the
/// container's first.
///
/// # Errors
///
/// As [`exec`]; words that are no test.
pub fn health(
    plan: &Plan,
    request: &RunRequest,
    image: &ImageConfig,
    id: &str,
    test: &[String],
) -> Result<Option<Vec<(Side, Op)>>, Failure> {
    let shell = |line: &String| vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()];
    let command = match test {
        [] => return Ok(None),
        [only] if only == "NONE" => return Ok(None),
        [kind, line] if kind == "CMD-SHELL" => shell(line),
        [kind, words @ ..] if kind == "CMD" && !words.is_empty() => words.to_vec(),
        _ => {
            return Err(Failure::new(
                Code::InvalidArg,
                format!("the health check {test:?} is none"),
            )
            .why("it begins with NONE, CMD and a program, or CMD-SHELL and one line")
            .hint("use --health-cmd COMMAND"));
        }
    };
    let wanted = ExecCommand {
        command: &command,
        ..ExecCommand::default()
    };
    let record = ExecRecord::of(plan, request, image);
    let steps = exec(&record, &wanted, &ExecTarget::planned(plan, id))?;
    Ok(Some(
        steps.into_iter().map(|step| (step.side, step.op)).collect(),
    ))
}

/// The container's limits: of resources, and those of its groups.
fn limit(record: &ExecRecord, target: &ExecTarget, steps: &mut Steps) {
    let limits = record.limits.clone();
    if limits.iter().any(|limit| limit.hard.is_some()) {
        let raise = Op::Enter(Enter::Raise { limits });
        steps.launcher(raise, "only the host's root may raise a hard limit");
    }
    if let Some(value) = record.oom_score_adj {
        let set = Op::Confine(Confine::OomScore { value });
        steps.launcher(set, "as the container has it; the command inherits it");
    }
    let whose = target.whose.clone();
    steps.launcher(
        Op::Enter(Enter::Cgroups { whose }),
        "the container's limits are its groups', wherever it is by now",
    );
}

/// From the host into the container.
fn join(record: &ExecRecord, target: &ExecTarget, steps: &mut Steps) {
    let whose = target.whose.clone();
    let namespaces = target.namespaces;
    steps.launcher(
        Op::Enter(Enter::Process { namespaces, whose }),
        "all at once, and by a pidfd: a number could be another process's by now",
    );
    steps.launcher(
        Op::Clone3 {
            namespaces: 0,
            base: 0,
        },
        "a pid namespace takes effect in a new process",
    );
    steps.init(
        Op::EnterCgroups,
        "a process that moves itself does not wait for the kernel's 11 ms grace period",
    );
    if target.has_root {
        let set_groups = record.set_groups;
        steps.init(
            Op::BecomeRoot { set_groups },
            "id 0 of the user namespace owns everything in it",
        );
    }
    steps.init(
        Op::Enter(Enter::Root),
        "every path begins at the container's root from here on",
    );
}

fn session(
    wanted: &ExecCommand<'_>,
    target: &ExecTarget,
    steps: &mut Steps,
) -> Result<(), Failure> {
    steps.init(
        Op::NewSession,
        "signals from the caller's terminal do not reach it by themselves",
    );
    if wanted.tty {
        let (columns, rows) = wanted.size.map_or((0, 0), |size| (size.columns, size.rows));
        steps.init(
            Op::Enter(Enter::Terminal { columns, rows }),
            "a terminal of the container's own: the caller's never enters (TIOCSTI)",
        );
    }
    let name = text(format!("keelbox-{}", target.id))?;
    steps.init(
        Op::NewKeyring { name },
        "the caller's kernel keys stay with the caller",
    );
    Ok(())
}

/// As the container's own command: credentials and filter in the order that the kernel allows.
fn rights(
    record: &ExecRecord,
    wanted: &ExecCommand<'_>,
    target: &ExecTarget,
    steps: &mut Steps,
) -> Result<(), Failure> {
    if let Some(profile) = record.apparmor.as_deref().filter(|_| !wanted.privileged) {
        let set = Op::Confine(Confine::AppArmor {
            proc: slots::PROC,
            profile: text(profile)?,
        });
        steps.init(set, "the container's profile, from the command's execve on");
    }
    if let Some(persona) = record.personality {
        let set = Op::Confine(Confine::Personality { persona });
        steps.init(set, "as the container has it");
    }
    if !record.limits.is_empty() {
        let limits = record.limits.clone();
        steps.init(
            Op::Enter(Enter::Limits { limits }),
            "the container's, as far as the caller may give them",
        );
    }
    let capabilities = allowed(record, wanted, target)?;
    let last = record.last_capability;
    let credentials = Op::SetCredentials { capabilities, last };
    let why = "the container's rights, and no way to get more";
    let protected = record.no_new_privileges && !wanted.privileged;
    let filter = filter(record, wanted, capabilities)?;
    let (early, late) = if protected {
        (None, filter)
    } else {
        (filter, None)
    };
    let because = "the container's filter of system calls";
    early.into_iter().for_each(|op| steps.init(op, because));
    steps.init(credentials, why);
    if protected {
        steps.init(
            Op::NoNewPrivileges,
            "set-user-id programs give nobody more rights",
        );
    }
    steps.init(
        Op::DieWithLauncher,
        "no process beside it, no command: nobody would hear of its end",
    );
    steps.init(
        Op::CloseFds,
        "an open directory of the host would be a way out (CVE-2024-21626)",
    );
    late.into_iter().for_each(|op| steps.init(op, because));
    Ok(())
}

fn allowed(
    record: &ExecRecord,
    wanted: &ExecCommand<'_>,
    target: &ExecTarget,
) -> Result<u64, Failure> {
    let last = record.last_capability;
    let base = if wanted.privileged {
        capabilities::all(last)
    } else {
        record.capabilities
    };
    let own_userns = target.namespaces & namespace::CLONE_NEWUSER != 0;
    let most = if own_userns {
        u64::MAX
    } else {
        target.permitted
    };
    Ok(capabilities::adjust(base, wanted.cap_add, &[], last)? & most)
}

fn filter(
    record: &ExecRecord,
    wanted: &ExecCommand<'_>,
    capabilities: u64,
) -> Result<Option<Op>, Failure> {
    if wanted.privileged {
        return Ok(None);
    }
    let (filter, flags) = match &record.seccomp {
        SeccompRecord::Unconfined => return Ok(None),
        SeccompRecord::Default => (
            keelbox_seccomp::default_filter(capabilities).into_owned(),
            0,
        ),
        SeccompRecord::Nested => {
            let compiled = compile(&nested_profile(capabilities), Arch::NATIVE);
            let compiled =
                compiled.map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
            (compiled.to_bytes(), 0)
        }
        SeccompRecord::Filter { flags, .. } => (record.seccomp.bytes()?, *flags),
    };
    Ok(Some(Op::Seccomp { filter, flags }))
}

/// The container's, TERM for a terminal, then the caller's; later ones win.
fn environment(record: &ExecRecord, wanted: &ExecCommand<'_>) -> Result<Variables, Failure> {
    let mut variables = Variables::new();
    let term = wanted.term.unwrap_or("xterm");
    let term = wanted.tty.then(|| format!("TERM={term}"));
    for entry in term.iter().chain(&record.env).chain(wanted.env) {
        let (key, value) = split(entry)?;
        variables.retain(|(known, _)| known != key);
        variables.push((key.into(), value.into()));
    }
    Ok(variables)
}

fn command(
    record: &ExecRecord,
    wanted: &ExecCommand<'_>,
    env: &Variables,
) -> Result<Command, Failure> {
    let name = wanted.command.first().map_or("", String::as_str);
    if name.is_empty() {
        return Err(Failure::new(Code::InvalidArg, "there is no command to run")
            .hint("name a program of the container's after its name"));
    }
    let path = env.iter().find(|(key, _)| key == "PATH");
    let path = path.map_or(DEFAULT_PATH, |(_, value)| value);
    let words = |list: Vec<String>| list.into_iter().map(text).collect::<Result<Vec<_>, _>>();
    Ok(Command {
        candidates: words(candidates(name, path))?,
        argv: words(wanted.command.to_vec())?,
        env: words(
            env.iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
        )?,
        umask: record.umask,
        init: false,
        stays: false,
    })
}
