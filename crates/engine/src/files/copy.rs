//! `cp`: a tar archive between a process in the container and one beside it.
//!
//! What is read on one side and made on the other goes through a pipe, and each side has its own rights: the container's
//! process those of its root, this machine's those of the caller.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use keelbox_layer::files::{FileAnswer, FileJob, FileStat, Source, Unpack};
use keelbox_layer::job::{Adjust, Format, PackJob, Packed, Rename, UnpackJob, Unpacked};
use keelbox_process::Maps;
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::op::IdMap;
use rustix::fs::FileType;
use rustix::pipe::PipeFlags;
use serde::Deserialize;

use super::worker::{failure, serve};
use crate::roots::Roots;
use crate::stdio::{keep, null};
use crate::store::{internal, open_directory};
use crate::unpack::{self, Worker, lost};

/// What `cp` was told. Mirrors `src/border/files.ts`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopyRequest {
    /// Name, id or the beginning of one id alone.
    pub reference: String,
    /// Which way.
    pub direction: Direction,
    /// The path on this machine; `-`: a tar archive on stdin or stdout.
    pub host: String,
    /// The path in the container.
    pub container: String,
    /// Keep owners and groups.
    #[serde(default)]
    pub archive: bool,
    /// A source that is a link: copy what it leads to.
    #[serde(default)]
    pub follow: bool,
    /// A directory may take the place of a file, and a file that of a directory.
    #[serde(default)]
    pub overwrite: bool,
}

/// Which way files are copied.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// Into the container.
    In,
    /// Out of it.
    Out,
}

/// Copies files. Lines about what was left out.
///
/// # Errors
///
/// No such container; a path that is not there; a file in the place of a directory or the other way round.
pub fn copy(roots: &Roots, request: &CopyRequest) -> Result<Vec<String>, Failure> {
    match (request.direction, request.host.as_str()) {
        (Direction::In, "-") => {
            let stdin = keep(rustix::stdio::stdin());
            let stdin = stdin.map_err(|errno| internal("cannot read stdin", errno.into()))?;
            into(roots, request, Source::Archive, None, &stdin, None)
        }
        (Direction::In, host) => copy_in(roots, request, Path::new(host)),
        (Direction::Out, "-") => {
            let name = base_name(&request.container);
            let job = pack_job(request, Some(name.unwrap_or_default()));
            let stdout = rustix::stdio::stdout();
            serve(roots, &request.reference, &job, stdout)?.answer()?;
            Ok(Vec::new())
        }
        (Direction::Out, host) => copy_out(roots, request, Path::new(host)),
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Failure> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
        .map_err(|errno| internal("cannot make a pipe", errno.into()))
}

/// `.` or `/` at the end: what is in the directory.
fn is_contents(path: &str) -> bool {
    path == "."
        || path.ends_with("/.")
        || path.split('/').all(|part| part.is_empty() || part == ".")
}

fn base_name(path: &str) -> Option<Vec<u8>> {
    let mut parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    let last = parts.next_back().filter(|last| *last != "..");
    last.map(|last| last.as_bytes().to_vec())
}

/// The archive's entries lie under one name, which the other side replaces.
const NAME: &[u8] = b"s";

fn copy_in(roots: &Roots, request: &CopyRequest, host: &Path) -> Result<Vec<String>, Failure> {
    let follows = request.follow || request.host.ends_with('/') || is_contents(&request.host);
    let fail = |error: std::io::Error| unreadable(host, &error);
    let path = if follows {
        host.canonicalize().map_err(fail)?
    } else {
        let parent = host
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent
            .unwrap_or(Path::new("."))
            .canonicalize()
            .map_err(fail)?;
        match host.file_name() {
            Some(name) => parent.join(name),
            None => host.canonicalize().map_err(fail)?,
        }
    };
    let is_directory = std::fs::symlink_metadata(&path).map_err(fail)?.is_dir();
    if request.host.ends_with('/') && !is_directory {
        return Err(unreadable(host, &std::io::ErrorKind::NotADirectory.into()));
    }
    // As the user called it: a link that is followed keeps its own name.
    let given = host.file_name().or_else(|| path.file_name());
    let name = given.map(|name| name.as_bytes().to_vec());
    let source = match (is_directory, name) {
        (true, None) => Source::Contents(NAME.to_vec()),
        (true, Some(name)) if is_contents(&request.host) => Source::Contents(name),
        (true, Some(name)) => Source::Directory(name),
        (false, name) => Source::File(name.unwrap_or_default()),
    };
    let (directory, entry) = if is_directory {
        (open_directory(&path)?, None)
    } else {
        let parent = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().map(|name| name.as_bytes().to_vec());
        (open_directory(parent)?, name)
    };
    let owner = (!request.archive).then_some((0, 0));
    let (read, write) = pipe()?;
    let packer = pack_host(directory.as_fd(), entry, write.as_fd())?;
    drop(write);
    into(roots, request, source, owner, &read, Some(packer))
}

/// Starts reading the caller's own files.
fn pack_host(
    directory: BorrowedFd<'_>,
    name: Option<Vec<u8>>,
    output: BorrowedFd<'_>,
) -> Result<Worker, Failure> {
    let job = PackJob::Entry {
        name,
        as_name: NAME.to_vec(),
    };
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    let files = [output, nothing.as_fd(), directory];
    Worker::start(c"pack", 0, None, &job, &files)
}

fn into(
    roots: &Roots,
    request: &CopyRequest,
    source: Source,
    owner: Option<(u32, u32)>,
    archive: &OwnedFd,
    packer: Option<Worker>,
) -> Result<Vec<String>, Failure> {
    let job = FileJob::Unpack(Unpack {
        path: request.container.clone().into_bytes(),
        source,
        owner,
        overwrite: request.overwrite,
        limits: unpack::limits()?,
    });
    let served = serve(roots, &request.reference, &job, archive.as_fd())
        .and_then(super::worker::Serving::answer);
    let packed = packer.map(Worker::answer::<Packed>);
    let (answer, _) = match (served, packed) {
        // A packer whose reader is gone fails for that.
        (Err(failure), _) => return Err(failure),
        (Ok(_), Some(Err(Some(fault)))) => return Err(failure(&fault)),
        (Ok(_), Some(Err(None))) => return Err(lost("packs")),
        (Ok(answer), _) => answer,
    };
    Ok(match answer {
        FileAnswer::Done(lines) => lines,
        FileAnswer::Stat(_) => Vec::new(),
    })
}

fn pack_job(request: &CopyRequest, name: Option<Vec<u8>>) -> FileJob {
    let slashed = request.container.ends_with('/') || is_contents(&request.container);
    FileJob::Pack {
        path: request.container.clone().into_bytes(),
        follow: request.follow || slashed,
        name: name.filter(|name| !name.is_empty()),
    }
}

fn copy_out(roots: &Roots, request: &CopyRequest, host: &Path) -> Result<Vec<String>, Failure> {
    let stat = look(roots, request)?;
    let is_directory = FileType::from_raw_mode(stat.mode) == FileType::Directory;
    if request.container.ends_with('/') && !is_directory {
        return Err(refuse(request, "it is not a directory"));
    }
    let goal = goal(request, host, is_directory)?;
    let (read, write) = pipe()?;
    let unpacker = unpack_host(request, &goal, read.as_fd())?;
    drop(read);
    let name = (!goal.contents).then(|| NAME.to_vec());
    let job = pack_job(request, name);
    let served = serve(roots, &request.reference, &job, write.as_fd());
    drop(write);
    let served = served.and_then(super::worker::Serving::answer);
    let unpacked = unpacker.answer::<Unpacked>();
    match (served, unpacked) {
        // One that could not write has ended the other, which then says EPIPE.
        (_, Err(Some(fault))) if fault.errno != 0 => Err(failure(&fault)),
        (Err(failure), _) => Err(failure),
        (Ok(_), Err(Some(fault))) => Err(failure(&fault)),
        (Ok(_), Err(None)) => Err(lost("unpacks")),
        (Ok(_), Ok(unpacked)) => Ok(unpacked.notes),
    }
}

fn look(roots: &Roots, request: &CopyRequest) -> Result<FileStat, Failure> {
    let slashed = request.container.ends_with('/') || is_contents(&request.container);
    let job = FileJob::Stat {
        path: request.container.clone().into_bytes(),
        follow: request.follow || slashed,
    };
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    match serve(roots, &request.reference, &job, nothing.as_fd())?.answer()? {
        (FileAnswer::Stat(stat), _) => Ok(stat),
        (FileAnswer::Done(_), _) => Ok(FileStat::default()),
    }
}

/// Where files go on this machine.
struct Goal {
    directory: PathBuf,
    /// What the first name of the archive becomes.
    rename: Rename,
    /// Only what is in the source.
    contents: bool,
    /// The directory itself stays as it is.
    keep_root: bool,
}

/// Docker's rules.
fn goal(request: &CopyRequest, host: &Path, is_directory: bool) -> Result<Goal, Failure> {
    let contents = is_directory
        && (is_contents(&request.container) || base_name(&request.container).is_none());
    let beside = |name: &std::ffi::OsStr| Goal {
        directory: host
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_owned(),
        rename: Rename::To(name.as_bytes().to_vec()),
        contents: false,
        keep_root: false,
    };
    match std::fs::metadata(host) {
        Ok(there) if there.is_dir() && contents => Ok(Goal {
            directory: host.to_owned(),
            rename: Rename::Nothing,
            contents: true,
            keep_root: true,
        }),
        Ok(there) if there.is_dir() => {
            let name = base_name(&request.container).unwrap_or_default();
            check_clash(request, host, &name, is_directory)?;
            Ok(Goal {
                directory: host.to_owned(),
                rename: Rename::To(name),
                contents: false,
                keep_root: false,
            })
        }
        Ok(_) if is_directory && !request.overwrite => Err(refuse(
            request,
            "the target is a file, and it is a directory",
        )),
        Ok(_) if request.host.ends_with('/') => Err(refuse(request, "the target is no directory")),
        Err(_) if request.host.ends_with('/') && !is_directory => {
            Err(refuse(request, "the target directory is not there"))
        }
        // A link is followed to the file that it leads to.
        Ok(_) => {
            let path = host
                .canonicalize()
                .map_err(|error| unreadable(host, &error))?;
            let name = path.file_name().unwrap_or_default().to_owned();
            let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
            Ok(Goal {
                directory,
                ..beside(&name)
            })
        }
        Err(_) => {
            let name = host.file_name();
            let name = name.ok_or_else(|| refuse(request, "the target has no name"))?;
            Ok(beside(name))
        }
    }
}

/// A file over a directory, or the other way round.
fn check_clash(
    request: &CopyRequest,
    host: &Path,
    name: &[u8],
    is_directory: bool,
) -> Result<(), Failure> {
    let path = host.join(std::ffi::OsStr::from_bytes(name));
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() != is_directory && !request.overwrite => Err(refuse(
            request,
            "a file cannot take the place of a directory, nor a directory that of a file",
        )),
        _ => Ok(()),
    }
}

/// Starts making files of the caller's.
fn unpack_host(
    request: &CopyRequest,
    goal: &Goal,
    input: BorrowedFd<'_>,
) -> Result<Worker, Failure> {
    let directory = open_directory(&goal.directory)?;
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let one = |outside| IdMap {
        inside: 0,
        outside,
        count: 1,
    };
    // What an ordinary user makes is that user's, and no other's.
    let maps = (!uid.is_root()).then(|| Maps {
        uids: vec![one(uid.as_raw())],
        gids: vec![one(gid.as_raw())],
    });
    let job = UnpackJob {
        offset: 0,
        length: None,
        compression: None,
        format: Format::Plain,
        has_blob: false,
        single_id: maps.is_some(),
        limits: unpack::limits()?,
        adjust: Adjust {
            owner: (!request.archive).then(|| (uid.as_raw(), gid.as_raw())),
            rename: goal.rename.clone(),
            keep_root: goal.keep_root,
            without_set_ids: true,
        },
    };
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    let files = [input, nothing.as_fd(), directory.as_fd()];
    Worker::start(c"unpack", 0, maps.as_ref(), &job, &files)
}

fn refuse(request: &CopyRequest, why: &str) -> Failure {
    Failure::new(
        Code::InvalidArg,
        format!("cannot copy {}", request.container),
    )
    .why(why)
    .hint("choose another target")
    .exit_code(1)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::new(Code::InvalidArg, format!("cannot copy {}", path.display()))
        .hint("name a file or directory that is there")
        .path(path)
        .exit_code(1);
    match error.raw_os_error() {
        Some(errno) => {
            let errno = keelbox_sys::Errno::from_raw(errno);
            failure.why(errno.text()).errno(errno.name())
        }
        None => failure.why(error.to_string()),
    }
}
