//! Where the last N lines of a log begin.

use std::ops::ControlFlow;

use rustix::io::Result;

use super::entry::Entry;
use crate::backward::Backward;
use crate::clock::Time;
use crate::cursor::{Cursor, Position};

/// Where to begin with stdout and with stderr: what is before is not wanted.
///
/// The outputs are mixed in the files, and a long line of one may have begun before a short one of the other that is not
/// wanted, so there is a place for each.
pub(super) fn begin(cursor: &Cursor, lines: u64, until: Option<Time>) -> Result<[Position; 2]> {
    let end = cursor.end()?;
    let mut count = Count {
        left: lines,
        until,
        starts: [end; 2],
        states: [State::Unseen; 2],
    };
    let numbered = (0..).zip(cursor.segments());
    for (file, segment) in numbered.collect::<Vec<_>>().into_iter().rev() {
        let size = if file == end.file {
            end.offset
        } else {
            segment.size()?
        };
        let mut backward = Backward::new(segment, size);
        let mut look = |offset: u64, line: &[u8]| count.line(Position { file, offset }, line);
        while let Some(flow) = backward.next(&mut look)? {
            if flow.is_break() {
                return Ok(count.starts);
            }
        }
    }
    Ok(count.starts)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No record of it was met.
    Unseen,
    /// Pieces before the one that was met belong to a line that is wanted.
    Open,
    /// Whatever is before is not wanted.
    Closed,
}

struct Count {
    left: u64,
    until: Option<Time>,
    starts: [Position; 2],
    states: [State; 2],
}

impl Count {
    fn line(&mut self, position: Position, line: &[u8]) -> ControlFlow<()> {
        let start = line.iter().take_while(|&&byte| byte == 0).count();
        let entry = Entry::parse(&line[start..]);
        let wanted = |entry: &Entry<'_>| self.until.is_none_or(|until| entry.time <= until);
        if let Some(entry) = entry.filter(wanted) {
            self.entry(position, &entry);
        }
        // A stream without a wanted line has none before this either.
        let over = |state| state == State::Closed || (self.left == 0 && state == State::Unseen);
        if self.states.into_iter().all(over) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn entry(&mut self, position: Position, entry: &Entry<'_>) {
        let state = &mut self.states[entry.stream.index()];
        if *state == State::Closed {
            return;
        }
        // The last piece of a line; one that never ended counts as well.
        if !entry.is_partial || *state == State::Unseen {
            if self.left == 0 {
                *state = State::Closed;
                return;
            }
            self.left -= 1;
        }
        *state = State::Open;
        self.starts[entry.stream.index()] = position;
    }
}
