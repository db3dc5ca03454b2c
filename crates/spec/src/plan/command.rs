//! The command: its arguments, environment, user, directory, session, and the last steps before it takes over.

use std::ffi::CString;

use crate::failure::{Code, Failure};
use crate::image::Root;
use crate::op::{Command, Op, User};
use crate::plan::{Context, Steps, confinement, identity, masks, root, security, text};

pub(crate) const DEFAULT_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(crate) fn execute(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    masks::make(context, steps)?;
    session(context, steps)?;
    let env = environment(context)?;
    identity::account(context, steps);
    let kept = context.choices.kept_user;
    let kept = kept.map(|(uid, gid)| format!("{uid}:{gid}"));
    let user = context
        .request
        .user
        .as_deref()
        .or(kept.as_deref())
        .or(context.image.user.as_deref())
        .unwrap_or("");
    let find = User {
        spec: text(user)?,
        add_groups: confinement::groups(context)?,
        set_groups: confinement::sets_groups(context),
        set_home: !env.iter().any(|(key, _)| key == "HOME"),
    };
    steps.init(
        Op::FindUser(find),
        "names and groups as the container's own /etc/passwd has them",
    );
    let cwd = context
        .request
        .cwd
        .as_deref()
        .or(context.image.working_dir.as_deref())
        .unwrap_or("/");
    check_cwd(cwd)?;
    steps.init(
        Op::ChangeDirectory { path: text(cwd)? },
        "where the command starts; made when missing, inside the root only",
    );
    masks::add(context, steps)?;
    if context.request.readonly_root {
        let slots = root::writable(context);
        let why = "as --read-only asks; what is mounted into it stays as it is";
        steps.init(Op::ReadOnlyRoot { slots }, why);
    }
    security::drop_rights(context, steps)?;
    let command = Op::Execute(command(context, &env)?);
    steps.init(command, "the process becomes the command");
    Ok(())
}

fn session(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    steps.init(
        Op::NewSession,
        "signals from the caller's terminal do not reach it by themselves",
    );
    if context.request.tty {
        let size = context.request.terminal_size;
        let (columns, rows) = size.map_or((0, 0), |size| (size.columns, size.rows));
        steps.init(
            Op::Terminal { columns, rows },
            "a terminal of its own, made inside: the caller's never enters (TIOCSTI)",
        );
    }
    let name = text(format!("keelbox-{}", &context.place.id))?;
    steps.init(
        Op::NewKeyring { name },
        "the caller's kernel keys stay with the caller",
    );
    Ok(())
}

pub(crate) fn check_cwd(cwd: &str) -> Result<(), Failure> {
    if cwd.starts_with('/') {
        return Ok(());
    }
    Err(Failure::new(
        Code::InvalidArg,
        format!("the working directory {cwd:?} is not an absolute path"),
    )
    .hint("begin it with /"))
}

pub(crate) type Variables = Vec<(String, String)>;

/// PATH, HOSTNAME, TERM, then the image's, then the user's; later ones win.
fn environment(context: &Context<'_>) -> Result<Variables, Failure> {
    let mut variables: Variables = vec![
        ("PATH".into(), DEFAULT_PATH.into()),
        ("HOSTNAME".into(), context.choices.hostname.clone()),
    ];
    if context.request.tty {
        variables.push((
            "TERM".into(),
            context
                .request
                .term
                .clone()
                .unwrap_or_else(|| "xterm".into()),
        ));
    }
    let (given, unset) = (&context.request.env, &context.request.confinement);
    let image = context.image.env.iter().filter(|entry| {
        let key = entry.split_once('=').map_or(entry.as_str(), |(key, _)| key);
        !unset.unset_env.iter().any(|name| name == key)
    });
    variables.retain(|(key, _)| !unset.unset_env_all && !unset.unset_env.contains(key));
    let image = image.filter(|_| !unset.unset_env_all);
    for entry in image.chain(given) {
        let (key, value) = split(entry)?;
        variables.retain(|(known, _)| known != key);
        variables.push((key.into(), value.into()));
    }
    Ok(variables)
}

pub(crate) fn split(entry: &str) -> Result<(&str, &str), Failure> {
    match entry.split_once('=') {
        Some((key, value)) if !key.is_empty() && !key.contains(['\n', '\0']) => Ok((key, value)),
        _ => Err(
            Failure::new(Code::InvalidArg, format!("{entry:?} is not a variable"))
                .hint("write KEY=value, with nothing but the name before the ="),
        ),
    }
}

fn command(context: &Context<'_>, env: &Variables) -> Result<Command, Failure> {
    let stays = context.request.life.stays;
    let argv = arguments(context)?;
    let name = argv.first().map(String::as_str).unwrap_or_default();
    if name.is_empty() && !(stays && argv.is_empty()) {
        return Err(Failure::new(
            Code::CommandNotFound,
            "exec: \"\": executable file not found in $PATH",
        )
        .why("the command is an empty word")
        .hint("name a program, or leave the empty quotes out"));
    }
    let path = env
        .iter()
        .find(|(key, _)| key == "PATH")
        .map_or(DEFAULT_PATH, |(_, value)| value);
    let candidates = candidates(name, path)
        .into_iter()
        .map(text)
        .collect::<Result<_, _>>()?;
    let strings = |list: Vec<String>| {
        list.into_iter()
            .map(text)
            .collect::<Result<Vec<CString>, _>>()
    };
    Ok(Command {
        candidates,
        argv: strings(argv)?,
        env: strings(
            env.iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
        )?,
        umask: confinement::umask(context)?,
        init: context.request.init || stays,
        stays,
    })
}

/// Entry point and command, as docker puts them together: a new entry point also drops the image's command.
fn arguments(context: &Context<'_>) -> Result<Vec<String>, Failure> {
    let (request, image) = (context.request, context.image);
    let entrypoint = request.entrypoint.as_ref().unwrap_or(&image.entrypoint);
    let given = without_separator(&request.command, entrypoint.is_empty());
    let command = match (given.is_empty(), &request.entrypoint) {
        (false, _) => given.to_vec(),
        (true, None) => image.cmd.clone(),
        (true, Some(_)) => Vec::new(),
    };
    let argv: Vec<_> = entrypoint.iter().cloned().chain(command).collect();
    if argv.is_empty() && !request.life.stays {
        let what = if matches!(image.root, Root::InPlace(_)) {
            "this root"
        } else {
            "this image"
        };
        return Err(Failure::new(Code::InvalidArg, "there is no command to run")
            .why(format!("{what} names none, and none was given"))
            .hint("add a command after the image"));
    }
    Ok(argv)
}

/// `npx keelbox run IMAGE -- sh` hands the `--` on; where no entry point could want it, it is not meant for the container.
fn without_separator(command: &[String], no_entrypoint: bool) -> &[String] {
    match command {
        [first, rest @ ..] if no_entrypoint && first == "--" => rest,
        all => all,
    }
}

pub(crate) fn candidates(name: &str, path: &str) -> Vec<String> {
    if name.contains('/') {
        return vec![name.to_owned()];
    }
    let directory = |part: &str| {
        if part.is_empty() {
            ".".to_owned()
        } else {
            part.to_owned()
        }
    };
    path.split(':')
        .map(|part| format!("{}/{name}", directory(part)))
        .collect()
}
