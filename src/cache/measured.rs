//! What `jlsys trace` last measured of a project.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Cache, FORMAT, create_private, file_name_for, read_json, write_atomically};
use crate::report::TraceReport;

/// The folder with the measurements.
pub(super) const FOLDER: &str = "measured";

#[derive(Serialize, Deserialize)]
struct Measured {
    format: u32,
    project_file: PathBuf,
    report: TraceReport,
}

impl Cache {
    /// What was measured of the project, if it was.
    pub fn measured(&self, project_file: &Path) -> Option<TraceReport> {
        let measured: Measured = read_json(&self.measured_path(project_file)).ok()?;
        (measured.format == FORMAT && measured.project_file == project_file).then_some(measured.report)
    }

    /// Keeps what was measured. A cache that it cannot be kept in goes without.
    pub fn keep_measured(&self, project_file: &Path, report: &TraceReport) {
        let measured =
            Measured { format: FORMAT, project_file: project_file.to_owned(), report: report.clone() };
        let text = serde_json::to_vec_pretty(&measured).unwrap_or_default();
        let path = self.measured_path(project_file);
        let _ = create_private(&self.folder(FOLDER)).and_then(|()| write_atomically(&path, &text));
    }

    fn measured_path(&self, project_file: &Path) -> PathBuf {
        self.folder(FOLDER).join(file_name_for(project_file.as_os_str().as_encoded_bytes()))
    }
}
