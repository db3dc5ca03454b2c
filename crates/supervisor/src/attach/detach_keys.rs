//! Keys that leave a container alone again: docker's `--detach-keys`.

/// The keys, and how many of them have just been typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachKeys {
    keys: Vec<u8>,
    typed: usize,
}

impl DetachKeys {
    /// Those of a text such as `ctrl-p,ctrl-q`, `a` or `ctrl-]`; None: it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        Some(Self {
            keys: keys?,
            typed: 0,
        })
    }

    /// Looks at what is typed, and leaves in it what goes to the container: not the keys so far, which follow when another
    /// one comes. True: all of them were typed.
    pub fn filter(&mut self, bytes: &mut Vec<u8>) -> bool {
        let mut rest = Vec::with_capacity(bytes.len());
        for byte in std::mem::take(bytes) {
            while self.typed > 0 && self.keys.get(self.typed) != Some(&byte) {
                self.give_back(&mut rest);
            }
            if self.keys.get(self.typed) == Some(&byte) {
                self.typed += 1;
            } else {
                rest.push(byte);
            }
            if self.typed == self.keys.len() {
                self.typed = 0;
                *bytes = rest;
                return true;
            }
        }
        *bytes = rest;
        false
    }

    /// What was typed is no beginning of the keys: its first byte goes on, and what follows may be one.
    fn give_back(&mut self, rest: &mut Vec<u8>) {
        let typed = self.keys.get(..self.typed).unwrap_or_default();
        let next = (1..typed.len())
            .find(|start| {
                typed
                    .get(*start..)
                    .is_some_and(|end| self.keys.starts_with(end))
            })
            .unwrap_or(typed.len());
        rest.extend_from_slice(typed.get(..next).unwrap_or_default());
        self.typed -= next;
    }
}

/// One key: a character of ASCII, or `ctrl-` and a letter or one of `@[\]^_`.
fn key(text: &str) -> Option<u8> {
    let one = |text: &str| match text.as_bytes() {
        [byte] if byte.is_ascii() => Some(*byte),
        _ => None,
    };
    let Some(name) = text.strip_prefix("ctrl-") else {
        return one(text);
    };
    match one(name)? {
        letter @ b'a'..=b'z' => Some(letter - b'a' + 1),
        b'@' => Some(0),
        sign @ b'['..=b'_' => Some(sign - b'[' + 27),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes to the container, and whether the keys were among it.
    fn typed(keys: &str, parts: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut keys = DetachKeys::parse(keys).unwrap();
        let mut through = Vec::new();
        for part in parts {
            let mut bytes = part.to_vec();
            let detached = keys.filter(&mut bytes);
            through.extend(bytes);
            if detached {
                return (through, true);
            }
        }
        (through, false)
    }

    #[test]
    fn a_text_names_keys() {
        let bytes = |text| DetachKeys::parse(text).map(|keys| keys.keys);
        assert_eq!(bytes("ctrl-]"), Some(vec![0x1d]));
        assert_eq!(bytes("ctrl-p,ctrl-q"), Some(vec![16, 17]));
        assert_eq!(
            bytes("ctrl-@,ctrl-[,ctrl-\\,ctrl-^,ctrl-_"),
            Some(vec![0, 27, 28, 30, 31])
        );
        assert_eq!(bytes("a,B,~"), Some(b"aB~".to_vec()));
        for wrong in ["", "ctrl-", "ctrl-A", "ctrl-1", "ab", "a,", "é", "ctrl-ab"] {
            assert_eq!(bytes(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_keys_are_found_wherever_they_are_cut() {
        assert_eq!(
            typed("ctrl-]", &[b"ls\n\x1dmore"]),
            (b"ls\n".to_vec(), true)
        );
        assert_eq!(
            typed("ctrl-p,ctrl-q", &[b"x\x10", b"\x11"]),
            (b"x".to_vec(), true)
        );
    }

    #[test]
    fn what_only_begins_like_them_goes_on() {
        assert_eq!(
            typed("ctrl-p,ctrl-q", &[b"\x10", b"a"]),
            (b"\x10a".to_vec(), false)
        );
        assert_eq!(
            typed("ctrl-p,ctrl-q", &[b"\x10\x10", b"\x11"]),
            (b"\x10".to_vec(), true)
        );
        assert_eq!(typed("a,a,b", &[b"aaab"]), (b"a".to_vec(), true));
        assert_eq!(typed("a,b,a,c", &[b"abab", b"ac"]), (b"ab".to_vec(), true));
        assert_eq!(typed("a,b", &[b"xyz"]), (b"xyz".to_vec(), false));
    }
}
