//! Running workloads, several at once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::notes::Notes;
use super::{Kind, Notebook, Scope, Script, TestSuite, Workload};
use super::{compiling, order};
use crate::julia::{Differences, Driver, Drivers};
use crate::process::{self, Command, Ending, Finished, ProcessError, Standstill};
use crate::uuid::Uuid;

/// In less than this Julia does not come to the code that is to be seen.
const WORTH_STARTING: Duration = Duration::from_secs(1);

/// What is traced is the same at every level, since types are inferred and calls inlined before LLVM optimises; and a third of a
/// suite's processor time was that (Julia 1.5: DelimitedFiles' 5.2 s against 3.3 s). `Pkg.test` hands it on to the tests.
///
/// Packages are loaded without it first: what is precompiled with it is not good enough for other sessions
/// (`jl_match_cache_flags`, src/staticdata_utils.c).
const IN_HASTE: &str = "--optimize=1";

/// How a workload went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It ran to its end.
    Ok,
    /// It ended with an error, as a test suite with a failing test does.
    Failed,
    /// It was ended when its time was up.
    Timeout,
    /// It was ended when it did nothing any more.
    Stuck,
    /// A signal ended it.
    Crashed,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Timeout => "ended at the time limit",
            Self::Stuck => "ended when it was stuck",
            Self::Crashed => "crashed",
        })
    }
}

impl From<Ending> for Outcome {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Exited(0) => Self::Ok,
            Ending::Exited(_) => Self::Failed,
            Ending::TimedOut => Self::Timeout,
            Ending::Stuck { .. } => Self::Stuck,
            Ending::Killed(_) | Ending::Interrupted => Self::Crashed,
        }
    }
}

/// A workload that was run, now or when its trace was kept.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The workload's name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// How it went.
    pub outcome: Outcome,
    /// When it was started; `None` when it was not.
    pub started: Option<Instant>,
    /// Wall-clock time.
    pub seconds: f64,
    /// How much of it went into compiling, over all threads. `None` when that is not known: this Julia does not count it, or the
    /// process did not end by itself.
    pub compile_seconds: Option<f64>,
    /// How long it might run.
    pub limit: Duration,
    /// Among which packages it ran.
    pub scope: Scope,
    /// Whether it was not run, since its trace was kept from an earlier run.
    pub reused: bool,
    /// Peak memory of its largest process, in bytes.
    pub peak_memory_bytes: u64,
    /// Whether the build's time budget ended it, before its own limit did.
    pub cut_short: bool,
    /// Whether want of memory ended it.
    pub ran_out_of_memory: bool,
    /// What of it, or that it was as a whole, came to a standstill.
    pub stuck: Vec<Standstill>,
    /// What it was seen to compile. It may be cut short, and the file may be missing when nothing was seen.
    pub trace: PathBuf,
    /// What it printed.
    pub log: PathBuf,
    /// What else is to be known about it, as the end of a sentence.
    pub note: Option<String>,
    /// Of a script or notebook that failed, the first error.
    pub error: Option<String>,
    /// The projects that became active in it.
    pub activated: Vec<PathBuf>,
    /// The packages that it had loaded when it ended; none where that is not known.
    pub loaded: BTreeSet<Uuid>,
}

impl Ran {
    /// Whether it is the kernel.
    pub fn is_kernel(&self) -> bool {
        self.kind.is_kernel(&self.name)
    }

    /// Whether it is a script or notebook of the project.
    pub fn is_projects_own(&self) -> bool {
        self.kind.is_projects_own(&self.name)
    }
}

/// Runs workloads.
pub struct Runner<'a> {
    /// What runs them, in the project that they are about.
    pub drivers: Drivers<'a>,
    /// The folder that takes traces.
    pub traces: &'a Path,
    /// The folder that takes logs.
    pub logs: &'a Path,
    /// How long each may run.
    pub time_limit: Duration,
    /// When the last of them must have ended.
    pub deadline: Option<Instant>,
    /// How many run at once.
    pub jobs: usize,
    /// Who may run: as many as there are jobs.
    pub turns: Semaphore,
    /// How many of these may be test suites of others' packages: while there are fewer, nothing else waits for a suite to end.
    pub suites: Semaphore,
    /// The packages whose precompiling is stuck. While there are any, processes precompile nothing: these are loaded from their source.
    pub from_source: &'a RefCell<BTreeSet<String>>,
}

impl Runner<'_> {
    /// Runs test suites, notebooks and scripts; they start in the order in which they come, but for notebooks that may feed each
    /// other. `on_start` and `on_end` hear of each.
    ///
    /// Loading is not run here, but by [`crate::workload::load`].
    pub async fn run(
        &self,
        workloads: &[Workload],
        on_start: impl Fn(&Workload),
        on_end: impl Fn(&Workload, Ran),
    ) -> Result<(), ProcessError> {
        let waiting = Cell::new(workloads.len());
        let (on_start, on_end, waiting) = (&on_start, &on_end, &waiting);
        let running = order::chains(workloads).into_iter().map(|chain| async move {
            // Nobody closes the semaphores, so there is always a turn to wait for.
            let _place = match chain.first() {
                Some(workload) if workload.is_suite_of_others() => Some(self.suites.acquire().await),
                _ => None,
            };
            // A chain keeps its turn: it would have to queue behind everything else otherwise.
            let _turn = self.turns.acquire().await;
            for (done, workload) in chain.iter().enumerate() {
                let limit = self.share(waiting.get(), chain.len() - done);
                waiting.set(waiting.get() - 1);
                on_start(workload);
                let ran = match limit < WORTH_STARTING {
                    true => self.not_run(workload),
                    false => self.run_one(workload, limit).await?,
                };
                on_end(workload, ran);
            }
            Ok(())
        });
        futures_util::future::try_join_all(running).await.map(|_: Vec<()>| ())
    }

    /// How long a workload may run that starts now.
    pub(super) fn limit(&self) -> Duration {
        self.share(1, 1)
    }

    /// How long one of `waiting` workloads may run that starts now, of which `behind_each_other` run one after another: its own
    /// limit, or less, so that time for the others is left.
    fn share(&self, waiting: usize, behind_each_other: usize) -> Duration {
        let Some(deadline) = self.deadline else { return self.time_limit };
        let left = deadline.saturating_duration_since(Instant::now());
        let rounds = waiting.div_ceil(self.jobs).max(behind_each_other).max(1);
        let share = left.as_secs_f64() / rounds as f64;
        self.time_limit.min(Duration::from_secs_f64(share))
    }

    /// A workload that there was no time for.
    fn not_run(&self, workload: &Workload) -> Ran {
        let name = workload.name();
        let (trace, log) = self.files(workload);
        let (kind, outcome) = (workload.kind(), Outcome::Timeout);
        Ran {
            name,
            kind,
            outcome,
            started: None,
            seconds: 0.0,
            compile_seconds: None,
            limit: Duration::ZERO,
            scope: Scope::Project,
            reused: false,
            peak_memory_bytes: 0,
            cut_short: true,
            ran_out_of_memory: false,
            stuck: Vec::new(),
            trace,
            log,
            note: None,
            error: None,
            activated: Vec::new(),
            loaded: BTreeSet::new(),
        }
    }

    /// Where a workload's trace and its output go.
    pub fn files(&self, workload: &Workload) -> (PathBuf, PathBuf) {
        let name = file_name(workload.kind(), &workload.name());
        (
            self.traces.join(&name).with_added_extension("jl"),
            self.logs.join(&name).with_added_extension("log"),
        )
    }

    async fn run_one(&self, workload: &Workload, limit: Duration) -> Result<Ran, ProcessError> {
        let started = Some(Instant::now());
        let name = workload.name();
        let (trace, log) = self.files(workload);
        // What they leave of temporary files goes with the folder; and so do the copies of projects that they change. Where the system
        // has no room for one, the build's own folder does, and goes at its end.
        let temporary = tempfile::Builder::new().prefix("jlsys-").tempdir();
        let folder = temporary
            .as_ref()
            .map_or_else(|_| trace.with_extension("tmp"), |folder| folder.path().to_owned());
        let _ = std::fs::create_dir_all(&folder);
        let in_temporary = |command: Command| command.env("TMPDIR", &folder);
        let mut scope = Scope::Project;
        let finished = match workload {
            Workload::Tests(suite) => {
                let (ran_in, finished) = self.run_tests(suite, limit, &trace, &log, in_temporary).await?;
                scope = ran_in;
                finished
            }
            Workload::Script(script) => {
                process::run(&in_temporary(self.script_command(script, &trace)), Some(limit), &log).await?
            }
            Workload::Kernel(_) => {
                process::run(&in_temporary(self.kernel_command(&trace)), Some(limit), &log).await?
            }
            Workload::Notebook(notebook) => {
                let cells = trace.with_extension("cells");
                // What the disk does not take is said when Julia does not find it.
                let _ = std::fs::write(&cells, notebook.cells_file());
                let command = in_temporary(self.notebook_command(notebook, &cells, &trace));
                process::run(&command, Some(limit), &log).await?
            }
            Workload::Load => unreachable!("loading has a runner of its own"),
        };
        let ending = match finished.ending {
            Ending::Exited(code) if code != 0 => signal_in(&log).map_or(finished.ending, Ending::Killed),
            ending => ending,
        };
        let outcome = Outcome::from(ending);
        let mut notes = Notes::take(&trace);
        if matches!(outcome, Outcome::Timeout | Outcome::Stuck) {
            // It was in this cell when it was ended.
            notes.exited = None;
        }
        let mut sentences: Vec<String> = match workload {
            Workload::Notebook(notebook) => notebook.note().into_iter().collect(),
            _ => Vec::new(),
        };
        let cell = (outcome == Outcome::Stuck && workload.kind() == Kind::Notebooks)
            .then(|| last_cell(&log))
            .flatten();
        sentences
            .extend(finished.stuck.iter().map(|package| format!("precompiling {} was stuck", package.name)));
        sentences.extend(cell.map(|cell| format!("it was in cell {cell}")));
        let what = || workload.kind().of(&name);
        let stuck =
            finished.standstills(|| cell.map_or_else(what, |cell| format!("cell {cell} of {}", what())));
        let Finished { seconds, peak_memory_bytes, .. } = finished;
        sentences.extend(notes.sentences());
        let error = match workload {
            Workload::Script(_) | Workload::Kernel(_) if outcome != Outcome::Ok => {
                Some(process::julia_error(&log))
            }
            _ => notes.failed,
        };
        Ok(Ran {
            name,
            kind: workload.kind(),
            outcome,
            started,
            seconds,
            compile_seconds: compiling::take(&trace),
            limit,
            scope,
            reused: false,
            peak_memory_bytes,
            cut_short: outcome == Outcome::Timeout && limit < self.time_limit,
            ran_out_of_memory: ending.is_for_want_of_memory(&log),
            stuck,
            trace,
            log,
            note: (!sentences.is_empty()).then(|| sentences.join("; ")),
            error: error.filter(|error| !error.is_empty()),
            activated: notes.activated,
            loaded: notes.loaded,
        })
    }

    async fn run_tests(
        &self,
        suite: &TestSuite,
        limit: Duration,
        trace: &Path,
        log: &Path,
        prepare: impl Fn(Command) -> Command,
    ) -> Result<(Scope, Finished), ProcessError> {
        let in_sandbox = self
            .drivers
            .command()
            .arg(IN_HASTE)
            .args(self.shadowing())
            .arg(self.drivers.path(Driver::TEST))
            .arg(&suite.package)
            .arg(trace)
            .args(self.differences().test_arguments())
            .args(self.source_arguments())
            .args(self.counting())
            .args(self.shadowing())
            .envs(self.differences().pkg_variables());
        let finished = process::run(&prepare(in_sandbox), Some(limit), log).await?;
        let was_made = trace.metadata().is_ok_and(|metadata| metadata.len() > 0);
        if was_made || finished.ending.is_success() {
            return Ok((Scope::Sandbox, finished));
        }
        // No sandbox: its test dependencies are not to be had, or Pkg cannot make one for this package. Many suites run
        // in the project as well. The first log stays beside the second.
        let _ = std::fs::rename(log, log.with_extension("sandbox.log"));
        let left = limit.saturating_sub(Duration::from_secs_f64(finished.seconds));
        let tests = suite.folder.join("test");
        let direct =
            self.traced(trace).args(self.shadowing()).arg(IN_HASTE).arg("runtests.jl").directory(tests);
        let second = process::run(&prepare(direct), Some(left), log).await?;
        let both = Finished {
            ending: second.ending,
            seconds: finished.seconds + second.seconds,
            peak_memory_bytes: finished.peak_memory_bytes.max(second.peak_memory_bytes),
            stuck: finished.stuck.into_iter().chain(second.stuck).collect(),
        };
        Ok((Scope::Project, both))
    }

    fn script_command(&self, script: &Script, trace: &Path) -> Command {
        let folder = script.path.parent().unwrap_or(Path::new("/"));
        self.traced(trace).args(self.shadowing()).arg(IN_HASTE).arg(&script.path).directory(folder)
    }

    /// A client, which starts the kernel. Nothing of what it asks changes a project.
    fn kernel_command(&self, trace: &Path) -> Command {
        let kernel = self.traced(trace).arg(IN_HASTE);
        let client = self.drivers.command().arg(self.drivers.path(Driver::KERNEL));
        client.arg(kernel.program).args(kernel.args)
    }

    /// Interactive, as a kernel is, and in the notebook's folder.
    fn notebook_command(&self, notebook: &Notebook, cells: &Path, trace: &Path) -> Command {
        let folder = notebook.path.parent().unwrap_or(Path::new("/"));
        let driver = self.drivers.path(Driver::NOTEBOOK);
        self.traced(trace)
            .args(self.shadowing())
            .arg(IN_HASTE)
            .arg("-i")
            .arg(driver)
            .arg(cells)
            .directory(folder)
    }

    /// A Julia in the project that traces what it compiles.
    pub(super) fn traced(&self, trace: &Path) -> Command {
        let command = self.drivers.command().option("--trace-compile=", trace);
        command.args(self.source_arguments()).args(self.counting())
    }

    /// Whether its processes precompile what is not precompiled.
    pub(super) fn precompiles(&self) -> bool {
        self.from_source.borrow().is_empty()
    }

    fn source_arguments(&self) -> &'static [&'static str] {
        if self.precompiles() { &[] } else { self.differences().source_arguments() }
    }

    fn differences(&self) -> Differences {
        self.drivers.julia.differences()
    }

    /// Arguments that keep what a process does with Pkg out of the user's projects.
    fn shadowing(&self) -> [OsString; 2] {
        ["-L".into(), self.drivers.path(Driver::SHADOW).into()]
    }

    /// Arguments that have a process count how long it compiles, where it can.
    fn counting(&self) -> Vec<OsString> {
        match self.differences().counts_compiling() {
            true => vec!["-L".into(), self.drivers.path(Driver::COMPILING).into()],
            false => Vec::new(),
        }
    }
}

/// A file name for a workload: its kind keeps a package and a script of one name apart.
fn file_name(kind: Kind, name: &str) -> String {
    let kind = match kind {
        Kind::Load => return "load".to_owned(),
        Kind::Tests => "tests",
        Kind::Notebooks => "notebook",
        Kind::Scripts => "script",
    };
    let safe: String =
        name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-') { c } else { '.' }).collect();
    format!("{kind}-{safe}")
}

/// The cell that a notebook's Julia came to last (`julia/notebook.jl`).
fn last_cell(log: &Path) -> Option<u64> {
    let text = std::fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .rev()
        .find_map(|line| line.strip_prefix("[jlsys: cell ")?.strip_suffix(" begins]")?.parse().ok())
}

/// The signal that ended the tests. `Pkg.test` turns it into an error of its own; its words have been these since
/// Julia 1.4 (`Operations.test` in Pkg.jl).
fn signal_in(log: &Path) -> Option<i32> {
    let text = std::fs::read(log).ok()?;
    let end = String::from_utf8_lossy(&text[text.len().saturating_sub(4096)..]);
    let (_, rest) = end.split_once("(received signal: ")?;
    rest.split_once(')')?.0.parse().ok()
}
