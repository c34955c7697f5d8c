//! Which entry a project used last, and whether the last build made none.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Cache, CacheError, FORMAT, Place, file_name_for, read_json, write_atomically};
use crate::config::Overrides;
use crate::key::Key;

/// How a project was last built. It lets `run` find what `build` made when flags had a say, and `status` say what
/// changed since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectRecord {
    format: u32,
    /// The project file.
    pub project_file: PathBuf,
    /// The key that was built.
    pub key: Key,
    /// What was decided outside of `jlsys.toml`: by flags, or by what the machine was found to be.
    pub overrides: Overrides,
    /// The build after that one, if it came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedBuild>,
}

/// A build that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedBuild {
    /// What it was to build.
    pub key: Key,
    /// Why, as a sentence.
    pub reason: String,
}

impl Cache {
    /// How the project was last built, if it was.
    pub fn project(&self, project_file: &Path) -> Option<ProjectRecord> {
        self.places().find_map(|place| place.project(project_file))
    }

    /// Notes how the project was built.
    pub fn keep_project(
        &self,
        project_file: &Path,
        key: Key,
        overrides: &Overrides,
    ) -> Result<(), CacheError> {
        self.keep_project_with(project_file, key, overrides, None)
    }

    /// Notes how the project was built, and that a later build came to nothing.
    pub fn keep_project_with(
        &self,
        project_file: &Path,
        key: Key,
        overrides: &Overrides,
        failed: Option<FailedBuild>,
    ) -> Result<(), CacheError> {
        let record = ProjectRecord {
            format: FORMAT,
            project_file: project_file.to_owned(),
            key,
            overrides: overrides.clone(),
            failed,
        };
        if self.project(project_file).as_ref() == Some(&record) {
            return Ok(());
        }
        let path = project_path(&self.root, project_file);
        let text = serde_json::to_vec_pretty(&record).unwrap_or_default();
        write_atomically(&path, &text).map_err(|source| CacheError::Write { path, source })
    }
}

impl Place<'_> {
    fn project(&self, project_file: &Path) -> Option<ProjectRecord> {
        let record: ProjectRecord = read_json(&project_path(self.root, project_file)).ok()?;
        (record.format == FORMAT && record.project_file == project_file).then_some(record)
    }
}

fn project_path(root: &Path, project_file: &Path) -> PathBuf {
    root.join("projects").join(file_name_for(project_file.as_os_str().as_encoded_bytes()))
}
