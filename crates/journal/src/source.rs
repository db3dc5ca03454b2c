//! A log with the one who writes it: it is followed until that one is gone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Result;

use crate::Time;
use crate::log::{Entry, LogReader};
use crate::watch::{For, Watch, wait};

/// Who writes a log. It is there while its directory has a name, and its process lives.
#[derive(Debug)]
pub struct Writer {
    directory: OwnedFd,
    process: Option<OwnedFd>,
}

impl Writer {
    /// `process` is a pidfd, when it is known.
    #[must_use]
    pub const fn new(directory: OwnedFd, process: Option<OwnedFd>) -> Self {
        Self { directory, process }
    }

    /// Its directory and its process.
    #[must_use]
    pub fn into_parts(self) -> (OwnedFd, Option<OwnedFd>) {
        (self.directory, self.process)
    }

    fn is_gone(&self) -> bool {
        let has_name = rustix::fs::fstat(&self.directory).is_ok_and(|stat| stat.st_nlink > 0);
        let process = self
            .process
            .as_ref()
            .map(|process| For::Input(process.as_fd()));
        let ended = process.is_some_and(|process| {
            let looked = wait(&[process], Some(Time::MIN));
            looked.is_ok_and(|answers| answers == [true])
        });
        !has_name || ended
    }
}

/// A log that is read, and perhaps still written.
#[derive(Debug)]
pub struct Source {
    reader: LogReader,
    writer: Option<Writer>,
}

impl Source {
    /// Without a writer, nobody writes it any more.
    #[must_use]
    pub const fn new(mut reader: LogReader, writer: Option<Writer>) -> Self {
        if writer.is_none() {
            reader.finish();
        }
        Self { reader, writer }
    }

    /// Lets `watch` wake up when there is more to read, or nobody left who writes.
    ///
    /// # Errors
    ///
    /// As [`Watch::writes`].
    pub fn watch(&self, watch: &Watch) -> Result<()> {
        watch.writes(self.reader.directory())?;
        let Some(writer) = &self.writer else {
            return Ok(());
        };
        // The removal of a directory is seen by its parent; it has none when it is removed already.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(&writer.directory, c"..", flags, Mode::empty()) {
            Ok(parent) => watch.removals(parent.as_fd()),
            Err(_) => Ok(()),
        }
    }

    /// Looks whether it is still written. To be called before everything that there is is read: what is written before the
    /// writer goes is not missed.
    pub fn look(&mut self) {
        if self.writer.as_ref().is_some_and(Writer::is_gone) {
            self.writer = None;
            self.reader.finish();
        }
    }

    /// Nobody writes it any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.writer.is_none()
    }

    /// What else to wait for: the end of the process.
    #[must_use]
    pub fn process(&self) -> Option<BorrowedFd<'_>> {
        Some(self.writer.as_ref()?.process.as_ref()?.as_fd())
    }

    /// As [`LogReader::read`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn read(&mut self) -> Result<Option<Entry<'_>>> {
        self.reader.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::{Bounds, LogWriter, Range, Stream};

    fn source(data: &Scratch, state: &Scratch, process: Option<OwnedFd>) -> Source {
        let copy = |scratch: &Scratch| scratch.fd().try_clone_to_owned().unwrap();
        let reader = LogReader::open(copy(data), Range::default()).unwrap();
        Source::new(reader, Some(Writer::new(copy(state), process)))
    }

    fn pidfd(child: &std::process::Child) -> OwnedFd {
        let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap()
    }

    #[test]
    fn a_source_is_over_when_the_directory_of_its_writer_is_gone() {
        let (data, state) = (Scratch::new(), Scratch::new());
        let mut source = source(&data, &state, None);
        let watch = Watch::new().unwrap();
        source.watch(&watch).unwrap();
        source.look();
        assert!(!source.is_over());
        LogWriter::open(data.fd(), Bounds::default())
            .unwrap()
            .write(Stream::Stdout, b"last\n");
        std::fs::remove_dir(&state.path).unwrap();
        assert_eq!(wait(&[For::Input(watch.as_fd())], None).unwrap(), [true]);
        source.look();
        assert!(source.is_over());
        assert_eq!(source.read().unwrap().unwrap().text, b"last");
    }

    #[test]
    fn a_source_is_over_when_the_process_of_its_writer_is_gone() {
        let (data, state) = (Scratch::new(), Scratch::new());
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let mut source = source(&data, &state, Some(pidfd(&child)));
        source.look();
        assert!(!source.is_over());
        child.kill().unwrap();
        assert_eq!(
            wait(&[For::Input(source.process().unwrap())], None).unwrap(),
            [true]
        );
        source.look();
        assert!(source.is_over() && source.process().is_none());
        child.wait().unwrap();
    }
}
