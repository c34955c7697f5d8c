//! Precompiling the packages, several at once, before anything loads them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cpu::CpuTarget;
use crate::julia::{Driver, Drivers};
use crate::process::{self, Finished, ProcessError};

/// Hundreds of packages take most of an hour on a small machine; what hangs for two hours does not end.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// For which processes packages are precompiled: the caches of one do not serve another.
#[derive(Debug, Clone, Copy)]
pub enum For<'a> {
    /// Those that run the workloads, and sessions without an image.
    Workloads {
        /// What to count, where caches are for other CPUs than this one, too.
        counting: Option<Counting<'a>>,
    },
    /// The one that writes the image; with the options that it has.
    Writing(&'static [&'static str]),
    /// Sessions that start with an image.
    Sessions {
        /// The image.
        image: &'a Path,
        /// What of it.
        step: SessionStep,
        /// Whether the REPL is precompiled for it already.
        with_repl: bool,
    },
}

/// Which packages' caches are counted, as files that name them.
#[derive(Debug, Clone, Copy)]
pub struct Counting<'a> {
    /// All that sessions load.
    pub packages: &'a Path,
    /// Those of an environment beside the project's, which Pkg does not precompile with it; they are precompiled as sessions find them.
    pub beside: &'a Path,
    /// Where to say what there is in the end; [`Counted`](super::Counted) reads it.
    pub counts: &'a Path,
}

/// What sessions load beside an image, and so must be precompiled for it; in the order of its worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStep {
    /// The REPL, which every session at a terminal loads (1.11 and later, `load_REPL` in base/client.jl).
    Repl,
    /// The project's packages that are not in the image.
    Packages,
    /// Pkg, which the REPL's package mode and many notebooks load (1.11 and later): minutes, in one process.
    Pkg,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepOutcome {
    /// It is precompiled.
    Done,
    /// Not all of it precompiles.
    Failed,
    /// It was stuck, twice.
    Stuck,
}

/// What came of each step that was tried.
pub type SessionSteps = BTreeMap<SessionStep, StepOutcome>;

impl SessionStep {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Repl, Self::Packages, Self::Pkg];

    /// The phase of a build in which it is done.
    pub fn phase(self) -> &'static str {
        match self {
            Self::Repl => "precompile-repl",
            Self::Packages => "precompile-sessions",
            Self::Pkg => "precompile-pkg",
        }
    }
}

impl std::fmt::Display for SessionStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Repl => "the REPL",
            Self::Packages => "packages outside of the image",
            Self::Pkg => "Pkg",
        })
    }
}

/// How to go about it.
#[derive(Debug, Clone, Copy)]
pub struct Precompiling<'a> {
    /// For which processes.
    pub purpose: For<'a>,
    /// For which CPUs.
    pub cpus: &'a CpuTarget,
    /// The package to precompile with what it depends on; all when absent.
    pub named: Option<&'a str>,
    /// How many packages at once.
    pub jobs: usize,
    /// When it must have ended, if there is little time.
    pub deadline: Option<Instant>,
    /// Whether it is the second time, since something was stuck.
    pub once_more: bool,
}

/// Precompiles the packages of a project that are not in Julia's image, and their extensions.
///
/// What does not precompile is no error here: [`load`](super::load) finds which it is, and what it says.
pub async fn precompile(
    drivers: Drivers<'_>,
    how: Precompiling<'_>,
    log: &Path,
) -> Result<Finished, ProcessError> {
    let Precompiling { purpose, cpus, named, jobs, deadline, once_more } = how;
    let driver = drivers.path(Driver::PRECOMPILE);
    let command = drivers.command();
    let command = match purpose {
        For::Workloads { counting } => {
            let command = drivers.julia.caches_for(cpus, command).arg(driver);
            match counting {
                Some(Counting { packages, beside, counts }) => command
                    .option("--beside=", beside)
                    .option("--count=", packages)
                    .option("--counts=", counts),
                None => command,
            }
        }
        // They have no native code.
        For::Writing(arguments) => command.args(arguments).arg(driver),
        For::Sessions { image, step, with_repl } => {
            let command = drivers.julia.caches_for(cpus, command).option("--sysimage=", image).arg(driver);
            match step {
                SessionStep::Packages => command,
                SessionStep::Repl => command.arg("--sessions=REPL"),
                // Together they have an extension.
                SessionStep::Pkg if with_repl => command.arg("--sessions=Pkg,REPL"),
                SessionStep::Pkg => command.arg("--sessions=Pkg"),
            }
        }
    };
    let command = command.args(named).suspect(once_more).env("JULIA_NUM_PRECOMPILE_TASKS", jobs.to_string());
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    process::run(&command, Some(left.map_or(PATIENCE, |left| left.min(PATIENCE))), log).await
}
