//! `jlsys build --dry-run`: what a build would do, and what is known of how long that takes. Nothing is built, and nothing is written.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::print;
use crate::duration::{about, limit, took};
use crate::error::{Error, Exit};
use crate::key::Key;
use crate::pipeline::{self, BuildOptions, Expected, Outlook};
use crate::prepare::Prepared;
use crate::process;
use crate::report::{BuildOutcome, DroppedPackage, Report, SCHEMA, Tier};
use crate::state::State;

/// The document that `build --dry-run --json` prints.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    /// `build`; `hit` when there is an image already; `fallback` when it was tried before and came to nothing.
    outcome: &'static str,
    key: Key,
    project: &'a Path,
    julia: String,
    /// What is there already.
    image: Option<PathBuf>,
    startup: Option<PathBuf>,
    /// Why there is something to build, or why it is not tried again.
    reason: String,
    packages: usize,
    left_out: Vec<DroppedPackage>,
    cpu_target: String,
    /// Absent when nothing would be done.
    #[serde(flatten)]
    outlook: Option<&'a Outlook>,
    /// In seconds; `null` without one.
    time_budget: Option<f64>,
    /// How long it takes, in seconds, where that is known of everything.
    estimate: Option<f64>,
}

pub(super) fn execute(prepared: &Prepared, options: BuildOptions, json: bool) -> Result<Exit, Error> {
    let budget = pipeline::budget(prepared, options);
    let state = State::of(prepared);
    let reason = match &state {
        _ if options.force => "--force".to_owned(),
        State::Stale(changed) | State::OtherWorld(changed) if !changed.is_empty() => changed.join("; "),
        State::Ready(entry) if entry.header.tier != Tier::Full => {
            format!("what is there is less than everything (tier {})", entry.header.tier)
        }
        state => state.reason(prepared),
    };
    let settled = pipeline::settled(prepared, options, &budget, state);
    if settled.is_none() {
        process::block_on(pipeline::check(prepared)).map_err(Error::Runtime)??;
    }
    let outlook = settled.is_none().then(|| pipeline::outlook(prepared, options));
    let plan = &prepared.plan;
    let document = Document {
        schema: SCHEMA,
        outcome: match settled.as_ref().map(|report| report.outcome) {
            None => "build",
            Some(BuildOutcome::Fallback) => "fallback",
            Some(BuildOutcome::Hit | BuildOutcome::Built) => "hit",
        },
        key: prepared.key,
        project: &prepared.environment.project_file,
        julia: prepared.julia.facts.version.to_string(),
        image: settled.as_ref().and_then(|report| report.image.clone()),
        startup: settled.as_ref().and_then(|report| report.startup.clone()),
        reason,
        packages: plan.packages.len(),
        left_out: plan.left_out.iter().map(DroppedPackage::from).collect(),
        cpu_target: plan.cpu_target.to_string(),
        outlook: outlook.as_ref(),
        time_budget: budget.total().map(|total| total.as_secs_f64()),
        estimate: outlook
            .as_ref()
            .and_then(Outlook::estimate)
            .filter(|it| it.unknown == 0)
            .map(|it| it.seconds),
    };
    if json {
        super::print_json(&document)?;
    } else {
        print(&match (&outlook, &settled) {
            (Some(outlook), _) => would_build(&document, outlook),
            (None, Some(report)) => would_find(report, &document),
            (None, None) => String::new(),
        })?;
    }
    Ok(Exit::Ok)
}

fn would_find(report: &Report, document: &Document<'_>) -> String {
    match report.image.as_ref().or(report.startup.as_ref()) {
        Some(path) => format!("nothing to build: {} is there (tier {})\n", path.display(), report.tier),
        None => format!("nothing would be tried: {}\n", document.reason),
    }
}

fn would_build(document: &Document<'_>, outlook: &Outlook) -> String {
    let what = if outlook.image { "an image" } else { "a startup package" };
    let (project, julia) = (document.project.display(), &document.julia);
    let mut text = format!("would build {what} for {project} with Julia {julia}\n");
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("because", document.reason.split("; `jlsys").next().unwrap_or_default().to_owned());
    line("packages", format!("{}, for {} CPUs", document.packages, document.cpu_target));
    for package in &document.left_out {
        line("left out", format!("{}: {}", package.name, package.reason));
    }
    let each = limit(Duration::from_secs_f64(outlook.time_limit));
    let (run, all) = (outlook.to_run().count(), outlook.workloads.len());
    line(
        "workloads",
        match (all, run) {
            (0, _) => "none".to_owned(),
            (_, 0) => format!("{all}, which need not run again"),
            _ => format!("{run} of {all} to run, {} at once, each for {each} at most", outlook.jobs.min(run)),
        },
    );
    for workload in &outlook.workloads {
        line("", describe(workload, outlook));
    }
    if outlook.startup {
        let before = outlook.earlier.filter(|earlier| earlier.startup > 0.0);
        let time = before
            .map_or_else(String::new, |it| format!(", about {}, as {}", about(it.startup), it.source()));
        let until =
            if outlook.image { "first; `jlsys run` uses it until the image is there" } else { "alone" };
        line("startup", format!("a startup package {until}{time}"));
    }
    if outlook.image {
        let time = outlook.earlier.map_or_else(
            || "this Julia has written none here yet; minutes are normal".to_owned(),
            |it| format!("about {}, as {}", about(it.image), it.source()),
        );
        line("image", time);
    }
    let budget = document.time_budget.map(|seconds| limit(Duration::from_secs_f64(seconds)));
    let budget = budget.map_or_else(String::new, |budget| format!(" (the time budget is {budget})"));
    line("time", format!("{}{budget}", outlook.how_long()));
    text
}

fn describe(workload: &Expected, outlook: &Outlook) -> String {
    let what = workload.kind.of(&workload.name);
    let time = workload.seconds.map(took);
    match (workload.kept, time) {
        (true, _) => format!("{what}: kept from an earlier run"),
        (false, _) if workload.is_suite_of_others && outlook.suites_wait() => {
            format!("{what}: only if scripts and notebooks compile nothing")
        }
        (false, Some(time)) => format!("{what}: {time} when it last ran"),
        (false, None) => format!("{what}: never ran here"),
    }
}
