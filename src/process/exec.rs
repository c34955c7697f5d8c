//! Becoming another program.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;

/// Replaces the running program by another, so that its signals, exit status and terminal are that program's own. Its environment is
/// this one's to the letter, also in its order unless there are further `variables`. Returns only when that is not possible.
pub fn replace_with(program: &Path, arguments: &[OsString], variables: &[(&str, &str)]) -> io::Error {
    std::process::Command::new(program).args(arguments).envs(variables.iter().copied()).exec()
}
