//! Names of entries: taken apart, and refused when they lead anywhere but down.

use crate::Fault;

/// What begins the name of a whiteout (OCI image-spec, "Layer Filesystem Changeset", section "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";
/// What begins the names that aufs kept its own things under.
const AUFS: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// The names on the way to an entry, without those that mean nothing. None: the root directory itself.
pub(crate) type Path<'a> = Option<(Vec<&'a [u8]>, &'a [u8])>;

/// Takes a path apart. One that begins with a slash starts at the layer's root all the same, as everywhere.
///
/// # Errors
///
/// `..` in it: no program that makes layers writes that.
pub(crate) fn split(path: &[u8]) -> Result<Path<'_>, Fault> {
    let mut names = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(Fault::archive("a name with .. in it")),
            name => names.push(name),
        }
    }
    Ok(names.pop().map(|last| (names, last)))
}

/// What a name means in a layer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning<'a> {
    /// A file of that name.
    Name,
    /// The lower layers' file of this name is gone.
    Whiteout(&'a [u8]),
    /// What the lower layers have in this directory is gone.
    Opaque,
    /// aufs's own.
    Ignored,
}

/// What a path means in a layer.
///
/// # Errors
///
/// A whiteout of nothing, of `.` or of `..` (umoci before 0.6.1 removed the directory above with the last of these); files
/// below a whiteout.
pub(crate) fn meaning<'a>(parents: &[&[u8]], name: &'a [u8]) -> Result<Meaning<'a>, Fault> {
    if parents.iter().any(|parent| parent.starts_with(AUFS)) {
        return Ok(Meaning::Ignored);
    }
    if parents.iter().any(|parent| parent.starts_with(WHITEOUT)) {
        return Err(Fault::archive("it lies below a whiteout"));
    }
    if name == OPAQUE {
        return Ok(Meaning::Opaque);
    }
    let Some(hidden) = name.strip_prefix(WHITEOUT) else {
        return Ok(Meaning::Name);
    };
    match hidden {
        b"" | b"." | b".." => Err(Fault::archive("a whiteout of no name")),
        _ if name.starts_with(AUFS) => Ok(Meaning::Ignored),
        hidden => Ok(Meaning::Whiteout(hidden)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_down() {
        let (parents, name) = split(b"/./usr//bin/sh").unwrap().unwrap();
        assert_eq!((parents, name), (vec![&b"usr"[..], b"bin"], &b"sh"[..]));
        assert_eq!(split(b"./").unwrap(), None);
        for path in [&b".."[..], b"a/../b", b"../etc", b"a/.."] {
            assert!(split(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn whiteouts_have_a_name() {
        assert_eq!(meaning(&[], b".wh.a").unwrap(), Meaning::Whiteout(b"a"));
        assert_eq!(meaning(&[], b".wh..a").unwrap(), Meaning::Whiteout(b".a"));
        assert_eq!(meaning(&[], b".wh..wh..opq").unwrap(), Meaning::Opaque);
        assert_eq!(meaning(&[], b".wh..wh.plnk").unwrap(), Meaning::Ignored);
        assert_eq!(
            meaning(&[b".wh..wh.plnk"], b"1.2").unwrap(),
            Meaning::Ignored
        );
        assert_eq!(meaning(&[], b"a.wh.b").unwrap(), Meaning::Name);
        for name in [&b".wh."[..], b".wh..", b".wh..."] {
            assert!(meaning(&[], name).is_err(), "{name:?}");
        }
        assert!(meaning(&[b".wh.a"], b"b").is_err());
    }
}
