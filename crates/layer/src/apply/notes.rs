//! What was left out, for the user: one line for each kind, however many there were.

/// What can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Device nodes.
    Device,
    /// Owners.
    Owner,
    /// Extended attributes that nobody may bring along.
    ForeignAttribute,
    /// Extended attributes that cannot be set here.
    Attribute,
}

/// The lines in the making.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<(Left, String, u64)>);

impl Notes {
    /// One more; `what` is kept of the first.
    pub(crate) fn add(&mut self, left: Left, what: &[u8]) {
        match self.0.iter_mut().find(|(known, ..)| *known == left) {
            Some((_, _, count)) => *count += 1,
            None => {
                let what = String::from_utf8_lossy(what);
                let what: String = what.escape_debug().take(200).collect();
                self.0.push((left, what, 1));
            }
        }
    }

    /// The lines.
    pub(crate) fn lines(self) -> Vec<String> {
        self.0
            .into_iter()
            .map(|(left, first, count)| line(left, &first, count))
            .collect()
    }
}

fn line(left: Left, first: &str, count: u64) -> String {
    let many = if count == 1 {
        first.to_owned()
    } else {
        format!("{first} and {} more", count - 1)
    };
    match left {
        Left::Device => {
            format!("left out, because only the machine's root may make devices: {many}")
        }
        Left::Owner => format!(
            "owners are not kept, because you have no ids besides your own (see /etc/subuid): {many}"
        ),
        Left::ForeignAttribute => {
            format!("extended attributes left out, because they belong to this machine: {many}")
        }
        Left::Attribute => {
            format!("extended attributes left out, because they cannot be set here: {many}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_kind() {
        let mut notes = Notes::default();
        notes.add(Left::Device, b"dev/null");
        notes.add(Left::Device, b"dev/zero");
        notes.add(Left::Owner, b"etc\x1b");
        let lines = notes.lines();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("dev/null and 1 more"));
        assert!(lines[1].ends_with("etc\\u{1b}"));
    }
}
