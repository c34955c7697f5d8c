//! Whether a Julia can generate code for some CPUs at all: asked of it in one short start, before anything is built.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cpu::CpuTarget;
use crate::julia::JuliaInstall;
use crate::process;

/// Starting takes a fraction of a second; a cold network filesystem is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// Code for other CPUs than those that Julia's own image is for: a process that generates it does not even start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum NoTarget {
    /// Julia was built on and for one machine, or for others than these.
    #[error(
        "this Julia's own image has no code for {0} CPUs, so that nothing can be built for them with it: \
         set `cpu-target` to \"native\""
    )]
    NotInImage(CpuTarget),
    /// Julia does not know the name, and takes it for a CPU that can do nothing.
    #[error(
        "this Julia knows no CPU target {0}, or none that it runs on: write \"native\", \"portable\", or a target that \
         `julia --cpu-target=help` lists"
    )]
    Unknown(CpuTarget),
}

/// Whether a log tells that Julia did not start because none of an image's targets fits the CPUs it was to run on, or to generate
/// code for (`jl_init_processor_sysimg`, src/processor.cpp: "… in system image" on 1.5, "… in cached
/// code image" on 1.10).
pub(super) fn says_no_target_fits(log: &Path) -> bool {
    process::says(log, &["Unable to find compatible target in"])
}

/// Whether a Julia generates code for some CPUs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Served {
    /// It is not known.
    Unknown,
    /// It does.
    Yes,
    /// It does not.
    No(NoTarget),
}

impl NoTarget {
    /// The CPUs that there is no code for.
    pub fn target(&self) -> &CpuTarget {
        match self {
            Self::NotInImage(target) | Self::Unknown(target) => target,
        }
    }

    /// Whether this is what the log of a process for these CPUs tells: a Julia that was built on and for one machine has only that
    /// machine's code.
    pub fn in_log(log: &Path, target: &CpuTarget) -> Option<Self> {
        says_no_target_fits(log).then(|| Self::NotInImage(target.clone()))
    }
}

/// Asks a Julia whether it generates code for `target`: a fraction of a second.
///
/// A session that is told to use the [first of several targets](crate::julia::Facts::first_target) tells as much as a process that generates
/// code for them.
pub async fn serves(julia: &JuliaInstall, target: &CpuTarget) -> Served {
    if *target == CpuTarget::Native {
        return Served::Yes;
    }
    let Ok(folder) = tempfile::tempdir() else { return Served::Unknown };
    let log = folder.path().join("log");
    let command = julia
        .command(folder.path())
        .option("--cpu-target=", julia.facts.first_target(target))
        .args(["-e", "exit(0)"]);
    let finished = process::run(&command, Some(PATIENCE), &log).await;
    if finished.is_ok_and(|finished| finished.ending.is_success()) {
        return Served::Yes;
    }
    if let Some(refusal) = NoTarget::in_log(&log, target) {
        return Served::No(refusal);
    }
    // What an unknown name lacks above all, on x86-64.
    match process::says(&log, &["does not support the CX16 instruction"]) {
        true => Served::No(NoTarget::Unknown(target.clone())),
        false => Served::Unknown,
    }
}
