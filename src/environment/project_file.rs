//! The names of a project's file.

use std::path::{Path, PathBuf};

/// `Base.project_names`.
const PROJECT_NAMES: [&str; 2] = ["JuliaProject.toml", "Project.toml"];

/// The project file in a folder (`Base.locate_project_file`).
pub fn project_in(folder: &Path) -> Option<PathBuf> {
    PROJECT_NAMES.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

/// Whether a path has the name of a project file.
pub(super) fn is_project_name(path: &Path) -> bool {
    path.file_name().is_some_and(|name| PROJECT_NAMES.iter().any(|known| name == *known))
}
