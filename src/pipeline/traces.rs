//! The first half of a build: workloads are run, and their traces become statements.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use indicatif::HumanBytes;
use tokio::sync::Semaphore;

use super::cleaning::{Cleaned, Cleaning, ForStartup};
use super::reuse::Reuse;
use super::startup::TriedStartup;
use super::{Build, count, note_cut_short};
use crate::error::Error;
use crate::plan::{LeftOutReason, Plan};
use crate::report::{PhaseReport, Report, StatementCounts, WorkloadReport};
use crate::trace::Owner;
use crate::workload::{self, For, Kind, Loaded, Outcome, Ran, Runner, Workload};

/// All statements of all workloads, in one file.
pub(super) struct Statements {
    /// The file.
    pub path: PathBuf,
    /// Whose they are.
    pub owners: Vec<Owner>,
}

/// What the first half of a build came to.
pub(super) struct Traced {
    /// The plan without what does not load.
    pub plan: Plan,
    /// What the workloads were seen to compile.
    pub statements: Statements,
    /// What a startup package is to hold, where one is wanted that was not tried while test suites ran.
    pub for_startup: Option<ForStartup>,
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
    /// Loads the packages, runs the workloads, and cleans their traces into one file of statements.
    ///
    /// `with_startup`: a project with scripts or notebooks has its startup package made of what these compile, as soon as they
    /// are through. Test suites run beside it then, or, where it is all that is wanted, not at all.
    pub(super) async fn trace(&mut self, with_startup: bool) -> Result<Traced, Error> {
        let traces = self.staging.work().join("traces");
        std::fs::create_dir(&traces).map_err(Error::file(&traces))?;
        let logs = self.staging.logs();
        let jobs = self.jobs();
        self.precompile(For::Workloads).await?;
        let is_suite = |workload: &Workload| workload.kind() == Kind::Tests;
        let workloads = || self.prepared.plan.workloads.iter().filter(|w| w.kind() != Kind::Load);
        let startup_first = with_startup && !workloads().all(is_suite);
        let suites_at_once = if startup_first { jobs - 1 } else { jobs };
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
            suites: Semaphore::new(suites_at_once),
        };
        let reuse = Reuse::new(self.prepared, self.options.force);
        let path = self.staging.entry().join("statements.jl");
        let cleaning = RefCell::new(Cleaning::new(&self.prepared.plan.workloads, &path)?);

        let mut others = Vec::new();
        let mut kept = Vec::new();
        for workload in workloads() {
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
        let mut left = Vec::new();
        if startup_first {
            others.sort_by_key(is_suite);
            if self.options.quick {
                left = others.split_off(others.partition_point(|workload| !is_suite(workload)));
            }
        }

        let this = &*self;
        let loading = async {
            let loaded = this.load(&runner, &reuse, &cleaning).await?;
            let startup = match startup_first {
                true => this.startup_before_suites(&loaded, &runner, &cleaning).await?,
                false => None,
            };
            Ok::<_, Error>((loaded, startup))
        };
        let running = async |workloads: &[Workload]| {
            if workloads.is_empty() {
                return Ok(None);
            }
            let title = format!("running {}, {jobs} at once", count(workloads.len(), "workload"));
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
            runner.run(workloads, on_start, on_end).await?;
            phase.done("");
            Ok::<_, Error>(Some(this.budget.started().elapsed()))
        };
        let ((loaded, startup), mut ran_until) = if this.packages_are_precompiled() {
            try_join(loading, running(&others)).await?
        } else {
            (loading.await?, running(&others).await?)
        };
        if !left.is_empty() {
            if startup.is_none() {
                ran_until = running(&left).await?;
            } else {
                let suites = count(left.len(), "test suite");
                self.progress
                    .say(&format!("not running {suites}: they would add nothing to the startup package"));
            }
        }
        loaded.note_in(&mut self.report);
        if let Some(ran_until) = ran_until {
            self.report.phases.push(loaded.until(ran_until));
        }
        let phase = self.progress.phase("cleaning statements");
        let mut cleaning = cleaning.into_inner();
        let cleaned = cleaning.so_far()?;
        let mut for_startup = None;
        if let Some(tried) = startup {
            self.note_startup(tried, None);
        } else if with_startup {
            for_startup = Some(cleaning.for_startup(&cleaned, &self.staging.work())?);
        }
        let counts = &cleaned.totals.counts;
        let result = format!("{} different ones to replay, of {}", counts.kept, count(counts.lines, "line"));
        let elapsed = phase.done(&result);
        self.note_phase("statements", elapsed);
        self.report = self.with_workloads(self.report.clone(), &cleaned);
        let statements = Statements { path, owners: cleaned.totals.owners.into_keys().collect() };
        Ok(Traced { plan: loaded.plan, statements, for_startup })
    }

    /// Builds the startup package when only test suites are left, if the others compiled anything.
    async fn startup_before_suites(
        &self,
        loaded: &PackagesLoaded,
        runner: &Runner<'_>,
        cleaning: &RefCell<Cleaning>,
    ) -> Result<Option<TriedStartup>, Error> {
        let only_suites_left = cleaning.borrow().only_suites_left();
        only_suites_left.notified().await;
        let cleaned = cleaning.borrow_mut().so_far()?;
        let mut tried = None;
        if cleaned.own.is_some() {
            // Suites hold fewer turns than there are.
            let _turn = runner.turns.acquire().await;
            let selection = cleaning.borrow().for_startup(&cleaned, &self.staging.work())?.lasting;
            let built = self.build_startup(&loaded.plan, &selection).await;
            self.commit_startup(&built, self.report_so_far(loaded, cleaning)?)?;
            tried = Some(built);
        }
        runner.suites.add_permits(1);
        Ok(tried)
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

    /// The build's report while test suites run.
    fn report_so_far(&self, loaded: &PackagesLoaded, cleaning: &RefCell<Cleaning>) -> Result<Report, Error> {
        let mut report = self.report.clone();
        loaded.note_in(&mut report);
        Ok(self.with_workloads(report, &cleaning.borrow_mut().so_far()?))
    }

    /// A report with what became of the workloads and of what they were seen to compile.
    fn with_workloads(&self, mut report: Report, cleaned: &Cleaned) -> Report {
        let Cleaned { totals, workloads, .. } = cleaned;
        let cut_short = workloads.iter().filter(|(ran, _)| ran.cut_short);
        let cut_short: Vec<String> = cut_short.map(|(ran, _)| ran.kind.of(&ran.name)).collect();
        if !cut_short.is_empty() {
            let did = format!("left too little for {}", cut_short.join(", "));
            note_cut_short(&mut report, &self.budget, &did);
        }
        for (ran, lines) in workloads {
            report.workloads.push(WorkloadReport::new(ran, *lines, self.budget.started()));
            if !ran.reused {
                report.saw_memory(ran.peak_memory_bytes);
            }
            if ran.ran_out_of_memory {
                let what = ran.kind.of(&ran.name);
                let peak = HumanBytes(ran.peak_memory_bytes);
                report.warnings.push(format!(
                    "{what} ran out of memory (it had reached {peak}): run fewer at once with `--jobs`"
                ));
            }
        }
        let counts = &totals.counts;
        report.statements = StatementCounts {
            traced: counts.lines,
            kept: counts.written(),
            dropped: counts.dropped.iter().map(|(reason, n)| (reason.to_string(), *n)).collect(),
            by_package: totals.owners.iter().map(|(owner, n)| (self.owner_name(owner), *n)).collect(),
            ..StatementCounts::default()
        };
        report
    }
}

impl PackagesLoaded {
    fn note_in(&self, report: &mut Report) {
        report.phases.push(self.phase.clone());
        report.warnings.extend(self.warnings.iter().cloned());
    }

    /// The phase of running workloads until a time after the build's start. What ran beside loading counts from its end, so that the
    /// phases add up to what the build took.
    fn until(&self, end: Duration) -> PhaseReport {
        let started = self.phase.started.unwrap_or_default() + self.phase.seconds;
        let seconds = (end.as_secs_f64() - started).max(0.0);
        PhaseReport { name: "workloads".to_owned(), started: Some(started), seconds }
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
