//! `jlsys postbuild`: what a Binder repository's `postBuild` runs.
//!
//! repo2docker runs that script when everything else is in place: as the user, without a terminal, in the repository's
//! folder, with `JULIA_PROJECT`, `JULIA_DEPOT_PATH`, `JUPYTER_DATA_DIR` and `REPO_DIR` set (`repo2docker/buildpacks/base.py`
//! and `julia/julia_project.py` there). If it fails, the whole repository has no image, so nothing in here makes it fail.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::HumanBytes;

use crate::binder;
use crate::budget::Budget;
use crate::cli::PostbuildArgs;
use crate::duration;
use crate::environment::project_in;
use crate::error::{Error, Exit};
use crate::kernel::{self, InstallOptions, JupyterFolders, KernelError};
use crate::pipeline::{self, BuildOptions, CachesBefore};
use crate::prepare::Prepared;
use crate::process;
use crate::progress::Progress;
use crate::report::{BuildOutcome, CachesReport, Report};
use crate::sysimage::LinkError;
use crate::words::count;
use worth::Worth;

mod worth;

/// How much memory is taken where nobody says: Binder's builds share a daemon of 4 GiB and more, and the limit that a process sees is the
/// daemon's, not its own.
const SHARE_OF_MEMORY: u64 = 3 << 30;

/// How much of a log stays: enough for what went wrong at its end, in bytes.
const LOG_LIMIT: u64 = 64 << 10;

pub(super) fn execute(args: &PostbuildArgs) -> Result<Exit, Error> {
    let progress = Progress::new(args.work.verbosity());
    let started = Instant::now();
    match run(args, &progress) {
        Err(error @ Error::InterruptedBuild(_)) => Err(error),
        Err(error) if args.strict => Err(error),
        Err(error) => {
            let hint = match error {
                Error::Link(LinkError::NoLinker { .. }) => {
                    " (in a Binder repository: `gcc` and `libc6-dev` in apt.txt)"
                }
                _ => "",
            };
            progress.warn(&format!("{error}{hint}; nothing was built, and Julia starts as it did before"));
            Ok(Exit::Ok)
        }
        Ok(done) => {
            progress.say(&done.summary(started.elapsed()));
            let exit = super::build::exit(&done.report, args.strict);
            Ok(if args.strict { exit } else { Exit::Ok })
        }
    }
}

/// What a `postbuild` came to.
struct Done {
    report: Report,
    cpus: String,
    caches: Option<CachesReport>,
    kernels: Vec<String>,
    freed: u64,
    /// What caches took that no session can use.
    unfit: u64,
    /// What it means where nothing was built.
    nothing_new: String,
}

fn run(args: &PostbuildArgs, progress: &Progress) -> Result<Done, Error> {
    let directory = std::env::current_dir().map_err(Error::WorkingFolder)?;
    let repository = repository(&directory);
    // Empty it is the default environment, as for Julia.
    let project = match std::env::var_os("JULIA_PROJECT") {
        Some(_) => None,
        None => project_of(&directory),
    };
    let prepared = Prepared::new(&args.request(repository, project))?;
    progress.say(&format!(
        "jlsys {}: an image for {} with Julia {}",
        env!("CARGO_PKG_VERSION"),
        prepared.environment.project_dir().display(),
        prepared.julia.facts.version
    ));
    let has_startup_package = prepared.julia.differences().has_startup_package();
    if args.quick && !has_startup_package {
        let version = &prepared.julia.facts.version;
        progress
            .warn(&format!("`--quick` needs Julia 1.9 or later, and this is {version}: an image is built"));
    }
    let wants_image =
        if args.quick { Some(false) } else { args.image.then_some(true).or(prepared.settings.binder.image) };
    let wants_image = if has_startup_package { wants_image } else { Some(true) };
    let options = BuildOptions {
        quick: wants_image != Some(true),
        jobs: args.work.jobs.map(Into::into),
        memory: Some(args.work.memory.unwrap_or(SHARE_OF_MEMORY)),
        retry: args.retry,
        no_sessions: args.no_sessions,
        time_budget: args.time_budget.map(Duration::from_secs),
        stall_limit: args.work.stall_limit.map(Duration::from_secs),
        ..BuildOptions::default()
    };
    let caches_before = CachesBefore::of(&prepared);
    let started = Instant::now();
    let mut built = super::build_for_sessions(&prepared, options, progress);
    if wants_image.is_none()
        && let Ok(startup) = &mut built
    {
        built = go_on(startup, &prepared, options, started, progress).unwrap_or(built);
    }
    if let Err(error @ (Error::InterruptedBuild(_) | Error::Runtime(_))) = built {
        return Err(error);
    }
    let mut freed = prepared.cache.tidy(LOG_LIMIT);
    let caches = match &built {
        Ok(Report { outcome: BuildOutcome::Built, caches: Some(caches), .. }) => Some(caches.clone()),
        _ => precompile(&prepared, options, started, progress)?,
    };
    freed += prepared.cache.tidy(LOG_LIMIT);
    let unfit = match caches_before {
        Some(before) => {
            let keep: Vec<String> = caches.iter().flat_map(|caches| caches.missing.clone()).collect();
            process::block_on(before.remove_unfit(&prepared, &keep)).map_err(Error::Runtime)?
        }
        None => 0,
    };
    let report = built.inspect_err(|_| {
        if let Some(caches) = &caches {
            progress
                .say(&format!("packages are precompiled for {} CPUs: {caches}", prepared.plan.cpu_target));
        }
    })?;
    // They would be another layer's weight. Where time was too short, the next build goes on with them.
    if !report.image_pending || !args.quick && report.cut_short.is_none() {
        freed += prepared.cache.forget_traces();
    }
    super::build::say_what_to_know(&report, &prepared, progress);
    // Without an image the kernels are best left as they are.
    let kernels = match report.image.as_ref().or(report.startup.as_ref()) {
        Some(_) => kernels(args, progress)?,
        None => Vec::new(),
    };
    let nothing_new = super::build::nothing_new(&prepared);
    Ok(Done {
        nothing_new,
        cpus: prepared.plan.cpu_target.to_string(),
        caches,
        kernels,
        freed,
        unfit,
        report,
    })
}

/// Goes on from a startup package to the image, where that is worth it; else notes why not.
fn go_on(
    startup: &mut Report,
    prepared: &Prepared,
    options: BuildOptions,
    started: Instant,
    progress: &Progress,
) -> Option<Result<Report, Error>> {
    if startup.startup.is_none() || startup.cut_short.is_some() {
        return None;
    }
    let stock = prepared.julia.facts.base_image.metadata();
    let worth = Worth::of(startup, stock.map_or(0, |file| file.len()));
    if !worth.is_enough() {
        startup.notes.push(format!(
            "no image is written: {worth}; `--image` in postBuild, or `image = true` under `[binder]` in jlsys.toml, has one written"
        ));
        return None;
    }
    progress.say(&format!("going on to the image: {worth}"));
    let total = options.time_budget.or(prepared.settings.time_budget);
    let time_budget = total.map(|budget| budget.saturating_sub(started.elapsed()));
    let options = BuildOptions { quick: false, time_budget, ..options };
    let mut built = super::build_for_sessions(prepared, options, progress);
    if let Ok(report) = &mut built
        && startup.outcome == BuildOutcome::Built
    {
        // It found those that the startup package had made.
        report.caches.clone_from(&startup.caches);
    }
    Some(built)
}

/// Precompiles the packages where the build did not come to it: sessions without an image are on other CPUs, too. What goes wrong with that is a
/// warning.
fn precompile(
    prepared: &Prepared,
    options: BuildOptions,
    started: Instant,
    progress: &Progress,
) -> Result<Option<CachesReport>, Error> {
    let left = options.time_budget.map(|budget| budget.saturating_sub(started.elapsed()));
    if left.is_some_and(|left| left.is_zero()) {
        return Ok(None);
    }
    let precompiling = pipeline::precompile(prepared, options, Budget::starting_now(left), progress);
    let ended = process::block_on_interruptible(precompiling).map_err(Error::Runtime)?;
    match ended.ok_or_else(|| Error::InterruptedBuild(pipeline::kept(prepared)))? {
        Ok(caches) => Ok(caches),
        Err(error) => {
            let cpus = &prepared.plan.cpu_target;
            progress.warn(&format!("packages are not precompiled for {cpus} CPUs: {error}"));
            Ok(None)
        }
    }
}

/// Makes Jupyter's Julia kernels start through jlsys; what became of each, in words.
fn kernels(args: &PostbuildArgs, progress: &Progress) -> Result<Vec<String>, Error> {
    let options = InstallOptions { replace: true, ..InstallOptions::default() };
    match kernel::install(&JupyterFolders::of_this_process(), &options, &super::is_julia, |_| ()) {
        Ok(kernels) => Ok(kernels
            .iter()
            .map(|kernel| {
                format!(
                    "{} \"{}\" starts through jlsys ({})",
                    kernel.name,
                    kernel.display_name,
                    kernel.folder.display()
                )
            })
            .collect()),
        Err(error @ KernelError::None { .. }) => Ok(vec![error.to_string()]),
        Err(error) if args.strict => Err(error.into()),
        Err(error) => {
            progress.warn(&format!("{error}; notebooks start plain Julia"));
            Ok(Vec::new())
        }
    }
}

/// The repository's folder: what repo2docker says, else the working folder.
fn repository(directory: &Path) -> PathBuf {
    let named = std::env::var_os("REPO_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
    named.unwrap_or_else(|| directory.to_owned())
}

/// The project where repo2docker looks for one, for when it is not repo2docker that runs this. Without one there, the usual
/// search may find one.
fn project_of(directory: &Path) -> Option<String> {
    project_in(&binder::folder(directory)).and_then(|project| project.into_os_string().into_string().ok())
}

impl Done {
    /// A block for the end of a build log.
    fn summary(&self, took: Duration) -> String {
        let report = &self.report;
        let mut lines = Vec::new();
        let mut line = |name: &str, text: String| lines.push(format!("  {name:<9} {text}"));
        let title = match (&report.image, report.outcome) {
            (None, _) if report.startup.is_some() => "the startup package is in place".to_owned(),
            (Some(_), BuildOutcome::Hit) => "the image was there already".to_owned(),
            (Some(_), _) => "the image is in place".to_owned(),
            (None, _) => self.nothing_new.clone(),
        };
        if let Some(startup) = &report.startup {
            line("startup", startup.display().to_string());
        }
        if let Some(image) = &report.image {
            line("image", format!("{} ({})", image.display(), HumanBytes(report.image_bytes)));
            let statements = count(report.statements.compiled, "compiled statement");
            let packages = count(report.packages.included.len(), "package");
            line(
                "holds",
                format!("{packages} and {statements}, for {} CPUs (tier {})", self.cpus, report.tier),
            );
        }
        if let Some(caches) = &self.caches {
            line("caches", format!("of packages, for {} CPUs: {caches}", self.cpus));
        }
        for package in &report.packages.dropped {
            line("left out", format!("{}: {}", package.name, package.reason));
        }
        for kernel in &self.kernels {
            line("kernel", kernel.clone());
        }
        let mut removed = format!("{} of logs and temporary files", HumanBytes(self.freed));
        if self.unfit > 0 {
            removed += &format!(", {} of caches that no session can use", HumanBytes(self.unfit));
        }
        line("removed", removed);
        line("took", duration::took(took.as_secs_f64()));
        if report.image.is_some() || report.startup.is_some() {
            line("check", "`jlsys status` in a session says whether it is used".to_owned());
        }
        format!("jlsys postbuild: {title}\n{}", lines.join("\n"))
    }
}
