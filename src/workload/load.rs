//! Loading the packages: the first workload, and the one that tells which packages the others' statements may be about.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Instant;

use super::{Kind, Outcome, Ran, Runner, Scope, Workload, compiling};
use crate::julia::{Driver, Identity, PackageResults, write_packages};
use crate::process::{self, Finished, ProcessError};
use crate::uuid::Uuid;

/// How often loading starts again after a package that ended the whole process. Each round leaves one package out; more
/// than a few of that kind in one environment is a broken Julia rather than a broken package.
const ROUNDS: usize = 5;

/// What loading the packages showed.
#[derive(Debug)]
pub struct Loaded {
    /// The workload as it is reported.
    pub ran: Ran,
    /// The packages that do not load, with the reason.
    pub failed: BTreeMap<Uuid, String>,
    /// Those of the packages that ended the whole process: what depends on them does not load either.
    pub breaking: BTreeSet<Uuid>,
    /// Those of them that did nothing any more until they were ended.
    pub stuck: BTreeSet<Uuid>,
    /// Whether the build's time budget ended it: then nothing is known of the packages that it did not come to.
    pub cut_short: bool,
    /// The extensions that do not, with the reason. Their packages work without them, as Julia lets them.
    pub failed_extensions: BTreeMap<Identity, String>,
}

impl Loaded {
    /// What loading showed when it was last tried, and everything loaded.
    pub fn as_before(ran: Ran) -> Self {
        Self {
            ran,
            failed: BTreeMap::new(),
            breaking: BTreeSet::new(),
            stuck: BTreeSet::new(),
            cut_short: false,
            failed_extensions: BTreeMap::new(),
        }
    }

    /// Whether everything loads.
    pub fn all_load(&self) -> bool {
        !self.cut_short && self.failed.is_empty() && self.failed_extensions.is_empty()
    }
}

/// Loading could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Julia could not be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The list of packages could not be written.
    #[error("cannot write the list of packages: {0}")]
    List(io::Error),
}

/// Loads every package and extension, each with its name, in a fresh Julia, which precompiles those that are not yet, and traces what that compiles. `give_up_on` is told
/// of a process in which precompiling was stuck for the second time; after that, packages are loaded from their source.
pub async fn load(
    runner: &Runner<'_>,
    modules: &[(Identity, &str)],
    dependents_of: impl Fn(Uuid) -> Vec<Uuid>,
    give_up_on: impl Fn(&Finished),
) -> Result<Loaded, LoadError> {
    let list = runner.traces.join("load-packages");
    let results_file = runner.traces.join("load-results");
    let (trace, log) = runner.files(&Workload::Load);
    // Nobody closes the semaphore, so there is always a turn to wait for.
    let _turn = runner.turns.acquire().await;
    let mut ran = Ran {
        name: "load".to_owned(),
        kind: Kind::Load,
        outcome: Outcome::Ok,
        started: Some(Instant::now()),
        seconds: 0.0,
        compile_seconds: Some(0.0),
        limit: runner.limit(),
        scope: Scope::Project,
        reused: false,
        peak_memory_bytes: 0,
        cut_short: false,
        ran_out_of_memory: false,
        stuck: Vec::new(),
        trace: trace.clone(),
        log: log.clone(),
        note: None,
        error: None,
        activated: Vec::new(),
        loaded: BTreeSet::new(),
    };
    let mut failed: BTreeMap<Identity, String> = BTreeMap::new();
    let mut is_suspect = !runner.precompiles();
    let (mut breaking, mut stuck) = (BTreeSet::new(), BTreeSet::new());
    while breaking.len() < ROUNDS {
        let remaining = modules.iter().filter(|(module, _)| {
            !failed.contains_key(module) && !failed.contains_key(&Identity::from(module.package))
        });
        let remaining = remaining.cloned();
        write_packages(&list, remaining).map_err(LoadError::List)?;
        let load = runner.drivers.path(Driver::LOAD);
        let command = runner.traced(&trace).arg(load).arg(&list).arg(&results_file).suspect(is_suspect);
        let limit = runner.limit();
        let finished = process::run(&command, Some(limit), &log).await?;
        let results = PackageResults::read(&results_file);
        ran.outcome = finished.ending.into();
        ran.ran_out_of_memory |= finished.ending.is_for_want_of_memory(&log);
        ran.seconds += finished.seconds;
        let compiling = compiling::take(&trace);
        ran.compile_seconds = ran.compile_seconds.zip(compiling).map(|(before, now)| before + now);
        ran.peak_memory_bytes = ran.peak_memory_bytes.max(finished.peak_memory_bytes);
        let unfinished = results.unfinished.as_ref().and_then(|module| name_of(modules, module));
        ran.stuck
            .extend(finished.standstills(|| format!("loading {}", unfinished.unwrap_or("the packages"))));
        if ran.outcome == Outcome::Timeout && limit < runner.time_limit {
            ran.cut_short = true;
            let (failed, failed_extensions) = by_kind(failed);
            return Ok(Loaded { ran, failed, breaking, stuck, failed_extensions, cut_short: true });
        }
        if finished.newly_stuck().next().is_some() {
            if !is_suspect {
                // What was stuck comes and goes (JuliaLang/julia issue 52666).
                is_suspect = true;
                let _ = std::fs::rename(&log, log.with_extension("stuck.log"));
                continue;
            }
            give_up_on(&finished);
        }
        if runner.precompiles() && !finished.stuck.is_empty() {
            let not_precompiled = finished.stuck.iter().map(|package| package.name.clone());
            runner.from_source.borrow_mut().extend(not_precompiled);
            failed.clear();
            continue;
        }
        let text = std::fs::read(&log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        failed.extend(results.failed.into_iter().map(|(module, error)| {
            let name = name_of(modules, &module);
            let own_words = name.and_then(|name| precompile_error(&text, name));
            (module, own_words.unwrap_or(error))
        }));
        let Some(module) = results.unfinished.filter(|_| !finished.ending.is_success()) else { break };
        if module.extension.is_none() {
            let dependents = dependents_of(module.package).into_iter().map(Identity::from);
            failed.extend(dependents.map(|dependent| (dependent, "it ended Julia".to_owned())));
        }
        breaking.insert(module.package);
        if ran.outcome == Outcome::Stuck {
            stuck.insert(module.package);
        }
        failed.insert(module, format!("Julia {} while loading it", finished.ending));
    }
    if ran.outcome == Outcome::Ok && !failed.is_empty() {
        ran.outcome = Outcome::Failed;
    }
    let (failed, failed_extensions) = by_kind(failed);
    Ok(Loaded { ran, failed, breaking, stuck, failed_extensions, cut_short: false })
}

/// Packages and extensions apart.
fn by_kind(failed: BTreeMap<Identity, String>) -> (BTreeMap<Uuid, String>, BTreeMap<Identity, String>) {
    let (packages, extensions): (BTreeMap<_, _>, BTreeMap<_, _>) =
        failed.into_iter().partition(|(module, _)| module.extension.is_none());
    (packages.into_iter().map(|(module, error)| (module.package, error)).collect(), extensions)
}

fn name_of<'a>(modules: &[(Identity, &'a str)], module: &Identity) -> Option<&'a str> {
    modules.iter().find(|(identity, _)| identity == module).map(|(_, name)| *name)
}

/// Why a package does not precompile. Precompiling runs in a Julia of its own, so the error that arrives in `load.jl` begins
/// with that it failed; what that Julia printed stands in the log, before the line in which `load.jl` names the package.
fn precompile_error(log: &str, name: &str) -> Option<String> {
    let (before, after) = log.split_once(&format!("[jlsys: {name} does not load: "))?;
    // "Failed to precompile …" (`compilecache`, base/loading.jl); since 1.11 "The following 1 direct dependency failed to
    // precompile:" (`precompilepkgs`, base/precompilation.jl).
    if !after.lines().next()?.contains("ailed to precompile") {
        return None;
    }
    // What was said about the package before this one is behind a line of the same kind.
    let own = before.rsplit_once("[jlsys: ").map_or(before, |(_, own)| own);
    let error = own.lines().rev().find_map(process::error_in_line);
    error.or_else(|| {
        let signal = own.lines().find_map(process::signal_in_line)?;
        Some(format!("precompiling it ended with {signal}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_the_precompiling_julia_is_found() {
        let log = "ERROR: LoadError: first\nStacktrace:\n[jlsys: A does not load: Failed to precompile A]\n\
                   ERROR: LoadError: LoadError: second\n[jlsys: B does not load: Failed to precompile B]\n\
                   [jlsys: C does not load: Failed to precompile C]\n";
        assert_eq!(precompile_error(log, "A").as_deref(), Some("first"));
        assert_eq!(precompile_error(log, "B").as_deref(), Some("second"));
        assert_eq!(precompile_error(log, "C"), None);
        assert_eq!(precompile_error(log, "D"), None);
    }

    #[test]
    fn so_it_is_among_all_that_newer_ones_say() {
        let log = "The following 1 direct dependency failed to precompile:\n\nA \n\nFailed to precompile A to \"x\".\n\
                   ERROR: LoadError: first\nStacktrace:\n\
                   [jlsys: A does not load: The following 1 direct dependency failed to precompile:]\n\
                   The following 1 direct dependency failed to precompile:\n\nB \n\n\
                   [7] signal 6 (-6): Aborted\nin expression starting at B.jl:1\n\
                   [jlsys: B does not load: The following 1 direct dependency failed to precompile:]\n\
                   [jlsys: C does not load: ArgumentError: ERROR: what it says itself]\n";
        assert_eq!(precompile_error(log, "A").as_deref(), Some("first"));
        let aborted = "precompiling it ended with signal 6 (-6): Aborted";
        assert_eq!(precompile_error(log, "B").as_deref(), Some(aborted));
        assert_eq!(precompile_error(log, "C"), None);
    }
}
