//! The startup package, which is built first and committed at once, and what a build comes to without an image.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use super::{Build, Statements, count};
use crate::environment::Uuid;
use crate::error::Error;
use crate::plan::{LeftOutReason, Plan};
use crate::report::{BuildOutcome, Report, Tier};
use crate::startup::{self, LOADER, StartupInputs};
use crate::sysimage::{Replay, StartsWith, verify};

/// How long Julia may take to precompile the startup package. A minute is normal for a hundred packages.
const PRECOMPILING_LIMIT: Duration = Duration::from_secs(1800);

/// A startup package that works.
pub(super) struct MadeStartup {
    plan: Plan,
    statements: u64,
    replay: Replay,
}

impl Build<'_> {
    /// Builds the startup package, tries it, and commits it while the build goes on. When that does not work, a warning
    /// says so, and there is none.
    pub(super) async fn build_startup(&mut self, plan: &Plan, all: &Statements) -> Result<(), Error> {
        let plan = self.without_companions(plan);
        let title = format!(
            "compiling {} into a startup package for {}",
            count(all.for_startup, "statement"),
            count(plan.packages.len(), "package")
        );
        let phase = self.progress.phase(title);
        match self.try_startup(&plan, all).await {
            Ok(replay) => {
                let result = format!("{} compiled, {} refused", replay.compiled, replay.rejected);
                let elapsed = phase.done(&result);
                self.note_phase("startup", elapsed);
                self.startup = Some(MadeStartup { plan, statements: all.for_startup, replay });
            }
            Err(problem) => {
                drop(phase);
                self.progress.say(&format!("  no startup package: {problem}"));
                self.report.warnings.push(problem);
                self.drop_startup();
                return Ok(());
            }
        }
        let mut report = self.startup_report();
        report.image_pending = true;
        let (cache, inputs) = (&self.prepared.cache, &self.prepared.inputs);
        let entry = self.staging.commit_copy(cache, inputs, &mut report)?;
        // From here on it serves, whatever becomes of the image.
        cache.keep_project(
            &self.prepared.environment.project_file,
            self.prepared.key,
            &self.prepared.overrides,
        )?;
        if !self.options.quick {
            let folder = entry.folder().display();
            self.progress.say(&format!("`jlsys run` uses {folder} until the image is there"));
        }
        Ok(())
    }

    async fn try_startup(&mut self, plan: &Plan, all: &Statements) -> Result<Replay, String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        let prepared = self.prepared;
        let folder = self.staging.link_startup(&prepared.cache).map_err(|error| said(&error))?;
        let work = self.staging.work();
        let logs = self.staging.logs();
        let statements = work.join("startup-statements.jl");
        take_first(&all.path, all.for_startup, &statements).map_err(|error| said(&error))?;
        let inputs = StartupInputs {
            julia: &prepared.julia,
            project_file: &prepared.environment.project_file,
            drivers: &self.drivers,
            plan,
            uuid: prepared.key.into(),
            statements: &statements,
            folder: &folder,
            work: &work,
            log: &logs.join("startup.log"),
            time_limit: self.budget.left().map_or(PRECOMPILING_LIMIT, |left| left.min(PRECOMPILING_LIMIT)),
            statement_limit: prepared.settings.workloads.time_limit,
        };
        let (finished, replay) = startup::build(&inputs).await.map_err(|error| said(&error))?;
        self.report.saw_memory(finished.peak_memory_bytes);
        let (loader, log) = (folder.join(LOADER), logs.join("verify-startup.log"));
        let with = StartsWith::Startup(&loader);
        verify(inputs.julia, inputs.project_file, inputs.drivers, plan, with, &work, &log)
            .await
            .map_err(|error| format!("the startup package is not used: {error}"))?;
        Ok(replay)
    }

    /// The plan without what is not the project's own: a session that is no notebook has no use for IJulia.
    fn without_companions(&self, plan: &Plan) -> Plan {
        let companions = self.prepared.environment.companions.iter().map(|companion| companion.uuid);
        let reason = || LeftOutReason::LeftBehind("it is for notebooks".to_owned());
        plan.without(&companions.map(|uuid| (uuid, reason())).collect::<BTreeMap<Uuid, _>>())
    }

    /// Ends a build that was to stop at the startup package.
    pub(super) fn stop_at_startup(mut self) -> Result<Report, Error> {
        if self.startup.is_some() {
            let report =
                self.prepared.cache.entry(&self.prepared.key).ok().and_then(|entry| entry.report().ok());
            return Ok(report.unwrap_or(self.report));
        }
        // It is not remembered as a failure: an image was not tried.
        self.report.tier = Tier::Stock;
        self.report.outcome = BuildOutcome::Fallback;
        Ok(self.report)
    }

    /// Ends a build that has a startup package and no image to use instead.
    pub(super) fn settle_for_startup(self) -> Result<Report, Error> {
        let mut report = self.startup_report();
        let _ = std::fs::remove_file(self.staging.image());
        self.staging.commit(&self.prepared.cache, &self.prepared.inputs, &mut report, None)?;
        Ok(report)
    }

    /// The report of this build as far as it is, at the tier of the startup package.
    fn startup_report(&self) -> Report {
        let mut report = self.report.clone();
        report.tier = Tier::Startup;
        if let Some(MadeStartup { plan, statements, replay }) = &self.startup {
            report.set_plan(plan);
            report.statements.compiled = replay.compiled;
            report.statements.rejected = replay.rejected;
            report.statements.left_out = report.statements.kept - statements;
        }
        report
    }

    /// Takes the startup package out of the entry that is being built: an image has all that is in it.
    pub(super) fn drop_startup(&mut self) {
        let _ = std::fs::remove_dir_all(self.staging.startup());
    }
}

/// Writes the first lines of a file into a new one.
fn take_first(file: &Path, lines: u64, into: &Path) -> io::Result<()> {
    let input = BufReader::new(File::open(file)?);
    let mut output = BufWriter::new(File::create(into)?);
    for line in input.split(b'\n').take(usize::try_from(lines).unwrap_or(usize::MAX)) {
        output.write_all(&line?)?;
        output.write_all(b"\n")?;
    }
    output.flush()
}
