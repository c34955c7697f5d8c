//! What earlier builds left for this one, what this one leaves when it comes to nothing, and whose turn it is.

use std::time::Duration;

use super::BuildOptions;
use crate::budget::Budget;
use crate::cache::{BuildLock, Cache, FailedBuild};
use crate::error::Error;
use crate::key::Key;
use crate::prepare::Prepared;
use crate::progress::Progress;
use crate::report::{BuildOutcome, Report, Tier};
use crate::state::State;

/// The report of an earlier build that settles this one.
pub(super) async fn find(prepared: &Prepared, options: BuildOptions, budget: &Budget) -> Option<Report> {
    if options.force {
        return None;
    }
    let state = State::of(prepared).tried(prepared).await;
    let report = settled(prepared, options, budget, state)?;
    if report.outcome == BuildOutcome::Hit
        && let Ok(entry) = prepared.cache.entry(&prepared.key)
    {
        entry.note_use();
    }
    Some(report)
}

/// The report of an earlier build that settles this one, where it stands so with the image. Writes nothing.
pub fn settled(prepared: &Prepared, options: BuildOptions, budget: &Budget, state: State) -> Option<Report> {
    if options.force {
        return None;
    }
    // What a start would refuse is not found.
    let (entry, warning) = match state {
        State::Ready(entry) => (Some(*entry), None),
        // Another would not be loaded either.
        State::Unmappable(why) => (prepared.cache.entry(&prepared.key).ok(), Some(why)),
        _ => (None, None),
    };
    if let Some(entry) = entry.filter(|entry| entry.header.key == prepared.key) {
        let mut report = entry.report().ok()?;
        report.warnings.extend(warning);
        if options.retry && (entry.header.tier != Tier::Full || report.cut_short.is_some()) {
            return None;
        }
        let is_startup = entry.image().is_none();
        if report.image_pending && !options.quick
            || is_startup && entry.header.own != prepared.own()
            || !entry.stale_groups(&prepared.here()).groups.is_empty()
        {
            return None;
        }
        report.outcome = BuildOutcome::Hit;
        return Some(report);
    }
    let mut report = prepared.cache.failure(&prepared.key).filter(|_| !options.retry)?;
    // What there was too little time for is worth another try when there is more.
    if let Some(seconds) = report.cut_short
        && budget.total().is_none_or(|total| total.as_secs_f64() > seconds)
    {
        return None;
    }
    report.warnings.push("it was tried before and not again; `--retry` tries again".to_owned());
    Some(report)
}

/// Notes that a build came to nothing. It takes nothing away: what the project was built with before, and is right, goes on to count.
pub(super) fn note_failure(prepared: &Prepared, reason: &str) {
    let failed = FailedBuild { key: prepared.key, reason: reason.to_owned() };
    let before = prepared.as_last_built();
    let is_ready = before.as_ref().is_some_and(|before| matches!(State::of(before), State::Ready(_)));
    let overrides = before.as_ref().filter(|_| is_ready).map_or(&prepared.overrides, |it| &it.overrides);
    let built = before.as_ref().and_then(|before| before.last_built.as_ref());
    let key = built.map_or(prepared.key, |record| record.key);
    let project_file = &prepared.environment.project_file;
    // Where it cannot be written, as on a disk that is full, the next start knows less.
    let _ = prepared.cache.keep_project_with(project_file, key, overrides, Some(failed));
}

/// Takes the right to build `key`, or to pull it; waits while somebody else has it.
pub(crate) async fn lock(
    cache: &Cache,
    key: &Key,
    budget: &Budget,
    progress: &Progress,
) -> Result<BuildLock, Error> {
    let mut waiting = None;
    loop {
        if let Some(lock) = cache.try_lock(key)? {
            return Ok(lock);
        }
        if budget.is_short_of(Duration::ZERO) {
            let budget = budget.to_string();
            return Err(Error::OutOfTime { budget, doing: "another jlsys was building this image" });
        }
        waiting.get_or_insert_with(|| progress.phase("waiting for another jlsys that builds this image"));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
