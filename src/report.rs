//! What a build did: printed, kept with the entry, and given as JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::julia::JuliaInstall;
use crate::key::Key;
use crate::plan::{LeftOut, Plan, PlannedPackage};
use crate::problem::without_log;
use crate::process::Standstill;
use crate::workload::{Kind, Outcome, Ran, SessionSteps};

mod caches;
mod kept;

pub use caches::CachesReport;
pub use kept::Kept;

/// The version of the JSON documents that commands print.
pub const SCHEMA: u32 = 1;

/// How much of a plan an image holds: the ladder's rungs, from the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// All packages and all statements that can be compiled.
    Full,
    /// What broke is left out.
    Reduced,
    /// No image: the statements, in a package that is loaded when Julia starts.
    Startup,
    /// The packages, and no statements.
    Load,
    /// Nothing: Julia as it comes.
    Stock,
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Reduced => "reduced",
            Self::Startup => "startup",
            Self::Load => "load",
            Self::Stock => "stock",
        })
    }
}

/// What `build` came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildOutcome {
    /// There was an image already.
    Hit,
    /// An image was built.
    Built,
    /// No image could be built: stock Julia stays.
    Fallback,
}

/// The document that `build --json` prints, and that stays with the entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What the build came to.
    pub outcome: BuildOutcome,
    /// How much the image holds.
    pub tier: Tier,
    /// The image's name.
    pub key: Key,
    /// The image.
    pub image: Option<PathBuf>,
    /// The startup package's folder, on the tier of that name.
    pub startup: Option<PathBuf>,
    /// Whether the image is still to be built: only the startup package was asked for, or the build is not over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub image_pending: bool,
    /// The project file that it was built for first.
    pub project: PathBuf,
    /// Which packages are in the image.
    pub packages: Packages,
    /// What became of the statements.
    pub statements: StatementCounts,
    /// The groups of the startup package, on the tier of that name; with an image, those about packages by path, which are beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupReport>,
    /// What each workload did.
    pub workloads: Vec<WorkloadReport>,
    /// What took how long, in order.
    pub phases: Vec<PhaseReport>,
    /// What came to a standstill, until it was ended; the time that it cost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<Standstill>,
    /// The packages' caches, where they are for other CPUs, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caches: Option<CachesReport>,
    /// What came of precompiling what sessions load beside the image; what is not there was not done yet.
    #[serde(default, skip_serializing_if = "SessionSteps::is_empty")]
    pub sessions: SessionSteps,
    /// The peak memory of the largest process, in bytes.
    pub peak_memory_bytes: u64,
    /// The Julia it was built with.
    pub julia: JuliaReport,
    /// The image's size in bytes.
    pub image_bytes: u64,
    /// The time budget in seconds, where it cut the build short.
    #[serde(default)]
    pub cut_short: Option<f64>,
    /// Why no image could be built, as a sentence, where that is what the build came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
    /// What is as it should be, and good to know once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Where the image came from, when it was not built on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Origin>,
}

/// Where an image came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The remote.
    pub remote: String,
    /// The id of the key that it was signed with.
    pub signed_by: String,
}

/// The document that `trace --json` prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TraceReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The project file.
    pub project: PathBuf,
    /// The Julia that the workloads ran with.
    pub julia: JuliaReport,
    /// What became of the lines that were traced.
    pub statements: StatementCounts,
    /// What each workload did.
    pub workloads: Vec<WorkloadReport>,
    /// What took how long, in order.
    pub phases: Vec<PhaseReport>,
    /// What came to a standstill, until it was ended; the time that it cost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<Standstill>,
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Which packages are in an image, and which are not.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Packages {
    /// In the image, dependencies before dependents.
    pub included: Vec<PlannedPackage>,
    /// Not in it.
    pub dropped: Vec<DroppedPackage>,
}

/// A package that is not in the image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DroppedPackage {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uuid: crate::uuid::Uuid,
    /// Why, as a sentence without its end.
    pub reason: String,
    /// Whether settings asked for it, or the plan does so by default; if not, something is broken.
    pub chosen: bool,
}

impl From<&LeftOut> for DroppedPackage {
    fn from(left_out: &LeftOut) -> Self {
        Self {
            name: left_out.name.clone(),
            uuid: left_out.uuid,
            reason: left_out.reason.to_string(),
            chosen: left_out.reason.is_chosen(),
        }
    }
}

/// What became of the statements.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementCounts {
    /// Lines in all traces.
    pub traced: u64,
    /// Different statements that another process can replay, and the same for other standard streams.
    pub kept: u64,
    /// Of those, compiled into the image.
    pub compiled: u64,
    /// Of those, refused by Julia when replayed.
    pub rejected: u64,
    /// Left out because an image with them does not work.
    pub left_out: u64,
    /// Why lines were not kept.
    pub dropped: BTreeMap<String, u64>,
    /// Kept statements by the package that owns them.
    pub by_package: BTreeMap<String, u64>,
}

/// A group of a startup package: statements that a session gets when it has loaded all of these packages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupReport {
    /// The identity of its package.
    pub uuid: crate::uuid::Uuid,
    /// The names of the packages that it waits for.
    pub packages: Vec<String>,
    /// How many statements it was given.
    pub statements: u64,
    /// Of those, in other groups as well, where other packages make them invalid.
    #[serde(default)]
    pub again: u64,
    /// Of those, compiled.
    pub compiled: u64,
    /// Of those, refused by Julia when replayed.
    pub rejected: u64,
    /// How long Julia needed to infer them, in seconds of processor time: less than a session without the group needs for them, which generates code, too.
    pub inferring_seconds: f64,
    /// The size of its cache and package image.
    pub bytes: u64,
    /// How long a session needs to load it, in seconds of processor time.
    pub loading_seconds: f64,
    /// How much memory a session needs for it; 0 where that is not known.
    pub memory_bytes: u64,
    /// Whether it is that of an earlier build.
    pub reused: bool,
    /// Why it is not used, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// What a workload did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkloadReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// How it went.
    pub outcome: Outcome,
    /// When it started, in seconds from the build's start; absent when it was not run.
    #[serde(default)]
    pub started: Option<f64>,
    /// How long it took; if it was not run again, how long it took then.
    pub seconds: f64,
    /// How many seconds of that went into compiling, over all threads, where that is known.
    #[serde(default)]
    pub compile_seconds: Option<f64>,
    /// Whether it was not run, since nothing changed that it depends on: its trace is that of an earlier run.
    #[serde(default)]
    pub reused: bool,
    /// The lines that it traced.
    pub statements: u64,
    /// What it printed, where that was kept.
    pub log: Option<PathBuf>,
    /// What else is to be known about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Of a script or notebook that failed, the first error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl WorkloadReport {
    /// The report of a workload that traced `statements` lines, in a build that began at `start`.
    pub fn new(ran: &Ran, statements: u64, start: Instant) -> Self {
        Self {
            name: ran.name.clone(),
            kind: ran.kind,
            outcome: ran.outcome,
            started: ran.started.map(|started| started.saturating_duration_since(start).as_secs_f64()),
            seconds: ran.seconds,
            compile_seconds: ran.compile_seconds,
            reused: ran.reused,
            statements,
            log: Some(ran.log.clone()),
            note: ran.note.clone(),
            error: ran.error.clone(),
        }
    }
}

/// How long a phase took. They follow upon each other, but for `startup` and `precompile-image`, which may run beside `workloads`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PhaseReport {
    /// The phase.
    pub name: String,
    /// When it started, in seconds from the build's start; absent in reports from before this was noted.
    #[serde(default)]
    pub started: Option<f64>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// The Julia that an image was built with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JuliaReport {
    /// Its version.
    pub version: String,
    /// What was started.
    pub command: PathBuf,
}

impl Report {
    /// The report of a build that has not done anything yet.
    pub fn new(key: Key, project: PathBuf, plan: &Plan, julia: &JuliaInstall) -> Self {
        let mut report = Self {
            schema: SCHEMA,
            outcome: BuildOutcome::Built,
            tier: Tier::Full,
            key,
            image: None,
            startup: None,
            image_pending: false,
            project,
            packages: Packages::default(),
            statements: StatementCounts::default(),
            groups: Vec::new(),
            workloads: Vec::new(),
            phases: Vec::new(),
            stuck: Vec::new(),
            caches: None,
            sessions: SessionSteps::new(),
            peak_memory_bytes: 0,
            julia: JuliaReport { version: julia.facts.version.to_string(), command: julia.command.clone() },
            image_bytes: 0,
            cut_short: None,
            failure: None,
            warnings: Vec::new(),
            notes: Vec::new(),
            pulled: None,
        };
        report.set_plan(plan);
        report
    }

    /// Notes that no image could be built, and why.
    pub fn came_to_nothing(&mut self, reason: String) {
        self.tier = Tier::Stock;
        self.outcome = BuildOutcome::Fallback;
        self.failure = Some(reason);
    }

    /// Takes over what a plan, perhaps a smaller one than before, has in it.
    pub fn set_plan(&mut self, plan: &Plan) {
        self.packages = Packages {
            included: plan.packages.clone(),
            dropped: plan.left_out.iter().map(DroppedPackage::from).collect(),
        };
    }

    /// Changes every path within the folder `from` to the same within `to`: logs move with the entry they belong to.
    pub fn relocate(&mut self, from: &Path, to: &Path) {
        for log in self.workloads.iter_mut().filter_map(|workload| workload.log.as_mut()) {
            if let Ok(rest) = log.strip_prefix(from) {
                *log = to.join(rest);
            }
        }
        let (from, to) = (from.display().to_string(), to.display().to_string());
        let reasons = self.packages.dropped.iter_mut().map(|package| &mut package.reason);
        for text in self.warnings.iter_mut().chain(&mut self.failure).chain(reasons) {
            *text = text.replace(&from, &to);
        }
    }

    /// Takes out what is only true where the report was made: paths, and the logs that they lead to.
    pub fn make_portable(&mut self) {
        let last = |path: &Path, parts: usize| {
            let parts: Vec<_> = path.components().rev().take(parts).collect();
            parts.into_iter().rev().collect::<PathBuf>()
        };
        let folder = self.project.parent().map(|folder| format!("{}/", folder.display())).unwrap_or_default();
        self.image = None;
        self.startup = None;
        self.groups.clear();
        self.caches = None;
        // The project's folder and file: enough to know it by.
        self.project = last(&self.project, 2);
        self.julia.command = last(&self.julia.command, 1);
        self.workloads.iter_mut().for_each(|workload| workload.log = None);
        let reasons = self.packages.dropped.iter_mut().map(|package| &mut package.reason);
        for text in self.warnings.iter_mut().chain(&mut self.failure).chain(reasons) {
            text.truncate(without_log(text).len());
            if folder.len() > 1 {
                *text = text.replace(&folder, "");
            }
        }
    }

    /// Notes something that the user should know, if that was not done already.
    pub fn warn_once(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Notes a phase that may have run beside others, and the memory that its processes needed.
    pub fn saw_phase(&mut self, phase: PhaseReport, peak_memory_bytes: u64) {
        let place = self.phases.partition_point(|earlier| earlier.started <= phase.started);
        self.phases.insert(place, phase);
        self.saw_memory(peak_memory_bytes);
    }

    /// Notes that a process needed this much memory.
    pub fn saw_memory(&mut self, bytes: u64) {
        self.peak_memory_bytes = self.peak_memory_bytes.max(bytes);
    }
}
