//! Workspaces: projects that share the manifest of a project above them (Julia 1.12).

use std::path::{Path, PathBuf};

use super::error::EnvironmentError;
use super::project_file::project_in;
use super::{Project, paths};

use crate::version::Version;

/// The projects whose workspace a project is in, the nearest first.
///
/// After `get_projects_workspace_to_root` in Julia's `base/loading.jl`.
pub(super) fn above(
    project_file: &Path,
    home: Option<&Path>,
    julia: &Version,
) -> Result<Vec<PathBuf>, EnvironmentError> {
    let mut found: Vec<PathBuf> = Vec::new();
    if (julia.major, julia.minor) < (1, 12) {
        return Ok(found);
    }
    // Each step goes up at least one folder, so this ends.
    while let Some(base) = base_project(found.last().map_or(project_file, PathBuf::as_path), home)? {
        found.push(base);
    }
    Ok(found)
}

/// The nearest project above that lists this one's folder under `[workspace] projects` (`Base.base_project`).
///
/// 1.12.0 looked no further than the parent folder; later versions look in every one above.
fn base_project(project_file: &Path, home: Option<&Path>) -> Result<Option<PathBuf>, EnvironmentError> {
    let folder = paths::folder(project_file);
    // A project under the home folder does not belong to one outside it.
    let boundary = home.filter(|home| folder.starts_with(home));
    for above in folder.ancestors().skip(1) {
        if boundary.is_some_and(|home| !above.starts_with(home)) {
            break;
        }
        let Some(file) = project_in(above) else {
            continue;
        };
        let projects = Project::read(&file)?.workspace;
        if projects.iter().any(|project| same_folder(&above.join(project), folder)) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Whether two paths are one folder, whichever way they are written (`samefile`).
fn same_folder(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b && a.is_dir(),
        _ => false,
    }
}
