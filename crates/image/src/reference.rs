//! References: `[DOMAIN[:PORT]/]PATH[:TAG][@DIGEST]` (the grammar of distribution/reference), and docker's short forms.

use keelbox_spec::failure::{Code, Failure};

use crate::digest::Digest;

const DEFAULT_DOMAIN: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";

/// A reference, taken apart and completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// `docker.io`, `localhost:5000`.
    pub domain: String,
    /// `library/busybox`.
    pub path: String,
    /// None only when there is a digest instead.
    pub tag: Option<String>,
    /// What the manifest must be.
    pub digest: Option<Digest>,
    /// Whether the domain was written down.
    explicit_domain: bool,
}

impl Reference {
    /// Reads a reference as people write it.
    ///
    /// # Errors
    ///
    /// It is not of that form.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let bad = |why: &str| {
            Failure::new(
                Code::InvalidArg,
                format!("{text:?} is not an image's name"),
            )
            .why(why)
            .hint("write it as [REGISTRY/]NAME[:TAG], in lower case, e.g. debian:12 or localhost/app:1")
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest).map_err(|why| bad(&why))?)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            // A colon before a slash is a port's.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (rest, None),
        };
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(bad("the tag has characters that a tag cannot have"));
        }
        if Digest::from_hex(name).is_some() {
            return Err(bad("64 hex digits are an id"));
        }
        let (domain, path) = match name.split_once('/') {
            Some((first, path)) if is_domain(first) => (Some(first), path),
            _ => (None, name),
        };
        let explicit_domain = domain.is_some();
        let domain = match domain {
            None | Some("index.docker.io") => DEFAULT_DOMAIN,
            Some(domain) => domain,
        };
        if !path.split('/').all(is_component) {
            return Err(bad(
                "a name is of lower-case letters, digits, dots, hyphens and underscores, and parts by slashes",
            ));
        }
        let path = if domain == DEFAULT_DOMAIN && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        if domain.len() + path.len() > 255 {
            return Err(bad("it is longer than 255 characters"));
        }
        let tag = match (&tag, &digest) {
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            _ => tag,
        };
        Ok(Self {
            domain: domain.to_owned(),
            path,
            tag,
            digest,
            explicit_domain,
        })
    }

    /// `docker.io/library/busybox`.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The name that an image is kept under: domain, path and tag.
    #[must_use]
    pub fn name(&self) -> String {
        let tag = self.tag.as_deref().unwrap_or(DEFAULT_TAG);
        format!("{}/{}:{tag}", self.domain, self.path)
    }

    /// The names that it can mean, the first that there is wins: what was made here goes before what came from docker's registry.
    #[must_use]
    pub fn candidates(&self) -> Vec<String> {
        if self.explicit_domain {
            return vec![self.name()];
        }
        let tag = self.tag.as_deref().unwrap_or(DEFAULT_TAG);
        let short = self.path.strip_prefix("library/").unwrap_or(&self.path);
        vec![format!("localhost/{short}:{tag}"), self.name()]
    }
}

/// The name as docker shows it: without what everybody leaves out.
#[must_use]
pub fn familiar(name: &str) -> &str {
    let Some(short) = name.strip_prefix("docker.io/") else {
        return name;
    };
    match short.strip_prefix("library/") {
        Some(shorter) if !shorter.contains('/') => shorter,
        _ => short,
    }
}

fn is_tag(tag: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let starts = tag
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    starts && tag.len() <= 128 && tag.chars().all(good)
}

/// Only the first part can be a domain, and only when it does not look like a part of the path.
fn is_domain(part: &str) -> bool {
    let looks = part == "localhost"
        || part.contains(['.', ':'])
        || part.chars().any(|c| c.is_ascii_uppercase());
    let (host, port) = part.split_once(':').unwrap_or((part, "0"));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    looks
        && host.split('.').all(label)
        && !port.is_empty()
        && port.chars().all(|c| c.is_ascii_digit())
}

/// `[a-z0-9]+` joined by `.`, `_`, `__` or hyphens.
fn is_component(part: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = |c: Option<char>| c.is_some_and(alphanumeric);
    let separators = part
        .split(alphanumeric)
        .filter(|separator| !separator.is_empty());
    ends(part.chars().next())
        && ends(part.chars().next_back())
        && separators
            .into_iter()
            .all(|s| matches!(s, "." | "_" | "__") || s.chars().all(|c| c == '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        Reference::parse(text)
            .ok()
            .map(|reference| reference.name())
    }

    #[test]
    fn short_names_are_completed_as_docker_does() {
        for (short, full) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1.36", "docker.io/library/busybox:1.36"),
            ("me/app", "docker.io/me/app:latest"),
            ("localhost/x:1", "localhost/x:1"),
            ("localhost:5000/x", "localhost:5000/x:latest"),
            ("registry.example/a/b/c:2", "registry.example/a/b/c:2"),
            ("index.docker.io/library/x", "docker.io/library/x:latest"),
        ] {
            assert_eq!(name(short).as_deref(), Some(full), "{short}");
        }
        assert_eq!(familiar("docker.io/library/busybox:1"), "busybox:1");
        assert_eq!(familiar("docker.io/me/app:1"), "me/app:1");
        assert_eq!(familiar("localhost/x:1"), "localhost/x:1");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in [
            "",
            "A",
            "a//b",
            "/a",
            "a/",
            "../a",
            "a:",
            "a:b:c",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a b",
            "a:-x",
            "a@sha256:1",
            "a@md5:1",
            "localhost:x/a",
        ] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
        assert_eq!(name(&"0".repeat(64)), None);
        assert_eq!(name(&"a".repeat(256)), None);
    }

    #[test]
    fn what_was_made_here_comes_first() {
        let reference = Reference::parse("x:1").expect("a name");
        let wanted = ["localhost/x:1", "docker.io/library/x:1"];
        assert_eq!(reference.candidates(), wanted);
    }
}
