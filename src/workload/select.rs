//! Which workloads a project has.

use std::path::{Path, PathBuf};

use super::select_error::SelectError;
use super::{Kernel, Kind, Notebook, Script, TestSuite, Workload, WorkloadSettings, notebook_files};
use crate::environment::{Environment, IJULIA, Package, Source};
use crate::file::Sha256Digest;

/// The workloads of a project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The workloads, in the order in which they are reported.
    pub workloads: Vec<Workload>,
    /// What is not among them although one might expect it, one sentence each.
    pub warnings: Vec<String>,
}

/// Selects the workloads of a project.
///
/// A package whose folder is not there, or that has no `test/runtests.jl`, has no test suite.
pub fn select(
    environment: &Environment,
    settings: &WorkloadSettings,
    package_folder: impl Fn(&Package) -> Option<PathBuf>,
) -> Result<Selection, SelectError> {
    let mut workloads = Vec::new();
    let mut warnings = Vec::new();
    if settings.kinds.contains(&Kind::Load) {
        workloads.push(Workload::Load);
    }
    if settings.kinds.contains(&Kind::Tests) {
        let tested = environment.direct_dependencies().into_iter().chain(environment.project_package());
        let tested = tested.filter(|package| !settings.skip_tests.contains(&package.name));
        workloads.extend(tested.filter_map(|package| test_suite(package, &package_folder)));
    }
    if settings.kinds.contains(&Kind::Notebooks) {
        let folder = environment.project_dir();
        let files = notebook_files::find(folder, settings.notebooks.as_deref())?;
        warnings.extend(files.warning);
        for file in files.found {
            match Notebook::read(folder, &file.name) {
                Ok(notebook) if notebook.cells.is_empty() => {}
                Ok(notebook) => workloads.push(Workload::Notebook(notebook)),
                // Another language's notebooks are as they should be, unless somebody names one.
                Err(problem) if problem.is_other_language() && !file.named => {}
                Err(problem) => warnings.push(format!("{} is not run: {problem}", file.name.display())),
            }
        }
        let has_notebooks = workloads.iter().any(|workload| matches!(workload, Workload::Notebook(_)));
        let names_ijulia = environment.project.deps.values().any(|uuid| *uuid == IJULIA);
        if has_notebooks || names_ijulia {
            workloads.extend(Kernel::of(environment).map(Workload::Kernel));
        }
    }
    if settings.kinds.contains(&Kind::Scripts) {
        let folder = environment.project_dir();
        for name in script_names(folder, settings) {
            workloads.push(script(folder, name)?);
        }
    }
    Ok(Selection { workloads, warnings })
}

fn test_suite(package: &Package, package_folder: impl Fn(&Package) -> Option<PathBuf>) -> Option<Workload> {
    let folder = package_folder(package)?;
    let is_own = matches!(package.source, Source::Path(_));
    folder.join("test/runtests.jl").is_file().then(|| {
        Workload::Tests(TestSuite { package: package.name.clone(), uuid: package.uuid, folder, is_own })
    })
}

fn script_names(folder: &Path, settings: &WorkloadSettings) -> Vec<PathBuf> {
    settings.scripts.clone().unwrap_or_else(|| conventional_scripts(folder))
}

/// `precompile*.jl` in the project's folder: the name that PackageCompiler's manual and the VS Code task use.
fn conventional_scripts(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_conventional = |name: &str| name.starts_with("precompile") && name.ends_with(".jl");
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut names: Vec<PathBuf> =
        names.filter(|name| name.to_str().is_some_and(is_conventional)).map(PathBuf::from).collect();
    names.sort();
    names
}

fn script(folder: &Path, name: PathBuf) -> Result<Workload, SelectError> {
    let path = folder.join(&name);
    match Sha256Digest::of_file(&path) {
        Ok(sha256) => Ok(Workload::Script(Script { name, path, sha256 })),
        Err(source) => Err(SelectError::Script { script: path, source }),
    }
}
