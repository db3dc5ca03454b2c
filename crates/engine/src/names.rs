//! Names: a link from each to its container's id. Making a link is atomic, so two containers never get one name.

use std::path::Path;

use keelbox_spec::failure::{Code, Failure};

use crate::roots::Roots;
use crate::store::store_failure;

/// Short, different from one another at a glance and by ear.
const WORDS: [&str; 64] = [
    "ant", "bat", "bear", "bee", "boar", "bull", "carp", "cat", "clam", "cod", "cow", "crab",
    "crane", "crow", "deer", "dodo", "dove", "duck", "eel", "elk", "emu", "ewe", "finch", "fox",
    "frog", "gnu", "goat", "gull", "hare", "hawk", "hen", "heron", "ibex", "jay", "kite", "koi",
    "lark", "lion", "loon", "lynx", "mink", "mole", "moth", "mule", "newt", "orca", "otter", "owl",
    "panda", "pike", "puma", "quail", "ram", "raven", "seal", "shrew", "snail", "stork", "swan",
    "tern", "toad", "trout", "wolf", "wren",
];

/// Gives `id` the name that was asked for, or one of our own.
pub(crate) fn claim(
    roots: &Roots,
    wanted: Option<&str>,
    image: &str,
    id: &str,
) -> Result<String, Failure> {
    if let Some(name) = wanted {
        check(name)?;
        return if link(roots, name, id)? {
            Ok(name.to_owned())
        } else {
            Err(taken(roots, name))
        };
    }
    let stem = stem(image);
    let seed = usize::from_str_radix(id.get(..8).unwrap_or("0"), 16).unwrap_or(0);
    for attempt in 0..10_000 {
        let word = WORDS
            .get((seed + attempt) % WORDS.len())
            .copied()
            .unwrap_or("x");
        // Once round the words, a number goes behind them.
        let number = attempt / WORDS.len();
        let name = if number == 0 {
            format!("{stem}-{word}")
        } else {
            format!("{stem}-{word}-{}", number + 1)
        };
        if link(roots, &name, id)? {
            return Ok(name);
        }
    }
    Err(Failure::new(Code::NameTaken, "no free name was found")
        .hint("give the container one with --name"))
}

/// docker's grammar for names, which also keeps a path from having a name's form.
fn check(name: &str) -> Result<(), Failure> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let starts = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    if starts && name.len() <= 128 && name.chars().all(good) {
        return Ok(());
    }
    Err(Failure::new(
        Code::InvalidArg,
        format!("{name:?} is not a container name"),
    )
    .hint("use letters, digits, dots, hyphens and underscores, beginning with a letter or digit"))
}

fn taken(roots: &Roots, name: &str) -> Failure {
    let owner = resolve(roots, name).unwrap_or_default();
    Failure::new(
        Code::NameTaken,
        format!("the name {name:?} is in use by container {:.12}", owner),
    )
    .hint(format!(
        "choose another name, or remove that container: keelbox rm -f {name}"
    ))
    .exit_code(125)
}

/// False: the name is taken.
fn link(roots: &Roots, name: &str, id: &str) -> Result<bool, Failure> {
    let path = roots.names().join(name);
    for _ in 0..2 {
        match std::os::unix::fs::symlink(id, &path) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                if !remove_if_stale(roots, name) {
                    return Ok(false);
                }
            }
            Err(error) => return Err(store_failure("make", &path, &error)),
        }
    }
    Ok(false)
}

/// The id that a name stands for.
pub(crate) fn resolve(roots: &Roots, name: &str) -> Option<String> {
    // A name is one path component; anything else would lead out of the directory.
    if name.contains('/') || name.starts_with('.') {
        return None;
    }
    std::fs::read_link(roots.names().join(name))
        .ok()?
        .into_os_string()
        .into_string()
        .ok()
}

/// Removes the link of a container that is no more. The directories are made before the link and go after it, so a link to
/// neither of them is a leftover.
pub(crate) fn remove_if_stale(roots: &Roots, name: &str) -> bool {
    let Some(id) = resolve(roots, name) else {
        return true;
    };
    let exists = |directory: &Path| directory.join(&id).exists();
    if exists(&roots.containers()) || exists(&roots.running()) {
        return false;
    }
    std::fs::remove_file(roots.names().join(name)).is_ok()
}

/// The last part of an image's name, without its tag; for a directory, its own name.
fn stem(image: &str) -> String {
    let last = image
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(image);
    let bare = last.split([':', '@']).next().unwrap_or(last);
    let kept: String = bare
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .take(40)
        .collect();
    let kept = kept.trim_start_matches(['-', '_', '.']).to_lowercase();
    if kept.is_empty() { "box".into() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_like_its_image() {
        assert_eq!(stem("docker.io/library/Alpine:3.22"), "alpine");
        assert_eq!(stem("/srv/roots/bookworm/"), "bookworm");
        assert_eq!(stem("/"), "box");
    }

    #[test]
    fn a_name_is_no_path() {
        for name in ["", "a/b", "..", "-x", "a b", ".hidden"] {
            assert!(check(name).is_err(), "{name:?}");
        }
        assert!(check("web_1.a-b").is_ok());
    }
}
