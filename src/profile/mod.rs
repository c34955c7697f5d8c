//! Where a build's time went, as a page to look at: phases and workloads along a time axis.
//!
//! The page is one HTML file that needs nothing else: no script, no network. A table, so that it can be read aloud and copied.

mod page;
mod scale;

use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;
use crate::report::{PhaseReport, Report, TraceReport, WorkloadReport};

/// Where a page goes when no file is named.
pub const DEFAULT_FILE: &str = "jlsys-profile.html";

/// What there is to show.
#[derive(Debug)]
pub struct Profile<'a> {
    /// What was done, such as `jlsys build`.
    pub title: &'a str,
    /// The project file.
    pub project: &'a Path,
    /// The version of Julia.
    pub julia: &'a str,
    /// What came of it, in a few words each.
    pub facts: Vec<(&'static str, String)>,
    /// The phases, in order.
    pub phases: &'a [PhaseReport],
    /// The workloads.
    pub workloads: &'a [WorkloadReport],
    /// What the user should know.
    pub warnings: &'a [String],
}

impl<'a> From<&'a Report> for Profile<'a> {
    fn from(report: &'a Report) -> Self {
        let statements = &report.statements;
        Self {
            title: "jlsys build",
            project: &report.project,
            julia: &report.julia.version,
            facts: vec![
                ("Tier", report.tier.to_string()),
                ("Packages", report.packages.included.len().to_string()),
                ("Statements", format!("{} of {}", statements.compiled, statements.kept)),
                ("Peak memory", indicatif::HumanBytes(report.peak_memory_bytes).to_string()),
                ("Key", report.key.short()),
            ],
            phases: &report.phases,
            workloads: &report.workloads,
            warnings: &report.warnings,
        }
    }
}

impl<'a> From<&'a TraceReport> for Profile<'a> {
    fn from(report: &'a TraceReport) -> Self {
        Self {
            title: "jlsys trace",
            project: &report.project,
            julia: &report.julia.version,
            facts: vec![("Statements", report.statements.kept.to_string())],
            phases: &report.phases,
            workloads: &report.workloads,
            warnings: &report.warnings,
        }
    }
}

/// A file that a page will be written to: found to be writable before the work begins, there when it is done.
#[derive(Debug)]
pub struct Target {
    file: PathBuf,
    new: NamedTempFile,
}

impl Target {
    /// Makes sure that the page can be written to `file`.
    pub fn new(file: &Path) -> Result<Self, Error> {
        if file.is_dir() {
            return Err(Error::file(file)(std::io::ErrorKind::IsADirectory.into()));
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // What is made here has the mode 0600, and a page is nothing secret.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        let new = tempfile::Builder::new().prefix(".jlsys-profile-").permissions(mode).tempfile_in(folder);
        Ok(Self { file: file.to_owned(), new: new.map_err(Error::file(file))? })
    }

    /// Writes the page.
    pub fn write(mut self, profile: &Profile<'_>) -> Result<(), Error> {
        let page = page::render(profile);
        self.new.write_all(page.as_bytes()).map_err(Error::file(&self.file))?;
        self.new.persist(&self.file).map_err(|error| Error::file(&self.file)(error.error))?;
        Ok(())
    }
}
