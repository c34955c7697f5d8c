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
/// A process that generates code for several targets starts with the code that its own image has for the first
/// (`sysimg_init_cb` in src/processor_x86.cpp and its like), so a session that is told to use that one tells as much. Sessions take
/// neither several targets nor what is about generating code (`check_cmdline` in src/processor.cpp; 1.5 crashes).
pub async fn serves(julia: &JuliaInstall, target: &CpuTarget) -> Served {
    if *target == CpuTarget::Native {
        return Served::Yes;
    }
    let Ok(folder) = tempfile::tempdir() else { return Served::Unknown };
    let log = folder.path().join("log");
    let command = julia
        .command(folder.path())
        .option("--cpu-target=", first(target.argument(&julia.facts.arch)))
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

/// The first of several targets, as a session takes it.
fn first(targets: &str) -> String {
    let first = targets.split(';').next().unwrap_or_default();
    let is_for_sessions = |word: &&str| {
        let word = word.trim_start_matches(['+', '-']);
        !(matches!(word, "clone_all" | "opt_size" | "min_size") || word.starts_with("base("))
    };
    first.split(',').filter(is_for_sessions).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_takes_the_first_target_without_what_is_for_images() {
        let portable = CpuTarget::Portable.argument("x86_64");
        for (targets, expected) in [
            (portable, "generic"),
            ("haswell", "haswell"),
            ("haswell,-rdrnd,clone_all;skylake,base(0)", "haswell,-rdrnd"),
            ("generic,-clone_all,+cx16", "generic,+cx16"),
        ] {
            assert_eq!(first(targets), expected);
        }
    }
}
