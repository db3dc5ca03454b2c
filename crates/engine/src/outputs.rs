//! The files of `--cidfile` and `--pidfile`: opened before anything is started, so that one that cannot be written stops
//! nothing half-way.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::request::RunRequest;

use crate::attempt::Purpose;

use crate::store::store_failure;

/// The files, until the container runs: then they stay.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    cid: Option<Output>,
    pid: Option<Output>,
}

#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: File,
    written: bool,
}

impl Outputs {
    /// Opens what the request names.
    pub(crate) fn open(request: &RunRequest, purpose: Purpose<'_>) -> Result<Self, Failure> {
        if matches!(purpose, Purpose::Create) {
            let cid = request.cidfile.as_deref().map(new_file).transpose()?;
            return Ok(Self { cid, pid: None });
        }
        Ok(Self {
            cid: request.cidfile.as_deref().map(new_file).transpose()?,
            pid: request.pidfile.as_deref().map(any_file).transpose()?,
        })
    }

    /// Writes them. They are open: what can still fail is a full disk, and the container runs all the same.
    pub(crate) fn write(self, id: &str, pid: i32) {
        for (output, text) in [(self.cid, id.to_owned()), (self.pid, pid.to_string())] {
            if let Some(mut output) = output {
                output.written = output.file.write_all(text.as_bytes()).is_ok();
            }
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// An id file must not be there yet, as docker has it: who reads it must not find an older container's id.
fn new_file(path: &str) -> Result<Output, Failure> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => Ok(Output {
            path: path.into(),
            file,
            written: false,
        }),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("the file {path} of --cidfile is there already");
            Err(Failure::new(Code::InvalidArg, message)
                .hint("remove it, or name another file")
                .path(path))
        }
        Err(error) => Err(unwritable(path, &error)),
    }
}

fn any_file(path: &str) -> Result<Output, Failure> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path);
    let file = file.map_err(|error| unwritable(path, &error))?;
    Ok(Output {
        path: path.into(),
        file,
        written: false,
    })
}

fn unwritable(path: &str, error: &std::io::Error) -> Failure {
    store_failure("write", path.as_ref(), error).hint("name a file that you can write")
}
