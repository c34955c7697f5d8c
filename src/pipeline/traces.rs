//! The first half of a build: workloads are run, and their traces become statements.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use indicatif::HumanBytes;
use tokio::sync::Semaphore;

use super::cleaning::{Cleaned, Cleaning, ForStartup};
use super::disk::was_too_full;
use super::outlook::Outlook;
use super::precompiling::Precompiled;
use super::reuse::Reuse;
use super::startup::TriedStartup;
use super::untouched::Untouched;
use super::{Build, broken, elsewhere, note_cut_short};
use crate::cache::StuckIn;
use crate::duration::{limit, took};
use crate::error::Error;
use crate::plan::{LeftOutReason, Plan};
use crate::prepare::Prepared;
use crate::process::Finished;
use crate::report::{PhaseReport, Report, StatementCounts, WorkloadReport};
use crate::sysimage::ObjectProcess;
use crate::trace::Owner;
use crate::uuid::Uuid;
use crate::words::count;
use crate::workload::{self, Kind, Loaded, Outcome, Ran, Runner, Workload};

/// All statements of all workloads, in one file.
pub(super) struct Statements {
    /// The file.
    pub path: PathBuf,
    /// How many they are.
    pub number: u64,
    /// Whose they are.
    pub owners: Vec<Owner>,
    /// Those about the project's own packages that no image has, which are not in the file.
    pub own: Vec<String>,
}

/// What statements are wanted for, other than to look at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Aims {
    /// For a startup package. A project with scripts or notebooks has it made of what these compile, as soon as they are through.
    /// Test suites run beside it then, or, where it is all that is wanted, not at all.
    pub startup: bool,
    /// For an image. The process that is to write it loads the packages and compiles what comes, while workloads still run.
    pub image: bool,
}

/// What the first half of a build came to.
pub(super) struct Traced<'a> {
    /// The plan without what does not load.
    pub plan: Plan,
    /// What the workloads were seen to compile.
    pub statements: Statements,
    /// What a startup package is to hold, where one is wanted that was not tried while test suites ran.
    pub for_startup: Option<ForStartup>,
    /// Whether packages were precompiled for an image.
    pub precompiled_for_image: bool,
    /// The process of the first attempt at an image, if it was started and has not ended.
    pub ahead: Option<ObjectProcess<'a>>,
}

/// What was begun for an image.
struct Begun<'a> {
    precompiled: Option<Precompiled>,
    process: Option<ObjectProcess<'a>>,
}

/// What workloads run with, and where their traces go.
struct Tracing<'t> {
    runner: Runner<'t>,
    reuse: Reuse<'t>,
    cleaning: RefCell<Cleaning>,
    untouched: RefCell<Untouched>,
    /// Which of the project's files changed meanwhile, one sentence each.
    touched: RefCell<Vec<String>>,
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

impl<'a> Build<'a> {
    /// Loads the packages, runs the workloads, and cleans their traces into one file of statements.
    pub(super) async fn trace(&mut self, aims: Aims) -> Result<Traced<'a>, Error> {
        let precompiled = self.precompile_for_sessions().await?;
        self.note_precompiled(precompiled);
        let traces = self.staging.work().join("traces");
        std::fs::create_dir(&traces).map_err(Error::file(&traces))?;
        let (logs, path) = (self.staging.logs(), self.staging.entry().join("statements.jl"));
        let is_suite = |workload: &Workload| workload.is_suite_of_others();
        let startup_first = aims.startup && !self.prepared.plan.to_run().all(is_suite);

        let reuse = Reuse::new(self.prepared, self.options);
        let outlook = Outlook::new(self.prepared, self.options, aims.startup, aims.image, &reuse);
        self.progress.say(&outlook.sentence(self.budget.total()));
        self.outlook = Some(outlook);

        let this = &*self;
        let jobs = this.jobs();
        let runner = Runner {
            drivers: this.drivers(),
            traces: &traces,
            logs: &logs,
            time_limit: this.prepared.settings.workloads.time_limit,
            deadline: this.budget.end_of_workloads(),
            jobs,
            turns: Semaphore::new(jobs),
            suites: Semaphore::new(if startup_first { jobs - 1 } else { jobs }),
            from_source: &this.from_source,
        };
        let cleaning = RefCell::new(Cleaning::new(&this.prepared.plan.workloads, &path)?);
        let untouched = RefCell::new(Untouched::new(&this.prepared.environment));
        let tracing = Tracing { runner, reuse, cleaning, untouched, touched: RefCell::default() };

        let mut others = this.take_kept(&tracing);
        let mut left = Vec::new();
        if startup_first {
            others.sort_by_key(is_suite);
            if this.stops_at_startup() {
                left = others.split_off(others.partition_point(|workload| !is_suite(workload)));
            }
        }
        let loading = async {
            let loaded = this.load(&tracing).await?;
            let startup = match startup_first {
                true => this.startup_before_suites(&loaded, &tracing).await?,
                false => None,
            };
            let is_worth_it = aims.image && this.nothing_for_image(&loaded.plan).is_none();
            let begun = match is_worth_it && this.options.capacity().has_room_beside(jobs) {
                true => Some(this.begin_image(&loaded.plan, &path).await?),
                false => None,
            };
            Ok::<_, Error>((loaded, startup, begun))
        };
        let ((loaded, startup, begun), mut ran_until) = if this.packages_are_precompiled() {
            try_join(loading, this.run_workloads(&others, &tracing)).await?
        } else {
            (loading.await?, this.run_workloads(&others, &tracing).await?)
        };
        if !left.is_empty() {
            if startup.is_none() {
                ran_until = this.run_workloads(&left, &tracing).await?;
            } else {
                let suites = count(left.len(), "test suite");
                this.progress
                    .say(&format!("not running {suites}: they would add nothing to the startup package"));
            }
        }

        let mut cleaning = tracing.cleaning.into_inner();
        self.report.warnings.extend(tracing.touched.into_inner());
        loaded.note_in(&mut self.report);
        if let Some(ran_until) = ran_until {
            self.report.phases.push(loaded.until(ran_until));
        }
        let phase = self.progress.phase("cleaning what the workloads were seen to compile");
        let cleaned = cleaning.so_far()?;
        let counts = &cleaned.totals.counts;
        let variants = match counts.for_other_streams {
            0 => String::new(),
            number => format!(", {number} of them added for other output streams"),
        };
        let result = format!(
            "{} to compile{variants} ({} traced)",
            count(counts.written(), "statement"),
            count(counts.lines, "line")
        );
        let elapsed = phase.done(&result);
        self.note_phase("statements", elapsed);
        self.report = self.with_workloads(self.report.clone(), &cleaned);

        let mut for_startup = None;
        if let Some(tried) = startup {
            self.note_startup(tried, None);
        } else if aims.startup {
            for_startup = Some(cleaning.for_startup(&self.staging.work(), self.stops_at_startup())?);
        }
        let number = counts.written();
        let precompiled_for_image = begun.is_some();
        let mut ahead = None;
        if let Some(Begun { precompiled, process }) = begun {
            self.note_precompiled(precompiled);
            // What ended it beside workloads may have been that they took the memory: then the attempt begins again, alone. One
            // that cannot be told that all is there would wait for ever.
            ahead =
                process.and_then(|mut it| (!it.has_ended() && it.all_given(number).is_ok()).then_some(it));
        }
        let own = cleaning.of_own_packages();
        let statements =
            Statements { path, number, owners: cleaned.totals.owners.into_keys().collect(), own };
        Ok(Traced { plan: loaded.plan, statements, for_startup, precompiled_for_image, ahead })
    }

    /// Takes in the traces that are kept; which workloads are to run, in the order in which they are best started.
    fn take_kept(&self, tracing: &Tracing<'_>) -> Vec<Workload> {
        let Tracing { runner, reuse, cleaning, .. } = tracing;
        let mut others = Vec::new();
        let mut kept = Vec::new();
        for workload in self.prepared.plan.to_run() {
            match reuse.take(workload, runner) {
                Some(ran) => kept.push(ran),
                None => others.push(workload.clone()),
            }
        }
        if !kept.is_empty() {
            let (what, they) = (count(kept.len(), "workload"), if kept.len() == 1 { "it" } else { "they" });
            self.progress.say(&format!("reusing {what}: nothing that {they} can load changed since"));
        }
        for ran in kept {
            self.say_of(&ran, "");
            cleaning.borrow_mut().arrive(ran);
        }
        reuse.longest_first(&mut others);
        others
    }

    /// Runs workloads, if there are any; until when, counted from the build's start.
    async fn run_workloads(
        &self,
        workloads: &[Workload],
        tracing: &Tracing<'_>,
    ) -> Result<Option<Duration>, Error> {
        if workloads.is_empty() {
            return Ok(None);
        }
        let Tracing { runner, reuse, cleaning, untouched, touched } = tracing;
        let number = workloads.len();
        let title = format!("running {}, {} at once", count(number, "workload"), runner.jobs.min(number));
        let phase = self.progress.phase(title);
        let running = RefCell::new(Vec::new());
        let done = Cell::new(0);
        let show = || {
            let under_way =
                running.borrow().iter().map(|name: &String| name.as_str()).collect::<Vec<_>>().join(", ");
            phase.update(&format!("{} of {number} done; {under_way}", done.get()));
        };
        let on_start = |workload: &Workload| {
            running.borrow_mut().push(workload.name());
            self.progress.detail(&format!("  {}", self.expectation(workload, runner)));
            show();
        };
        let on_end = |workload: &Workload, ran: Ran| {
            touched.borrow_mut().extend(untouched.borrow_mut().look(&running.borrow()));
            running.borrow_mut().retain(|name| *name != ran.name);
            done.set(done.get() + 1);
            show();
            self.say_of(&ran, &format!("{} of {number}, ", done.get()));
            reuse.keep(workload, &ran);
            cleaning.borrow_mut().arrive(ran);
        };
        runner.run(workloads, on_start, on_end).await?;
        phase.done("");
        Ok(Some(self.budget.started().elapsed()))
    }

    /// What a workload is up against, in words.
    fn expectation(&self, workload: &Workload, runner: &Runner<'_>) -> String {
        let (kind, name) = (workload.kind(), workload.name());
        let before = self.outlook.as_ref().and_then(|outlook| outlook.seconds(kind, &name));
        let before = before.map_or_else(String::new, |seconds| format!(", {} before", took(seconds)));
        format!("{} begins ({} at most{before})", kind.of(&name), limit(runner.time_limit))
    }

    /// Says how a workload went, after its number among those that run. What a script or notebook of the user's printed that failed can be read afterwards.
    fn say_of(&self, ran: &Ran, number: &str) {
        let Prepared { cache, environment, .. } = self.prepared;
        let log = match (ran.kind, ran.outcome) {
            (Kind::Load | Kind::Tests, _) => None,
            (Kind::Notebooks | Kind::Scripts, Outcome::Ok) => {
                cache.forget_log(&environment.project_file, &ran.log);
                None
            }
            (Kind::Notebooks | Kind::Scripts, _) => cache.keep_log(&environment.project_file, &ran.log),
        };
        self.progress.say(&format!("  {number}{}", describe(ran, log.as_deref())));
    }

    /// Starts the process that is to write the image, which reads the statements file while it grows.
    async fn begin_image(&self, plan: &Plan, statements: &Path) -> Result<Begun<'a>, Error> {
        let precompiled = self.precompile_for_image().await?;
        Ok(Begun { precompiled, process: self.start_ahead(plan, statements).await })
    }

    /// Builds the startup package when only test suites are left, if the others compiled anything.
    async fn startup_before_suites(
        &self,
        loaded: &PackagesLoaded,
        tracing: &Tracing<'_>,
    ) -> Result<Option<TriedStartup>, Error> {
        let Tracing { runner, cleaning, .. } = tracing;
        let only_suites_left = cleaning.borrow().only_suites_left();
        only_suites_left.notified().await;
        let mut tried = None;
        let Plan { own, .. } = &loaded.plan;
        let outside = loaded.plan.outside_of_base(&self.prepared.julia).chain(&own.packages);
        let packages = outside.map(|package| package.uuid).collect();
        let selection = cleaning.borrow_mut().of_its_own(&self.staging.work(), &packages)?;
        if let Some(selection) = selection {
            // Suites hold fewer turns than there are.
            let built = self.build_startup(&loaded.plan, &selection, &runner.turns).await;
            self.commit_startup(&built, self.report_so_far(loaded, cleaning)?)?;
            tried = Some(built);
        }
        runner.suites.add_permits(1);
        Ok(tried)
    }

    /// Loads the packages, and lets cleaning begin: what is known then is whose statements can be replayed.
    async fn load(&self, tracing: &Tracing<'_>) -> Result<PackagesLoaded, Error> {
        let Tracing { runner, reuse, cleaning, .. } = tracing;
        let plan = &self.prepared.plan.without(&self.known_stuck());
        let started = Instant::now();
        let loaded = match reuse.take(&Workload::Load, runner) {
            Some(ran) => {
                self.progress.say(&format!("{}: reused", count(plan.packages.len(), "package")));
                Loaded::as_before(ran)
            }
            None => {
                let title = format!("loading {}", count(plan.packages.len(), "package"));
                let phase = self.progress.phase(title);
                let modules: Vec<_> = plan.modules().collect();
                let is_planned = |uuid: &Uuid| plan.packages.iter().any(|package| package.uuid == *uuid);
                let dependents_of = |uuid| {
                    let dependents = self.prepared.environment.dependents_of(uuid);
                    dependents.iter().map(|package| package.uuid).filter(is_planned).collect()
                };
                let give_up_on = |finished: &Finished| self.prepared.give_up_on_stuck(finished);
                let loaded = workload::load(runner, &modules, dependents_of, give_up_on).await?;
                if loaded.cut_short {
                    let budget = self.budget.to_string();
                    return Err(Error::OutOfTime { budget, doing: "the packages were being loaded" });
                }
                let depot = self.prepared.depots.paths().first().cloned().unwrap_or_default();
                let mut errors = loaded.failed.values();
                if let Some(said) = errors.find(|error| was_too_full(error, &loaded.ran.log, &depot)) {
                    return Err(Error::DepotFull { depot, said: said.clone() });
                }
                let failed = loaded.failed.len();
                phase.done(&if failed == 0 { String::new() } else { format!("{failed} failed") });
                for uuid in &loaded.stuck {
                    self.prepared.keep_stuck(&self.owner_name(&Owner::Package(*uuid)), StuckIn::Loading);
                }
                // What was not tried may not load.
                if loaded.all_load() && plan.packages.len() == self.prepared.plan.packages.len() {
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
        let mut warnings: Vec<String> = warnings.collect();
        let is_needed = |uuid| plan.packages.iter().any(|package| package.uuid == uuid && package.needed);
        let rests_on_breaking = |uuid| {
            let is_below = |other: Uuid| {
                self.prepared.environment.dependents_of(other).iter().any(|package| package.uuid == uuid)
            };
            loaded.breaking.iter().find(|breaking| **breaking != uuid && is_below(**breaking))
        };
        let reasons = loaded.failed.into_iter().map(|(uuid, error)| {
            let reason = if let Some(breaking) = rests_on_breaking(uuid) {
                LeftOutReason::DependsOnBroken(self.owner_name(&Owner::Package(*breaking)))
            } else if is_needed(uuid) {
                LeftOutReason::DoesNotLoad(error)
            } else {
                LeftOutReason::NotForHere(error)
            };
            (uuid, reason)
        });
        let mut plan = plan.without(&reasons.collect());
        warnings.extend(broken(&plan));
        let from_source = self.from_source.borrow();
        let from_source = plan.packages.iter().filter(|package| from_source.contains(&package.name));
        warnings.extend(from_source.map(|package| {
            format!(
                "precompiling {} was stuck, so it is loaded from its source, with what depends on it; a session without the image \
                 would precompile it",
                package.name
            )
        }));
        plan.extensions.retain(|extension| !loaded.failed_extensions.contains_key(&extension.identity()));
        let mut cleaning = cleaning.borrow_mut();
        cleaning.begin(self.modules(&plan));
        cleaning.arrive(loaded.ran);
        Ok(PackagesLoaded { plan, warnings, phase })
    }

    /// What is not waited for since it was stuck before, and what depends on it, with the reason.
    fn known_stuck(&self) -> BTreeMap<Uuid, LeftOutReason> {
        let known = [StuckIn::Loading, StuckIn::Writing].map(|place| self.prepared.known_stuck(place));
        let known: Vec<_> = known.into_iter().flatten().collect();
        let dependents = known.iter().flat_map(|(uuid, name)| {
            let dependents = self.prepared.environment.dependents_of(*uuid).into_iter();
            dependents.map(|package| (package.uuid, LeftOutReason::DependsOnBroken((*name).to_owned())))
        });
        let before = "it was stuck before, so it is not waited for (`--retry` tries again)";
        let themselves = known.iter().map(|(uuid, _)| (*uuid, LeftOutReason::Breaks(before.to_owned())));
        dependents.chain(themselves).collect()
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
            report.warnings.extend(elsewhere::warnings(self.prepared, ran));
            report.workloads.push(WorkloadReport::new(ran, *lines, self.budget.started()));
            if !ran.reused {
                report.saw_memory(ran.peak_memory_bytes);
            }
            report.stuck.extend(ran.stuck.iter().cloned());
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

/// A workload's end in one line, with the log that is kept of it.
fn describe(ran: &Ran, log: Option<&Path>) -> String {
    let what = ran.kind.of(&ran.name);
    let (how, counts) = match ran.outcome {
        Outcome::Ok => ("", ""),
        Outcome::Failed if ran.kind == Kind::Notebooks && ran.error.is_some() => {
            (", not every cell succeeded", "; all count")
        }
        Outcome::Failed => (", failed", "; what it compiled until then counts"),
        Outcome::Timeout if ran.cut_short => {
            (", ended by the time budget", "; what it compiled until then counts")
        }
        Outcome::Timeout => (", ended at the time limit", "; what it compiled until then counts"),
        Outcome::Stuck => (", stuck, so it was ended", "; what it compiled until then counts"),
        Outcome::Crashed => (", crashed", "; what it compiled until then counts"),
    };
    let log = log.map(|log| format!("log: {}", log.display()));
    let details: Vec<&str> = ran.error.iter().chain(&log).map(String::as_str).collect();
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join("; ")) };
    let note = ran.note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
    let reused = if ran.reused { "reused, " } else { "" };
    format!("{what}: {reused}{}{how}{details}{counts}{note}", took(ran.seconds))
}
