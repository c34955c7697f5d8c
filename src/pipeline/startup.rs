//! The startup package, which is built first and committed at once, and what a build comes to without an image.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::cleaning::Selection;
use super::{Build, count};
use crate::environment::Uuid;
use crate::error::Error;
use crate::plan::{LeftOutReason, Plan};
use crate::prepare::Prepared;
use crate::report::{BuildOutcome, PhaseReport, Report, Tier};
use crate::startup::{self, LOADER, StartupInputs};
use crate::sysimage::{Replay, StartsWith, verify};

/// How long Julia may take to precompile the startup package. A minute is normal for a hundred packages.
const PRECOMPILING_LIMIT: Duration = Duration::from_secs(1800);

/// A startup package that works.
pub(super) struct MadeStartup {
    plan: Plan,
    statements: u64,
    replay: Replay,
    /// What it is to hold when no image follows.
    lasting: Option<Selection>,
}

/// What trying to make a startup package came to.
pub(super) struct TriedStartup {
    /// Why there is none, if there is none.
    made: Result<MadeStartup, String>,
    phase: PhaseReport,
    peak_memory_bytes: u64,
}

impl Build<'_> {
    /// Builds the startup package and tries it.
    pub(super) async fn build_startup(&self, plan: &Plan, selection: &Selection) -> TriedStartup {
        let plan = self.without_companions(plan);
        let number = selection.number;
        let title = format!(
            "compiling {} into a startup package for {}",
            count(number, "statement"),
            count(plan.packages.len(), "package")
        );
        let phase = self.progress.phase(title);
        let started = Instant::now();
        let mut peak_memory_bytes = 0;
        let made = match self.try_startup(&plan, selection, &mut peak_memory_bytes).await {
            Ok(replay) => {
                phase.done(&format!("{} compiled, {} refused", replay.compiled, replay.rejected));
                Ok(MadeStartup { plan, statements: number, replay, lasting: None })
            }
            Err(problem) => {
                drop(phase);
                self.progress.say(&format!("  no startup package: {problem}"));
                self.drop_startup();
                Err(problem)
            }
        };
        TriedStartup { made, phase: self.ended("startup", started.elapsed()), peak_memory_bytes }
    }

    /// Notes what came of it; `lasting` is what it is to hold when no image follows, if that is more.
    pub(super) fn note_startup(&mut self, tried: TriedStartup, lasting: Option<Selection>) {
        let TriedStartup { made, phase, peak_memory_bytes } = tried;
        self.report.saw_phase(phase, peak_memory_bytes);
        match made {
            Ok(made) => self.startup = Some(MadeStartup { lasting, ..made }),
            Err(problem) => {
                self.report.warnings.push(problem.clone());
                self.startup_problem = Some(problem);
            }
        }
    }

    /// Commits a startup package that works while the build goes on: from here on it serves, whatever becomes of the image.
    /// `so_far` is the build's report up to now.
    pub(super) fn commit_startup(&self, tried: &TriedStartup, so_far: Report) -> Result<(), Error> {
        let Ok(made) = &tried.made else { return Ok(()) };
        // It would take the place of an image that is right, and that another may or may not follow.
        if let Some(image) = &self.image_before {
            if !self.options.quick {
                self.progress
                    .say(&format!("`jlsys run` uses {} until the new image is there", image.display()));
            }
            return Ok(());
        }
        let mut report = made.describe(so_far);
        report.saw_phase(tried.phase.clone(), tried.peak_memory_bytes);
        report.image_pending = true;
        let Prepared { cache, inputs, environment, key, overrides, .. } = self.prepared;
        let entry = self.staging.commit_copy(cache, inputs, &mut report, None)?;
        cache.keep_project(&environment.project_file, *key, overrides)?;
        if !self.options.quick {
            let folder = entry.folder().display();
            self.progress.say(&format!("`jlsys run` uses {folder} until the image is there"));
        }
        Ok(())
    }

    async fn try_startup(
        &self,
        plan: &Plan,
        selection: &Selection,
        peak_memory_bytes: &mut u64,
    ) -> Result<Replay, String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        if let Some(reason) = self.nothing_loads(plan) {
            return Err(reason);
        }
        let prepared = self.prepared;
        let folder = self.staging.link_startup(&prepared.cache).map_err(|error| said(&error))?;
        let work = self.staging.work();
        let logs = self.staging.logs();
        let inputs = StartupInputs {
            julia: &prepared.julia,
            project_file: &prepared.environment.project_file,
            drivers: &self.drivers,
            plan,
            uuid: prepared.key.into(),
            statements: &selection.path,
            number: selection.number,
            folder: &folder,
            work: &work,
            log: &logs.join("startup.log"),
            time_limit: self.budget.left().map_or(PRECOMPILING_LIMIT, |left| left.min(PRECOMPILING_LIMIT)),
            statement_limit: prepared.settings.workloads.time_limit,
        };
        let (finished, replay) = startup::build(&inputs).await.map_err(|error| said(&error))?;
        *peak_memory_bytes = finished.peak_memory_bytes;
        let (loader, log) = (folder.join(LOADER), logs.join("verify-startup.log"));
        let with = StartsWith::Startup(&loader);
        verify(inputs.julia, inputs.project_file, inputs.drivers, plan, with, &work, &log)
            .await
            .map_err(|error| format!("the startup package is not used: {error}"))?;
        Ok(replay)
    }

    /// The plan without what is not the project's own: a session that is no notebook has no use for IJulia.
    pub(super) fn without_companions(&self, plan: &Plan) -> Plan {
        let companions = self.prepared.environment.companions.iter().map(|companion| companion.uuid);
        let reason = || LeftOutReason::LeftBehind("it is for notebooks".to_owned());
        plan.without(&companions.map(|uuid| (uuid, reason())).collect::<BTreeMap<Uuid, _>>())
    }

    /// Ends a build that was to stop at the startup package.
    pub(super) fn stop_at_startup(mut self) -> Result<Report, Error> {
        if self.startup.is_some() {
            let entry = self.prepared.cache.entry(&self.prepared.key).ok();
            let mut report = entry.and_then(|entry| entry.report().ok()).unwrap_or(self.report);
            if self.image_before.is_some() {
                report.outcome = BuildOutcome::Hit;
            }
            return Ok(report);
        }
        // It is not remembered as a failure: an image was not tried.
        let reason = self.startup_problem.take();
        let reason = reason.unwrap_or_else(|| "there was nothing to put into a startup package".to_owned());
        self.report.came_to_nothing(reason);
        Ok(self.report)
    }

    /// Ends a build that has a startup package and no image to use instead, for this reason.
    pub(super) async fn settle_for_startup(mut self, reason: String) -> Result<Report, Error> {
        if self.image_before.is_some() {
            return self.give_up(reason);
        }
        let _ = std::fs::remove_file(self.staging.image());
        if let Some(made) = &mut self.startup
            && let Some(lasting) = made.lasting.take()
        {
            let plan = made.plan.clone();
            self.staging.set_startup_aside()?;
            let tried = self.build_startup(&plan, &lasting).await;
            if tried.made.is_err() {
                self.staging.take_startup_back()?;
            }
            self.note_startup(tried, None);
        }
        let mut report = match &self.startup {
            Some(made) => made.describe(self.report),
            None => self.report,
        };
        self.staging.commit(&self.prepared.cache, &self.prepared.inputs, &mut report, None)?;
        Ok(report)
    }

    /// Takes the startup package out of the entry that is being built: an image has all that is in it.
    pub(super) fn drop_startup(&self) {
        let _ = std::fs::remove_dir_all(self.staging.startup());
    }
}

impl MadeStartup {
    /// A build's report, at the tier of the startup package.
    fn describe(&self, mut report: Report) -> Report {
        report.tier = Tier::Startup;
        report.set_plan(&self.plan);
        report.statements.compiled = self.replay.compiled;
        report.statements.rejected = self.replay.rejected;
        report.statements.left_out = report.statements.kept - self.statements;
        report
    }
}
