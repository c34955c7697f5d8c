//! Precompiling the packages, several at once, before anything loads them.

use std::path::Path;
use std::time::Duration;

use crate::julia::{Driver, JuliaInstall};
use crate::process::{self, Finished, ProcessError};

/// Hundreds of packages take most of an hour on a small machine; what hangs for two hours does not end.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// For which processes packages are precompiled: the caches of one do not serve another.
#[derive(Debug, Clone, Copy)]
pub enum For<'a> {
    /// Those that run the workloads.
    Workloads,
    /// The one that writes the image; with the options that it has.
    Writing(&'static [&'static str]),
    /// Sessions that start with this image.
    Sessions(&'a Path),
}

/// Precompiles the packages of a project that are not in Julia's image, and their extensions, `jobs` at once: those that
/// are `named` and what they depend on, or all.
///
/// What does not precompile is no error here: [`load`](super::load) finds which it is, and what it says.
pub async fn precompile(
    julia: &JuliaInstall,
    project_file: &Path,
    drivers: &Path,
    purpose: For<'_>,
    named: Option<&str>,
    jobs: usize,
    log: &Path,
) -> Result<Finished, ProcessError> {
    let driver = Driver::PRECOMPILE.path_in(drivers);
    let command = julia.command(project_file);
    let command = match purpose {
        For::Workloads => command.arg(driver),
        For::Writing(arguments) => command.args(arguments).arg(driver),
        For::Sessions(image) => command.option("--sysimage=", image).arg(driver).arg("--repl"),
    };
    let command = command.args(named).env("JULIA_NUM_PRECOMPILE_TASKS", jobs.to_string());
    process::run(&command, Some(PATIENCE), log).await
}
