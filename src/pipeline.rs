//! The way of the data, from a plan to an image in the cache.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::HumanBytes;
use tokio::sync::Semaphore;

use crate::budget::Budget;
use crate::cache::{Entry, Limits, Staging, StuckIn, Unusable};
use crate::environment::IJULIA;
use crate::error::Error;
use crate::julia::{Differences, Driver, Drivers};
use crate::key::differences;
use crate::plan::{LeftOut, LeftOutReason, Plan};
use crate::prepare::Prepared;
use crate::process::{self, Watch};
use crate::progress::Progress;
use crate::report::{BuildOutcome, PhaseReport, Report, SCHEMA, Tier, TraceReport};
use crate::state::State;
use crate::sysimage::{LinkError, Linker, Served};
use crate::trace::{LoadedModule, Modules, Owner};
use crate::workload::Capacity;

mod attempt;
mod cleaning;
mod descent;
mod disk;
mod earlier;
mod elsewhere;
mod outlook;
mod own;
mod precompiling;
mod reuse;
mod sessions;
mod share;
mod startup;
mod traces;
mod unfit;
mod untouched;

pub(crate) use earlier::lock;
pub use earlier::settled;
pub use outlook::{Earlier, Estimate, Expected, Outlook, kept, outlook};
pub use precompiling::precompile;
pub use sessions::serve_sessions;
use share::Share;
pub use unfit::CachesBefore;

use cleaning::{ForStartup, ModulesOf};
use earlier::{find, note_failure};
use startup::MadeStartup;
use traces::{Aims, Statements, Traced};

/// How long Julia may take to write an image. Minutes are normal, and with several CPU targets and hundreds of packages
/// it can be most of an hour.
const WRITING_LIMIT: Duration = Duration::from_secs(3 * 3600);

/// How to go about a build.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuildOptions {
    /// How many workloads to run at once; by the capacity when absent.
    pub jobs: Option<usize>,
    /// How much memory may be taken, in bytes; what the machine or its control group has when absent, or less than this.
    pub memory: Option<u64>,
    /// Whether to try again what did not work, or did not work in full, before.
    pub retry: bool,
    /// Whether to build even if there is an image, and to run workloads even if their traces are kept.
    pub force: bool,
    /// Whether to stop at the startup package.
    pub quick: bool,
    /// Whether to leave it to sessions to precompile what they load beside the image.
    pub no_sessions: bool,
    /// How long it may take; wins over the settings.
    pub time_budget: Option<Duration>,
    /// How long a process may do nothing; wins over the settings.
    pub stall_limit: Option<Duration>,
}

impl BuildOptions {
    /// What a build may take of this machine.
    pub fn capacity(&self) -> Capacity {
        Capacity::detect().within(self.memory)
    }

    /// How many workloads to run at once.
    pub fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(|| self.capacity().jobs())
    }

    /// Why an image cannot be written with the memory that may be taken, where that is said. A machine that has less may still do it: what is
    /// in use now may be free by then.
    fn lacks_memory(&self, julia: Differences) -> Option<String> {
        let memory = self.memory.map(|_| self.capacity().memory)?;
        let needed = julia.image_memory();
        (memory < needed).then(|| {
            format!(
                "no image is written: that takes {} at least, and {} may be taken (`--memory`)",
                HumanBytes(needed),
                HumanBytes(memory)
            )
        })
    }
}

/// The time for a build that begins now, and for what comes after it.
pub fn budget(prepared: &Prepared, options: BuildOptions) -> Budget {
    Budget::starting_now(options.time_budget.or(prepared.settings.time_budget))
}

/// Builds the image of a project, or finds it. When this is done it is in place.
pub async fn build(
    prepared: &Prepared,
    options: BuildOptions,
    budget: Budget,
    progress: &Progress,
) -> Result<Report, Error> {
    let julia = prepared.julia.differences();
    let without_image = options.lacks_memory(julia).filter(|_| !options.quick);
    let options = match &without_image {
        Some(_) if julia.has_startup_package() => BuildOptions { quick: true, ..options },
        _ => options,
    };
    if options.quick && !julia.has_startup_package() {
        return Err(Error::NothingQuick(prepared.julia.facts.version.clone()));
    }
    watch(prepared, options, progress);
    let mut report = match find(prepared, options, &budget).await {
        Some(report) => report,
        None => match &without_image {
            Some(reason) if !options.quick => return Err(Error::NoMemory(reason.clone())),
            _ => build_or_wait(prepared, options, budget, progress).await?,
        },
    };
    if report.image.is_none() {
        without_image.into_iter().for_each(|reason| report.warn_once(reason));
    }
    let project_file = &prepared.environment.project_file;
    if report.tier == Tier::Stock {
        note_failure(prepared, report.failure.as_deref().unwrap_or("the build came to nothing"));
        return Ok(report);
    }
    if report.outcome == BuildOutcome::Built {
        warn_of_changes(prepared, &mut report)?;
    }
    let kept = prepared.cache.keep_project(project_file, report.key, &prepared.overrides);
    if report.outcome == BuildOutcome::Hit {
        // An image in a cache that is only read is as good as another.
        if let Err(error) = kept
            && prepared.overrides_matter()
        {
            report.warnings.push(format!("`jlsys run` will not know of the flags: {error}"));
        }
    } else {
        kept?;
    }
    if report.outcome == BuildOutcome::Built {
        keep_within(prepared, progress);
    }
    Ok(report)
}

/// Has all processes watched as the user wants it.
fn watch(prepared: &Prepared, options: BuildOptions, progress: &Progress) {
    if options.retry || options.force {
        prepared.forget_stuck();
    }
    let known_stuck = prepared.known_stuck(StuckIn::Precompiling);
    let progress = progress.clone();
    process::watch(Watch {
        stall_limit: options.stall_limit.unwrap_or(prepared.settings.stall_limit),
        compiled: prepared.depots.paths().iter().map(|depot| depot.join("compiled")).collect(),
        known_stuck: known_stuck.map(|(_, name)| name.to_owned()).collect(),
        say: Box::new(move |text| progress.say(&format!("  {text}"))),
    });
}

/// Says so when what was built is not for the project as it is by now: its own workloads may have changed it.
fn warn_of_changes(prepared: &Prepared, report: &mut Report) -> Result<(), Error> {
    let now = prepared.inputs_now()?;
    let change = if now.key() == report.key {
        // What is no part of the key: it says itself when it changed.
        match prepared.entry(&report.key) {
            Err(Unusable::OtherWorld(changes)) => changes.into_iter().next(),
            _ => return Ok(()),
        }
    } else {
        let changes =
            if prepared.key == report.key { differences(&prepared.inputs, &now) } else { Vec::new() };
        let change = changes.first().map_or("the project changed", String::as_str);
        Some(format!("{change} while the image was built"))
    };
    report.warnings.push(format!(
        "{}, so that it is not used: `jlsys build` builds it again; a workload that writes what a package is compiled from has \
         this happen with each build",
        change.unwrap_or_default()
    ));
    Ok(())
}

/// Applies the limit on the cache's size that the project's settings have.
fn keep_within(prepared: &Prepared, progress: &Progress) {
    let max_size = prepared.settings.cache.max_size;
    if max_size.is_none() {
        return;
    }
    let mut collection = prepared.cache.over(Limits { max_size, ..Limits::default() });
    prepared.cache.collect(&mut collection);
    for over in &collection.going {
        progress.say(&format!(
            "removed image {} from the cache: {}",
            over.entry.header.key.short(),
            over.reason
        ));
    }
}

/// Whether a build can begin at all, before anything runs.
pub async fn check(prepared: &Prepared) -> Result<(), Error> {
    prepared.environment.check_installed(&prepared.depots, &prepared.julia.facts.stdlib)?;
    prepared.cache.check_for_builds()?;
    check_target(prepared).await
}

/// Whether Julia can generate code for the CPUs of the plan, as far as it says.
async fn check_target(prepared: &Prepared) -> Result<(), Error> {
    match prepared.ask_for_target().await {
        Served::No(refusal) => Err(refusal.into()),
        Served::Yes | Served::Unknown => Ok(()),
    }
}

/// Builds the image, unless somebody else is at it: then waits, and finds theirs.
async fn build_or_wait(
    prepared: &Prepared,
    options: BuildOptions,
    budget: Budget,
    progress: &Progress,
) -> Result<Report, Error> {
    check(prepared).await?;
    prepared.cache.prepare()?;
    let _lock = lock(&prepared.cache, &prepared.key, &budget, progress).await?;
    // Whoever had the lock may have built it.
    if let Some(report) = find(prepared, options, &budget).await {
        return Ok(report);
    }
    let mut share = Share::new(prepared, progress);
    if !options.force
        && let Some(report) = share.obtain(options.retry, budget.end_of_workloads()).await
    {
        share.finish(None).await;
        keep_within(prepared, progress);
        return Ok(report);
    }
    let mut built = share.while_building(build_here(prepared, options, budget, progress)).await;
    share.finish(built.as_mut().ok()).await;
    built.inspect_err(|error| note_failure(prepared, &error.to_string()))
}

/// Builds the image on this machine.
async fn build_here(
    prepared: &Prepared,
    options: BuildOptions,
    budget: Budget,
    progress: &Progress,
) -> Result<Report, Error> {
    let linker = match Linker::find(&prepared.julia) {
        // The startup package needs none of ours.
        Err(error) if !prepared.julia.differences().has_startup_package() => return Err(error.into()),
        linker => linker,
    };
    prepared.cache.forget_failure(&prepared.key);
    let staging = prepared.cache.stage()?;
    Build::new(prepared, options, budget, progress, staging)?.run(linker).await
}

/// Runs the workloads alone. The statements that can be replayed go to the file `output`, if one is named.
pub async fn trace(
    prepared: &Prepared,
    options: BuildOptions,
    output: Option<&Path>,
    progress: &Progress,
) -> Result<TraceReport, Error> {
    prepared.environment.check_installed(&prepared.depots, &prepared.julia.facts.stdlib)?;
    check_target(prepared).await?;
    prepared.cache.prepare()?;
    watch(prepared, options, progress);
    let budget = Budget::starting_now(options.time_budget);
    let mut build = Build::new(prepared, options, budget, progress, prepared.cache.stage()?)?;
    let Traced { plan, statements, .. } = build.trace(Aims::default()).await?;
    build.warn_of_left_out(&plan);
    if let Some(output) = output {
        std::fs::copy(&statements.path, output).map_err(Error::file(output))?;
    }
    let Report { project, julia, statements, mut workloads, phases, stuck, warnings, .. } = build.report;
    // The logs go with the folder, but for those that are kept.
    for workload in &mut workloads {
        let kept = |log: &PathBuf| prepared.cache.kept_log(&prepared.environment.project_file, log);
        workload.log = workload.log.as_ref().and_then(kept);
    }
    let report =
        TraceReport { schema: SCHEMA, project, julia, statements, workloads, phases, stuck, warnings };
    prepared.cache.keep_measured(&prepared.environment.project_file, &report);
    Ok(report)
}

/// A build under way.
struct Build<'a> {
    prepared: &'a Prepared,
    options: BuildOptions,
    budget: Budget,
    progress: &'a Progress,
    staging: Staging,
    drivers_folder: PathBuf,
    report: Report,
    startup: Option<MadeStartup>,
    /// Why there is no startup package, where one was tried.
    startup_problem: Option<String>,
    /// An entry with an image, that is there and right while another one is built in its place.
    before: Option<Box<Entry>>,
    /// Whether the project has a startup package because there can be no image: then only its groups are made anew.
    is_settled: bool,
    /// What was known of it when it began.
    outlook: Option<Outlook>,
    /// The packages whose precompiling is stuck, so that they are loaded from their source.
    from_source: RefCell<BTreeSet<String>>,
}

impl<'a> Build<'a> {
    fn new(
        prepared: &'a Prepared,
        options: BuildOptions,
        budget: Budget,
        progress: &'a Progress,
        mut staging: Staging,
    ) -> Result<Self, Error> {
        staging.set_own(prepared.own());
        let drivers_folder = staging.work().join("drivers");
        std::fs::create_dir(&drivers_folder).map_err(Error::file(&drivers_folder))?;
        Driver::write_all(&drivers_folder).map_err(Error::file(&drivers_folder))?;
        if let Some(load_path) = &prepared.julia.load_path {
            load_path.write().map_err(Error::file(prepared.cache.root()))?;
        }
        let project = prepared.environment.project_file.clone();
        let mut report = Report::new(prepared.key, project, &prepared.plan, &prepared.julia);
        report.warnings.extend(prepared.version_warning());
        report.warnings.extend(prepared.plan.warnings.iter().cloned());
        report.notes.clone_from(&prepared.plan.notes);
        report.warnings.extend(prepared.target_warning());
        let known = prepared.cache.entry(&prepared.key).ok().and_then(|entry| entry.report().ok());
        let settled = known.filter(|known| known.tier == Tier::Startup && !known.image_pending);
        let settled = settled.filter(|_| !options.force && !options.retry);
        let is_settled = settled.is_some();
        settled.into_iter().flat_map(|known| known.warnings).for_each(|warning| report.warn_once(warning));
        let before = match State::of(prepared) {
            State::Ready(entry) if entry.header.key == prepared.key => Some(entry),
            _ => None,
        };
        let before = before.filter(|entry| entry.image().is_some());
        Ok(Self {
            prepared,
            options,
            budget,
            progress,
            staging,
            drivers_folder,
            report,
            startup: None,
            startup_problem: None,
            before,
            is_settled,
            outlook: None,
            from_source: RefCell::default(),
        })
    }

    async fn run(mut self, linker: Result<Linker, LinkError>) -> Result<Report, Error> {
        let is_wanted = !self.stops_at_startup() && self.nothing_for_image(&self.prepared.plan).is_none();
        let aims = Aims {
            startup: self.prepared.julia.differences().has_startup_package(),
            image: linker.is_ok() && is_wanted,
        };
        let Traced { plan, statements, for_startup, precompiled_for_image, ahead } =
            match self.trace(aims).await {
                Err(error @ Error::OutOfTime { .. }) => {
                    self.report.cut_short = self.budget.total().map(|total| total.as_secs_f64());
                    let reason = error.to_string();
                    self.report.warnings.push(reason.clone());
                    return self.give_up(reason);
                }
                traced => traced?,
            };
        if let Some(reason) = self.nothing_loads(&plan) {
            return self.give_up(reason);
        }
        if let Some(ForStartup { until_image, lasting }) = for_startup {
            let (selection, later) = match until_image {
                Some(selection) => (selection, Some(lasting)),
                None => (lasting, None),
            };
            let tried = self.build_startup(&plan, &selection, &Semaphore::new(self.jobs())).await;
            self.commit_startup(&tried, self.report.clone())?;
            self.note_startup(tried, later);
        }
        if self.stops_at_startup() {
            return self.stop_at_startup();
        }
        if let Some(reason) = self.nothing_for_image(&plan) {
            return match (&self.startup, self.startup_problem.take()) {
                (Some(_), _) => self.settle_for_startup(reason).await,
                (None, problem) => self.give_up(problem.unwrap_or(reason)),
            };
        }
        let linker = match linker {
            Err(error) if self.startup.is_some() => {
                let reason = error.to_string();
                self.report.warnings.push(reason.clone());
                return self.settle_for_startup(reason).await;
            }
            linker => linker?,
        };
        if !precompiled_for_image {
            let precompiled = self.precompile_for_image().await?;
            self.note_precompiled(precompiled);
        }
        self.climb(&plan, &statements, &linker, ahead).await
    }

    /// Whether no image is to be built.
    fn stops_at_startup(&self) -> bool {
        self.options.quick || self.is_settled
    }

    fn drivers(&self) -> Drivers<'_> {
        let Prepared { julia, environment, .. } = self.prepared;
        Drivers { julia, project_file: &environment.project_file, folder: &self.drivers_folder }
    }

    /// How many workloads to run at once.
    fn jobs(&self) -> usize {
        self.options.jobs()
    }

    /// Ends a build that came to nothing, and remembers that.
    fn give_up(mut self, reason: String) -> Result<Report, Error> {
        self.drop_startup();
        self.report.came_to_nothing(reason);
        self.prepared.cache.keep_failure(self.staging, &mut self.report)?;
        Ok(self.report)
    }

    /// Why there is nothing to build for, if so: none of the packages loads, or none is to take part.
    fn nothing_loads(&self, plan: &Plan) -> Option<String> {
        self.nothing_for_image(plan).filter(|_| plan.own.packages.is_empty())
    }

    /// Why an image would hold no package, if so.
    fn nothing_for_image(&self, plan: &Plan) -> Option<String> {
        let companions = &self.prepared.environment.companions;
        let is_own = |uuid| companions.iter().all(|companion| companion.uuid != uuid);
        let of = |plan: &Plan| plan.packages.iter().filter(|package| is_own(package.uuid)).count();
        let wanted = &self.prepared.plan;
        let is_wanted = |package: &LeftOut| !matches!(package.reason, LeftOutReason::LeftBehind(_));
        match (of(plan), of(wanted)) {
            (0, 0) if wanted.left_out.iter().any(is_wanted) => Some(
                "every package of the project is left out of an image, as a folder that may change or by `exclude`; `include` takes \
                 folders in"
                    .to_owned(),
            ),
            (0, 1..) => Some("none of the packages loads".to_owned()),
            _ => None,
        }
    }

    /// Which modules statements may name: those of the plan's packages and of the stock image, and in a startup package more.
    fn modules(&self, plan: &Plan) -> ModulesOf {
        let Prepared { environment, julia, .. } = self.prepared;
        let base = || julia.facts.base_modules.iter().map(|module| module.name.clone());
        let without_tests = |modules: Modules| match environment.project.deps.contains_key("Test") {
            true => modules,
            false => modules.without_tests(),
        };
        let of_kernel = environment.loaded_in_session([IJULIA]).into_iter();
        let of_kernel =
            of_kernel.map(|package| LoadedModule { name: package.name.clone(), package: package.uuid });
        ModulesOf {
            image: without_tests(Modules::new(modules_of(plan), base())),
            with_own: (!plan.own.packages.is_empty())
                .then(|| without_tests(Modules::new(modules_of(&plan.with_own()), base()))),
            kernel: Modules::new(of_kernel, base()),
        }
    }

    fn owner_name(&self, owner: &Owner) -> String {
        match owner {
            Owner::Base => "Julia".to_owned(),
            Owner::Package(uuid) => {
                self.prepared.environment.package(*uuid).map_or_else(|| uuid.to_string(), |p| p.name.clone())
            }
        }
    }

    fn warn_of_left_out(&mut self, plan: &Plan) {
        for warning in broken(plan) {
            // What does not load is known before the others.
            if !self.report.warnings.contains(&warning) {
                self.report.warnings.push(warning);
            }
        }
    }

    /// Notes a phase that has just ended.
    fn note_phase(&mut self, name: &str, elapsed: Duration) {
        let phase = self.ended(name, elapsed);
        self.report.phases.push(phase);
    }

    /// The report of a phase that has just ended.
    fn ended(&self, name: &str, elapsed: Duration) -> PhaseReport {
        let started = self.budget.started().elapsed().saturating_sub(elapsed).as_secs_f64();
        PhaseReport { name: name.to_owned(), started: Some(started), seconds: elapsed.as_secs_f64() }
    }
}

/// The modules of a plan's packages, each with its extensions.
fn modules_of(plan: &Plan) -> Vec<LoadedModule> {
    let modules = plan.packages.iter().flat_map(|package| {
        let extensions = plan.extensions.iter().filter(|extension| extension.package == package.uuid);
        let names = std::iter::once(&package.name).chain(extensions.map(|extension| &extension.name));
        names.map(|name| LoadedModule { name: name.clone(), package: package.uuid })
    });
    modules.collect()
}

/// What is left out of a plan because it does not work, one sentence each.
fn broken(plan: &Plan) -> impl Iterator<Item = String> {
    let broken = plan.left_out.iter().filter(|package| !package.reason.is_chosen());
    broken.map(|package| format!("{} is left out: {}", package.name, package.reason))
}

/// Notes that the time budget `did` something to the build.
fn note_cut_short(report: &mut Report, budget: &Budget, did: &str) {
    report.cut_short = budget.total().map(|total| total.as_secs_f64());
    report.warnings.push(format!("{budget} {did}; `--retry` with more builds it again"));
}
