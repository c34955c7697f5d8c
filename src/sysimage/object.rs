//! The Julia process that holds the image's content and writes it out.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::NoTarget;
use crate::julia::{Driver, JuliaInstall, PackageResults, write_packages};
use crate::plan::Plan;
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
    /// How long it may take.
    pub time_limit: Option<Duration>,
}

/// How long the process may take for what comes before writing.
#[derive(Debug, Clone, Copy)]
pub struct ReplayLimits {
    /// For one statement.
    pub one: Duration,
    /// For all of them.
    pub all: Option<Duration>,
}

/// What became of the statements; see `julia/replay.jl`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Statements that were compiled.
    pub compiled: u64,
    /// Statements that Julia refused, or that could not be evaluated.
    pub rejected: u64,
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
    #[error("compiling statement {line} took more than {} s, so Julia was ended; its output is in {}", .limit.as_secs(), .log.display())]
    Stalled {
        /// The statement's line, counted from 1.
        line: u64,
        /// How long it was waited for.
        limit: Duration,
        /// Julia's output.
        log: PathBuf,
    },
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
    #[error("Julia {} while {stage}{}; its output is in {}", .finished.ending, said(.log), .log.display())]
    Failed {
        /// How it went.
        finished: Finished,
        /// What it was busy with.
        stage: Stage,
        /// Its output.
        log: PathBuf,
    },
}

/// Julia's own words, as a part of a sentence.
pub(crate) fn said(log: &Path) -> String {
    let error = process::julia_error(log);
    if error.is_empty() { error } else { format!(" ({error})") }
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
            .arg(format!("--cpu-target={}", plan.cpu_target.argument(&inputs.julia.facts.arch)))
            .args(&plan.julia_args)
            .args(differences.object_arguments())
            .option("--output-o=", inputs.object())
            .arg(Driver::OBJECT.path_in(&inputs.drivers))
            .arg(inputs.project_file)
            .args([inputs.packages(), inputs.statements.clone(), inputs.all_given()])
            .args([inputs.loaded(), inputs.replayed()])
            .args(inputs.other_project_files.iter().copied())
            .envs([allocator()])
            .waits_for(inputs.all_given());
        let started = Instant::now();
        let running = process::start(&command, inputs.time_limit, &inputs.log).await?;
        Ok(Self { inputs, running, started })
    }

    /// Tells it that the statements file is complete, with this many statements.
    pub fn all_given(&self, number: u64) -> Result<(), ObjectError> {
        let threads = image_threads(self.inputs.julia, MEMORY_FOR_STOCK_IMAGE + memory_for(number));
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
            line = stalled(&replayed, limits.one) => {
                return Err(ObjectError::Stalled { line, limit: limits.one, log: log.clone() });
            }
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

/// Becomes ready when one statement takes longer than `limit`; with the statement's line.
pub(crate) async fn stalled(replayed: &Path, limit: Duration) -> u64 {
    let mut last = (0, std::time::Instant::now());
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let text = std::fs::read_to_string(replayed).unwrap_or_default();
        let replay = ReplayResults::parse(&text).unwrap_or_default();
        if replay.line != last.0 || replay.finished {
            last = (replay.line, std::time::Instant::now());
        }
        if last.0 > 0 && last.1.elapsed() > limit {
            return last.0;
        }
    }
}

/// Becomes ready when the statements are not all compiled by the time that `limit` is over; with the limit.
async fn late(replayed: &Path, limit: Option<Duration>) -> Duration {
    if let Some(limit) = limit {
        tokio::time::sleep(limit).await;
        let text = std::fs::read_to_string(replayed).unwrap_or_default();
        if !ReplayResults::parse(&text).is_ok_and(|replay| replay.finished) {
            return limit;
        }
    }
    std::future::pending().await
}

/// Variables for a process that generates code for a package image, and for those that it starts. `memory` is what it
/// needs, in bytes, when it generates code in several threads.
pub(crate) fn code_generation(
    julia: &JuliaInstall,
    memory: u64,
) -> impl Iterator<Item = (&'static str, OsString)> {
    let threads = image_threads(julia, memory).map(|threads| (IMAGE_THREADS, threads.to_string().into()));
    threads.into_iter().chain([allocator()])
}

/// What a Julia needs for statements when several threads generate code, in bytes, beside what it needs for other code. It is half
/// as much again and more as with one, since the code is there a second time for them; how many they are matters little. Julia
/// 1.10.2, six of the standard library's packages: 9.2 GB for 8,084 statements and Julia's own code; for 505 of them 5.6 GB with two
/// threads, 5.7 with four, 3.8 with one.
pub(crate) fn memory_for(statements: u64) -> u64 {
    statements * 490_000
}

/// The same for what is in every image.
const MEMORY_FOR_STOCK_IMAGE: u64 = 5_300_000_000;

/// How Julia is told how many threads generate code.
const IMAGE_THREADS: &str = "JULIA_IMAGE_THREADS";

/// How glibc's allocator is told what to do; other C libraries pass it over.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// How the allocator is to go about it.
fn allocator() -> (&'static str, OsString) {
    (TUNABLES, tunables(std::env::var_os(TUNABLES)))
}

/// LLVM makes and drops small objects by the million, in gigabytes of memory. Writing an image of Julia 1.5 took 278 s of processor
/// time, a fifth of it in the allocator. In huge pages, which most systems give only to those who ask, it took 243 s (and 1 %
/// more memory), and a tenth less again when more than 7 freed objects of each size are kept at hand (224 and 201 s). To
/// workloads it makes no difference.
fn tunables(set: Option<OsString>) -> OsString {
    const OURS: &str = "glibc.malloc.hugetlb=1:glibc.malloc.tcache_count=2000";
    match set {
        // Of several values for one, the last counts: what is set already wins.
        Some(set) if !set.is_empty() => [OsStr::new(OURS), OsStr::new(":"), &set].into_iter().collect(),
        _ => OURS.into(),
    }
}

/// How many threads generate code, where that can be said: the process itself must have one thread. What the user set stays.
fn image_threads(julia: &JuliaInstall, memory: u64) -> Option<usize> {
    let is_set = std::env::var_os(IMAGE_THREADS).is_some_and(|threads| !threads.is_empty());
    if is_set || !julia.differences().has_image_threads() {
        return None;
    }
    Some(threads_within(Capacity::detect(), memory))
}

/// One thread takes 40 % longer than two (412 and 292 s for the 505 statements above), which is better than no image.
fn threads_within(here: Capacity, memory: u64) -> usize {
    if here.memory < memory { 1 } else { here.cores }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_threads_generate_code_where_there_is_memory_for_them() {
        let needed = MEMORY_FOR_STOCK_IMAGE + memory_for(1000);
        assert_eq!(threads_within(Capacity { cores: 8, memory: 6 << 30 }, needed), 8);
        assert_eq!(threads_within(Capacity { cores: 8, memory: 5 << 30 }, needed), 1);
        assert_eq!(threads_within(Capacity { cores: 8, memory: 5 << 30 }, memory_for(1000)), 8);
    }

    #[test]
    fn what_the_user_set_stays_and_wins() {
        let ours = tunables(None).into_string().unwrap();
        assert!(ours.starts_with("glibc.malloc."), "{ours}");
        assert_eq!(tunables(Some("".into())), *ours);
        let theirs = "glibc.malloc.hugetlb=0";
        assert_eq!(tunables(Some(theirs.into())), *format!("{ours}:{theirs}"));
    }
}
