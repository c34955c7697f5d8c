//! The startup package: precompiled statements without an image, on Julia 1.9 and later.
//!
//! A package that depends on the project's packages, and that replays the statements while Julia precompiles it: what is
//! compiled for other packages' methods stays in its package image. It is built in seconds; `jlsys run` loads it before the
//! session's own code.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::environment::Uuid;
use crate::julia::{Driver, Identity, JuliaInstall, write_packages};
use crate::plan::Plan;
use crate::process::{self, Finished, ProcessError};
use crate::sysimage::{NoTarget, Replay, code_generation, memory_for, said, stalled};
use crate::trace::ReplayResults;

/// The package's name, which is its module's.
const NAME: &str = "JlsysStartup";

/// The file that a session loads; what goes wrong there is said in one line.
pub const LOADER: &str = "start.jl";

/// The same, without a word.
pub const QUIET_LOADER: &str = "start-quietly.jl";

/// Julia changes the time of this file whenever it loads it (`touch` in base/loading.jl).
pub const TOUCHED_ENDING: &str = "ji";

/// How long a session may take to load it; seconds are normal.
const LOADING_LIMIT: Duration = Duration::from_secs(300);

/// What a startup package is built from.
pub struct StartupInputs<'a> {
    /// The Julia to build with.
    pub julia: &'a JuliaInstall,
    /// The project file.
    pub project_file: &'a Path,
    /// The folder with jlsys's drivers.
    pub drivers: &'a Path,
    /// What to build. The packages that can be named are loaded; others only when those load them.
    pub plan: &'a Plan,
    /// The package's identity.
    pub uuid: Uuid,
    /// The statements to compile, one a line.
    pub statements: &'a Path,
    /// How many these are.
    pub number: u64,
    /// The package's folder, by the path that it will have when it is used: caches know their sources by path.
    pub folder: &'a Path,
    /// A folder for files that are of no use afterwards.
    pub work: &'a Path,
    /// What Julia prints.
    pub log: &'a Path,
    /// How long it may take.
    pub time_limit: Duration,
    /// How long one statement may take to compile.
    pub statement_limit: Duration,
}

/// There is no startup package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartupError {
    /// Julia could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Its files could not be written.
    #[error("the startup package cannot be written: {0}")]
    Files(#[from] io::Error),
    /// Compiling one statement did not end.
    #[error("compiling statement {line} for the startup package took more than {} s; Julia's output is in {}", .limit.as_secs(), .log.display())]
    Stalled {
        /// The statement's line, counted from 1.
        line: u64,
        /// How long it was waited for.
        limit: Duration,
        /// Julia's output.
        log: PathBuf,
    },
    /// The Julia was not made for these CPUs.
    #[error(transparent)]
    NoTarget(#[from] NoTarget),
    /// Julia ended before it was there.
    #[error("Julia {} while precompiling the startup package{}; its output is in {}", .finished.ending, said(.log), .log.display())]
    Failed {
        /// How it went.
        finished: Finished,
        /// Julia's output.
        log: PathBuf,
    },
}

/// Writes the startup package into its folder, and lets Julia precompile it into the depot there.
pub async fn build(inputs: &StartupInputs<'_>) -> Result<(Finished, Replay), StartupError> {
    write_files(inputs)?;
    let replayed = inputs.work.join("startup-replayed");
    let command = inputs
        .julia
        .command(inputs.project_file)
        .arg(Driver::STARTUP.path_in(inputs.drivers))
        .args([inputs.folder, inputs.statements, &replayed])
        .env("JULIA_CPU_TARGET", inputs.plan.cpu_target.argument(&inputs.julia.facts.arch))
        .envs(code_generation(inputs.julia, memory_for(inputs.number)));
    let finished = tokio::select! {
        finished = process::run(&command, Some(inputs.time_limit), inputs.log) => finished?,
        line = stalled(&replayed, inputs.statement_limit) => {
            return Err(StartupError::Stalled { line, limit: inputs.statement_limit, log: inputs.log.to_owned() });
        }
    };
    let replay = std::fs::read_to_string(&replayed).unwrap_or_default();
    match ReplayResults::parse(&replay) {
        Ok(replay) if finished.ending.is_success() && replay.finished => {
            let rejected = replay.refused + replay.threw;
            Ok((finished, Replay { compiled: replay.compiled, rejected }))
        }
        _ => Err(match NoTarget::in_log(inputs.log, &inputs.plan.cpu_target) {
            Some(no_target) => no_target.into(),
            None => StartupError::Failed { finished, log: inputs.log.to_owned() },
        }),
    }
}

/// Whether a session of the project loads the startup package in `folder`.
pub async fn loads(julia: &JuliaInstall, project_file: &Path, folder: &Path) -> bool {
    let Ok(scratch) = tempfile::tempdir() else { return false };
    let ask = format!("exit(any(package -> package.name == \"{NAME}\", keys(Base.loaded_modules)) ? 0 : 1)");
    let command = julia.command(project_file).arg("-L").arg(folder.join(LOADER)).args(["-e", &ask]);
    let finished = process::run(&command, Some(LOADING_LIMIT), &scratch.path().join("log")).await;
    finished.is_ok_and(|finished| finished.ending.is_success())
}

/// What `julia/start.jl` finds: the two loaders, who the package is, a folder of packages with it, and an empty depot.
fn write_files(inputs: &StartupInputs<'_>) -> io::Result<()> {
    let package = inputs.folder.join("env").join(NAME);
    let source = package.join("src");
    std::fs::create_dir_all(&source)?;
    std::fs::create_dir_all(inputs.folder.join("depot"))?;
    for loader in [LOADER, QUIET_LOADER] {
        std::fs::write(inputs.folder.join(loader), Driver::STARTUP_LOADER.text)?;
    }
    write_packages(&inputs.folder.join("identity"), [(Identity::from(inputs.uuid), NAME)])?;
    for driver in [Driver::STARTUP_MODULE, Driver::PACKAGES, Driver::REPLAY, Driver::WIDENED] {
        std::fs::write(driver.path_in(&source), driver.text)?;
    }
    let needed = || inputs.plan.packages.iter().filter(|package| package.needed);
    let identities = needed().map(|package| (Identity::from(package.uuid), package.name.as_str()));
    write_packages(&source.join("packages"), identities)?;
    let deps = needed().map(|package| (package.name.clone(), package.uuid.to_string().into()));
    let project = toml::Table::from_iter([
        ("name".to_owned(), NAME.into()),
        ("uuid".to_owned(), inputs.uuid.to_string().into()),
        ("deps".to_owned(), toml::Value::Table(deps.collect())),
    ]);
    std::fs::write(package.join("Project.toml"), project.to_string())
}
