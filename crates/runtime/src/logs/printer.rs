//! How the entries of logs are shown.

use keelbox_journal::{Entry, Source, Stream, Time};
use keelbox_sys::Errno;

use super::output::Output;

/// What is shown beside the text.
#[derive(Clone, Copy, Default)]
pub(crate) struct Style {
    /// The time before each line.
    pub(crate) times: bool,
    /// Another colour for each container.
    pub(crate) color: bool,
}

/// The six colours of a terminal that are neither black nor white.
const COLORS: [&str; 6] = [
    "\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m", "\x1b[34m", "\x1b[31m",
];
const PLAIN: &str = "\x1b[0m";

/// One container's part.
struct Column {
    label: String,
    color: &'static str,
    /// A line of this stream has begun and goes on.
    inside: [bool; 2],
    /// The entry to show next, when several containers are shown by time.
    next: Option<Kept>,
}

/// An entry that was read and is not shown yet.
struct Kept {
    time: Time,
    stream: Stream,
    is_partial: bool,
    text: Vec<u8>,
}

impl Kept {
    fn of(entry: Entry<'_>) -> Self {
        Self {
            time: entry.time,
            stream: entry.stream,
            is_partial: entry.is_partial,
            text: entry.text.to_owned(),
        }
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            time: self.time,
            stream: self.stream,
            is_partial: self.is_partial,
            text: &self.text,
        }
    }
}

/// Shows entries.
pub(crate) struct Printer {
    output: Output,
    style: Style,
    columns: Vec<Column>,
}

impl Printer {
    pub(crate) fn new(output: Output, style: Style, labels: Vec<String>) -> Self {
        let columns = labels.into_iter().zip(COLORS.into_iter().cycle());
        let column = |(label, color)| Column {
            label,
            color: if style.color { color } else { "" },
            inside: [false; 2],
            next: None,
        };
        Self {
            output,
            style,
            columns: columns.map(column).collect(),
        }
    }

    /// Shows all that there is, in the order of time where there are several.
    pub(crate) fn all(&mut self, sources: &mut [Source]) -> Result<(), Errno> {
        if let ([source], [column]) = (&mut *sources, self.columns.as_mut_slice()) {
            while let Some(entry) = source.read()? {
                column.show(&mut self.output, self.style, &entry)?;
            }
            return self.output.flush();
        }
        for (source, column) in sources.iter_mut().zip(&mut self.columns) {
            column.next = source.read()?.map(Kept::of);
        }
        while let Some(first) = self.first() {
            // A long line is not torn apart by those of others.
            while let Some(kept) = self.columns[first].next.take() {
                self.columns[first].show(&mut self.output, self.style, &kept.entry())?;
                self.columns[first].next = sources[first].read()?.map(Kept::of);
                if !kept.is_partial {
                    break;
                }
            }
        }
        self.output.flush()
    }

    /// Whose next entry came first.
    fn first(&self) -> Option<usize> {
        let times = self.columns.iter().enumerate();
        let times = times.filter_map(|(index, column)| Some((column.next.as_ref()?.time, index)));
        times.min().map(|(_, index)| index)
    }
}

impl Column {
    fn show(&mut self, output: &mut Output, style: Style, entry: &Entry<'_>) -> Result<(), Errno> {
        let stream = entry.stream;
        let inside = &mut self.inside[usize::from(stream == Stream::Stderr)];
        if !std::mem::replace(inside, entry.is_partial) {
            let colored = !self.color.is_empty() && !self.label.is_empty();
            if colored {
                output.put(stream, self.color.as_bytes())?;
            }
            if !self.label.is_empty() {
                output.put(stream, self.label.as_bytes())?;
                output.put(stream, if colored { PLAIN } else { "" }.as_bytes())?;
                output.put(stream, b" ")?;
            }
            if style.times {
                output.put(stream, &entry.time.text())?;
                output.put(stream, b" ")?;
            }
        }
        output.put(stream, entry.text)?;
        if entry.is_partial {
            return Ok(());
        }
        output.put(stream, b"\n")
    }
}
