//! One file a command.

mod build;
mod cache;
mod completions;
mod doctor;
mod init;
mod inputs;
mod kernel;
mod path;
mod postbuild;
mod run;
mod status;
mod trace;

use serde::Serialize;

use crate::cli::Command;
use crate::error::{Error, Exit};
use crate::output::print;

/// Runs a command.
pub fn execute(command: &Command) -> Result<Exit, Error> {
    match command {
        Command::Build(args) => build::execute(args),
        Command::Run(args) => run::execute(args),
        Command::Status(args) => status::execute(args),
        Command::Path(args) => path::execute(args),
        Command::Trace(args) => trace::execute(args),
        Command::Postbuild(args) => postbuild::execute(args),
        Command::Doctor(args) => doctor::execute(args),
        Command::Init(args) => init::execute(args),
        Command::Cache(command) => cache::execute(command),
        Command::Kernel(command) => kernel::execute(command),
        Command::Completions { shell } => completions::execute(*shell),
    }
}

/// Prints one JSON document on standard output.
fn print_json(document: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Error::Output(error.into()))?;
    print(&format!("{text}\n"))
}
