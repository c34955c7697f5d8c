//! Precompiling the packages, several at once, before anything loads them.

use std::path::Path;
use std::time::Duration;

use crate::julia::{Driver, JuliaInstall};
use crate::process::{self, Finished, ProcessError};

/// Hundreds of packages take most of an hour on a small machine; what hangs for two hours does not end.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// Precompiles every package of the project and their extensions, `jobs` at once. `arguments`: under which options, as
/// caches made under some do not serve under others.
///
/// What does not precompile is no error here: [`load`](super::load) finds which it is, and what it says.
pub async fn precompile(
    julia: &JuliaInstall,
    project_file: &Path,
    drivers: &Path,
    arguments: &[&str],
    jobs: usize,
    log: &Path,
) -> Result<Finished, ProcessError> {
    let command = julia
        .command(project_file)
        .args(arguments)
        .arg(Driver::PRECOMPILE.path_in(drivers))
        .env("JULIA_NUM_PRECOMPILE_TASKS", jobs.to_string());
    process::run(&command, Some(PATIENCE), log).await
}
