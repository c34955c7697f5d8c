//! The command line.

mod cache;
mod examples;
mod kernel;
mod remote;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use cache::{CacheCommand, CleanArgs, GcArgs, ListArgs, RmArgs, ShowArgs, VerifyArgs};
pub use kernel::{KernelCommand, KernelInstallArgs};
pub use remote::{KeygenArgs, PullArgs, PushArgs};

use crate::config::{Overrides, size, time};
use crate::cpu::CpuTarget;
use crate::prepare::Request;
use crate::profile::DEFAULT_FILE;
use crate::progress::Verbosity;

/// The heading of the options that decide what an image is, in `--help`: after a command's own.
const PLAN: &str = "What the image is";

/// The heading of the options that say for which project and which Julia.
const TARGET: &str = "Project and Julia";

/// Gives every Julia project a sysimage: Julia starts with the project's packages and their compiled methods in place.
///
/// `jlsys build` makes the image, `jlsys run` starts Julia with it. When an image cannot be built, or no longer fits the
/// project, Julia starts as it always did.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = examples::JLSYS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build the sysimage of a project, or find that there is one
    Build(BuildArgs),
    /// Start Julia with the project's sysimage, or plain Julia when there is none
    Run(RunArgs),
    /// Say whether there is a current sysimage, and if not, why
    Status(StatusArgs),
    /// Print the sysimage's path, as for `julia -J "$(jlsys path)"`: Julia's own when there is none (then exit status 3)
    Path(PathArgs),
    /// Run the workloads alone and show what they compile
    Trace(TraceArgs),
    /// In Binder's postBuild: build the repository's sysimage, and never fail
    Postbuild(PostbuildArgs),
    /// Check what a build needs, say what is missing, and whether an image is worth it
    Doctor(DoctorArgs),
    /// Write jlsys.toml into a project, with --binder postBuild, with --package what makes it a package
    Init(InitArgs),
    /// See, check and bound what is cached
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Make Jupyter's Julia kernels start through jlsys
    #[command(subcommand)]
    Kernel(KernelCommand),
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Which project, with which Julia.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// The project: a folder, a project file, or an environment's name such as `@v1.10` (by default JULIA_PROJECT, else
    /// the project around the working folder)
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
    /// The Julia: a path, a name on PATH, or a juliaup channel such as `+1.10` (by default JULIA, else julia on PATH)
    #[arg(long, value_name = "JULIA")]
    pub julia: Option<String>,
}

/// How much is said.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct VerbosityArgs {
    /// Say nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long)]
    pub verbose: bool,
}

/// What flags decide about a build.
#[derive(Debug, Clone, Default, Args)]
pub struct PlanArgs {
    /// Path packages to take into the image, instead of `include` in jlsys.toml
    #[arg(long, value_name = "PACKAGE", value_delimiter = ',')]
    pub include: Vec<String>,
    /// Packages to leave out, instead of `exclude` in jlsys.toml
    #[arg(long, value_name = "PACKAGE", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// For which CPUs: `native`, `portable`, or a target in Julia's own syntax (by default portable in a container,
    /// where this Julia has code for other CPUs than this machine's, else native)
    #[arg(long, value_name = "TARGET")]
    pub cpu_target: Option<CpuTarget>,
    /// How long each workload may run, such as `10m`
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub time_limit: Option<u64>,
}

/// What commands that run workloads have in common.
#[derive(Debug, Args)]
pub struct WorkArgs {
    /// How many workloads to run at once (by default as many as cores and memory allow)
    #[arg(long, short, value_name = "N", value_parser = jobs)]
    pub jobs: Option<NonZeroUsize>,
    /// How much memory may be taken, such as `3GiB`: that bounds how many workloads run at once and how many threads generate code, and an image that
    /// takes more is not begun (by default what there is; of `postbuild` 3GiB)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// How long a process may do nothing at all before it is ended, instead of `stall-limit` in jlsys.toml (by default 80s)
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub stall_limit: Option<u64>,
    #[command(flatten)]
    verbosity: VerbosityArgs,
    #[command(flatten, next_help_heading = PLAN)]
    plan: PlanArgs,
    #[command(flatten, next_help_heading = TARGET)]
    target: TargetArgs,
}

/// `jlsys build`.
#[derive(Debug, Args)]
#[command(after_help = examples::BUILD)]
pub struct BuildArgs {
    /// Try again what did not work, or not in full, before
    #[arg(long)]
    pub retry: bool,
    /// Build even if there is an image, and run every workload again
    #[arg(long)]
    pub force: bool,
    /// Go without the flags of the last build, which count until others are given
    #[arg(long)]
    pub forget_flags: bool,
    /// Stop at the startup package, which is ready in about a minute, and write no image (Julia 1.9 and later)
    #[arg(long)]
    pub quick: bool,
    /// Say what would run, and how long it took before, and build nothing
    #[arg(long, conflicts_with = "profile")]
    pub dry_run: bool,
    /// How long the whole build may take, such as `20m`, instead of `time-budget` in jlsys.toml (by default without end)
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub time_budget: Option<u64>,
    /// Leave it to sessions to precompile what they load beside the image: own packages, and from Julia 1.11 on the REPL and Pkg
    #[arg(long)]
    pub no_sessions: bool,
    /// Exit with status 2 when the image holds less than everything
    #[arg(long)]
    pub strict: bool,
    /// Also write a page with a timeline of it to this file (by default jlsys-profile.html)
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = DEFAULT_FILE)]
    pub profile: Option<PathBuf>,
    /// Print the report as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// What to work on, and how.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// `jlsys run`.
#[derive(Debug, Args)]
#[command(after_help = examples::RUN)]
pub struct RunArgs {
    /// The project when neither Julia's own arguments nor JULIA_PROJECT name one (by default the one around the working
    /// folder)
    #[arg(long, value_name = "PROJECT", conflicts_with = "project")]
    pub default_project: Option<String>,
    /// Say nothing when Julia starts, or a session loads packages, without an image
    #[arg(short, long)]
    pub quiet: bool,
    /// Julia's own arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub args: Vec<OsString>,
    #[command(flatten, next_help_heading = TARGET)]
    target: TargetArgs,
}

/// `jlsys status`.
#[derive(Debug, Args)]
#[command(after_help = examples::STATUS)]
pub struct StatusArgs {
    /// Show what the image depends on, and what changed
    #[arg(long)]
    pub explain: bool,
    /// With --explain, which it implies: every package, too
    #[arg(long)]
    pub packages: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten, next_help_heading = PLAN)]
    plan: PlanArgs,
    #[command(flatten, next_help_heading = TARGET)]
    target: TargetArgs,
}

/// `jlsys path`.
#[derive(Debug, Args)]
#[command(after_help = examples::PATH)]
pub struct PathArgs {
    /// Print Julia's argument instead, as for `julia "$(jlsys path --env)"`; it also knows the startup package
    #[arg(long)]
    pub env: bool,
    #[command(flatten, next_help_heading = TARGET)]
    target: TargetArgs,
}

/// `jlsys trace`.
#[derive(Debug, Args)]
#[command(after_help = examples::TRACE)]
pub struct TraceArgs {
    /// Write the statements that can be replayed to this file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Also write a page with a timeline of it to this file (by default jlsys-profile.html)
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = DEFAULT_FILE)]
    pub profile: Option<PathBuf>,
    /// Run every workload again, also those that nothing changed for since they ran last
    #[arg(long)]
    pub force: bool,
    /// Go without the flags of the last build, which count until others are given
    #[arg(long)]
    pub forget_flags: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// What to work on, and how.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// `jlsys doctor`.
#[derive(Debug, Args)]
#[command(after_help = examples::DOCTOR)]
pub struct DoctorArgs {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten, next_help_heading = PLAN)]
    plan: PlanArgs,
    #[command(flatten, next_help_heading = TARGET)]
    target: TargetArgs,
}

/// `jlsys postbuild`.
#[derive(Debug, Args)]
#[command(after_help = examples::POSTBUILD)]
pub struct PostbuildArgs {
    /// How long all of it may take, such as `20m`, instead of `time-budget` in jlsys.toml (by default without end)
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub time_budget: Option<u64>,
    /// Try again what did not work, or not in full, before
    #[arg(long)]
    pub retry: bool,
    /// Stop at the startup package, which takes about a minute and some megabytes (Julia 1.9 and later; before, an image is built)
    #[arg(long)]
    pub quick: bool,
    /// Write an image, also where it would save sessions little for its size (by default Julia 1.9 and later stops at the startup package there)
    #[arg(long, conflicts_with = "quick")]
    pub image: bool,
    /// Leave it to sessions to precompile what they load beside the image: own packages, and from Julia 1.11 on the REPL and Pkg
    #[arg(long)]
    pub no_sessions: bool,
    /// Fail like `jlsys build --strict` when there is no image, or one with less than everything
    #[arg(long)]
    pub strict: bool,
    /// What to work on, and how.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// `jlsys init`.
#[derive(Debug, Args)]
#[command(after_help = examples::INIT)]
pub struct InitArgs {
    /// The project's folder, or with --binder also the repository that has it in binder/ (by default the working folder)
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<PathBuf>,
    /// Make the project a package, for what its scripts define: that is then compiled once, and not in each session
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    pub package: Option<String>,
    /// Write postBuild, which Binder runs when it builds the repository's image
    #[arg(long)]
    pub binder: bool,
    /// What postBuild has pip install: a wheel's file in the repository or its URL, with `#sha256=…` (by default this version's wheel
    /// in the repository)
    #[arg(long, value_name = "REQUIREMENT", requires = "binder", value_parser = requirement)]
    pub pip: Option<String>,
    /// Replace a postBuild that is there, and keep it under another name; settings always stay
    #[arg(long)]
    pub force: bool,
}

impl PostbuildArgs {
    /// The project as flags name it, else `project`, with the path packages of `repository` taken in.
    pub fn request(&self, repository: PathBuf, project: Option<String>) -> Request {
        let mut request = self.work.request();
        request.project = request.project.or(project);
        request.overrides.include_within = Some(repository);
        // Binder runs what it builds on other machines.
        request.overrides.found_cpu_target = Some(CpuTarget::Portable);
        request
    }
}

impl WorkArgs {
    /// Which project is meant, and with which flags.
    pub fn request(&self) -> Request {
        Request { may_ask: true, builds: true, ..self.target.request(self.plan.overrides(), false) }
    }

    /// The same; without flags of its own, with those of the last build, unless they are to be forgotten.
    pub fn request_as_last_built(&self, forget_flags: bool) -> Request {
        Request { as_last_built: !forget_flags, ..self.request() }
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity.verbosity()
    }
}

impl StatusArgs {
    /// Which project is meant, and with which flags.
    pub fn request(&self) -> Request {
        self.target.session(self.plan.overrides())
    }

    /// Whether to show what the image depends on.
    pub fn explains(&self) -> bool {
        self.explain || self.packages
    }
}

impl DoctorArgs {
    /// Which project is meant, and with which flags.
    pub fn request(&self) -> Request {
        Request { may_ask: true, ..self.target.request(self.plan.overrides(), true) }
    }
}

impl PathArgs {
    /// Which project is meant.
    pub fn request(&self) -> Request {
        self.target.session(Overrides::default())
    }
}

impl RunArgs {
    /// Which project is meant. What Julia's own arguments say about the project is left to the caller.
    pub fn request(&self) -> Request {
        self.target.session(Overrides::default())
    }
}

impl TargetArgs {
    /// For commands that are about what sessions have.
    fn session(&self, overrides: Overrides) -> Request {
        Request { falls_back: true, ..self.request(overrides, true) }
    }

    fn request(&self, overrides: Overrides, as_last_built: bool) -> Request {
        Request {
            project: self.project.clone(),
            julia_project: None,
            julia: self.julia.clone(),
            overrides,
            falls_back: false,
            as_last_built,
            builds: false,
            may_ask: false,
        }
    }
}

impl PlanArgs {
    fn overrides(&self) -> Overrides {
        Overrides {
            include: self.include.clone(),
            include_within: None,
            exclude: self.exclude.clone(),
            cpu_target: self.cpu_target.clone(),
            found_cpu_target: None,
            time_limit_seconds: self.time_limit,
        }
    }
}

impl VerbosityArgs {
    fn verbosity(self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        }
    }
}

/// What may be written into a script as one word that pip takes for no option.
fn requirement(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control) {
        return Err("write what `pip install` takes: a name, a file or a URL".to_owned());
    }
    Ok(text.to_owned())
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "write a number from 1 on".to_owned())
}

fn seconds(text: &str) -> Result<u64, String> {
    time(text).map(|time| time.as_secs())
}
