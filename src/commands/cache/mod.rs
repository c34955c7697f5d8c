//! `jlsys cache …`: one file a command.

mod clean;
mod dir;
mod gc;
mod keygen;
mod list;
mod pull;
mod push;
mod remote;
mod rm;
mod show;
mod verify;

use std::path::Path;

use indicatif::HumanDuration;
use jiff::Timestamp;

use crate::cache::{Cache, Lookup};
use crate::cli::CacheCommand;
use crate::error::{Error, Exit};
use crate::prepare::{Prepared, Request};

pub(super) fn execute(command: &CacheCommand) -> Result<Exit, Error> {
    match command {
        CacheCommand::List(args) => list::execute(args),
        CacheCommand::Show(args) => show::execute(args),
        CacheCommand::Verify(args) => verify::execute(args),
        CacheCommand::Gc(args) => gc::execute(args),
        CacheCommand::Rm(args) => rm::execute(args),
        CacheCommand::Clean(args) => clean::execute(args),
        CacheCommand::Push(args) => push::execute(args),
        CacheCommand::Pull(args) => pull::execute(args),
        CacheCommand::Keygen(args) => keygen::execute(args),
        CacheCommand::Dir => dir::execute(),
    }
}

/// The entry or the failed build that a user means: by the beginning of its key, or by the project it was built for last.
fn look_up(cache: &Cache, name: &str) -> Result<Lookup, Error> {
    if !Path::new(name).exists() {
        return Ok(cache.look_up(name)?);
    }
    let request = Request { project: Some(name.to_owned()), as_last_built: true, ..Request::default() };
    let prepared = Prepared::new(&request)?;
    let keys = std::iter::once(prepared.key).chain(prepared.last_built.as_ref().map(|record| record.key));
    let mut found = keys.filter_map(|key| cache.look_up(&key.to_string()).ok());
    found.next().ok_or_else(|| {
        Error::NoImage(format!(
            "no image yet for {}; `jlsys build` builds one",
            prepared.environment.project_dir().display()
        ))
    })
}

/// How long ago something was, as "3 hours ago".
fn ago(time: Timestamp) -> String {
    let age = Timestamp::now().duration_since(time).try_into().unwrap_or_default();
    format!("{} ago", HumanDuration(age))
}
