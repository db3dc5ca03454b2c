//! What programs with certain libraries load or read later, without saying so in their headers.

use std::path::{Path, PathBuf};

use keelbox_spec::failure::Failure;

use crate::closure::{Collector, is_musl};
use crate::loader::musl_path_file;

const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";
const NSSWITCH: &str =
    "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n";

/// Libraries for TLS, by the beginning of their names.
const TLS: [&str; 4] = ["libssl.so", "libgnutls.so", "libcurl", "libnss3.so"];

/// Where distributions keep the certificates that they trust, as one file (Go's crypto/x509 has the same list).
const CERTIFICATES: [&str; 8] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/lib/ssl/cert.pem",
    "/usr/lib/ssl/certs",
];

/// Libraries that read descriptions of terminals.
const TERMINALS: [&str; 3] = ["libtinfo", "libncurses", "libtermcap"];
const TERMINFO: [&str; 4] = [
    "/etc/terminfo",
    "/lib/terminfo",
    "/usr/lib/terminfo",
    "/usr/share/terminfo",
];
const TERMINAL_NAMES: [&str; 11] = [
    "a/ansi",
    "d/dumb",
    "l/linux",
    "r/rxvt",
    "s/screen",
    "s/screen-256color",
    "t/tmux",
    "t/tmux-256color",
    "v/vt100",
    "x/xterm",
    "x/xterm-256color",
];

/// Since glibc 2.34, the lookups of files and DNS are in libc itself.
const NSS_IS_INSIDE: &[u8] = b"GLIBC_2.34\0";

pub(crate) fn add(collector: &mut Collector<'_>) -> Result<(), Failure> {
    collector.tree.text("/etc/passwd", PASSWD)?;
    collector.tree.text("/etc/group", GROUP)?;
    if let Some(libc) = collector.library("libc.so.6") {
        name_service(collector, &libc)?;
        // For pthread_cancel, pthread_exit and backtrace (glibc's libc_fatal and unwind-dep.c).
        collector.optional_library("libgcc_s.so.1")?;
    }
    musl_paths(collector)?;
    if TLS.iter().any(|library| collector.has(library)) {
        CERTIFICATES
            .iter()
            .try_for_each(|file| optional(collector, file))?;
    }
    if TERMINALS.iter().any(|library| collector.has(library)) {
        for directory in TERMINFO {
            for name in TERMINAL_NAMES {
                optional(collector, &format!("{directory}/{name}"))?;
            }
        }
    }
    Ok(())
}

fn name_service(collector: &mut Collector<'_>, libc: &Path) -> Result<(), Failure> {
    collector.tree.text("/etc/nsswitch.conf", NSSWITCH)?;
    let bytes = collector.host.read(libc).unwrap_or_default();
    let is_inside = bytes
        .windows(NSS_IS_INSIDE.len())
        .any(|part| part == NSS_IS_INSIDE);
    if is_inside {
        return Ok(());
    }
    collector.optional_library("libnss_files.so.2")?;
    collector.optional_library("libnss_dns.so.2")
}

/// The directories of musl's loader, where they are not its own.
fn musl_paths(collector: &mut Collector<'_>) -> Result<(), Failure> {
    let files: Vec<_> = collector
        .loaders()
        .filter(|interpreter| is_musl(interpreter))
        .filter_map(musl_path_file)
        .collect();
    files.iter().try_for_each(|file| optional(collector, file))
}

/// A file that is good to have. One that is not there, or that the caller may not read, is left out.
fn optional(collector: &mut Collector<'_>, path: &str) -> Result<(), Failure> {
    let path = PathBuf::from(path);
    let readable = collector.host.way(&path).is_ok_and(|way| {
        way.is_directory || std::fs::File::open(collector.host.real(&way.end)).is_ok()
    });
    if readable {
        collector.tree.include(collector.host, &path)?;
    }
    Ok(())
}
