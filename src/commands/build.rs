//! `jlsys build`: build the image of a project, or find it.

use std::time::Duration;

use indicatif::HumanBytes;

use crate::cli::BuildArgs;
use crate::error::{Error, Exit};
use crate::pipeline::{BuildOptions, count};
use crate::prepare::Prepared;
use crate::profile;
use crate::progress::{Progress, Verbosity};
use crate::report::{BuildOutcome, Report, Tier};
use crate::state::State;

pub(super) fn execute(args: &BuildArgs) -> Result<Exit, Error> {
    let prepared = Prepared::new(&args.work.request_as_last_built(args.forget_flags))?;
    let profile = args.profile.as_deref().map(profile::Target::new).transpose()?;
    let progress = Progress::new(args.work.verbosity());
    say_remembered(&prepared, &progress);
    let options = BuildOptions {
        jobs: args.work.jobs.map(Into::into),
        retry: args.retry,
        force: args.force,
        quick: args.quick,
        no_sessions: args.no_sessions,
        time_budget: args.time_budget.map(Duration::from_secs),
        stall_limit: args.work.stall_limit.map(Duration::from_secs),
    };
    let report = super::build_for_sessions(&prepared, options, &progress)?;
    if args.work.verbosity() > Verbosity::Quiet {
        summarise(&report, &prepared, &progress);
    }
    if let Some(profile) = profile {
        profile.write(&(&report).into())?;
    }
    if args.json {
        super::print_json(&report)?;
    }
    Ok(exit(&report, args.strict))
}

/// Says which flags count although this command was not given them.
pub(super) fn say_remembered(prepared: &Prepared, progress: &Progress) {
    if let Some(flags) = &prepared.remembered {
        progress.say(&format!("with the flags of the last build: {flags} (--forget-flags goes without)"));
    }
}

/// What a build's end means for the exit status.
pub(super) fn exit(report: &Report, strict: bool) -> Exit {
    match report.tier {
        Tier::Stock => Exit::Stock,
        tier if strict && tier != Tier::Full => Exit::NotFull,
        _ => Exit::Ok,
    }
}

/// What a build means that came to nothing.
pub(super) fn nothing_new(prepared: &Prepared) -> String {
    match prepared.as_last_built().as_ref().map(State::of) {
        Some(State::Ready(entry)) => {
            format!("no new image; `jlsys run` goes on with what was there: {}", entry.folder().display())
        }
        _ => "no image could be built; Julia starts as it always did".to_owned(),
    }
}

/// Says in a few lines what there is now.
fn summarise(report: &Report, prepared: &Prepared, progress: &Progress) {
    for package in &report.packages.dropped {
        if package.chosen {
            progress.detail(&format!("{} is left out: {}", package.name, package.reason));
        }
    }
    for warning in &report.warnings {
        progress.warn(warning);
    }
    let Some(path) = report.image.as_ref().or(report.startup.as_ref()) else {
        progress.say(&nothing_new(prepared));
        return;
    };
    let verb = match report.outcome {
        BuildOutcome::Hit => "found",
        BuildOutcome::Built | BuildOutcome::Fallback => "built",
    };
    let statements = &report.statements;
    progress.say(&format!(
        "{verb} {} ({}{}, {} compiled, tier {})",
        path.display(),
        if report.image.is_some() { format!("{}, ", HumanBytes(report.image_bytes)) } else { String::new() },
        count(report.packages.included.len(), "package"),
        count(statements.compiled, "statement"),
        report.tier
    ));
    if report.outcome == BuildOutcome::Built {
        let ends = report.phases.iter().map(|phase| phase.started.unwrap_or_default() + phase.seconds);
        progress.say(&format!(
            "took {:.0} s; the largest process reached {}",
            ends.fold(0.0, f64::max),
            HumanBytes(report.peak_memory_bytes)
        ));
    }
}
