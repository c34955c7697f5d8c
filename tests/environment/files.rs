//! A folder of files to try things on.

use std::fs;
use std::path::{Path, PathBuf};

use jlsys::environment::{Depots, Environment, EnvironmentError, ProjectFiles, Search};
use jlsys::version::Version;

/// UUIDs for packages of our own.
pub const A: &str = "aaaaaaaa-0000-4000-8000-000000000001";
pub const B: &str = "bbbbbbbb-0000-4000-8000-000000000002";
pub const C: &str = "cccccccc-0000-4000-8000-000000000003";
pub const TREE: &str = "0123456789012345678901234567890123456789";

/// A folder that is gone when the test is over.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file, with the folders it needs. `A`, `B`, `C` and `TREE` in braces stand for their values.
    pub fn with(self, name: &str, content: &str) -> Self {
        let file = self.path(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, fill(content)).unwrap();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        // The system's temporary folder may be behind a link; messages show what was asked for.
        let root = self.0.path().canonicalize().unwrap();
        if name.is_empty() { root } else { root.join(name) }
    }

    /// Looks for the project as `julia --project=NAME` does in this folder.
    pub fn find(&self, project: &str, julia: &str) -> Result<ProjectFiles, EnvironmentError> {
        let cwd = self.path("");
        Search { project: Some(project), ..search(&cwd, &self.depots(), &version(julia)) }.run()
    }

    /// The environment in this folder, for Julia 1.12.
    pub fn load(&self) -> Result<Environment, EnvironmentError> {
        Environment::load(&self.find(".", "1.12.0")?)
    }

    /// What a user is told about the environment in this folder, without the folder's own path.
    pub fn complaint(&self) -> String {
        self.shown(&self.load().unwrap_err())
    }

    /// A message on one line, without the folder's own path.
    pub fn shown(&self, error: &EnvironmentError) -> String {
        let message = error.to_string();
        assert!(!message.contains('\n'), "{message}");
        message.replace(self.path("").to_str().unwrap(), "DIR")
    }

    pub fn depots(&self) -> Depots {
        Depots::new(vec![self.path("depot"), self.path("depot2")])
    }
}

/// Puts the constants in for their names in braces.
pub fn fill(content: &str) -> String {
    [("{A}", A), ("{B}", B), ("{C}", C), ("{TREE}", TREE)]
        .iter()
        .fold(content.to_owned(), |text, (name, value)| text.replace(name, value))
}

pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// A search from a folder with nothing given.
pub fn search<'a>(cwd: &'a Path, depots: &'a Depots, julia: &'a Version) -> Search<'a> {
    Search { project: None, julia_project: None, load_path: None, cwd, home: None, depots, julia }
}
