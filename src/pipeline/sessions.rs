//! What comes after an image is in place: precompiling what sessions load beside it, for their comfort.

use std::time::{Duration, Instant};

use super::{BuildOptions, own};
use crate::budget::Budget;
use crate::cache::Entry;
use crate::error::Error;
use crate::julia::{Driver, Drivers};
use crate::prepare::Prepared;
use crate::problem::Problem;
use crate::progress::Progress;
use crate::report::{PhaseReport, Report};
use crate::workload::{self, For, Precompiling, SessionStep, StepOutcome};

/// In less than this Julia does not come to precompile anything.
const WORTH_STARTING: Duration = Duration::from_secs(2);

/// Precompiles what sessions load beside the image that `report` is about, where that is not done yet. The image is in place, so that this may
/// be interrupted at any time; what is missing then the next build makes up for.
pub async fn serve_sessions(
    prepared: &Prepared,
    options: BuildOptions,
    budget: &Budget,
    progress: &Progress,
    report: &mut Report,
) -> Result<(), Error> {
    if report.image.is_none() || !prepared.julia.differences().ties_caches_to_the_image() {
        return Ok(());
    }
    // In a shared cache nothing can be noted, and whoever keeps it has precompiled into a depot of theirs.
    let Some(entry) = prepared.cache.entry(&prepared.key).ok().filter(Entry::is_own) else { return Ok(()) };
    report.sessions = entry.session_steps();
    if options.no_sessions {
        return Ok(());
    }
    let again = options.retry || options.force;
    let is_due = |step: &SessionStep| match report.sessions.get(step) {
        None => true,
        Some(StepOutcome::Done) => false,
        Some(StepOutcome::Failed | StepOutcome::Stuck) => again,
    };
    let own_is_due = own::is_due(prepared, &entry);
    // What changed of the project's own packages is to be precompiled again.
    let is_due = |step: &SessionStep| is_due(step) || own_is_due && *step == SessionStep::Packages;
    let steps: Vec<SessionStep> = steps(prepared, report).into_iter().filter(is_due).collect();
    if steps.is_empty() && !own_is_due {
        return Ok(());
    }
    let Some(_lock) = prepared.cache.try_lock(&prepared.key)? else {
        progress.say("another jlsys precompiles what sessions load beside the image");
        return Ok(());
    };
    progress.say("ready: sessions use the image from now on");
    let work = tempfile::tempdir().map_err(Error::file("drivers"))?;
    Driver::write_all(work.path()).map_err(Error::file(work.path()))?;
    let serving =
        Serving { prepared, options, budget, progress, entry, drivers_folder: work.path().to_owned() };
    for step in steps {
        if budget.is_short_of(WORTH_STARTING) || !serving.take(step, report).await? {
            report.warnings.push(format!(
                "{budget} left too little for precompiling {step}; the next `jlsys build` makes up for it"
            ));
            return Ok(());
        }
        if step == SessionStep::Packages && own_is_due {
            own::compile(prepared, options, budget, progress, &serving.entry, report).await?;
        }
    }
    Ok(())
}

/// What there is to do, what every session needs first.
fn steps(prepared: &Prepared, report: &Report) -> Vec<SessionStep> {
    let loads_outside = prepared.julia.differences().sessions_load_beside_the_image();
    let all_in_image = report.packages.dropped.is_empty() && prepared.environment.project_package().is_none();
    let is_there_to_do = |step: &SessionStep| match step {
        SessionStep::Repl | SessionStep::Pkg => loads_outside,
        SessionStep::Packages => !all_in_image,
    };
    SessionStep::ALL.iter().copied().filter(is_there_to_do).collect()
}

struct Serving<'a> {
    prepared: &'a Prepared,
    options: BuildOptions,
    budget: &'a Budget,
    progress: &'a Progress,
    entry: Entry,
    drivers_folder: std::path::PathBuf,
}

impl Serving<'_> {
    /// Takes a step, and notes what came of it; false when its time was up before that.
    async fn take(&self, step: SessionStep, report: &mut Report) -> Result<bool, Error> {
        let started = Instant::now();
        let phase =
            self.progress.phase(format!("ready; precompiling {step} for it, which may be interrupted"));
        let mut outcome = self.run(step, false, report).await?;
        // What was stuck comes and goes (JuliaLang/julia issue 52666).
        if outcome == Some(StepOutcome::Stuck) {
            let log = self.log(step);
            let _ = std::fs::rename(&log, log.with_extension("stuck.log"));
            outcome = self.run(step, true, report).await?;
        }
        let Some(outcome) = outcome else { return Ok(false) };
        phase.done(match outcome {
            StepOutcome::Done => "",
            StepOutcome::Failed => "not all of it precompiles",
            StepOutcome::Stuck => "it was stuck twice",
        });
        if outcome == StepOutcome::Stuck {
            let what = format!(
                "precompiling {step} for sessions with the image was stuck twice, so it is left to them; `--retry` tries again"
            );
            report.warnings.push(Problem::new(what).with_log(self.log(step)).to_string());
        }
        let seconds = started.elapsed().as_secs_f64();
        let since_start = self.budget.started().elapsed().as_secs_f64() - seconds;
        report.phases.push(PhaseReport {
            name: step.phase().to_owned(),
            started: Some(since_start),
            seconds,
        });
        report.sessions.insert(step, outcome);
        if let Err(error) = self.entry.keep_session_steps(&report.sessions) {
            report.warnings.push(format!("the next build precompiles {step} again: {error}"));
        }
        Ok(true)
    }

    async fn run(
        &self,
        step: SessionStep,
        once_more: bool,
        report: &mut Report,
    ) -> Result<Option<StepOutcome>, Error> {
        let image = self.entry.image().unwrap_or_default();
        let with_repl = report.sessions.get(&SessionStep::Repl) == Some(&StepOutcome::Done);
        let how = Precompiling {
            purpose: For::Sessions { image: &image, step, with_repl },
            cpus: &self.prepared.plan.cpu_target,
            named: None,
            jobs: self.options.jobs(),
            deadline: self.budget.end(),
            once_more,
        };
        let Prepared { julia, environment, .. } = self.prepared;
        let drivers =
            Drivers { julia, project_file: &environment.project_file, folder: &self.drivers_folder };
        let log = self.log(step);
        let finished = workload::precompile(drivers, how, &log).await?;
        report.saw_memory(finished.peak_memory_bytes);
        report.stuck.extend(finished.standstills(|| format!("precompiling {step}")));
        Ok(match finished.ending {
            _ if finished.was_stuck() => Some(StepOutcome::Stuck),
            ending if ending.is_success() => Some(StepOutcome::Done),
            _ if self.budget.is_short_of(Duration::ZERO) => None,
            _ => Some(StepOutcome::Failed),
        })
    }

    fn log(&self, step: SessionStep) -> std::path::PathBuf {
        self.entry.folder().join("logs").join(step.phase()).with_added_extension("log")
    }
}
