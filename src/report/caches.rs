//! What a build made of packages' caches for CPUs other than the builder's.

use indicatif::HumanBytes;
use serde::{Deserialize, Serialize};

use crate::words::count;
use crate::workload::Counted;

/// The caches that sessions on the CPUs of the build's target take for packages, by Julia's own check.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachesReport {
    /// For which CPUs, in Julia's words.
    pub target: String,
    /// How many this build made.
    pub made: u64,
    /// How many were there already.
    pub there: u64,
    /// The packages that have none: a session precompiles them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What sessions load, with package images, in bytes.
    pub bytes: u64,
    /// Of that, what this build made.
    pub made_bytes: u64,
}

impl CachesReport {
    /// What was counted for a target; `missing` are the names of the packages that have no cache.
    pub fn new(target: &str, counted: &Counted, missing: Vec<String>) -> Self {
        let mut report = Self { target: target.to_owned(), missing, ..Self::default() };
        for cache in counted.caches() {
            report.bytes += cache.bytes;
            if cache.was_there {
                report.there += 1;
            } else {
                report.made += 1;
                report.made_bytes += cache.bytes;
            }
        }
        report
    }
}

impl std::fmt::Display for CachesReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} made, {} there already, {}", self.made, self.there, HumanBytes(self.bytes))?;
        match self.missing.as_slice() {
            [] => Ok(()),
            [name] => write!(f, "; {name} has none"),
            names => write!(f, "; {} have none", count(names.len(), "package")),
        }
    }
}
