//! The files of containers, from inside them: single calls, and `cp`.

mod copy;
mod worker;

use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};

pub use copy::{CopyRequest, Direction, copy};
use keelbox_layer::files::{FileAnswer, FileJob, FileStat};
use keelbox_spec::failure::{Code, Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use worker::serve;

use crate::roots::Roots;
use crate::stdio::null;
use crate::store::internal;

/// One call. Mirrors `src/border/files.ts`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "camelCase", deny_unknown_fields)]
pub enum FileCall {
    /// An fd of a regular file.
    Open {
        /// From the container's root.
        path: String,
        /// For writing: made or emptied.
        #[serde(default)]
        write: bool,
        /// Permissions of a new file.
        mode: Option<u32>,
        /// Its user.
        uid: Option<u32>,
        /// Its group.
        gid: Option<u32>,
    },
    /// The names in a directory.
    Readdir {
        /// From the container's root.
        path: String,
    },
    /// Make a directory.
    Mkdir {
        /// From the container's root.
        path: String,
        /// With those above it.
        #[serde(default)]
        recursive: bool,
        /// Permissions.
        mode: Option<u32>,
    },
    /// Remove something.
    Remove {
        /// From the container's root.
        path: String,
        /// With all that is in it.
        #[serde(default)]
        recursive: bool,
        /// What is not there is no error.
        #[serde(default)]
        force: bool,
    },
    /// Look at something.
    Stat {
        /// From the container's root.
        path: String,
        /// When it is a link: at what it leads to.
        #[serde(default)]
        follow: bool,
    },
}

/// What a call came to.
#[derive(Debug)]
pub enum FileResult {
    /// An open file.
    File(OwnedFd),
    /// Anything else.
    Value(Value),
}

/// Makes one call on the files of a container.
///
/// # Errors
///
/// No such container (exit code 1); what the kernel says, with its errno.
pub fn files(roots: &Roots, reference: &str, call: &FileCall) -> Result<FileResult, Failure> {
    let job = job(call);
    if matches!(job, FileJob::Readdir { .. }) {
        let list = rustix::fs::memfd_create(c"keelbox-list", rustix::fs::MemfdFlags::CLOEXEC)
            .map_err(|errno| internal("cannot make a file in memory", errno.into()))?;
        serve(roots, reference, &job, list.as_fd())?.answer()?;
        return names(list).map(FileResult::Value);
    }
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    let (answer, file) = serve(roots, reference, &job, nothing.as_fd())?.answer()?;
    Ok(match (answer, file) {
        (_, Some(file)) => FileResult::File(file),
        (FileAnswer::Stat(stat), None) => FileResult::Value(view(&stat)),
        (FileAnswer::Done(_), None) => FileResult::Value(Value::Null),
    })
}

fn job(call: &FileCall) -> FileJob {
    let bytes = |path: &String| path.clone().into_bytes();
    match call {
        FileCall::Open {
            path,
            write,
            mode,
            uid,
            gid,
        } => FileJob::Open {
            path: bytes(path),
            write: *write,
            mode: mode.unwrap_or(0o644),
            owner: (*uid, *gid),
        },
        FileCall::Readdir { path } => FileJob::Readdir { path: bytes(path) },
        FileCall::Mkdir {
            path,
            recursive,
            mode,
        } => FileJob::Mkdir {
            path: bytes(path),
            recursive: *recursive,
            mode: mode.unwrap_or(0o755),
        },
        FileCall::Remove {
            path,
            recursive,
            force,
        } => FileJob::Remove {
            path: bytes(path),
            recursive: *recursive,
            force: *force,
        },
        FileCall::Stat { path, follow } => FileJob::Stat {
            path: bytes(path),
            follow: *follow,
        },
    }
}

fn names(list: OwnedFd) -> Result<Value, Failure> {
    let mut bytes = Vec::new();
    let mut file = std::fs::File::from(list);
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    read.map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let names = bytes
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    let names: Vec<_> = names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    Ok(json!(names))
}

fn view(stat: &FileStat) -> Value {
    use rustix::fs::FileType;
    let kind = match FileType::from_raw_mode(stat.mode) {
        FileType::Directory => "directory",
        FileType::Symlink => "link",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::BlockDevice => "block",
        FileType::CharacterDevice => "char",
        _ => "file",
    };
    let target = stat
        .target
        .as_ref()
        .map(|target| String::from_utf8_lossy(target).into_owned());
    #[allow(
        clippy::cast_precision_loss,
        reason = "JavaScript's numbers; a larger integer would become a BigInt"
    )]
    let (size, mtime) = (stat.size as f64, stat.mtime as f64);
    let mut view = json!({
        "type": kind,
        "mode": stat.mode & 0o7777,
        "uid": stat.uid,
        "gid": stat.gid,
        "size": size,
        "mtime": mtime,
    });
    if let (Some(target), Some(view)) = (target, view.as_object_mut()) {
        view.insert("target".into(), json!(target));
    }
    view
}
