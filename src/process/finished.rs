//! What became of a command.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::log::says_out_of_memory;

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
            Self::Exited(0) | Self::TimedOut | Self::Interrupted => false,
            // Where the address space is limited, an allocation that fails often ends Julia or LLVM without a word.
            Self::Killed(_) if address_space_is_limited() => true,
            // Of one that was stuck the watchdog notes it, too.
            Self::Exited(_) | Self::Killed(_) | Self::Stuck { .. } => says_out_of_memory(log),
        }
    }

    /// Whether the command exited with status 0.
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl From<std::process::ExitStatus> for Ending {
    fn from(status: std::process::ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Killed(signal),
            (None, None) => Self::Exited(-1),
        }
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
