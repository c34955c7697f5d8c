//! The packages of a Julia project, as `Project.toml` and `Manifest.toml` state them.
//!
//! [`Search`] finds the files, [`Environment::load`] reads them, and [`Depots`] says where the packages are. Nothing
//! here starts a process or writes a file.

mod companion;
mod depot;
mod error;
mod fields;
mod find;
mod graph;
mod load_path;
mod manifest;
mod package;
mod paths;
pub mod preferences;
mod project;
mod project_file;
mod search;
mod searched;
mod workspace;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Table;

pub use companion::{COMPANIONS, Companion, IJULIA, LeftBehind};
pub use depot::{DepotSettings, Depots, bundled, version_slug};
pub use error::EnvironmentError;
pub use find::ProjectFiles;
pub use load_path::LoadPath;
pub use manifest::{Header, Manifest};
pub use package::{InvalidTreeHash, Package, Source, TreeHash, is_identifier};
pub(crate) use paths::{expand_home, resolve};
pub use project::{Project, ProjectSource};
pub use project_file::project_in;
pub use search::Search;

use crate::uuid::Uuid;

/// A project with everything it pins.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// `Project.toml` or `JuliaProject.toml`.
    pub project_file: PathBuf,
    /// The manifest; in a workspace, that of another project.
    pub manifest_file: PathBuf,
    /// What the project file says.
    pub project: Project,
    /// What the manifest says about itself.
    pub manifest: Header,
    /// The manifest's packages. The project's own package is not among them.
    pub packages: BTreeMap<Uuid, Package>,
    /// The preferences of those packages and of the project's own; only packages that have any.
    pub preferences: BTreeMap<Uuid, Table>,
    /// Whether `JULIA_LOAD_PATH` had a say in whose preferences count.
    pub has_load_path: bool,
    /// The project file of the default environment (`@v#.#`), which Julia searches behind the project.
    pub default_project: Option<PathBuf>,
    /// Packages of another environment that were taken along: they and what they need are among `packages`.
    pub companions: Vec<Companion>,
    /// Packages of another environment that could not be taken along.
    pub left_behind: Vec<LeftBehind>,
    /// What sessions load for these of the other environment, where all of it is there. What both have is the project's.
    pub beside: BTreeMap<Uuid, Package>,
    project_package: Option<Package>,
}

impl Environment {
    /// Reads an environment.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or Pkg or Julia would not accept it; the project has no manifest, or one without some
    /// of its dependencies.
    pub fn load(files: &ProjectFiles) -> Result<Self, EnvironmentError> {
        let project_file = files.project_file.clone();
        let project = Project::read(&project_file)?;
        let Some(manifest_file) = files.manifest_file.clone() else {
            return Err(EnvironmentError::NoManifest { project_file });
        };
        let Manifest { header, packages } = Manifest::read(&manifest_file)?;
        let project_package = project.package(&project_file);
        let mut preferences = load_preferences(files, &project)?;
        preferences.retain(|uuid, _| {
            packages.contains_key(uuid) || project_package.as_ref().is_some_and(|p| p.uuid == *uuid)
        });
        let environment = Self {
            project_file,
            manifest_file,
            project,
            manifest: header,
            packages,
            preferences,
            has_load_path: files.has_load_path,
            default_project: files.default_project.clone(),
            companions: Vec::new(),
            left_behind: Vec::new(),
            beside: BTreeMap::new(),
            project_package,
        };
        environment.check_direct_dependencies()?;
        Ok(environment)
    }

    /// The folder of the project file.
    pub fn project_dir(&self) -> &Path {
        paths::folder(&self.project_file)
    }

    /// The project as a package, if it is one.
    ///
    /// A project with a name and a UUID counts, whether or not it has a `src/NAME.jl`:
    /// [`Depots::entry_file`] tells.
    pub fn project_package(&self) -> Option<&Package> {
        self.project_package.as_ref()
    }

    /// A package of the manifest, or the project's own.
    pub fn package(&self, uuid: Uuid) -> Option<&Package> {
        self.project_package
            .as_ref()
            .filter(|package| package.uuid == uuid)
            .or_else(|| self.packages.get(&uuid))
    }

    /// What the project's own code can `using`, by name.
    pub fn direct_dependencies(&self) -> Vec<&Package> {
        self.project.deps.values().filter_map(|uuid| self.packages.get(uuid)).collect()
    }

    /// Every package that the direct dependencies and the companions load, and they themselves; each after what it
    /// depends on.
    ///
    /// Weak dependencies are not followed. The order depends on nothing but the files' content. Where packages depend
    /// on each other in a circle, they are in the order in which they were reached.
    pub fn closure(&self) -> Vec<&Package> {
        let companions = self.companions.iter().map(|companion| companion.uuid);
        let roots = self.project.deps.values().copied().chain(companions);
        graph::closure(|uuid| self.packages.get(&uuid), roots)
    }

    /// The packages of the environment, the project's own among them, that these load, and they themselves; each after
    /// what it depends on. What the environment does not have is passed over.
    pub fn closure_of(&self, roots: impl IntoIterator<Item = Uuid>) -> Vec<&Package> {
        graph::closure(|uuid| self.package(uuid), roots.into_iter())
    }

    /// The package that a session loads by this UUID: the project's, or one beside it.
    pub fn package_in_session(&self, uuid: Uuid) -> Option<&Package> {
        self.package(uuid).or_else(|| self.beside.get(&uuid))
    }

    /// The packages that a session loads with these, and they themselves; each after what it depends on.
    pub fn loaded_in_session(&self, roots: impl IntoIterator<Item = Uuid>) -> Vec<&Package> {
        graph::closure(|uuid| self.package_in_session(uuid), roots.into_iter())
    }

    /// The packages that cannot be loaded without this one, directly or through others, in the order of their UUIDs.
    pub fn dependents_of(&self, uuid: Uuid) -> Vec<&Package> {
        let own = self.project_package.iter();
        graph::dependents(self.packages.values().chain(own), uuid)
    }

    /// Checks that everything that would be loaded is installed.
    ///
    /// # Errors
    ///
    /// Names each package that is not.
    pub fn check_installed(&self, depots: &Depots, stdlib_dir: &Path) -> Result<(), EnvironmentError> {
        let packages: Vec<String> = depots
            .missing_packages(self.closure(), stdlib_dir)
            .into_iter()
            .map(|package| match &package.source {
                Source::Stdlib => format!("{package} (not a standard library of this Julia)"),
                Source::Path(path) => format!("{package} (by path: {})", path.display()),
                Source::Tree(_) | Source::Repo { .. } => package.to_string(),
            })
            .collect();
        if packages.is_empty() {
            return Ok(());
        }
        Err(EnvironmentError::NotInstalled { project_file: self.project_file.clone(), packages })
    }

    /// Julia finds a dependency in the manifest by its name and UUID together.
    fn check_direct_dependencies(&self) -> Result<(), EnvironmentError> {
        let found = |(name, uuid): &(&String, &Uuid)| {
            self.packages.get(uuid).is_some_and(|package| package.name == **name)
        };
        let names: Vec<String> = self
            .project
            .deps
            .iter()
            .filter(|dependency| !found(dependency))
            .map(|(name, _)| name.clone())
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(EnvironmentError::NotInManifest {
            project_file: self.project_file.clone(),
            manifest_file: self.manifest_file.clone(),
            names,
        })
    }
}

/// The preferences of everything in the load path.
fn load_preferences(
    files: &ProjectFiles,
    project: &Project,
) -> Result<BTreeMap<Uuid, Table>, EnvironmentError> {
    let mut projects = Vec::new();
    for file in &files.preferences_from {
        let is_own = *file == files.project_file;
        projects.push((
            file.as_path(),
            if is_own { Cow::Borrowed(project) } else { Cow::Owned(Project::read(file)?) },
        ));
    }
    let projects: Vec<_> = projects.iter().map(|(file, project)| (*file, project.as_ref())).collect();
    preferences::collect(&projects)
}
