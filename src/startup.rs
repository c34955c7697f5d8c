//! The startup package: precompiled statements without an image, on Julia 1.9 and later.
//!
//! It is in groups [`groups`], each a package that depends on some of the project's packages, and that replays statements while Julia precompiles
//! it: what is compiled for other packages' methods stays in its package image. They are built in seconds. `jlsys run`
//! has Julia wait, before the session's own code, for the packages that they are about; when the first comes, a small package is loaded,
//! which loads each group when the session has loaded all packages that it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::file::Sha256Digest;
use crate::julia::{Driver, Drivers, Identity, write_packages};
use crate::plan::Plan;
use crate::problem::Problem;
use crate::process::{self, Command, Finished, ProcessError};
use crate::sysimage::{NoTarget, Replay, Stalled, code_generation, memory_for, said, stalled};
use crate::trace::ReplayResults;
use crate::uuid::Uuid;
use crate::workload::Capacity;

mod caches;
pub mod groups;
mod identity;
mod trial;

pub use caches::{KnownCaches, package_of};
pub use groups::{Group, Loading};
pub use trial::{Tried, TriedGroup, loads, try_groups};

/// The file that a session loads; what goes wrong there is said in one line.
pub const LOADER: &str = "start.jl";

/// The same, without a word.
pub const QUIET_LOADER: &str = "start-quietly.jl";

/// Julia changes the time of this file whenever it loads it (`touch` in base/loading.jl).
pub const TOUCHED_ENDING: &str = "ji";

/// The file that lists the groups; `julia/JlsysStartup.jl` says how.
const GROUPS: &str = "groups";

/// The file with the packages that groups wait for; `julia/waiting.jl` says how.
const AWAITED: &str = "awaited";

/// The file that says where the package is that is loaded first; `julia/first.jl` says how.
const FIRST: &str = "loader";

/// The depot of the package images, in a startup package's folder.
const DEPOT: &str = "depot";

/// The sources of every startup package, and what they include. Caches know them by path, so they lie in the cache, and not in an entry.
pub const SOURCES: &[Driver] =
    &[Driver::STARTUP_FIRST, Driver::STARTUP_GROUP, Driver::REPLAY, Driver::WIDENED];

/// What a startup package is built from.
pub struct StartupInputs<'a> {
    /// What builds it, in the project that it is for.
    pub drivers: Drivers<'a>,
    /// The folder with [`SOURCES`].
    pub sources: &'a Path,
    /// What to build.
    pub plan: &'a Plan,
    /// The image that sessions start with which it is for, where they have one: Julia's caches are for one image alone.
    pub image: Option<&'a Path>,
    /// The startup package's folder.
    pub folder: &'a Path,
    /// A folder for files that are of no use afterwards.
    pub work: &'a Path,
    /// The folder for what Julia prints.
    pub logs: &'a Path,
    /// How many statements all groups have. Several groups are built at once, which takes memory.
    pub number: u64,
    /// What may be taken of the machine.
    pub capacity: Capacity,
    /// How long one process may take.
    pub time_limit: Duration,
    /// How long one statement may take to compile.
    pub statement_limit: Duration,
}

impl StartupInputs<'_> {
    /// A command that starts Julia as the sessions do that it is for.
    fn command(&self) -> Command {
        let command = self.drivers.command();
        match self.image {
            Some(image) => command.option("--sysimage=", image),
            None => command,
        }
    }
}

/// A part of a startup package does not work.
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
    #[error(transparent)]
    Stalled(#[from] Stalled),
    /// The Julia was not made for these CPUs.
    #[error(transparent)]
    NoTarget(#[from] NoTarget),
    /// Julia ended before it was there.
    #[error("Julia {} while precompiling the startup package{}", .finished.ending, said(.log))]
    Failed {
        /// How it went.
        finished: Finished,
        /// Julia's output.
        log: PathBuf,
    },
    /// Julia ended before every group was tried.
    #[error("Julia {} when started with the startup package{}", .finished.ending, said(.log))]
    DoesNotRun {
        /// How it went.
        finished: Finished,
        /// Julia's output.
        log: PathBuf,
    },
}

impl StartupError {
    /// What is told of it.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.to_string());
        match self {
            Self::Failed { log, .. } | Self::DoesNotRun { log, .. } => problem.with_log(log),
            _ => problem,
        }
    }
}

/// A precompiled package.
#[derive(Debug, Clone)]
pub struct Precompiled {
    /// Its cache, within the startup package's folder.
    pub cache: PathBuf,
    /// What a session calls to judge a cache, as `julia/first.jl` says.
    pub judge: String,
    /// The peak memory of the process.
    pub peak_memory_bytes: u64,
}

/// A group that is there when another is loaded.
#[derive(Debug, Clone)]
pub struct Before {
    /// The identity of its package.
    pub uuid: Uuid,
    /// Its cache, within the startup package's folder.
    pub cache: PathBuf,
    /// Whether it was taken from an earlier build.
    pub is_reused: bool,
}

/// Compiles a group into a package of this UUID, which rests on those before it. `number` tells it from others of this build.
pub async fn build_group(
    inputs: &StartupInputs<'_>,
    group: &Group,
    before: &[Before],
    uuid: Uuid,
    number: usize,
) -> Result<(Precompiled, Replay, f64), StartupError> {
    let file = |what: &str| inputs.work.join(format!("group-{number}-{what}"));
    let (packages, statements, replayed) = (file("packages"), file("statements.jl"), file("replayed"));
    let result = file("cache");
    write_group(group, &packages, &statements)?;
    let there = file("before");
    let lines = before
        .iter()
        .map(|Before { uuid, cache, .. }| format!("{uuid}\t{}\n", inputs.folder.join(cache).display()));
    std::fs::write(&there, lines.collect::<String>())?;
    let log = inputs.logs.join(format!("startup-{number}.log"));
    let command = precompile(inputs, Driver::STARTUP_GROUP, uuid, &result)
        .env("JLSYS_GROUP_PACKAGES", &packages)
        .env("JLSYS_GROUP_BEFORE", &there)
        .env("JLSYS_GROUP_STATEMENTS", &statements)
        .env("JLSYS_GROUP_REPLAYED", &replayed)
        .envs(code_generation(inputs.drivers.julia, inputs.capacity, memory_for(inputs.number)));
    let precompiled = tokio::select! {
        precompiled = run(inputs, &command, &result, &log) => precompiled?,
        stalled = stalled(&replayed, inputs.statement_limit) => return Err(stalled.into()),
    };
    let replay = ReplayResults::parse(&std::fs::read_to_string(&replayed)?).unwrap_or_default();
    let rejected = replay.refused + replay.threw;
    Ok((precompiled, Replay { compiled: replay.compiled, rejected }, replay.seconds))
}

/// The statements of a group that a session would compile, although it has loaded the group's packages, and with them the groups that are there.
pub async fn left_of(
    inputs: &StartupInputs<'_>,
    group: &Group,
    number: usize,
) -> Result<Vec<String>, StartupError> {
    let file = |what: &str| inputs.work.join(format!("together-{number}-{what}"));
    let (packages, statements, results) = (file("packages"), file("statements.jl"), file("left"));
    write_group(group, &packages, &statements)?;
    let log = inputs.logs.join(format!("startup-together-{number}.log"));
    let command = inputs
        .command()
        .arg("-L")
        .arg(inputs.folder.join(LOADER))
        .arg(inputs.drivers.path(Driver::LEFT))
        .args([&packages, &statements, &results]);
    let finished = process::run(&command, Some(inputs.time_limit), &log).await?;
    let text = std::fs::read_to_string(&results).unwrap_or_default();
    let Some(numbers) = text.strip_suffix("end\n").filter(|_| finished.ending.is_success()) else {
        return Err(StartupError::DoesNotRun { finished, log });
    };
    let left: BTreeSet<usize> = numbers.lines().filter_map(|number| number.parse().ok()).collect();
    let statements = group.statements.iter().enumerate();
    Ok(statements.filter(|(at, _)| left.contains(&(at + 1))).map(|(_, text)| text.clone()).collect())
}

fn write_group(group: &Group, packages: &Path, statements: &Path) -> io::Result<()> {
    let named = group.packages.iter().map(|(uuid, name)| (Identity::from(*uuid), name.as_str()));
    write_packages(packages, named)?;
    std::fs::write(statements, group.statements.join("\n") + "\n")
}

/// Compiles the package that a session loads first. It is the same for every project.
pub async fn build_first(inputs: &StartupInputs<'_>) -> Result<Precompiled, StartupError> {
    let uuid = first_uuid();
    let result = inputs.work.join("startup-first");
    let command = precompile(inputs, Driver::STARTUP_FIRST, uuid, &result);
    let precompiled = run(inputs, &command, &result, &inputs.logs.join("startup.log")).await?;
    let source = Driver::STARTUP_FIRST.path_in(inputs.sources).display().to_string();
    let cache = precompiled.cache.display().to_string();
    let fields = [&uuid.to_string(), &source, &cache, &precompiled.judge].map(|field| literal(field));
    std::fs::write(inputs.folder.join(FIRST), format!("({})\n", fields.join(", ")))?;
    Ok(precompiled)
}

/// Makes the startup package's folder, with what `julia -L` loads.
pub fn write_loaders(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder.join(DEPOT))?;
    for loader in [LOADER, QUIET_LOADER] {
        std::fs::write(folder.join(loader), Driver::STARTUP_LOADER.text)?;
    }
    for driver in [Driver::STARTUP_WAITING, Driver::STARTUP_BEGINNING, Driver::STARTUP_WHY] {
        std::fs::write(driver.path_in(folder), driver.text)?;
    }
    Ok(())
}

/// Says which groups there are: the UUID, the cache within the folder, whether they are about the project's own packages, and the packages of each. One without packages comes with the first
/// of the plan's; where there are none, when Julia starts.
pub fn write_groups<'g>(
    inputs: &StartupInputs<'_>,
    groups: impl IntoIterator<Item = (Uuid, &'g Path, &'g Group)>,
) -> io::Result<()> {
    let folder = inputs.folder;
    let mut text = String::from("(\n");
    let mut awaited = BTreeMap::new();
    for (uuid, cache, group) in groups {
        let names: Vec<&str> = group.packages.values().map(String::as_str).collect();
        let own = if group.is_own { "own" } else { "" };
        let mut fields =
            vec![uuid.to_string(), cache.display().to_string(), names.join(", "), own.to_owned()];
        for (package, name) in &group.packages {
            fields.extend([package.to_string(), name.clone()]);
            awaited.insert(name.as_str(), *package);
        }
        if group.packages.is_empty() {
            let packages = inputs.plan.outside_of_base(inputs.drivers.julia);
            awaited.extend(packages.map(|package| (package.name.as_str(), package.uuid)));
        }
        let fields: Vec<String> = fields.iter().map(|field| literal(field)).collect();
        text.push_str(&format!("({}),\n", fields.join(", ")));
    }
    std::fs::write(folder.join(GROUPS), text + ")\n")?;
    // Julia's parser reads them as names; where it would not, nothing is waited for.
    let is_name = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !awaited.keys().all(|name| is_name(name)) {
        awaited.clear();
    }
    let awaited = awaited.into_iter().map(|(name, uuid)| format!("{name} = \"{uuid}\", "));
    std::fs::write(folder.join(AWAITED), format!("({})\n", awaited.collect::<String>()))
}

/// A text as Julia's parser reads it.
fn literal(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
}

/// The identity of the package that a session loads first.
fn first_uuid() -> Uuid {
    Uuid::from_u128(Sha256Digest::of(Driver::STARTUP_FIRST.text).to_u128())
}

fn precompile(inputs: &StartupInputs<'_>, source: Driver, uuid: Uuid, result: &Path) -> Command {
    inputs
        .command()
        .arg(inputs.drivers.path(Driver::STARTUP))
        .arg(source.path_in(inputs.sources))
        .arg(uuid.to_string())
        .args([&inputs.folder.join(DEPOT), result])
        .env("JULIA_CPU_TARGET", inputs.drivers.julia.facts.target(&inputs.plan.cpu_target))
}

async fn run(
    inputs: &StartupInputs<'_>,
    command: &Command,
    result: &Path,
    log: &Path,
) -> Result<Precompiled, StartupError> {
    let finished = process::run(command, Some(inputs.time_limit), log).await?;
    match std::fs::read_to_string(result) {
        Ok(text) if finished.ending.is_success() => {
            let (cache, judge) = text.trim_end().split_once('\n').unwrap_or((text.trim_end(), ""));
            Ok(Precompiled {
                cache: Path::new(DEPOT).join(cache),
                judge: judge.to_owned(),
                peak_memory_bytes: finished.peak_memory_bytes,
            })
        }
        _ => Err(match NoTarget::in_log(log, &inputs.plan.cpu_target) {
            Some(no_target) => no_target.into(),
            None => StartupError::Failed { finished, log: log.to_owned() },
        }),
    }
}
