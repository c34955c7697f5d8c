//! The only module that starts processes.
//!
//! Everything that jlsys runs is somebody else's code (test suites, packages, compilers), so it may
//! hang, crash, fill its output or leave children behind. Each command therefore runs under a
//! *supervisor*: a second `jlsys` process that ends the command's whole family when the command ends,
//! when its time is up, or when jlsys itself is gone, however it went. What happened comes back as
//! plain data ([`Finished`]).

mod exec;
mod family;
mod log;
mod pidfile;
pub mod supervisor;
mod watchdog;
mod watching;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

pub use exec::replace_with;
pub use log::{LOG_LIMIT, error_in_line, julia_error, line_with, says, signal_in_line};

/// A command that is yet to run: arguments are passed one by one, no shell takes part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Command {
    /// What to execute: a path, or a name to look up on `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables to set (`Some`) or to remove (`None`) in the inherited environment.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// The working folder; the caller's own when absent.
    pub directory: Option<PathBuf>,
    /// A file that jlsys gives it: until that is there it may do nothing, and is not stuck.
    pub waits_for: Option<PathBuf>,
    /// Whether it was stuck before: then it is given half of the time.
    pub is_suspect: bool,
}

impl Command {
    /// A command without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            directory: None,
            waits_for: None,
            is_suspect: false,
        }
    }

    /// Appends one argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Appends an option whose value is joined to it, such as `--project=` and a path.
    pub fn option(self, option: &str, value: impl AsRef<OsStr>) -> Self {
        let mut argument = OsString::from(option);
        argument.push(value);
        self.arg(argument)
    }

    /// Appends several arguments.
    pub fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), Some(value.into())));
        self
    }

    /// Sets several variables of the environment.
    pub fn envs<N, V>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        self.env.extend(variables.into_iter().map(|(name, value)| (name.into(), Some(value.into()))));
        self
    }

    /// Removes a variable from the environment.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env.push((name.into(), None));
        self
    }

    /// Sets the working folder.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Lets it do nothing until this file is there.
    pub fn waits_for(mut self, file: impl Into<PathBuf>) -> Self {
        self.waits_for = Some(file.into());
        self
    }

    /// Gives it half of the time in which nothing may happen, if it was stuck before.
    pub fn suspect(mut self, was_stuck: bool) -> Self {
        self.is_suspect = was_stuck;
        self
    }

    fn sets(&self, variable: &str) -> bool {
        self.env.iter().any(|(name, _)| name == variable)
    }

    fn to_std(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args);
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It exited with this status.
    Exited(i32),
    /// This signal, sent by itself or by somebody else, ended it.
    Killed(i32),
    /// Its time was up, so it was ended.
    TimedOut,
    /// It, and all that it started, did nothing for so long, so it was ended.
    Stuck {
        /// How long, in seconds.
        seconds: u64,
    },
    /// jlsys was told to stop, so it was ended.
    Interrupted,
}

impl Ending {
    /// Whether want of memory ended the process, whose output is in `log`.
    pub fn is_for_want_of_memory(self, log: &Path) -> bool {
        match self {
            // Nobody else sends a SIGKILL to a process of ours but the kernel, when memory is short (and an operator, who
            // also wants less).
            Self::Killed(signal) if signal == Signal::SIGKILL as i32 => true,
            Self::Exited(0) | Self::TimedOut | Self::Stuck { .. } | Self::Interrupted => false,
            // Where the address space is limited, an allocation that fails often ends Julia or LLVM without a word.
            Self::Killed(_) if address_space_is_limited() => true,
            Self::Exited(_) | Self::Killed(_) => log::says_out_of_memory(log),
        }
    }

    /// Whether the command exited with status 0.
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// Whether `ulimit -v`, or who started jlsys, limits what a process may map.
fn address_space_is_limited() -> bool {
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
    getrlimit(Resource::RLIMIT_AS).is_ok_and(|(soft, _)| soft != RLIM_INFINITY)
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Killed(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {number}"),
            },
            Self::TimedOut => write!(f, "was ended when its time was up"),
            Self::Stuck { seconds } => {
                write!(f, "was ended since it was stuck (it did nothing for {seconds} s)")
            }
            Self::Interrupted => write!(f, "was interrupted"),
        }
    }
}

/// What is known of a command after it ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    /// Wall-clock time.
    pub seconds: f64,
    /// The resident memory of the largest process in the command's family, in bytes.
    pub peak_memory_bytes: u64,
    /// The packages whose precompiling in it was stuck, and ended. The command itself may have gone on without them.
    pub stuck: Vec<StuckPackage>,
}

impl Finished {
    /// Whether it, or something in it of which that was not known, was stuck.
    pub fn was_stuck(&self) -> bool {
        matches!(self.ending, Ending::Stuck { .. }) || self.newly_stuck().next().is_some()
    }

    /// The packages whose precompiling was stuck, other than those of which that was known.
    pub fn newly_stuck(&self) -> impl Iterator<Item = &StuckPackage> {
        self.stuck.iter().filter(|package| !package.was_known())
    }

    /// What of it came to a standstill; `whole` is what the command as such is called.
    pub fn standstills(&self, whole: impl FnOnce() -> String) -> Vec<Standstill> {
        let mut standstills: Vec<Standstill> = self.newly_stuck().map(Standstill::from).collect();
        if let Ending::Stuck { seconds } = self.ending {
            standstills
                .push(Standstill { what: whole(), seconds: Duration::from_secs(seconds).as_secs_f64() });
        }
        standstills
    }
}

/// A package whose precompiling did nothing any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StuckPackage {
    /// Its name.
    pub name: String,
    /// For how long nothing happened, in seconds; 0 when it was known to get stuck, and so ended at once.
    pub seconds: f64,
}

impl StuckPackage {
    /// Whether it was ended because of what was known before.
    pub fn was_known(&self) -> bool {
        self.seconds <= 0.0
    }
}

impl std::fmt::Display for StuckPackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.was_known() {
            return f.write_str(
                "precompiling it was stuck before, so it is not waited for (`--retry` tries again)",
            );
        }
        write!(f, "precompiling it was stuck and was ended (nothing happened for {:.0} s)", self.seconds)
    }
}

/// Something that did nothing any more until it was ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standstill {
    /// What it was, as the subject of a sentence.
    pub what: String,
    /// For how long nothing happened, in seconds.
    pub seconds: f64,
}

impl From<&StuckPackage> for Standstill {
    fn from(package: &StuckPackage) -> Self {
        Self { what: format!("precompiling {}", package.name), seconds: package.seconds }
    }
}

/// How processes are watched; see [`watch`].
pub struct Watch {
    /// How long the family of a command may do nothing before it is taken to be stuck.
    pub stall_limit: Duration,
    /// Folders with packages' caches, for whose pidfiles a Julia may wait.
    pub compiled: Vec<PathBuf>,
    /// Packages whose precompiling is known to get stuck: it is ended at once.
    pub known_stuck: Vec<String>,
    /// Takes what is to be said while a command runs.
    pub say: Box<dyn Fn(&str) + Send + Sync>,
}

/// How long a command may do nothing when nobody says: longer than anything takes a nap, shorter than one waits for an answer.
pub const STALL_LIMIT: Duration = Duration::from_secs(120);

static WATCH: RwLock<Option<Watch>> = RwLock::new(None);

/// Decides how all processes are watched that are started from now on.
pub fn watch(watch: Watch) {
    *WATCH.write().unwrap_or_else(PoisonError::into_inner) = Some(watch);
}

/// Has the precompiling of these packages ended at once, in all processes that are started from now on.
pub fn give_up_on(packages: impl IntoIterator<Item = String>) {
    if let Some(watch) = WATCH.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
        watch.known_stuck.extend(packages);
    }
}

fn watched<T>(with: impl FnOnce(Option<&Watch>) -> T) -> T {
    with(WATCH.read().unwrap_or_else(PoisonError::into_inner).as_ref())
}

/// A supervised command could not be started or followed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program is missing or cannot be executed.
    #[error("cannot start '{program}': {source}", program = .program.display())]
    Start {
        /// What was to be executed.
        program: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// The supervisor did not say what became of the command.
    #[error("lost track of '{program}': its supervisor {status}", program = .program.display())]
    Lost {
        /// What was executed.
        program: PathBuf,
        /// How the supervisor ended.
        status: std::process::ExitStatus,
    },
}

/// Runs `command` to its end, or for at most `time_limit`, with nothing on its standard input.
///
/// Standard output and error go to the file `log` (at most [`LOG_LIMIT`] bytes of them). When the future
/// is dropped before it is ready, the command and everything that it started are ended first.
pub async fn run(
    command: &Command,
    time_limit: Option<Duration>,
    log: &Path,
) -> Result<Finished, ProcessError> {
    start(command, time_limit, log).await?.finished().await
}

/// Starts `command`, as [`run`] does. It goes on by itself, whether it is waited for or not.
pub async fn start(
    command: &Command,
    time_limit: Option<Duration>,
    log: &Path,
) -> Result<Running, ProcessError> {
    let start_error = |source| ProcessError::Start { program: command.program.clone(), source };
    // What is ended early does not remove its temporary files; they go with the folder.
    let temporary = tempfile::Builder::new().prefix("jlsys-").tempdir().ok();
    let mut supervised = command.clone();
    if let Some(folder) = temporary.as_ref().filter(|_| !command.sets("TMPDIR")) {
        supervised = supervised.env("TMPDIR", folder.path());
    }
    let (stall_limit, compiled, known_stuck) = watched(|watch| match watch {
        Some(watch) => (watch.stall_limit, watch.compiled.clone(), watch.known_stuck.clone()),
        None => (STALL_LIMIT, Vec::new(), Vec::new()),
    });
    let request = supervisor::Request {
        time_limit_seconds: time_limit.map(|limit| limit.as_secs_f64()),
        stall_limit: if supervised.is_suspect { stall_limit / 2 } else { stall_limit },
        command: supervised,
        compiled,
        known_stuck,
        log: log.to_owned(),
    };
    let request = serde_json::to_vec(&request).map_err(|error| start_error(error.into()))?;
    let mut child = tokio::process::Command::new(own_executable().map_err(start_error)?)
        .arg(supervisor::COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(start_error)?;
    if let Some(mut stdin) = child.stdin.take() {
        use tokio::io::AsyncWriteExt;
        stdin.write_all(&request).await.map_err(start_error)?;
    }
    let program = command.program.clone();
    Ok(Running { program, supervisor: Supervisor(child), _temporary: temporary })
}

/// A command that was started. When this is dropped, the command and everything that it started are ended first.
pub struct Running {
    program: PathBuf,
    supervisor: Supervisor,
    // Fields are dropped in their order: nobody writes there any more when this goes.
    _temporary: Option<tempfile::TempDir>,
}

impl Running {
    /// Whether it has ended by now.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.supervisor.0.try_wait(), Ok(None))
    }

    /// Waits for its end.
    pub async fn finished(&mut self) -> Result<Finished, ProcessError> {
        let start_error = |source| ProcessError::Start { program: self.program.clone(), source };
        let mut answer = None;
        if let Some(stdout) = self.supervisor.0.stdout.take() {
            use tokio::io::AsyncBufReadExt;
            let mut lines = tokio::io::BufReader::new(stdout).lines();
            while let Some(line) = lines.next_line().await.map_err(start_error)? {
                match serde_json::from_str(&line) {
                    Ok(supervisor::Answer::Notice(text)) => {
                        watched(|watch| watch.into_iter().for_each(|watch| (watch.say)(&text)));
                    }
                    other => answer = other.ok(),
                }
            }
        }
        let status = self.supervisor.0.wait().await.map_err(start_error)?;
        match answer {
            Some(supervisor::Answer::Finished(finished)) => Ok(finished),
            Some(supervisor::Answer::NotStarted { os_error, message }) => Err(start_error(
                os_error.map_or_else(|| io::Error::other(message), io::Error::from_raw_os_error),
            )),
            _ => Err(ProcessError::Lost { program: self.program.clone(), status }),
        }
    }
}

/// Waits for work that runs processes.
pub fn block_on<F: Future>(work: F) -> io::Result<F::Output> {
    // One thread: what is waited for is other processes. It must also be the thread that starts them, since a
    // supervisor is told when that thread ends.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}

/// Waits for work that runs processes; gives it up when this process is told to stop.
///
/// Giving up drops the work, and thereby ends every process that it started. `None` when that happened.
pub fn block_on_interruptible<F: Future>(work: F) -> io::Result<Option<F::Output>> {
    use tokio::signal::unix::{SignalKind, signal};
    block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        Ok(tokio::select! {
            result = work => Some(result),
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
            _ = hangup.recv() => None,
        })
    })?
}

/// The file that the running program came from, also after it was replaced or removed on disk.
fn own_executable() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe()
}

/// A running supervisor; dropping it makes it end its command, and waits for that.
struct Supervisor(tokio::process::Child);

impl Drop for Supervisor {
    fn drop(&mut self) {
        let Some(pid) = self.0.id().and_then(|pid| i32::try_from(pid).ok()) else {
            return; // It ended and was waited for.
        };
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        // It needs the grace period at most; past that, nothing here can help it.
        let patience = supervisor::GRACE_PERIOD + Duration::from_secs(3);
        let deadline = std::time::Instant::now() + patience;
        while std::time::Instant::now() < deadline && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Finds an executable file by its name on `PATH`, as `execvp` does.
pub fn find_on_path(name: &OsStr) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

/// Whether `file` is a regular file that this user may execute.
pub fn is_executable(file: &Path) -> bool {
    file.is_file() && nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok()
}

fn ending_of(status: std::process::ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exited(code),
        (None, Some(signal)) => Ending::Killed(signal),
        (None, None) => Ending::Exited(-1),
    }
}
