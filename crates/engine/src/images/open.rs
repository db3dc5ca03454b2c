//! Opening what an image is loaded from: a directory, an archive, a compressed archive, or a pipe.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use keelbox_image::{Source, Store, index, invalid};
use keelbox_layer::decode::{Decoder, detect};
use keelbox_layer::job::Compression;
use keelbox_spec::failure::{Code, Failure};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::store::{new_id, store_failure};
use crate::unpack;

/// Bytes moved at once.
const PIECE: usize = 256 << 10;

/// Opens what is at `path`; None: stdin.
pub(super) fn open(store: &Store, path: Option<&Path>) -> Result<Source, Failure> {
    if let Some(path) = path
        && path.is_dir()
    {
        return Source::directory(path);
    }
    index(open_file(store, path)?)
}

/// The archive as a file without compression, to be read here and there.
pub(super) fn open_file(store: &Store, path: Option<&Path>) -> Result<File, Failure> {
    let name = path.map_or_else(|| "stdin".to_owned(), |path| path.display().to_string());
    let fail = |error: std::io::Error| unreadable(&name, &error);
    let file = match path {
        Some(path) => File::open(path).map_err(fail)?,
        None => File::from(
            rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)
                .map_err(|errno| fail(errno.into()))?,
        ),
    };
    let stat = rustix::fs::fstat(&file).map_err(|errno| fail(errno.into()))?;
    let limits = unpack::limits()?;
    // A pipe's bytes are kept first, under no name: nothing of them can stay behind.
    let file = if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        file
    } else {
        let mut copy = nameless(store)?;
        pour(&mut Patient(file), &mut copy, store, limits.bytes, &name)?;
        copy
    };
    let mut magic = [0; 4];
    let read = file.read_at(&mut magic, 0).map_err(fail)?;
    let compression = detect(magic.get(..read).unwrap_or_default())
        .map_err(|fault| invalid(format!("cannot read {name}")).why(fault.to_string()))?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).map_err(|errno| fail(errno.into()))?;
    if compression == Compression::Plain {
        return Ok(file);
    }
    let length = file.metadata().map_err(fail)?.len();
    let most = length
        .saturating_mul(limits.ratio)
        .max(limits.ratio_from)
        .min(limits.bytes);
    let mut copy = nameless(store)?;
    let mut decoder = Decoder::new(BufReader::new(file), compression).map_err(fail)?;
    pour(&mut decoder, &mut copy, store, most, &name)?;
    Ok(copy)
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    let failure = Failure::new(Code::InvalidArg, format!("cannot read {name}"))
        .hint("name an archive or a directory that you can read");
    match error.raw_os_error() {
        Some(errno) => {
            let errno = keelbox_sys::Errno::from_raw(errno);
            failure.why(errno.text()).errno(errno.name())
        }
        None => failure.why(error.to_string()),
    }
}

/// A file of the store that has no name, so that it goes with this process.
pub(super) fn nameless(store: &Store) -> Result<File, Failure> {
    let tmp = store.tmp();
    let fail = |errno: rustix::io::Errno| store_failure("make a file in", &tmp, &errno.into());
    let mode = Mode::from_raw_mode(0o600);
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, &tmp, flags | OFlags::TMPFILE, mode) {
        // Not every file system can.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => {
            let path = tmp.join(new_id()?);
            let file = rustix::fs::openat(CWD, &path, flags | OFlags::CREATE | OFlags::EXCL, mode);
            let file = file.map_err(fail)?;
            rustix::fs::unlink(&path).map_err(fail)?;
            Ok(file.into())
        }
        other => other.map(File::from).map_err(fail),
    }
}

/// Moves all of `from` to `to`, at most `most` bytes.
fn pour(
    from: &mut dyn Read,
    to: &mut File,
    store: &Store,
    most: u64,
    name: &str,
) -> Result<(), Failure> {
    let mut buffer = vec![0; PIECE];
    let mut total = 0u64;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) if error.raw_os_error().is_some() => return Err(unreadable(name, &error)),
            Err(error) => {
                return Err(invalid(format!("cannot read {name}")).why(error.to_string()));
            }
        };
        total = total.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if total > most {
            return Err(invalid(format!("{name} is refused")).why(format!(
                "it is more than {most} bytes long without its compression: no image is so large, or packed so tightly"
            )).hint("if you trust the archive, raise the limit with KEELBOX_LAYER_LIMITS=bytes=NUMBER,ratio=NUMBER"));
        }
        to.write_all(buffer.get(..read).unwrap_or_default())
            .map_err(|error| store_failure("write to", &store.tmp(), &error))?;
    }
}

/// A pipe that somebody else made non-blocking is waited for.
struct Patient(File);

impl Read for Patient {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.0.read(into) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    rustix::event::poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None)?;
                }
                other => return other,
            }
        }
    }
}
