//! The first half of a build: workloads are run, and their traces become statements.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use indicatif::HumanBytes;
use tokio::sync::Semaphore;

use super::cleaning::{Cleaned, Cleaning};
use super::reuse::Reuse;
use super::{Build, count};
use crate::error::Error;
use crate::plan::{LeftOutReason, Plan};
use crate::report::{PhaseReport, StatementCounts, WorkloadReport};
use crate::trace::Owner;
use crate::workload::{self, For, Kind, Loaded, Outcome, Ran, Runner, Workload};

/// All statements of all workloads, in one file.
pub(super) struct Statements {
    /// The file.
    pub path: PathBuf,
    /// Whose they are.
    pub owners: Vec<Owner>,
    /// How many of them, from the first, the startup package is to hold.
    pub for_startup: u64,
}

/// What loading the packages came to.
struct PackagesLoaded {
    /// The plan without what does not load.
    plan: Plan,
    /// What the user should know, one sentence each.
    warnings: Vec<String>,
    /// When, and how long it took.
    phase: PhaseReport,
}

impl Build<'_> {
    /// Loads the packages, runs the workloads, and cleans their traces into one file of statements. Returns the plan without
    /// what does not load, and the statements.
    pub(super) async fn trace(&mut self) -> Result<(Plan, Statements), Error> {
        let traces = self.staging.work().join("traces");
        std::fs::create_dir(&traces).map_err(Error::file(&traces))?;
        let logs = self.staging.logs();
        let jobs = self.jobs();
        self.precompile(For::Workloads).await?;
        let runner = Runner {
            julia: &self.prepared.julia,
            project_file: &self.prepared.environment.project_file,
            drivers: &self.drivers,
            traces: &traces,
            logs: &logs,
            time_limit: self.prepared.settings.workloads.time_limit,
            deadline: self.budget.end_of_workloads(),
            jobs,
            turns: Semaphore::new(jobs),
        };
        let reuse = Reuse::new(self.prepared, self.options.force);
        let path = self.staging.entry().join("statements.jl");
        let cleaning = RefCell::new(Cleaning::new(&self.prepared.plan.workloads, &path)?);

        let mut others = Vec::new();
        let mut kept = Vec::new();
        for workload in self.prepared.plan.workloads.iter().filter(|w| w.kind() != Kind::Load) {
            match reuse.take(workload, &runner) {
                Some(ran) => kept.push(ran),
                None => others.push(workload.clone()),
            }
        }
        if !kept.is_empty() {
            let (what, they) = (count(kept.len(), "workload"), if kept.len() == 1 { "it" } else { "they" });
            self.progress.say(&format!("reusing {what}: nothing that {they} can load changed since"));
        }
        for ran in kept {
            self.progress.say(&format!("  {}", describe(&ran)));
            cleaning.borrow_mut().arrive(ran);
        }
        reuse.longest_first(&mut others);

        let this = &*self;
        let loading = this.load(&runner, &reuse, &cleaning);
        let running = async {
            if others.is_empty() {
                return Ok(Duration::ZERO);
            }
            let title = format!("running {}, {jobs} at once", count(others.len(), "workload"));
            let phase = this.progress.phase(title);
            let running = RefCell::new(Vec::new());
            let on_start = |workload: &Workload| {
                running.borrow_mut().push(workload.name());
                phase.update(&running.borrow().join(", "));
            };
            let on_end = |workload: &Workload, ran: Ran| {
                running.borrow_mut().retain(|name| *name != ran.name);
                phase.update(&running.borrow().join(", "));
                this.progress.say(&format!("  {}", describe(&ran)));
                reuse.keep(workload, &ran);
                cleaning.borrow_mut().arrive(ran);
            };
            runner.run(&others, on_start, on_end).await?;
            Ok(phase.done(""))
        };
        let started = Instant::now();
        let (loaded, ran_for) = if this.packages_are_precompiled() {
            try_join(loading, running).await?
        } else {
            (loading.await?, running.await?)
        };
        let took = started.elapsed();
        // What ran beside loading counts from its end, so that the phases add up to what the build took.
        let rest = took.saturating_sub(Duration::from_secs_f64(loaded.phase.seconds));
        self.report.phases.push(loaded.phase);
        if !ran_for.is_zero() {
            self.note_phase("workloads", rest);
        }
        self.report.warnings.extend(loaded.warnings);
        let statements = self.finish(cleaning.into_inner(), path)?;
        Ok((loaded.plan, statements))
    }

    /// Loads the packages, and lets cleaning begin: what is known then is whose statements can be replayed.
    async fn load(
        &self,
        runner: &Runner<'_>,
        reuse: &Reuse<'_>,
        cleaning: &RefCell<Cleaning>,
    ) -> Result<PackagesLoaded, Error> {
        let plan = &self.prepared.plan;
        let started = Instant::now();
        let loaded = match reuse.take(&Workload::Load, runner) {
            Some(ran) => {
                self.progress.say(&format!("{}: reused", count(plan.packages.len(), "package")));
                Loaded::as_before(ran)
            }
            None => {
                let title = format!("loading {}", count(plan.packages.len(), "package"));
                let phase = self.progress.phase(title);
                let loaded = workload::load(runner, plan).await?;
                if loaded.cut_short {
                    let budget = self.budget.to_string();
                    return Err(Error::OutOfTime { budget, doing: "the packages were being loaded" });
                }
                let failed = loaded.failed.len();
                phase.done(&if failed == 0 { String::new() } else { format!("{failed} failed") });
                if loaded.all_load() {
                    reuse.keep(&Workload::Load, &loaded.ran);
                }
                loaded
            }
        };
        let phase = self.ended("load", started.elapsed());
        let warnings = loaded.failed_extensions.iter().map(|(extension, error)| {
            let package = self.owner_name(&Owner::Package(extension.package));
            let name = extension.extension.as_deref().unwrap_or_default();
            format!("{name}, an extension of {package}, does not load: {error}")
        });
        let warnings = warnings.collect();
        let is_needed = |uuid| plan.packages.iter().any(|package| package.uuid == uuid && package.needed);
        let reasons = loaded.failed.into_iter().map(|(uuid, error)| {
            let reason = if is_needed(uuid) {
                LeftOutReason::DoesNotLoad(error)
            } else {
                LeftOutReason::NotForHere(error)
            };
            (uuid, reason)
        });
        let mut plan = plan.without(&reasons.collect());
        plan.extensions.retain(|extension| !loaded.failed_extensions.contains_key(&extension.identity()));
        let mut cleaning = cleaning.borrow_mut();
        cleaning.begin(self.modules(&plan));
        cleaning.arrive(loaded.ran);
        Ok(PackagesLoaded { plan, warnings, phase })
    }

    /// Notes what became of the workloads and of what they were seen to compile.
    fn finish(&mut self, cleaning: Cleaning, path: PathBuf) -> Result<Statements, Error> {
        let phase = self.progress.phase("cleaning statements");
        let Cleaned { totals, workloads: ran, for_startup } = cleaning.finish()?;
        let cut_short = ran.iter().filter(|(ran, _)| ran.cut_short).map(|(ran, _)| ran.kind.of(&ran.name));
        let cut_short: Vec<String> = cut_short.collect();
        if !cut_short.is_empty() {
            self.was_cut_short(&format!("left too little for {}", cut_short.join(", ")));
        }
        for (ran, lines) in &ran {
            self.report.workloads.push(WorkloadReport::new(ran, *lines, self.budget.started()));
            if !ran.reused {
                self.report.saw_memory(ran.peak_memory_bytes);
            }
            if ran.ran_out_of_memory {
                let what = ran.kind.of(&ran.name);
                let peak = HumanBytes(ran.peak_memory_bytes);
                self.report.warnings.push(format!(
                    "{what} ran out of memory (it had reached {peak}): run fewer at once with `--jobs`"
                ));
            }
        }
        let counts = &totals.counts;
        self.report.statements = StatementCounts {
            traced: counts.lines,
            kept: counts.written(),
            dropped: counts.dropped.iter().map(|(reason, n)| (reason.to_string(), *n)).collect(),
            by_package: totals.owners.iter().map(|(owner, n)| (self.owner_name(owner), *n)).collect(),
            ..StatementCounts::default()
        };
        let result = format!("{} different ones to replay, of {}", counts.kept, count(counts.lines, "line"));
        let elapsed = phase.done(&result);
        self.note_phase("statements", elapsed);
        Ok(Statements { path, owners: totals.owners.into_keys().collect(), for_startup })
    }
}

/// A workload's end in one line.
fn describe(ran: &Ran) -> String {
    let what = ran.kind.of(&ran.name);
    let how = match ran.outcome {
        Outcome::Ok => String::new(),
        Outcome::Failed if ran.kind == Kind::Notebooks => ", not every cell succeeded; all count".to_owned(),
        Outcome::Failed => ", failed; what it compiled until then counts".to_owned(),
        Outcome::Timeout if ran.cut_short => {
            ", ended by the time budget; what it compiled until then counts".to_owned()
        }
        Outcome::Timeout => ", ended at the time limit; what it compiled until then counts".to_owned(),
        Outcome::Crashed => ", crashed; what it compiled until then counts".to_owned(),
    };
    let note = ran.note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
    let reused = if ran.reused { "reused, " } else { "" };
    format!("{what}: {reused}{:.1} s{how}{note}", ran.seconds)
}
