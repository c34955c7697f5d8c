//! Becoming another program.

use std::io;
use std::os::unix::process::CommandExt;

use super::Command;

/// Replaces the running program by `command`, so that its signals, exit status and terminal are the
/// command's own. Returns only when that is not possible.
pub fn replace_with(command: &Command) -> io::Error {
    command.to_std().exec()
}
