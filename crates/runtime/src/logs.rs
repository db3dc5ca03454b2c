//! The role `logs`: shows what containers have printed. It reads files only, so a terminal that is held up holds no container
//! up; and it has taken the place of the command that was called, whose memory is gone.
//!
//! `keelbox-runtime logs OPTION... CONTAINER...`, as `engine::logs` has it. An option is `follow`, `times`, `color`, `tail=N`,
//! `since=NANOSECONDS` or `until=NANOSECONDS`. A container is `KIND:LABEL`: the label stands before its lines, unless it is
//! empty, and the kind says what is on its three fds, which are from 3 on: its data directory; where it runs, its state
//! directory (`d`); the pidfd of its supervisor as well (`p`). `-`: it does not run.

mod output;
mod printer;

use std::os::fd::{AsFd, OwnedFd};

use keelbox_journal::{For, LogReader, Range, Source, Time, Watch, Writer, wait};
use keelbox_sys::Errno;

use crate::report;
use crate::roles::FAILED;
use output::Output;
use printer::{Printer, Style};

/// Runs the role. The exit code.
pub(crate) fn run(words: &[&str]) -> i32 {
    let Some(asked) = Asked::read(words) else {
        return FAILED;
    };
    let Ok(fds) = keelbox_sys::fd::inherit_all(3, asked.containers.len() * 3) else {
        return FAILED;
    };
    match show(&asked, fds) {
        // Whoever read it has enough (`keelbox logs web | head`).
        Ok(()) | Err(Errno::EPIPE) => 0,
        Err(errno) => {
            report::error(&format!("cannot show the log: {}", explained(errno)));
            FAILED
        }
    }
}

fn explained(errno: Errno) -> String {
    match errno {
        Errno::EMFILE => format!(
            "{}; raise the limit of open files, or fs.inotify.max_user_instances",
            errno.text()
        ),
        _ => errno.text().to_owned(),
    }
}

/// What the words ask for.
struct Asked<'a> {
    follow: bool,
    range: Range,
    style: Style,
    containers: Vec<(Kind, &'a str)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ended,
    Directory,
    Process,
}

impl<'a> Asked<'a> {
    fn read(words: &[&'a str]) -> Option<Self> {
        let mut asked = Self {
            follow: false,
            range: Range::default(),
            style: Style::default(),
            containers: Vec::new(),
        };
        let time = |nanos: &str| nanos.parse().ok().map(Time::from_nanos);
        for word in words {
            match word.split_once(['=', ':']) {
                None if *word == "follow" => asked.follow = true,
                None if *word == "times" => asked.style.times = true,
                None if *word == "color" => asked.style.color = true,
                Some(("tail", lines)) => asked.range.tail = Some(lines.parse().ok()?),
                Some(("since", nanos)) => asked.range.since = Some(time(nanos)?),
                Some(("until", nanos)) => asked.range.until = Some(time(nanos)?),
                Some(("-", label)) => asked.containers.push((Kind::Ended, label)),
                Some(("d", label)) => asked.containers.push((Kind::Directory, label)),
                Some(("p", label)) => asked.containers.push((Kind::Process, label)),
                _ => return None,
            }
        }
        Some(asked)
    }

    /// Opens the logs that the fds lead to.
    fn sources(&self, fds: Vec<OwnedFd>) -> Result<Vec<Source>, Errno> {
        let mut fds = fds.into_iter();
        let mut sources = Vec::new();
        for (kind, _) in &self.containers {
            let (Some(data), Some(state), Some(process)) = (fds.next(), fds.next(), fds.next())
            else {
                return Err(Errno::EBADF);
            };
            let process = (*kind == Kind::Process).then_some(process);
            let writer = (*kind != Kind::Ended).then(|| Writer::new(state, process));
            sources.push(Source::new(LogReader::open(data, self.range)?, writer));
        }
        Ok(sources)
    }
}

fn show(asked: &Asked<'_>, fds: Vec<OwnedFd>) -> Result<(), Errno> {
    // Before the logs are looked at: what is written from now on wakes us.
    let watch = if asked.follow {
        Some(Watch::new()?)
    } else {
        None
    };
    let mut sources = asked.sources(fds)?;
    for source in &sources {
        watch.as_ref().map_or(Ok(()), |watch| source.watch(watch))?;
    }
    let labels = asked
        .containers
        .iter()
        .map(|(_, label)| (*label).to_owned());
    let mut printer = Printer::new(Output::default(), asked.style, labels.collect());
    loop {
        let is_late = asked.range.until.is_some_and(|until| until < Time::now());
        for source in &mut sources {
            source.look();
        }
        printer.all(&mut sources)?;
        let Some(watch) = &watch else { return Ok(()) };
        if is_late || sources.iter().all(Source::is_over) {
            return Ok(());
        }
        pause(watch, &sources, asked.range.until)?;
    }
}

/// Waits for more to show, for the end of a container, for the last moment that is wanted.
fn pause(watch: &Watch, sources: &[Source], until: Option<Time>) -> Result<(), Errno> {
    let stdout = rustix::stdio::stdout();
    let mut what = vec![For::NoReader(stdout), For::Input(watch.as_fd())];
    what.extend(sources.iter().filter_map(Source::process).map(For::Input));
    // One nanosecond later, since what comes at that time belongs to it.
    let until = until.map(|until| Time::from_nanos(until.nanos() + 1));
    if wait(&what, until)?.first() == Some(&true) {
        return Err(Errno::EPIPE);
    }
    watch.clear();
    Ok(())
}
