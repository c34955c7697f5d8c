//! Finding the Julia to use.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::discover_error::DiscoverError;
use super::juliaup::{self, Channel};
use crate::environment::expand_home;
use crate::process::{find_on_path, is_executable};

/// Which Julia is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// `--julia`: a path, a name on `PATH`, or `+channel` of juliaup.
    pub option: Option<&'a str>,
    /// The variable `JULIA`: a path or a name on `PATH`.
    pub variable: Option<&'a str>,
    /// The folder that juliaup's directory overrides apply to.
    pub directory: &'a Path,
}

/// Finds the executable to start, without starting anything: `--julia` before `JULIA` before `PATH`. juliaup's launcher
/// is resolved to the Julia that it would start, since the launcher itself stays the same when the channel moves on.
pub fn discover(wish: Wish<'_>) -> Result<PathBuf, DiscoverError> {
    let command = match (wish.option, wish.variable) {
        (Some(option), _) => {
            if let Some(channel) = option.strip_prefix('+') {
                return juliaup::executable(&Channel::Named(channel.to_owned()));
            }
            named(option, "--julia")?
        }
        (None, Some(variable)) if !variable.is_empty() => named(variable, "the variable JULIA")?,
        _ => find_on_path(OsStr::new("julia")).ok_or(DiscoverError::None)?,
    };
    if juliaup::is_launcher(&command) {
        return juliaup::executable(&Channel::Default { directory: wish.directory.to_owned() });
    }
    Ok(command)
}

/// Where [`discover`] looks, in words.
pub fn whence(wish: Wish<'_>) -> String {
    let (source, command) = match (wish.option, wish.variable) {
        (Some(option), _) if option.starts_with('+') => return format!("juliaup's channel {}", &option[1..]),
        (Some(option), _) => ("--julia", named(option, "").ok()),
        (None, Some(variable)) if !variable.is_empty() => ("the variable JULIA", named(variable, "").ok()),
        _ => ("PATH", find_on_path(OsStr::new("julia"))),
    };
    let by_launcher = command.is_some_and(|command| juliaup::is_launcher(&command));
    if by_launcher { format!("juliaup, by {source}") } else { source.to_owned() }
}

fn named(wish: &str, source_name: &'static str) -> Result<PathBuf, DiscoverError> {
    let found = if wish.contains('/') {
        let path = expand_home(Path::new(wish), std::env::home_dir().as_deref());
        std::path::absolute(&path).ok().filter(|path| is_executable(path))
    } else {
        find_on_path(OsStr::new(wish))
    };
    found.ok_or_else(|| DiscoverError::NotThere { wish: wish.to_owned(), source_name })
}
