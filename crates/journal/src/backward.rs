//! The lines of one file, the last one first.

use rustix::io::Result;

use crate::files::Segment;

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// Longer than any line of ours; so much rubbish goes as one.
const LONGEST: usize = 1024 * 1024;

/// The lines of one file, from its end.
pub(crate) struct Backward<'a> {
    segment: &'a Segment,
    /// Where `buffer` is in the file.
    offset: u64,
    /// What is read and not given yet: whole lines, but perhaps the first.
    buffer: Vec<u8>,
}

impl<'a> Backward<'a> {
    /// From `end` on, which is where a line ends.
    pub(crate) const fn new(segment: &'a Segment, end: u64) -> Self {
        Self {
            segment,
            offset: end,
            buffer: Vec::new(),
        }
    }

    /// Gives the line before, with its offset and without its newline, to `look`. None: there is no line before.
    pub(crate) fn next<T>(&mut self, look: impl FnOnce(u64, &[u8]) -> T) -> Result<Option<T>> {
        loop {
            // The newline at the end is the line's own.
            let last = self.buffer.len().saturating_sub(1);
            let start = match memchr::memrchr(b'\n', &self.buffer[..last]) {
                Some(newline) => newline + 1,
                None if self.offset == 0 || self.buffer.len() > LONGEST => 0,
                None => {
                    self.fill()?;
                    continue;
                }
            };
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let line = &self.buffer[start..];
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let answer = look(self.offset + u64::try_from(start).unwrap_or(0), line);
            self.buffer.truncate(start);
            return Ok(Some(answer));
        }
    }

    fn fill(&mut self) -> Result<()> {
        let length = usize::try_from(self.offset).unwrap_or(CHUNK).min(CHUNK);
        let start = self.offset - u64::try_from(length).unwrap_or(0);
        let mut chunk = Vec::with_capacity(length + self.buffer.len());
        while chunk.len() < length {
            let at = start + u64::try_from(chunk.len()).unwrap_or(0);
            let missing = length - chunk.len();
            if self.segment.read_at(&mut chunk, missing, at)? == 0 {
                // Shorter than it was a moment ago: somebody has emptied it.
                self.offset = 0;
                self.buffer.clear();
                return Ok(());
            }
        }
        chunk.append(&mut self.buffer);
        self.buffer = chunk;
        self.offset = start;
        Ok(())
    }
}
