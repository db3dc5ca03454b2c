//! Writing images to an archive or directory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use keelbox_image::{
    ArchiveSink, DirectorySink, Reference, Saved, Sink, Store, resolve_name, save_docker, save_oci,
};
use keelbox_spec::failure::Failure;
use rustix::event::{PollFd, PollFlags};
use serde::Deserialize;

use super::{lock, open_store, resolve};
use crate::roots::Roots;
use crate::store::store_failure;

/// Bytes written at once.
const PIECE: usize = 256 << 10;

/// What is to be written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Saving {
    /// Names and ids.
    pub images: Vec<String>,
    /// None: stdout.
    pub path: Option<PathBuf>,
    /// As what.
    pub format: SaveFormat,
}

/// The forms of an archive.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum SaveFormat {
    /// docker's.
    DockerArchive,
    /// An OCI layout in a tar.
    OciArchive,
    /// An OCI layout.
    OciDir,
}

/// Writes images.
///
/// # Errors
///
/// There is no such image, something in the store is damaged, or the archive cannot be written.
pub fn save(roots: &Roots, saving: &Saving) -> Result<(), Failure> {
    let store = open_store(roots)?;
    // Shared with all but removals, which would take blobs away.
    let _lock = lock::shared(&store)?;
    let images = choose(&store, &saving.images)?;
    let write = |sink: &mut dyn Sink| match saving.format {
        SaveFormat::DockerArchive => save_docker(&store, &images, sink),
        SaveFormat::OciArchive | SaveFormat::OciDir => save_oci(&store, &images, sink),
    };
    match (&saving.path, saving.format) {
        (Some(path), SaveFormat::OciDir) => write_directory(path, write),
        (Some(path), _) => write_file(path, write),
        (None, _) => {
            let name = Path::new("stdout");
            let stdout = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)
                .map_err(|errno| store_failure("write to", name, &errno.into()))?;
            write_to(File::from(stdout), name, write)
        }
    }
}

/// Each image once, with all the names that it was asked for by.
fn choose(store: &Store, texts: &[String]) -> Result<Vec<Saved>, Failure> {
    let mut images: Vec<Saved> = Vec::new();
    for text in texts {
        let image = resolve::find(store, text)?;
        let name = Reference::parse(text)
            .ok()
            .filter(|reference| reference.digest.is_none())
            .and_then(|reference| resolve_name(store, &reference))
            .map(|named| named.name);
        match images.iter_mut().find(|saved| saved.image.id == image.id) {
            Some(saved) => saved.names.extend(name),
            None => images.push(Saved {
                image,
                names: name.into_iter().collect(),
            }),
        }
    }
    for saved in &mut images {
        saved.names.sort();
        saved.names.dedup();
    }
    Ok(images)
}

fn write_to(
    file: File,
    path: &Path,
    write: impl FnOnce(&mut dyn Sink) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut sink = ArchiveSink::new(BufWriter::with_capacity(PIECE, Patient(file)), path);
    write(&mut sink)?;
    sink.finish().map(drop)
}

/// A pipe or socket that somebody else made non-blocking (Node does it to its children's) is waited for.
struct Patient(File);

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    rustix::event::poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None)?;
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Under another name first: half an archive is never taken for one. A device or pipe is written as it is.
fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Sink) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let fail = |error: std::io::Error| store_failure("write", path, &error);
    let special = std::fs::metadata(path).is_ok_and(|stat| !stat.is_file());
    if special {
        let file = File::options().write(true).open(path).map_err(fail)?;
        return write_to(file, path, write);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let file = File::create(&draft).map_err(fail)?;
    let done =
        write_to(file, path, write).and_then(|()| std::fs::rename(&draft, path).map_err(fail));
    if done.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    done
}

fn write_directory(
    path: &Path,
    write: impl FnOnce(&mut dyn Sink) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let existed = path.exists();
    let mut sink = DirectorySink::new(path)?;
    write(&mut sink).inspect_err(|_| {
        // It was empty or not there, so all that is in it is ours.
        let _ = std::fs::remove_dir_all(path);
        if existed {
            let _ = std::fs::create_dir(path);
        }
    })
}
