//! From bytes as they come to lines.

/// The longest text of one record, as docker, podman and the kubelet have it. What is longer is cut.
pub(crate) const LONGEST_PIECE: usize = 16 * 1024;

/// A line, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) text: &'a [u8],
    /// The line goes on after it.
    pub(crate) is_partial: bool,
}

/// Cuts one output into lines. It holds back what has no end yet, and never more than a piece.
#[derive(Debug)]
pub(crate) struct Splitter {
    held: Vec<u8>,
    longest: usize,
}

impl Splitter {
    pub(crate) const fn new(longest: usize) -> Self {
        Self {
            held: Vec::new(),
            longest,
        }
    }

    /// Takes bytes, and gives the pieces that they complete to `take`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], take: &mut dyn FnMut(Piece<'_>)) {
        while !bytes.is_empty() {
            let room = self.longest - self.held.len();
            // One byte more than fits: a newline there still ends a whole piece.
            let window = bytes.get(..=room).unwrap_or(bytes);
            let end = memchr::memchr(b'\n', window);
            match end {
                Some(end) => {
                    self.give(&bytes[..end], false, take);
                    bytes = &bytes[end + 1..];
                }
                None if bytes.len() > room => {
                    self.give(&bytes[..room], true, take);
                    bytes = &bytes[room..];
                }
                None => {
                    self.held.extend_from_slice(bytes);
                    return;
                }
            }
        }
    }

    /// Gives what is held back, as a piece of a line that never ended.
    pub(crate) fn flush(&mut self, take: &mut dyn FnMut(Piece<'_>)) {
        if !self.held.is_empty() {
            self.give(&[], true, take);
        }
    }

    fn give(&mut self, rest: &[u8], is_partial: bool, take: &mut dyn FnMut(Piece<'_>)) {
        if self.held.is_empty() {
            return take(Piece {
                text: rest,
                is_partial,
            });
        }
        // Given back at once: beside a container that is silent afterwards, 16 KiB would stay for good.
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(rest);
        take(Piece {
            text: &held,
            is_partial,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(longest: usize, chunks: &[&str], flush: bool) -> Vec<String> {
        let mut found = Vec::new();
        let mut take = |piece: Piece<'_>| {
            let mark = if piece.is_partial { "P" } else { "F" };
            found.push(format!("{mark} {}", str::from_utf8(piece.text).unwrap()));
        };
        let mut splitter = Splitter::new(longest);
        for chunk in chunks {
            splitter.feed(chunk.as_bytes(), &mut take);
        }
        if flush {
            splitter.flush(&mut take);
        }
        assert!(splitter.held.len() <= longest);
        found
    }

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let whole = ["F one", "F ", "F two"];
        assert_eq!(pieces(9, &["one\n\ntwo\n"], true), whole);
        assert_eq!(
            pieces(9, &["o", "ne", "\n", "\n", "tw", "o\n"], true),
            whole
        );
    }

    #[test]
    fn what_has_no_end_is_held_back_until_the_flush() {
        assert_eq!(pieces(9, &["one\ntw", "o"], false), ["F one"]);
        assert_eq!(pieces(9, &["one\ntw", "o"], true), ["F one", "P two"]);
    }

    #[test]
    fn a_line_as_long_as_a_piece_is_not_cut() {
        assert_eq!(pieces(4, &["1234\n"], true), ["F 1234"]);
        assert_eq!(pieces(4, &["1234", "\n"], true), ["F 1234"]);
        assert_eq!(pieces(4, &["12345\n"], true), ["P 1234", "F 5"]);
        assert_eq!(
            pieces(4, &["12", "345678", "9\n"], true),
            ["P 1234", "P 5678", "F 9"]
        );
    }
}
