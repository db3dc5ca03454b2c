//! What the executable says to people: one line on stderr.

/// Writes `error: MESSAGE` to stderr.
pub(crate) fn error(message: &str) {
    let line = format!("error: {message}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}
