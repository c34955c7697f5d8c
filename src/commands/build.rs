//! `jlsys build`: build the image of a project, or find it.

use std::time::Duration;

use indicatif::HumanBytes;

use crate::cli::BuildArgs;
use crate::duration::took;
use crate::error::{Error, Exit};
use crate::kernel::{JupyterFolders, Kernels};
use crate::pipeline::BuildOptions;
use crate::prepare::{Prepared, Request};
use crate::profile;
use crate::progress::{Progress, Verbosity};
use crate::report::{BuildOutcome, Report, Tier, WorkloadReport};
use crate::state::State;
use crate::words::count;
use crate::workload::{Kind, Outcome};

pub(super) fn execute(args: &BuildArgs) -> Result<Exit, Error> {
    let request = args.work.request_as_last_built(args.forget_flags);
    let prepared = Prepared::new(&request)?;
    let profile = args.profile.as_deref().map(profile::Target::new).transpose()?;
    let progress = Progress::new(args.work.verbosity());
    say_remembered(&prepared, &progress);
    let options = BuildOptions {
        jobs: args.work.jobs.map(Into::into),
        memory: args.work.memory,
        retry: args.retry,
        force: args.force,
        quick: args.quick,
        no_sessions: args.no_sessions,
        time_budget: args.time_budget.map(Duration::from_secs),
        stall_limit: args.work.stall_limit.map(Duration::from_secs),
    };
    if args.dry_run {
        return super::dry_run::execute(&prepared, options, args.json);
    }
    let report = super::build_for_sessions(&prepared, options, &progress)?;
    if args.work.verbosity() > Verbosity::Quiet {
        summarise(&report, &prepared, args.quick, &progress);
        if report.tier != Tier::Stock {
            progress.say(&next(&report, &request));
        }
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

/// Says what the user should know of a build: warnings each time, what is as it should be and what failed of the user's own code
/// when it was built, and what the build before said only there.
pub(super) fn say_what_to_know(report: &Report, prepared: &Prepared, progress: &Progress) {
    for warning in &report.warnings {
        progress.warn(warning);
    }
    if report.outcome == BuildOutcome::Hit {
        return;
    }
    for failure in report.workloads.iter().filter_map(own_failure) {
        progress.warn(&format!("{failure}; what it compiled until then counts"));
    }
    let before = prepared.last_built.as_ref().and_then(|record| prepared.notes_of(&record.key));
    let before = before.unwrap_or_default();
    for note in report.notes.iter().filter(|note| !before.contains(note)) {
        progress.note(note);
    }
}

/// What went wrong with a script or notebook of the user's, with its first error and where the rest of it is.
pub(super) fn own_failure(ran: &WorkloadReport) -> Option<String> {
    let is_own = matches!(ran.kind, Kind::Notebooks | Kind::Scripts);
    let error = ran.error.as_ref().filter(|_| is_own && ran.outcome != Outcome::Ok)?;
    let log = ran.log.as_ref().map_or_else(String::new, |log| format!(" (log: {})", log.display()));
    Some(format!("{} {}: {error}{log}", ran.name, ran.outcome))
}

/// What to do with what there is now.
fn next(report: &Report, request: &Request) -> String {
    let option = |name: &str, value: &Option<String>| {
        value.as_ref().map_or_else(String::new, |value| format!(" --{name} {}", shell_word(value)))
    };
    let target = option("project", &request.project) + &option("julia", &request.julia);
    let run = format!(
        "next: `jlsys run{target} script.jl` runs a script with it, `jlsys run{target}` starts the REPL"
    );
    if report.image_pending {
        return format!("{run}; `jlsys build{target}` goes on to the image");
    }
    let kernels = Kernels::find(&JupyterFolders::of_this_process());
    let (ours, others): (Vec<_>, Vec<_>) =
        kernels.visible().partition(|kernel| kernel.state.mark().is_some());
    match (ours.is_empty(), others.is_empty()) {
        (false, _) => format!("{run}; so do notebooks with a kernel of jlsys's"),
        (true, false) => format!("{run}; `jlsys kernel install` has notebooks use it"),
        (true, true) => run,
    }
}

/// A word as a shell takes it.
fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    super::quoted(word)
}

/// Says in a few lines what there is now.
fn summarise(report: &Report, prepared: &Prepared, quick: bool, progress: &Progress) {
    for package in &report.packages.dropped {
        if package.chosen {
            progress.detail(&format!("{} is left out: {}", package.name, package.reason));
        }
    }
    say_what_to_know(report, prepared, progress);
    let Some(path) = report.image.as_ref().or(report.startup.as_ref()) else {
        progress.say(&nothing_new(prepared));
        if quick {
            progress.say("this is about the startup package; `jlsys build` tries to build an image");
        }
        return;
    };
    let verb = match report.outcome {
        BuildOutcome::Hit => "found",
        BuildOutcome::Built | BuildOutcome::Fallback => "built",
    };
    let statements = &report.statements;
    progress.say(&format!(
        "{verb} {} ({}{}, {} of {} compiled, tier {})",
        path.display(),
        if report.image.is_some() { format!("{}, ", HumanBytes(report.image_bytes)) } else { String::new() },
        count(report.packages.included.len(), "package"),
        statements.compiled,
        count(statements.kept, "statement"),
        report.tier
    ));
    if report.outcome == BuildOutcome::Built {
        let ends = report.phases.iter().map(|phase| phase.started.unwrap_or_default() + phase.seconds);
        progress.say(&format!(
            "took {}; the largest process reached {}",
            took(ends.fold(0.0, f64::max)),
            HumanBytes(report.peak_memory_bytes)
        ));
    }
}
