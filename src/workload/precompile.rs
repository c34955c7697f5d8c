//! Precompiling the packages, several at once, before anything loads them.

use std::path::Path;
use std::time::{Duration, Instant};

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

/// How to go about it.
#[derive(Debug, Clone, Copy)]
pub struct Precompiling<'a> {
    /// For which processes.
    pub purpose: For<'a>,
    /// The package to precompile with what it depends on; all when absent.
    pub named: Option<&'a str>,
    /// How many packages at once.
    pub jobs: usize,
    /// When it must have ended, if there is little time.
    pub deadline: Option<Instant>,
}

/// Precompiles the packages of a project that are not in Julia's image, and their extensions.
///
/// What does not precompile is no error here: [`load`](super::load) finds which it is, and what it says.
pub async fn precompile(
    julia: &JuliaInstall,
    project_file: &Path,
    drivers: &Path,
    how: Precompiling<'_>,
    log: &Path,
) -> Result<Finished, ProcessError> {
    let Precompiling { purpose, named, jobs, deadline } = how;
    let driver = Driver::PRECOMPILE.path_in(drivers);
    let command = julia.command(project_file);
    let command = match purpose {
        For::Workloads => command.arg(driver),
        For::Writing(arguments) => command.args(arguments).arg(driver),
        For::Sessions(image) => command.option("--sysimage=", image).arg(driver).arg("--sessions"),
    };
    let command = command.args(named).env("JULIA_NUM_PRECOMPILE_TASKS", jobs.to_string());
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    process::run(&command, Some(left.map_or(PATIENCE, |left| left.min(PATIENCE))), log).await
}
