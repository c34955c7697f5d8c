//! What a project's own scripts and notebooks printed when they failed last.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Cache, create_private, file_name_for, folders_in};

use crate::file::set_mode;

/// The folder with the logs, a folder in it for each project.
pub(super) const FOLDER: &str = "logs";

impl Cache {
    /// Keeps the log of a workload of a project where a user finds it after the build, until it runs again. `None` when it cannot
    /// be kept.
    pub fn keep_log(&self, project_file: &Path, log: &Path) -> Option<PathBuf> {
        let kept = self.log_path(project_file, log)?;
        create_private(kept.parent()?).ok()?;
        std::fs::copy(log, &kept).and_then(|_| set_mode(&kept, 0o600)).ok()?;
        Some(kept)
    }

    /// The log that was kept under the same name, if one was.
    pub fn kept_log(&self, project_file: &Path, log: &Path) -> Option<PathBuf> {
        self.log_path(project_file, log).filter(|kept| kept.is_file())
    }

    /// Removes the log of a workload that did not fail again.
    pub fn forget_log(&self, project_file: &Path, log: &Path) {
        if let Some(kept) = self.kept_log(project_file, log) {
            let _ = std::fs::remove_file(kept);
        }
    }

    fn log_path(&self, project_file: &Path, log: &Path) -> Option<PathBuf> {
        let project = file_name_for(project_file.as_os_str().as_encoded_bytes());
        Some(self.folder(FOLDER).join(Path::new(&project).with_extension("")).join(log.file_name()?))
    }

    /// Removes the logs of projects of which none was written for so long.
    pub(super) fn bound_logs(&self, max_age: Duration) {
        for folder in folders_in(&self.folder(FOLDER)) {
            let changed = folder.metadata().and_then(|metadata| metadata.modified());
            if changed.ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > max_age) {
                let _ = std::fs::remove_dir_all(folder);
            }
        }
    }
}
