//! Writing to systemd's journal, by its native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>).

use std::io::{ErrorKind, Result};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::Stream;
use crate::lines::{LONGEST_PIECE, Piece, Splitter};

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// The priorities that docker and podman have for the two outputs: LOG_INFO and LOG_ERR.
const PRIORITIES: [&str; 2] = ["6", "3"];

/// Sends each line to journald. A line that it has no room for is lost and counted: a container never waits for it.
#[derive(Debug)]
pub struct JournaldWriter {
    path: PathBuf,
    socket: UnixDatagram,
    splitters: [Splitter; 2],
    /// The fields that are the same in all messages.
    fields: Vec<u8>,
    lost: u64,
}

impl JournaldWriter {
    /// Connects to journald. `tag` is what its lines are shown under: docker's `{{.ID}}`, `{{.FullID}}` and `{{.Name}}` stand
    /// for what they say, and nothing for the first of them.
    ///
    /// # Errors
    ///
    /// ENOENT: there is no journald on this machine. Others: nobody may write to its socket, or nobody listens.
    pub fn open(id: &str, name: &str, tag: &str) -> Result<Self> {
        Self::open_at(Path::new(SOCKET), id, name, tag)
    }

    fn open_at(path: &Path, id: &str, name: &str, tag: &str) -> Result<Self> {
        let socket = connect(path)?;
        let short = id.get(..12).unwrap_or(id);
        let tag = match tag {
            "" => short.to_owned(),
            tag => tag
                .replace("{{.ID}}", short)
                .replace("{{.FullID}}", id)
                .replace("{{.Name}}", name),
        };
        let tag = tag.as_str();
        let mut fields = Vec::new();
        for (key, value) in [
            ("CONTAINER_ID", short),
            ("CONTAINER_ID_FULL", id),
            ("CONTAINER_NAME", name),
            ("CONTAINER_TAG", tag),
            ("SYSLOG_IDENTIFIER", tag),
        ] {
            field(&mut fields, key, value.as_bytes());
        }
        let splitter = || Splitter::new(LONGEST_PIECE);
        Ok(Self {
            path: path.to_owned(),
            socket,
            splitters: [splitter(), splitter()],
            fields,
            lost: 0,
        })
    }

    /// Takes bytes of a stream as they came, and sends the lines that they complete.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.split(stream, |splitter, take| splitter.feed(bytes, take));
    }

    /// Sends what is held back: the container has ended.
    pub fn flush(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.split(stream, |splitter, take| splitter.flush(take));
        }
        self.tell_lost();
    }

    fn split(
        &mut self,
        stream: Stream,
        work: impl FnOnce(&mut Splitter, &mut dyn FnMut(Piece<'_>)),
    ) {
        let none = Splitter::new(LONGEST_PIECE);
        let mut splitter = std::mem::replace(&mut self.splitters[stream.index()], none);
        work(&mut splitter, &mut |piece| self.send(stream, piece));
        self.splitters[stream.index()] = splitter;
    }

    fn send(&mut self, stream: Stream, piece: Piece<'_>) {
        self.tell_lost();
        if self.put(stream, piece).is_err() {
            let length = u64::try_from(piece.text.len()).unwrap_or(0);
            let newline = u64::from(!piece.is_partial);
            self.lost = self.lost.saturating_add(length + newline);
        }
    }

    fn tell_lost(&mut self) {
        if self.lost == 0 {
            return;
        }
        let text = format!("keelbox: {} bytes of output were lost", self.lost);
        let piece = Piece {
            text: text.as_bytes(),
            is_partial: false,
        };
        if self.put(Stream::Stderr, piece).is_ok() {
            self.lost = 0;
        }
    }

    fn put(&mut self, stream: Stream, piece: Piece<'_>) -> Result<()> {
        let mut message = Vec::with_capacity(self.fields.len() + piece.text.len() + 128);
        field(&mut message, "MESSAGE", piece.text);
        field(
            &mut message,
            "PRIORITY",
            PRIORITIES[stream.index()].as_bytes(),
        );
        if piece.is_partial {
            field(&mut message, "CONTAINER_PARTIAL_MESSAGE", b"true");
        }
        message.extend_from_slice(&self.fields);
        let gone = |kind| {
            matches!(
                kind,
                ErrorKind::ConnectionRefused | ErrorKind::NotConnected | ErrorKind::ConnectionReset
            )
        };
        match self.socket.send(&message) {
            // journald was started again, with a socket of its own.
            Err(error) if gone(error.kind()) => {
                self.socket = connect(&self.path)?;
                self.socket.send(&message).map(drop)
            }
            sent => sent.map(drop),
        }
    }
}

fn connect(path: &Path) -> Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The form with a length, since a text may have anything in it. The length is little-endian on every machine.
fn field(message: &mut Vec<u8>, key: &str, value: &[u8]) {
    let length = u64::try_from(value.len()).unwrap_or(0);
    message.extend_from_slice(key.as_bytes());
    message.push(b'\n');
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(value);
    message.push(b'\n');
}

#[cfg(test)]
mod tests;
