//! Patterns of paths, as podman's `unmask` has them (Go's `filepath.Match`).

/// Whether `pattern` names all of `path`: `*` stands for any text without a `/`, `?` for one such character, `[a-z]` and
/// `[^a-z]` for one of some, `\` for the next character itself. A pattern that is none (`[a`) names nothing.
#[must_use]
pub fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.chars().collect(), path.chars().collect());
    at(&pattern, &path)
}

fn at(pattern: &[char], path: &[char]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            let name = path.iter().position(|c| *c == '/').unwrap_or(path.len());
            (0..=name).any(|skip| at(rest, &path[skip..]))
        }
        (['?', rest @ ..], [c, path @ ..]) => *c != '/' && at(rest, path),
        (['[', rest @ ..], [c, path @ ..]) => {
            class(rest, *c).is_some_and(|(hit, rest)| hit && *c != '/' && at(rest, path))
        }
        (['\\', wanted, rest @ ..], [c, path @ ..]) | ([wanted, rest @ ..], [c, path @ ..]) => {
            wanted == c && at(rest, path)
        }
        _ => false,
    }
}

/// Whether `c` is in the class that starts the pattern, and what follows the class.
fn class(pattern: &[char], c: char) -> Option<(bool, &[char])> {
    let (not, mut rest) = match pattern {
        ['^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut hit = false;
    let mut first = true;
    loop {
        rest = match rest {
            [']', rest @ ..] if !first => return Some((hit != not, rest)),
            [low, '-', high, rest @ ..] if *high != ']' => {
                hit |= (*low..=*high).contains(&c);
                rest
            }
            [one, rest @ ..] => {
                hit |= *one == c;
                rest
            }
            [] => return None,
        };
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_within_a_name() {
        assert!(matches("/proc/*", "/proc/kcore"));
        assert!(!matches("/proc/*", "/proc/tty/driver"));
        assert!(matches("/proc/*/*", "/proc/tty/driver"));
        assert!(matches(
            "/sys/devices/*/cpu/cpu?/thermal*",
            "/sys/devices/system/cpu/cpu1/thermal_throttle"
        ));
        assert!(!matches("/proc/k", "/proc/kcore"));
    }

    #[test]
    fn classes_and_escapes() {
        assert!(matches("/proc/k[a-d]ore", "/proc/kcore"));
        assert!(!matches("/proc/k[^a-d]ore", "/proc/kcore"));
        assert!(matches("/proc/k\\core", "/proc/kcore"));
        assert!(!matches("/proc/k[core", "/proc/kcore"));
        assert!(!matches("/proc[/]kcore", "/proc/kcore"));
    }
}
