//! Which of an index's manifests is for this machine (OCI image-spec, "Image Index").

use serde::{Deserialize, Serialize};

/// What a manifest is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Platform {
    /// In Go's words: `amd64`, `arm64`.
    #[serde(default)]
    pub architecture: String,
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// `v7`, `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Go's word for what Rust calls this machine.
#[must_use]
pub fn machine() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

impl Platform {
    /// How well it fits this machine; None: not at all.
    pub(crate) fn fit(&self) -> Option<u8> {
        if self.os != "linux" || self.architecture != machine() {
            return None;
        }
        // Higher x86 levels need what not every machine has; the plain one runs everywhere.
        match self.variant.as_deref() {
            None | Some("" | "v8") => Some(2),
            Some("v1") => Some(1),
            Some(_) => None,
        }
    }

    /// A build's attestations are manifests for this platform: no images.
    pub(crate) fn is_attestation(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant
            .iter()
            .try_for_each(|variant| write!(f, "/{variant}"))
    }
}
