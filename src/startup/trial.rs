//! Trying a startup package in a fresh process before anybody depends on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{LOADER, StartupError, StartupInputs};
use crate::julia::{Driver, Drivers, JuliaInstall};
use crate::process;
use crate::world::FilesRead;

/// How long loading all packages with their groups may take; seconds are normal.
const LOADING_LIMIT: Duration = Duration::from_secs(600);

/// What came of trying a startup package.
#[derive(Debug, Default)]
pub struct Tried {
    /// The groups, in the order of the file that lists them.
    pub groups: Vec<TriedGroup>,
    /// The files that the caches were compiled from which the groups rest on.
    pub files: BTreeMap<PathBuf, FilesRead>,
}

/// What came of loading a group.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct TriedGroup {
    /// What is wrong with it.
    pub problem: Option<String>,
    /// How long it took to load, in seconds.
    pub seconds: f64,
    /// How much memory it took, in bytes; 0 where that is not known.
    pub memory_bytes: u64,
    /// The caches of the packages that Julia judges it by.
    pub rests_on: Vec<PathBuf>,
}

/// Starts a Julia that loads the packages of each group in turn, and sees whether the group is there then.
pub async fn try_groups(inputs: &StartupInputs<'_>) -> Result<Tried, StartupError> {
    let log = inputs.logs.join("verify-startup.log");
    let results = inputs.work.join("startup-tried");
    let command = trial(inputs.command(), inputs.drivers, inputs.folder, &results);
    let limit = inputs.time_limit.min(LOADING_LIMIT);
    let finished = process::run(&command, Some(limit), &log).await?;
    match parse(&std::fs::read_to_string(&results).unwrap_or_default()) {
        Some(tried) if finished.ending.is_success() => Ok(tried),
        _ => Err(StartupError::DoesNotRun { finished, log }),
    }
}

/// Whether a session of the project loads every group of the startup package in `folder`.
pub async fn loads(julia: &JuliaInstall, project_file: &Path, folder: &Path) -> bool {
    let Ok(scratch) = tempfile::tempdir() else { return false };
    let driver = Driver::STARTUP_TRIAL;
    if std::fs::write(driver.path_in(scratch.path()), driver.text).is_err() {
        return false;
    }
    let drivers = Drivers { julia, project_file, folder: scratch.path() };
    let results = scratch.path().join("tried");
    let command = trial(drivers.command(), drivers, folder, &results);
    let succeeds = process::succeeds(&command, LOADING_LIMIT).await;
    let tried = parse(&std::fs::read_to_string(&results).unwrap_or_default());
    succeeds && tried.is_some_and(|tried| tried.groups.iter().all(|group| group.problem.is_none()))
}

fn trial(command: process::Command, drivers: Drivers<'_>, folder: &Path, results: &Path) -> process::Command {
    let driver = drivers.path(Driver::STARTUP_TRIAL);
    command.arg("-L").arg(folder.join(LOADER)).args([driver.as_path(), folder, results])
}

/// Reads what `julia/groups.jl` writes; `None` when it did not come to its end.
fn parse(text: &str) -> Option<Tried> {
    let mut tried = Tried::default();
    for line in text.lines() {
        if let Some(file) = line.strip_prefix("file\t") {
            let cache = tried.groups.last()?.rests_on.last()?;
            tried.files.entry(cache.clone()).or_default().add_judged(file);
            continue;
        }
        match line.split('\t').collect::<Vec<_>>().as_slice() {
            ["group", outcome, seconds, memory, problem] => tried.groups.push(TriedGroup {
                problem: (*outcome != "ok").then(|| (*problem).to_owned()),
                seconds: seconds.parse().ok()?,
                // Meanwhile the process may have given back more than it took.
                memory_bytes: memory.parse::<i64>().ok()?.try_into().unwrap_or_default(),
                rests_on: Vec::new(),
            }),
            ["cache", path] => tried.groups.last_mut()?.rests_on.push(PathBuf::from(path)),
            ["end"] => return Some(tried),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_counts_when_the_end_was_reached() {
        let text =
            "group\tok\t0.25\t4096\t\ncache\t/depot/A.ji\ncache\t/depot/B.ji\ngroup\tfailed\t0\t0\tno A\n";
        let groups = parse(&format!("{text}end\n")).unwrap().groups;
        assert_eq!(groups[0].rests_on, [PathBuf::from("/depot/A.ji"), PathBuf::from("/depot/B.ji")]);
        assert_eq!((groups[0].seconds, groups[0].memory_bytes, &groups[0].problem), (0.25, 4096, &None));
        assert_eq!(groups[1].problem.as_deref(), Some("no A"));
        assert!(parse(text).is_none());
        let groups = parse("group\tok\t0.25\t-614400\t\nend\n").unwrap().groups;
        assert_eq!(groups[0].memory_bytes, 0);
    }
}
