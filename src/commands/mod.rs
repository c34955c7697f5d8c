//! One file a command.

mod build;
mod cache;
mod completions;
mod doctor;
mod dry_run;
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
use crate::output::{OutputError, print};
use crate::pipeline::{self, BuildOptions};
use crate::prepare::{self, Prepared};
use crate::process;
use crate::progress::Progress;
use crate::report::Report;

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

/// Builds the image of a project, or finds it, and precompiles what sessions load beside it. Who interrupts that has the image.
fn build_for_sessions(
    prepared: &Prepared,
    options: BuildOptions,
    progress: &Progress,
) -> Result<Report, Error> {
    let budget = pipeline::budget(prepared, options);
    let build = pipeline::build(prepared, options, budget, progress);
    let ended = process::block_on_interruptible(build).map_err(Error::Runtime)?;
    let mut report = ended.ok_or_else(|| Error::InterruptedBuild(pipeline::kept(prepared)))??;
    let serve = pipeline::serve_sessions(prepared, options, &budget, progress, &mut report);
    match process::block_on_interruptible(serve).map_err(Error::Runtime)? {
        Some(served) => served?,
        None => report.warnings.push(
            "interrupted; the image is in place, and the next `jlsys build` precompiles what is left"
                .to_owned(),
        ),
    }
    Ok(report)
}

/// A word for a shell, in quotes.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Whether a command starts a Julia; why not, otherwise.
fn is_julia(command: &str) -> Result<(), String> {
    prepare::julia_of(command).map(drop).map_err(|error| error.to_string())
}

/// Prints one JSON document on standard output.
fn print_json(document: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| OutputError::from(std::io::Error::from(error)))?;
    Ok(print(&format!("{text}\n"))?)
}
