//! What could not be built, so that it is not tried again in vain.

use std::path::{Path, PathBuf};

use super::{Cache, CacheError, REPORT, Staging, read_json};
use crate::key::Key;
use crate::report::{Report, SCHEMA};

impl Cache {
    fn failure_folder(&self, key: &Key) -> PathBuf {
        self.folder("failures").join(key.to_string())
    }

    /// The report of the build of `key` that came to nothing, if there was one.
    pub fn failure(&self, key: &Key) -> Option<Report> {
        let report: Report = read_json(&self.failure_folder(key).join(REPORT)).ok()?;
        (report.schema == SCHEMA).then_some(report)
    }

    /// Forgets that a build came to nothing.
    pub fn forget_failure(&self, key: &Key) {
        // What cannot be removed is found again, and says the same as before.
        let _ = std::fs::remove_dir_all(self.failure_folder(key));
    }

    /// Keeps a failed build's report with its logs.
    pub fn keep_failure(&self, staging: Staging, report: &mut Report) -> Result<(), CacheError> {
        let folder = self.failure_folder(&report.key);
        self.forget_failure(&report.key);
        report.relocate(&staging.entry(), &folder);
        let keep = || {
            let text = serde_json::to_vec_pretty(report)?;
            std::fs::write(staging.entry().join(REPORT), text)?;
            remove_if_there(&staging.image())?;
            std::fs::rename(staging.entry(), &folder)
        };
        keep().map_err(|source| CacheError::Write { path: folder, source })
    }
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
