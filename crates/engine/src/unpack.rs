//! Unpacking a layer: in a process of its own, the executable's role `unpack`, which has given up what it does not need.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use keelbox_layer::job::{self, Adjust, Answer, Compression, Format, UnpackJob};
use keelbox_layer::{Fault, Limits};
use keelbox_process::{Maps, receive, seqpacket_pair};
use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::op::IdMap;
use keelbox_sys::Errno;

pub use keelbox_layer::job::Unpacked;

use crate::stdio::null;
use crate::store::internal;
use crate::{caller, facts, layer_limits, lifecycle, spawn};

/// One archive, and where it goes.
#[derive(Debug)]
pub struct Unpack<'a> {
    /// A file, or a pipe, which is read to its end.
    pub input: BorrowedFd<'a>,
    /// Where in the file the archive begins.
    pub offset: u64,
    /// Bytes of it; None: to the end.
    pub length: Option<u64>,
    /// Where its bytes are written on to as they come.
    pub blob: Option<BorrowedFd<'a>>,
    /// An empty directory; of [`Target::Plain`] not necessarily.
    pub directory: BorrowedFd<'a>,
    /// What the directory is.
    pub target: Target,
    /// Directories of the layers below, topmost first: what this layer only implies looks as it does there.
    pub lower: &'a [BorrowedFd<'a>],
    /// None: whatever its first bytes say.
    pub compression: Option<Compression>,
    /// What it may ask for; [`limits`] says what the user wants.
    pub limits: Limits,
    /// What is done otherwise than it says.
    pub adjust: Adjust,
}

/// What a directory is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A layer, with whiteouts as the overlays of this caller read them.
    Layer,
    /// A directory as it is: `.wh.` names are names.
    Plain,
}

/// What an archive may ask for: the defaults, with what the user changes by `KEELBOX_LAYER_LIMITS`.
///
/// # Errors
///
/// The variable is malformed.
pub fn limits() -> Result<Limits, Failure> {
    layer_limits::of_caller()
}

/// Unpacks an archive. What is in the directory after a failure is the caller's to remove.
///
/// # Errors
///
/// [`Code::Layer`], with the entry and the reason; [`Code::Runtime`] when the process was killed.
pub fn unpack(request: &Unpack<'_>) -> Result<Unpacked, Failure> {
    let maps = maps();
    let job = UnpackJob {
        offset: request.offset,
        length: request.length,
        compression: request.compression,
        format: format(request.target),
        has_blob: request.blob.is_some(),
        single_id: maps.as_ref().is_some_and(Maps::is_single),
        limits: request.limits,
        adjust: request.adjust.clone(),
    };
    let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
    let blob = request.blob.unwrap_or(nothing.as_fd());
    let files = [&[request.input, blob, request.directory], request.lower].concat();
    let worker = Worker::start(c"unpack", request.lower.len(), maps.as_ref(), &job, &files)?;
    worker.answer().map_err(|failed| match failed {
        Some(fault) => {
            let need = request.length.map_or_else(String::new, |length| {
                let size = keelbox_image::size(length);
                format!("; the archive is {size}, and its files come on top of that")
            });
            with_room(
                failure("cannot unpack the layer", &fault),
                &fault,
                request.directory,
                &need,
            )
        }
        None => lost("unpacks"),
    })
}

pub(crate) fn format(target: Target) -> Format {
    match target {
        Target::Layer => Format::Overlay {
            userxattr: !caller::is_host_root(),
        },
        Target::Plain => Format::Plain,
    }
}

/// The ids of an ordinary user's layers: those of its containers; None: this caller needs no namespace.
pub(crate) fn maps() -> Option<Maps> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    if uid.is_root() {
        return None;
    }
    let one = |outside| IdMap {
        inside: 0,
        outside,
        count: 1,
    };
    let single = || Maps {
        uids: vec![one(uid.as_raw())],
        gids: vec![one(gid.as_raw())],
    };
    Some(facts::subordinate_maps().unwrap_or_else(single))
}

/// A running role of the executable that answers once.
#[derive(Debug)]
pub(crate) struct Worker {
    control: OwnedFd,
    pid: i32,
}

impl Worker {
    /// Starts `role` with a job and its files.
    pub(crate) fn start<J: serde::Serialize>(
        role: &std::ffi::CStr,
        more: usize,
        maps: Option<&Maps>,
        job: &J,
        files: &[BorrowedFd<'_>],
    ) -> Result<Self, Failure> {
        let encoded = || {
            Some((
                maps.map_or(Some(Vec::new()), Maps::encode)?,
                job::encode(job)?,
            ))
        };
        let (maps, job) =
            encoded().ok_or_else(|| internal("cannot encode the job", Errno::EINVAL))?;
        let (maps, job) = (spawn::message(&maps)?, spawn::message(&job)?);
        let nothing = null().map_err(|errno| internal("cannot open /dev/null", errno.into()))?;
        let (ours, theirs) =
            seqpacket_pair().map_err(|errno| internal("cannot make a socket", errno))?;
        let none = nothing.as_fd();
        let own = [none, none, none, theirs.as_fd(), maps.as_fd(), job.as_fd()];
        let more = CString::new(more.to_string()).unwrap_or_default();
        let pid = spawn::spawn(&[role, &more], &[&own, files].concat())?;
        Ok(Self { control: ours, pid })
    }

    /// Waits for the answer. None as the error: the process is gone without one.
    pub(crate) fn answer<T: serde::de::DeserializeOwned>(self) -> Result<T, Option<Fault>> {
        let answer = receive::<Answer<T>>(&self.control);
        drop(self.control);
        lifecycle::reap(self.pid);
        match answer {
            Ok(Some(received)) => match received.message {
                Answer::Done(done) => Ok(done),
                Answer::Failed(fault) => Err(Some(fault)),
            },
            _ => Err(None),
        }
    }
}

/// A worker that ended without an answer.
pub(crate) fn lost(does: &str) -> Failure {
    let message = format!("the process that {does} layers ended without an answer");
    Failure::new(Code::Runtime, message)
        .why("it was killed, by hand or for lack of memory")
        .hint("try again; if it happens again, report it with the output of keelbox info")
}

/// To a fault of a worker's for lack of room: on which file system, how much it has, and how much is needed.
pub(crate) fn with_room(
    failure: Failure,
    fault: &Fault,
    file: BorrowedFd<'_>,
    need: &str,
) -> Failure {
    let errno = Errno::from_raw(fault.errno);
    if !matches!(errno, Errno::ENOSPC | Errno::EDQUOT) {
        return failure;
    }
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    let path = std::fs::read_link(link).unwrap_or_default();
    let room = keelbox_image::reason(errno, &path);
    let why = fault.to_string().replace(errno.text(), &room);
    failure.why(format!("{why}{need}"))
}

/// A fault of a worker, for the user.
pub(crate) fn failure(message: &str, fault: &Fault) -> Failure {
    let hint = match (fault.limit.as_str(), Errno::from_raw(fault.errno)) {
        ("entries" | "bytes" | "ratio" | "depth", _) => format!(
            "if you trust the archive, raise the limit with KEELBOX_LAYER_LIMITS={}=NUMBER",
            fault.limit
        ),
        (_, Errno::ENOSPC | Errno::EDQUOT) => {
            "make room on that file system, or choose another with --root".into()
        }
        _ if fault.limit == "ids" => "give yourself a larger range in /etc/subuid and /etc/subgid \
            (usermod --add-subuids, --add-subgids), or load the image as root"
            .into(),
        _ => "get the archive again, or make it with another program".into(),
    };
    let mut failure = Failure::new(Code::Layer, message)
        .why(fault.to_string())
        .hint(hint);
    if fault.errno != 0 {
        failure = failure.errno(Errno::from_raw(fault.errno).name());
    }
    if !fault.path.is_empty() {
        failure = failure.path(&fault.path);
    }
    failure
}
