//! Running a command under a supervisor.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use duct::unix::HandleExt;
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe::Receiver;

use super::request::{Answer, GRACE_PERIOD, Request};
use super::watch::watched;
use super::{Command, Finished, STALL_LIMIT, supervisor};

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
/// Standard output and error go to the file `log` (at most `LOG_LIMIT` bytes of them). When the future
/// is dropped before it is ready, the command and everything that it started are ended first.
pub async fn run(
    command: &Command,
    time_limit: Option<Duration>,
    log: &Path,
) -> Result<Finished, ProcessError> {
    start(command, time_limit, log).await?.finished().await
}

/// Whether `command` succeeds, where nothing that it prints is of use.
pub async fn succeeds(command: &Command, time_limit: Duration) -> bool {
    let finished = run(command, Some(time_limit), Path::new("/dev/null")).await;
    finished.is_ok_and(|finished| finished.ending.is_success())
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
    let request = Request {
        time_limit_seconds: time_limit.map(|limit| limit.as_secs_f64()),
        stall_limit: if supervised.is_suspect { stall_limit / 2 } else { stall_limit },
        command: supervised,
        compiled,
        known_stuck,
        log: log.to_owned(),
    };
    let request = serde_json::to_vec(&request).map_err(|error| start_error(error.into()))?;
    let (answers, answers_end) = io::pipe().map_err(start_error)?;
    // Started by this thread, not by one that ends earlier: it is told when that ends.
    let supervisor = duct::cmd(own_executable().map_err(start_error)?, [supervisor::COMMAND])
        .stdin_bytes(request)
        .stdout_file(answers_end)
        .unchecked()
        .start()
        .map(Supervisor)
        .map_err(start_error)?;
    let answers = Receiver::from_owned_fd(answers.into()).map_err(start_error)?;
    let program = command.program.clone();
    Ok(Running { program, supervisor, answers: BufReader::new(answers).lines(), _temporary: temporary })
}

/// A command that was started. When this is dropped, the command and everything that it started are ended first.
pub struct Running {
    program: PathBuf,
    supervisor: Supervisor,
    answers: Lines<BufReader<Receiver>>,
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
        while let Some(line) = self.answers.next_line().await.map_err(start_error)? {
            match serde_json::from_str(&line) {
                Ok(Answer::Notice(text)) => {
                    watched(|watch| watch.into_iter().for_each(|watch| (watch.say)(&text)));
                }
                other => answer = other.ok(),
            }
        }
        // Its answers end with it.
        let status = self.supervisor.0.wait().map_err(start_error)?.status;
        match answer {
            Some(Answer::Finished(finished)) => Ok(finished),
            Some(Answer::NotStarted { os_error, message }) => Err(start_error(
                os_error.map_or_else(|| io::Error::other(message), io::Error::from_raw_os_error),
            )),
            _ => Err(ProcessError::Lost { program: self.program.clone(), status }),
        }
    }
}

/// The file that the running program came from, also after it was replaced or removed on disk.
fn own_executable() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe()
}

/// A running supervisor; dropping it makes it end its command, and waits for that.
struct Supervisor(duct::Handle);

impl Drop for Supervisor {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.send_signal(Signal::SIGTERM as i32);
            // It needs the grace period at most; past that, nothing here can help it.
            let _ = self.0.wait_timeout(GRACE_PERIOD + Duration::from_secs(3));
        }
    }
}
