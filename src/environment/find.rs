//! Finding the files that make up an environment.
//!
//! After `project_file_manifest_path` in Julia's `base/loading.jl`.

use std::path::{Path, PathBuf};

use super::error::EnvironmentError;
use super::{Project, Search, paths, searched, workspace};
use crate::version::Version;

/// The first version to look for `Manifest-vX.Y.toml`: a feature of 1.11, brought back to 1.10.
const VERSIONED_MANIFESTS: Version = Version::new(1, 10, 8);

/// The files that make up an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFiles {
    /// `Project.toml` or `JuliaProject.toml`.
    pub project_file: PathBuf,
    /// The manifest, if the project has been resolved.
    pub manifest_file: Option<PathBuf>,
    /// The projects whose workspace this one is in, the nearest first; the manifest is the last one's. Empty for
    /// nearly every project.
    pub workspace: Vec<PathBuf>,
    /// The project file of the default environment (`@v#.#`), if it is another one that exists: it is next in the
    /// load path.
    pub default_project: Option<PathBuf>,
    /// Whether the project is the default environment, and only because there is none around the working folder.
    pub is_last_resort: bool,
    /// The project files whose preferences count, the nearest first.
    pub preferences_from: Vec<PathBuf>,
    /// Whether `JULIA_LOAD_PATH` had a say in that.
    pub has_load_path: bool,
}

impl Search<'_> {
    /// Finds the project and what belongs to it.
    ///
    /// # Errors
    ///
    /// There is no project, or a project file that says where its manifest is cannot be read.
    pub fn run(&self) -> Result<ProjectFiles, EnvironmentError> {
        self.belonging_to(self.project_file()?)
    }

    /// Finds what belongs to a project that [`project_file`](Self::project_file) found.
    ///
    /// # Errors
    ///
    /// A project file that says where its manifest is cannot be read.
    pub fn belonging_to(
        &self,
        (project_file, is_last_resort): (PathBuf, bool),
    ) -> Result<ProjectFiles, EnvironmentError> {
        let workspace = workspace::above(&project_file, self.home, self.julia)?;
        let root = workspace.last().unwrap_or(&project_file);
        Ok(ProjectFiles {
            manifest_file: manifest_of(root, self.julia)?,
            preferences_from: searched::project_files(self, &project_file)?,
            has_load_path: self.load_path.is_some(),
            default_project: self.default_project().filter(|default| *default != project_file),
            workspace,
            project_file,
            is_last_resort,
        })
    }
}

/// The manifest that a project has by itself: the one it names, else the first of `Base.manifest_names`.
fn manifest_of(project_file: &Path, julia: &Version) -> Result<Option<PathBuf>, EnvironmentError> {
    let folder = paths::folder(project_file);
    let own = Project::read(project_file)?.manifest;
    let own = own.map(|manifest| paths::resolve(folder, &manifest));
    let versioned = *julia >= VERSIONED_MANIFESTS;
    let series = julia.major_minor();
    let names = [
        (versioned, format!("JuliaManifest-v{series}.toml")),
        (versioned, format!("Manifest-v{series}.toml")),
        (true, "JuliaManifest.toml".to_owned()),
        (true, "Manifest.toml".to_owned()),
    ];
    let usual = names.into_iter().filter_map(|(known, name)| known.then(|| folder.join(name)));
    // A file that the project names but that is not there is passed over, as Julia does.
    Ok(own.into_iter().chain(usual).find(|file| file.is_file()))
}
