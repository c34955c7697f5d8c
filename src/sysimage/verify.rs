//! Trying an image in a fresh process before anybody depends on it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::replay::said;
use super::served::says_no_target_fits;
use crate::julia::{Driver, Drivers, Identity, JuliaInstall, PackageResults, write_packages};
use crate::plan::Plan;
use crate::problem::Problem;
use crate::process::{self, Finished, ProcessError, Standstill};
use crate::uuid::Uuid;

/// Loading from an image takes seconds even where packages have much to initialise.
const PATIENCE: Duration = Duration::from_secs(300);

/// An image does not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Julia could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The inputs could not be written.
    #[error("cannot write the list of packages: {0}")]
    Inputs(#[from] io::Error),
    /// Some packages do not work when they come from the image.
    #[error("{} not work from the image", count(.failed.len()))]
    Packages {
        /// The packages, each with the reason.
        failed: BTreeMap<Uuid, String>,
        /// How it went.
        finished: Finished,
        /// Julia's output.
        log: PathBuf,
    },
    /// This CPU cannot run the image's code.
    #[error(
        "the image is for other CPUs than this one (cpu-target {target}), so it cannot be tried here and is not kept"
    )]
    OtherCpu {
        /// What it was built for.
        target: String,
    },
    /// Julia does not run with the image.
    #[error("Julia {} when started with the image{}", .finished.ending, said(.log))]
    DoesNotRun {
        /// How it went.
        finished: Finished,
        /// Julia's output.
        log: PathBuf,
    },
}

impl VerifyError {
    /// What is told of it.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.to_string());
        match self {
            Self::Packages { log, .. } | Self::DoesNotRun { log, .. } => problem.with_log(log),
            _ => problem,
        }
    }

    /// What came to a standstill, until it was ended.
    pub fn standstills(&self) -> Vec<Standstill> {
        match self {
            Self::Packages { finished, .. } | Self::DoesNotRun { finished, .. } => {
                finished.standstills(|| "trying the image".to_owned())
            }
            _ => Vec::new(),
        }
    }
}

fn count(packages: usize) -> String {
    if packages == 1 { "one package does".to_owned() } else { format!("{packages} packages do") }
}

/// Starts a Julia with an image and checks that every module of the plan is there from the start, at the manifest's
/// version, and that a small program runs.
pub async fn verify(
    drivers: Drivers<'_>,
    plan: &Plan,
    image: &Path,
    folder: &Path,
    log: &Path,
) -> Result<Finished, VerifyError> {
    let packages = folder.join("verify-packages");
    let results = folder.join("verify-results");
    // What the stock image has is in every image, at Julia's own version, and with origins as of where Julia was built.
    let is_stock = |it: &Identity| it.extension.is_none() && drivers.julia.has_base_module(it.package);
    write_packages(&packages, plan.modules().filter(|(identity, _)| !is_stock(identity)))?;
    let command = drivers.command().option("--sysimage=", image);
    let command = command.arg(drivers.path(Driver::VERIFY)).args([&packages, &results]);
    let finished = process::run(&command, Some(PATIENCE), log).await?;
    let PackageResults { mut failed, unfinished, program_ran, .. } = PackageResults::read(&results);
    if let Some(module) = unfinished {
        failed.insert(module, format!("Julia {} while loading it from the image", finished.ending));
    }
    // An extension comes and goes with its package.
    let failed: BTreeMap<Uuid, String> = failed
        .into_iter()
        .map(|(module, error)| match module.extension {
            None => (module.package, error),
            Some(name) => (module.package, format!("its extension {name}: {error}")),
        })
        .collect();
    if !failed.is_empty() {
        return Err(VerifyError::Packages { failed, finished, log: log.to_owned() });
    }
    if says_no_target_fits(log) {
        return Err(VerifyError::OtherCpu { target: plan.cpu_target.to_string() });
    }
    if !finished.ending.is_success() || !program_ran {
        return Err(VerifyError::DoesNotRun { finished, log: log.to_owned() });
    }
    Ok(finished)
}

/// Whether Julia starts with `image` on this machine.
pub async fn starts(julia: &JuliaInstall, image: &Path) -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let command = julia.command(folder.path()).option("--sysimage=", image).args(["-e", "exit(0)"]);
    process::succeeds(&command, PATIENCE).await
}
