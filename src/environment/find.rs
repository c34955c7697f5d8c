//! Finding the project and its manifest, as Julia does.
//!
//! After `init_active_project`, `load_path_expand`, `current_project` and `active_project` in Julia's
//! `base/initdefs.jl`, and `project_file_manifest_path` in `base/loading.jl`. One thing differs: with neither
//! `--project` nor `JULIA_PROJECT`, the project around the working folder comes before the default environment, for a
//! command that is about a project is run in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::julia::Version;

use super::error::EnvironmentError;
use super::{Depots, Project, load_path, paths, workspace};

/// `Base.project_names`.
const PROJECT_NAMES: [&str; 2] = ["JuliaProject.toml", "Project.toml"];

/// The first version that knows environments by their names in `--project` and `JULIA_PROJECT`; before, `@name` is a folder
/// (`init_active_project` and, in 1.5, `init_load_path`).
const NAMED_PROJECTS: Version = Version::new(1, 7, 0);

/// The first version to look for `Manifest-vX.Y.toml`: a feature of 1.11, brought back to 1.10.
const VERSIONED_MANIFESTS: Version = Version::new(1, 10, 8);

/// Where to look for a project.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The value of jlsys's `--project`: a folder, a file, `@.`, `@v#.#` or `@name`. Empty, it is the default environment.
    pub project: Option<&'a str>,
    /// What Julia itself is told, by its own `--project` or by `JULIA_PROJECT`: the same, as far as this version knows it.
    pub julia_project: Option<&'a str>,
    /// The value of `JULIA_LOAD_PATH`.
    pub load_path: Option<&'a OsStr>,
    /// The working folder.
    pub cwd: &'a Path,
    /// The user's home folder, above which no project is looked for.
    pub home: Option<&'a Path>,
    /// The depots, which have the named environments.
    pub depots: &'a Depots,
    /// The Julia that is to load the project.
    pub julia: &'a Version,
}

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
            preferences_from: load_path::project_files(self, &project_file)?,
            has_load_path: self.load_path.is_some(),
            default_project: self.default_project().filter(|default| *default != project_file),
            workspace,
            project_file,
            is_last_resort,
        })
    }

    /// Why a session would take packages from elsewhere than this project, if it would.
    pub fn in_front(&self, project_file: &Path) -> Option<String> {
        load_path::in_front(self, project_file)
    }

    /// The project file, and whether it is that of the default environment for want of another.
    ///
    /// # Errors
    ///
    /// There is no project.
    pub fn project_file(&self) -> Result<(PathBuf, bool), EnvironmentError> {
        let knows_names = self.project.is_some() || *self.julia >= NAMED_PROJECTS;
        let found = match self.project.or(self.julia_project) {
            None | Some("@.") => match self.upward() {
                Some(file) => file,
                None => return self.last_resort().map(|file| (file, true)),
            },
            Some("") => self.named("@v#.#")?,
            Some("@") if knows_names => self.named("@v#.#")?,
            Some(name) if knows_names && name.starts_with('@') => self.named(name)?,
            Some(path) => self.at(path)?,
        };
        Ok((found, false))
    }

    fn last_resort(&self) -> Result<PathBuf, EnvironmentError> {
        self.default_project().ok_or_else(|| EnvironmentError::NoProjectAround {
            place: self.cwd.to_owned(),
            series: self.julia.major_minor().to_string(),
        })
    }

    /// `Base.current_project`: in the working folder or above it, but not above the home folder.
    pub(super) fn upward(&self) -> Option<PathBuf> {
        for folder in self.cwd.ancestors() {
            if let Some(file) = project_in(folder) {
                return Some(file);
            }
            if Some(folder) == self.home {
                break;
            }
        }
        None
    }

    fn default_project(&self) -> Option<PathBuf> {
        self.environment(&format!("v{}", self.julia.major_minor()))
    }

    /// The project of a shared environment, in the first depot that has it.
    pub(super) fn environment(&self, name: &str) -> Option<PathBuf> {
        self.depots.paths().iter().find_map(|depot| project_in(&depot.join("environments").join(name)))
    }

    fn named(&self, name: &str) -> Result<PathBuf, EnvironmentError> {
        let unknown = || EnvironmentError::UnknownEnvironment { name: name.to_owned() };
        // These depend on the script that is run, or on nothing at all.
        if name == "@stdlib" || name == "@temp" || name.starts_with("@script") {
            return Err(unknown());
        }
        let folder = self.numbered(&name[1..]);
        self.environment(&folder).ok_or_else(|| {
            // Julia would make it in the first depot.
            match self.depots.paths().first() {
                Some(depot) => {
                    EnvironmentError::NoProject { place: depot.join("environments").join(&folder) }
                }
                None => unknown(),
            }
        })
    }

    /// The name of a shared environment with Julia's version in it.
    pub(super) fn numbered(&self, name: &str) -> String {
        let Version { major, minor, patch, .. } = self.julia;
        let numbers = [major, minor, patch].into_iter();
        numbers.fold(name.to_owned(), |name, number| name.replacen('#', &number.to_string(), 1))
    }

    pub(super) fn is_project_file(&self, path: &Path) -> bool {
        path.is_file()
            && path.file_name().is_some_and(|name| PROJECT_NAMES.iter().any(|known| name == *known))
    }

    fn at(&self, path: &str) -> Result<PathBuf, EnvironmentError> {
        let path = paths::expand_home(Path::new(path), self.home);
        let path = paths::resolve(self.cwd, &path);
        if path.is_file() {
            let name = path.file_name().unwrap_or_default();
            if PROJECT_NAMES.iter().any(|known| name == *known) {
                return Ok(path);
            }
            return Err(EnvironmentError::NotAProjectFile { file: path });
        }
        project_in(&path).ok_or(EnvironmentError::NoProject { place: path })
    }
}

/// The project file in a folder (`Base.locate_project_file`).
pub fn project_in(folder: &Path) -> Option<PathBuf> {
    PROJECT_NAMES.iter().map(|name| folder.join(name)).find(|file| file.is_file())
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
