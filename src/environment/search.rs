//! Finding the project, as Julia does.
//!
//! After `init_active_project`, `load_path_expand`, `current_project` and `active_project` in Julia's
//! `base/initdefs.jl`. One thing differs: with neither
//! `--project` nor `JULIA_PROJECT`, the project around the working folder comes before the default environment, for a
//! command that is about a project is run in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::error::EnvironmentError;
use super::project_file::{is_project_name, project_in};
use super::{Depots, paths};
use crate::version::Version;

/// The first version that knows environments by their names in `--project` and `JULIA_PROJECT`; before, `@name` is a folder
/// (`init_active_project` and, in 1.5, `init_load_path`).
const NAMED_PROJECTS: Version = Version::new(1, 7, 0);

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

impl Search<'_> {
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

    pub(super) fn default_project(&self) -> Option<PathBuf> {
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

    fn at(&self, path: &str) -> Result<PathBuf, EnvironmentError> {
        let path = paths::expand_home(Path::new(path), self.home);
        let path = paths::resolve(self.cwd, &path);
        if path.is_file() {
            return if is_project_name(&path) {
                Ok(path)
            } else {
                Err(EnvironmentError::NotAProjectFile { file: path })
            };
        }
        project_in(&path).ok_or(EnvironmentError::NoProject { place: path })
    }
}
