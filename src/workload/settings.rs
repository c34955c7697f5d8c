//! What the user says about workloads.

use std::path::PathBuf;
use std::time::Duration;

use super::Kind;

/// How long a workload may run when nobody says.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(600);

/// Which code is run to see what gets compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadSettings {
    /// The kinds to run.
    pub kinds: Vec<Kind>,
    /// Script files, relative to the project's folder; the conventional `precompile*.jl` when absent.
    pub scripts: Option<Vec<PathBuf>>,
    /// Which notebooks to run, as globs relative to the project's folder, `!` before what is left out; all of the project's
    /// when absent.
    pub notebooks: Option<Vec<String>>,
    /// Packages whose tests are not run, by name.
    pub skip_tests: Vec<String>,
    /// How long each may run.
    pub time_limit: Duration,
}
