//! The process between jlsys and a command: it outlives both for as long as it takes to leave nothing behind.
//!
//! It is `jlsys` itself under a hidden command. It reads a [`Request`] from standard input, runs it, and writes
//! [`Answer`]s to standard output, one a line; the last tells how it went. On Linux it is a *child subreaper* (prctl(2)): whatever the command starts and
//! abandons becomes the supervisor's child, even when it left the process group, so all of it can be found and
//! ended. When jlsys dies, by whatever means, the kernel sends the supervisor a SIGTERM (its parent-death
//! signal), and when the supervisor dies, the command gets a SIGKILL.
//!
//! It also looks every few seconds whether the family still does anything (`watchdog.rs`). A Julia in it that precompiles a package
//! and is stuck is ended alone, since the one that started it goes on with the others; else all of the family is.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use super::family::descendants;
use super::log::Log;
use super::watching::Watching;
use super::{Command, Ending, Finished, ending_of};

/// The hidden command of `jlsys` that runs a supervisor.
pub const COMMAND: &str = "__supervise";

/// How long a command may take to end by itself after SIGTERM.
pub const GRACE_PERIOD: Duration = Duration::from_secs(2);

/// What a supervisor is to run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The command.
    pub command: Command,
    /// How long it may run; without end when absent.
    pub time_limit_seconds: Option<f64>,
    /// How long its family may do nothing.
    pub stall_limit: Duration,
    /// Folders with packages' caches, for whose pidfiles it may wait.
    pub compiled: Vec<PathBuf>,
    /// Packages whose precompiling is ended at once.
    pub known_stuck: Vec<String>,
    /// The file that takes its output.
    pub log: PathBuf,
}

/// What a supervisor answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The command still runs; something to tell the user.
    Notice(String),
    /// The command ran.
    Finished(Finished),
    /// It could not be started.
    NotStarted {
        /// The system's error number, where there is one.
        os_error: Option<i32>,
        /// What went wrong.
        message: String,
    },
}

/// Serves the one request on standard input.
pub fn main() -> io::Result<()> {
    // Set before anything else is done: from here on nothing that jlsys started can outlive it.
    #[cfg(target_os = "linux")]
    {
        nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
        nix::sys::prctl::set_child_subreaper(true)?;
    }
    let mut request = Vec::new();
    io::stdin().read_to_end(&mut request)?;
    // jlsys may have died before the parent-death signal was set; then its end of the pipe brought nothing.
    let request: Request = serde_json::from_slice(&request)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(supervise(&request)).unwrap_or_else(|error| Answer::NotStarted {
        os_error: error.raw_os_error(),
        message: error.to_string(),
    });
    say(&answer)
}

/// Sends an answer to jlsys.
pub(super) fn say(answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut stdout = io::stdout();
    stdout.write_all(&line)?;
    stdout.flush()
}

async fn supervise(request: &Request) -> io::Result<Answer> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;

    let (output, output_end) = io::pipe()?;
    let mut command = request.command.to_std();
    command.stdin(Stdio::null()).stdout(output_end.try_clone()?).stderr(output_end);
    set_apart(&mut command);
    let started = Instant::now();
    let mut child = tokio::process::Command::from(command).spawn()?;
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);

    let output = tokio::net::unix::pipe::Receiver::from_owned_fd(output.into())?;
    let log = Arc::new(Log::new(&request.log));
    let copying = tokio::spawn({
        let log = Arc::clone(&log);
        async move { log.copy(output).await }
    });
    let mut watching = Watching::new(request, &log)?;

    let time_up = async {
        match request.time_limit_seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs_f64(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let ending = tokio::select! {
        status = child.wait() => ending_of(status?),
        () = time_up => Ending::TimedOut,
        ending = watching.until_stuck() => ending,
        _ = terminate.recv() => Ending::Interrupted,
        _ = interrupt.recv() => Ending::Interrupted,
        _ = hangup.recv() => Ending::Interrupted,
    };
    let seconds = started.elapsed().as_secs_f64();
    if matches!(ending, Ending::Stuck { .. }) {
        // Those that can say what they are doing exit with it.
        let _ = tokio::time::timeout(GRACE_PERIOD, child.wait()).await;
    }
    if matches!(ending, Ending::TimedOut | Ending::Interrupted) {
        // Asked first: Julia then runs its `atexit` hooks, which remove temporary folders.
        if let Some(group) = group {
            let _ = killpg(group, Signal::SIGTERM);
        }
        let _ = tokio::time::timeout(GRACE_PERIOD, child.wait()).await;
    }
    if let Some(group) = group {
        end_family(group);
    }
    // With the family gone nobody holds the pipe's other end, but for a process that the kernel cannot end.
    let _ = tokio::time::timeout(GRACE_PERIOD, copying).await;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    // Linux counts in KiB, macOS in bytes: getrusage(2) of each.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let peak_memory_bytes = u64::try_from(usage.max_rss()).unwrap_or(0) * unit;
    Ok(Answer::Finished(Finished { ending, seconds, peak_memory_bytes, stuck: watching.into_stuck() }))
}

/// Gives a command a session of its own, without a terminal: what would ask there for a password finds none, instead of waiting for an
/// answer, stopped in the background. It leaves no core behind, and goes with this process.
fn set_apart(command: &mut std::process::Command) {
    let set = || {
        nix::unistd::setsid()?;
        let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
        setrlimit(Resource::RLIMIT_CORE, 0, hard)?;
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        Ok(())
    };
    #[expect(unsafe_code, reason = "these are plain system calls: safe between fork and exec")]
    unsafe {
        command.pre_exec(set);
    }
}

/// Ends everything that descends from this process, and waits until it is gone.
fn end_family(group: Pid) {
    // New processes can appear while old ones are being ended, so look again until nobody is left; each
    // round ends whole generations, so a few suffice for all but a process the kernel cannot end.
    for _ in 0..200 {
        let _ = killpg(group, Signal::SIGKILL);
        for pid in descendants(Pid::this()) {
            let _ = kill(pid, Signal::SIGKILL);
        }
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => break,
                Ok(_) => {}
                Err(_) => return, // No children are left.
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
