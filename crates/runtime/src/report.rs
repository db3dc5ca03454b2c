//! What the executable says to people: one line on stderr.

/// Writes `error: MESSAGE` to stderr.
pub(crate) fn error(message: &str) {
    line(&format!("error: {message}"));
}

/// Writes a line to stderr.
pub(crate) fn line(text: &str) {
    let line = format!("{text}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}
