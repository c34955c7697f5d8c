//! The Julia process that holds the image's content and writes it out.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::NoTarget;
use super::generation::{MEMORY_FOR_STOCK_IMAGE, allocator, image_threads, memory_for};
use super::replay::{Replay, Stalled, late, said, stalled};
use crate::julia::{Driver, JuliaInstall, PackageResults, write_packages};
use crate::plan::Plan;
use crate::problem::Problem;
use crate::process::{self, Finished, ProcessError, Running};
use crate::trace::ReplayResults;
use crate::workload::Capacity;

/// What an image's object is written from.
pub struct ObjectInputs<'a> {
    /// The Julia to build with.
    pub julia: &'a JuliaInstall,
    /// The project file.
    pub project_file: &'a Path,
    /// The project files of environments that packages are taken along from.
    pub other_project_files: Vec<&'a Path>,
    /// The folder with jlsys's drivers.
    pub drivers: PathBuf,
    /// What to build.
    pub plan: Plan,
    /// The statements to compile, one a line; the file may still grow.
    pub statements: PathBuf,
    /// A folder for this process alone.
    pub folder: PathBuf,
    /// What the process prints.
    pub log: PathBuf,
    /// What may be taken of the machine.
    pub capacity: Capacity,
    /// How long it may take.
    pub time_limit: Option<Duration>,
    /// Whether a package was stuck before, in another process.
    pub is_suspect: bool,
}

/// How long the process may take for what comes before writing.
#[derive(Debug, Clone, Copy)]
pub struct ReplayLimits {
    /// For one statement.
    pub one: Duration,
    /// For all of them.
    pub all: Option<Duration>,
}

/// No object was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// Julia could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The inputs could not be written.
    #[error("cannot write what the image is built from: {0}")]
    Inputs(#[from] io::Error),
    /// Compiling one statement did not end.
    #[error(transparent)]
    Stalled(#[from] Stalled),
    /// There were more statements than there was time for.
    #[error("compiling the statements took more than {:.0} s, which is too much for the time budget", .limit.as_secs_f64())]
    Late {
        /// How long it was waited for.
        limit: Duration,
    },
    /// The Julia was not made for these CPUs.
    #[error(transparent)]
    NoTarget(#[from] NoTarget),
    /// Julia ended before the object was there.
    #[error("Julia {} while {stage}{}", .finished.ending, said(.log))]
    Failed {
        /// How it went.
        finished: Finished,
        /// What it was busy with.
        stage: Stage,
        /// Its output.
        log: PathBuf,
    },
}

impl ObjectError {
    /// What is told of it.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.to_string());
        match self {
            Self::Failed { log, .. } => problem.with_log(log),
            _ => problem,
        }
    }
}

/// What the process was busy with when it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Loading this package.
    Loading(String),
    /// Compiling the statement on this line (counted from 1).
    Compiling(u64),
    /// Writing the object.
    Writing,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Loading(package) => write!(f, "loading {package}"),
            Self::Compiling(line) => write!(f, "compiling statement {line}"),
            Self::Writing => write!(f, "writing the image"),
        }
    }
}

/// The Julia that loads the plan's packages, replays the statements as they come, and writes the object when they were all.
///
/// Once started it goes on by itself. Dropping it ends it.
pub struct ObjectProcess<'a> {
    inputs: ObjectInputs<'a>,
    running: Running,
    started: Instant,
}

impl<'a> ObjectProcess<'a> {
    /// Starts it. It waits for more statements until it is told that they [are all there](Self::all_given).
    pub async fn start(inputs: ObjectInputs<'a>) -> Result<Self, ObjectError> {
        let plan = &inputs.plan;
        write_packages(&inputs.packages(), plan.modules())?;
        let differences = inputs.julia.differences();
        let command = inputs
            .julia
            .command(inputs.project_file)
            .option("--sysimage=", &inputs.julia.facts.base_image)
            .arg(format!("--cpu-target={}", inputs.julia.facts.target(&plan.cpu_target)))
            .args(&plan.julia_args)
            .args(differences.object_arguments())
            .option("--output-o=", inputs.object())
            .arg(Driver::OBJECT.path_in(&inputs.drivers))
            .arg(inputs.project_file)
            .args([inputs.packages(), inputs.statements.clone(), inputs.all_given()])
            .args([inputs.loaded(), inputs.replayed()])
            .args(inputs.other_project_files.iter().copied())
            .envs([allocator()])
            .waits_for(inputs.all_given())
            .suspect(inputs.is_suspect);
        let started = Instant::now();
        let running = process::start(&command, inputs.time_limit, &inputs.log).await?;
        Ok(Self { inputs, running, started })
    }

    /// Tells it that the statements file is complete, with this many statements.
    pub fn all_given(&self, number: u64) -> Result<(), ObjectError> {
        let threads = image_threads(
            self.inputs.julia,
            self.inputs.capacity,
            MEMORY_FOR_STOCK_IMAGE + memory_for(number),
        );
        let file = self.inputs.all_given();
        // It looks for the file all the time, so nothing may be missing when it is there.
        let unfinished = file.with_extension("unfinished");
        std::fs::write(&unfinished, threads.map_or_else(String::new, |threads| threads.to_string()))?;
        Ok(std::fs::rename(unfinished, file)?)
    }

    /// What it was given.
    pub fn inputs(&self) -> &ObjectInputs<'a> {
        &self.inputs
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Whether it has ended by now, however that came.
    pub fn has_ended(&mut self) -> bool {
        self.running.has_ended()
    }

    /// Waits until the object is there, from when all statements are given.
    pub async fn finish(&mut self, limits: ReplayLimits) -> Result<(Finished, Replay), ObjectError> {
        let Self { inputs, running, .. } = self;
        let (plan, log, replayed) = (&inputs.plan, &inputs.log, inputs.replayed());
        let finished = tokio::select! {
            finished = running.finished() => finished?,
            stalled = stalled(&replayed, limits.one) => return Err(stalled.into()),
            limit = late(&replayed, limits.all) => return Err(ObjectError::Late { limit }),
        };
        // What cannot be read was not written: the process ended before it came so far.
        let replay = std::fs::read_to_string(&replayed).unwrap_or_default();
        let replay = ReplayResults::parse(&replay).unwrap_or_default();
        let written = inputs.object().metadata().is_ok_and(|metadata| metadata.len() > 0);
        if finished.ending.is_success() && written {
            let rejected = replay.refused + replay.threw;
            return Ok((finished, Replay { compiled: replay.compiled, rejected }));
        }
        if let Some(no_target) = NoTarget::in_log(log, &plan.cpu_target) {
            return Err(no_target.into());
        }
        let unfinished = PackageResults::read(&inputs.loaded()).unfinished;
        let unfinished =
            unfinished.and_then(|it| plan.packages.iter().find(|package| package.uuid == it.package));
        let stage = match unfinished {
            Some(package) => Stage::Loading(package.name.clone()),
            None if replay.line > 0 && !replay.finished => Stage::Compiling(replay.line),
            None => Stage::Writing,
        };
        Err(ObjectError::Failed { finished, stage, log: log.clone() })
    }
}

impl ObjectInputs<'_> {
    /// The object, when it is there.
    pub fn object(&self) -> PathBuf {
        self.folder.join(self.julia.differences().object_name())
    }

    /// The list of files that were read for its packages, as `julia/reads.jl` writes it.
    pub fn files_read(&self) -> PathBuf {
        self.folder.join("read")
    }

    fn packages(&self) -> PathBuf {
        self.folder.join("packages")
    }

    fn all_given(&self) -> PathBuf {
        self.folder.join("all-given")
    }

    fn loaded(&self) -> PathBuf {
        self.folder.join("loaded")
    }

    fn replayed(&self) -> PathBuf {
        self.folder.join("replayed")
    }
}
