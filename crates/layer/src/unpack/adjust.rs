//! Entries otherwise than an archive has them.

use crate::job::{Adjust, Rename};
use crate::tar::{Entry, Kind};

impl Adjust {
    /// Changes an entry. False: it is passed over.
    pub(super) fn entry(&self, entry: &mut Entry) -> bool {
        if let Some((uid, gid)) = self.owner {
            (entry.uid, entry.gid) = (uid, gid);
        }
        if self.without_set_ids && entry.kind != Kind::Directory {
            entry.mode &= 0o1777;
        }
        entry.path = self.renamed(&entry.path);
        if entry.kind == Kind::HardLink {
            entry.link = self.renamed(&entry.link);
        }
        !(self.keep_root && names(&entry.path).next().is_none())
    }

    fn renamed(&self, path: &[u8]) -> Vec<u8> {
        let first: Option<&[u8]> = match &self.rename {
            Rename::Nothing => return path.to_vec(),
            Rename::Strip => None,
            Rename::To(name) => Some(name),
        };
        // `..` stays, and is refused where entries are made.
        let rest = names(path).skip(1);
        let parts: Vec<&[u8]> = first.into_iter().chain(rest).collect();
        parts.join(&b'/')
    }
}

fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_changes_and_no_other() {
        let to = |rename| Adjust {
            rename,
            keep_root: true,
            ..Adjust::default()
        };
        let file = |path: &[u8]| Entry::new(Kind::File, path.to_vec());
        for (adjust, before, after) in [
            (to(Rename::To(b"b".to_vec())), "./a/x/a", "b/x/a"),
            (to(Rename::Strip), "a/x/", "x"),
            (to(Rename::Strip), "a/../../x", "../../x"),
            (to(Rename::Nothing), "a/x", "a/x"),
        ] {
            let mut entry = file(before.as_bytes());
            assert!(adjust.entry(&mut entry));
            assert_eq!(entry.path, after.as_bytes());
        }
        assert!(!to(Rename::Strip).entry(&mut file(b"a/")));
        assert!(!to(Rename::Nothing).entry(&mut file(b"./")));
    }
}
