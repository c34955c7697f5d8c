//! Standard output and standard error. Whoever reads them may go at any time, as `head` does; that is no reason to do less.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// Standard output cannot be written to.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct OutputError(#[from] std::io::Error);

/// Says a line on standard error, if anybody hears it.
pub fn tell(line: impl Display) {
    // In one piece, so that lines of several processes do not mix.
    let _ = anstream::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Prints on standard output.
///
/// # Errors
///
/// It cannot be written to, as on a full disk. A reader that has gone has what it wanted.
pub fn print(text: &str) -> Result<(), OutputError> {
    written(std::io::stdout().write_all(text.as_bytes()))
}

/// What came of writing to standard output.
///
/// # Errors
///
/// As with [`print()`].
pub fn written(result: std::io::Result<()>) -> Result<(), OutputError> {
    result.or_else(|error| match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(OutputError(error)),
    })
}
