//! What jlsys and a supervisor say to each other, through pipes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Command, Finished};

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

/// Sends an answer to jlsys.
pub(super) fn say(answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut stdout = io::stdout();
    stdout.write_all(&line)?;
    stdout.flush()
}
