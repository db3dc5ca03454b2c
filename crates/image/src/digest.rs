//! Digests: `sha256:` and 64 lower-case hex digits, and nothing else (OCI image-spec, "Digests"). A digest becomes part of a
//! path, so what is not of this form never becomes a [`Digest`] (CVE-2024-3727, CVE-2014-9356).

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// A SHA-256 digest of that form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// Reads `sha256:HEX`.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((algorithm, hex)) = text.split_once(':') else {
            return Err(format!("{text:?} is not a digest"));
        };
        if algorithm != "sha256" {
            return Err(format!(
                "the digest {text:?} is of another kind than sha256"
            ));
        }
        Self::from_hex(hex).ok_or_else(|| format!("{text:?} is not a sha256 digest"))
    }

    /// From 64 lower-case hex digits.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        let good = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (hex.len() == 64 && hex.bytes().all(good)).then(|| Self(hex.to_owned()))
    }

    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The hex digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.0
    }

    /// The chain id of a layer with this diff id on top of `below` (OCI image-spec, "Layer ChainID").
    #[must_use]
    pub fn chained(&self, below: Option<&Self>) -> Self {
        match below {
            None => self.clone(),
            Some(below) => Self::of(format!("{below} {self}").as_bytes()),
        }
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Makes a digest of what comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that came.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(
            self.0
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_is_sha256_and_hex_only() {
        assert_eq!(Digest::of(b"").hex(), EMPTY);
        assert!(Digest::parse(&format!("sha256:{EMPTY}")).is_ok());
        let upper = EMPTY.to_uppercase();
        for bad in [
            String::new(),
            EMPTY.into(),
            format!("sha256:{upper}"),
            format!("sha256:{}", &EMPTY[1..]),
            format!("sha256:{EMPTY}0"),
            format!("md5:{EMPTY}"),
            format!("sha512:{EMPTY}{EMPTY}"),
            "sha256:../../../etc/passwd".into(),
            format!("sha256:{}/", &EMPTY[1..]),
        ] {
            assert!(Digest::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn chain_ids_are_those_of_the_specification() {
        let diff = Digest::of(b"a");
        assert_eq!(diff.chained(None), diff);
        let expected = Digest::of(format!("{diff} {diff}").as_bytes());
        assert_eq!(diff.chained(Some(&diff)), expected);
    }
}
