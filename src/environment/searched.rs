//! The environments that Julia searches, from which preferences and packages come.
//!
//! After `parse_load_path` and `load_path_expand` in Julia's `base/initdefs.jl`, and `get_preferences` in `base/loading.jl`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::project_file::{is_project_name, project_in};
use super::{EnvironmentError, Project, Search, paths, workspace};

/// `Base.DEFAULT_LOAD_PATH`.
const DEFAULT: [&str; 3] = ["@", "@v#.#", "@stdlib"];

/// The project files whose preferences count, the nearest first.
pub(super) fn project_files(
    search: &Search<'_>,
    project_file: &Path,
) -> Result<Vec<PathBuf>, EnvironmentError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in entries(search.load_path) {
        let Some(file) = expand(search, &entry, project_file) else { continue };
        if files.contains(&file) {
            continue;
        }
        // Those above it count for the first alone (`get_preferences`, since 1.12).
        let above =
            if files.is_empty() { workspace::above(&file, search.home, search.julia)? } else { Vec::new() };
        files.push(file);
        files.extend(above);
    }
    Ok(files)
}

impl Search<'_> {
    /// Why a session would take packages from elsewhere than the project, as a sentence without its end: what comes first in
    /// `JULIA_LOAD_PATH` and has packages is searched first.
    pub fn in_front(&self, project_file: &Path) -> Option<String> {
        self.load_path?;
        for entry in entries(self.load_path) {
            let has_packages = match expand(self, &entry, project_file) {
                Some(file) if file == project_file => return None,
                // One that sets preferences only has none.
                Some(file) => !Project::read(&file)
                    .is_ok_and(|project| project.deps.is_empty() && project.name.is_none()),
                None if entry.starts_with('@') => entry.starts_with("@script"),
                None => paths::resolve(self.cwd, &paths::expand_home(Path::new(&entry), self.home)).is_dir(),
            };
            if has_packages {
                return Some(format!("JULIA_LOAD_PATH has packages of {entry} before the project's"));
            }
        }
        Some("JULIA_LOAD_PATH leaves the project out".to_owned())
    }
}

/// The entries of `JULIA_LOAD_PATH`; an empty one stands for the defaults.
fn entries(variable: Option<&OsStr>) -> Vec<String> {
    let Some(variable) = variable else { return DEFAULT.map(str::to_owned).into() };
    let mut entries: Vec<String> = Vec::new();
    // Set and empty: nothing at all.
    let given = Some(variable.to_string_lossy()).filter(|variable| !variable.is_empty());
    for entry in given.iter().flat_map(|variable| variable.split(':')) {
        let meant = if entry.is_empty() { DEFAULT.as_slice() } else { &[entry] };
        for entry in meant {
            if entries.iter().all(|known| known != entry) {
                entries.push((*entry).to_owned());
            }
        }
    }
    entries
}

/// The project file that an entry means; `None` for what has none, such as a folder of packages.
fn expand(search: &Search<'_>, entry: &str, project_file: &Path) -> Option<PathBuf> {
    match entry {
        "@" => Some(project_file.to_owned()),
        "@." => search.upward(),
        // These have no project file, or depend on the script that is run.
        "@stdlib" | "@temp" => None,
        _ if entry.starts_with("@script") => None,
        _ if entry.starts_with('@') => search.environment(&search.numbered(&entry[1..])),
        path => {
            let path = paths::expand_home(Path::new(path), search.home);
            let path = paths::resolve(search.cwd, &path);
            if path.is_dir() {
                project_in(&path)
            } else {
                Some(path).filter(|path| path.is_file() && is_project_name(path))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_entry_stands_for_the_defaults() {
        let of = |variable: &str| entries(Some(variable.as_ref()));
        assert_eq!(entries(None), ["@", "@v#.#", "@stdlib"]);
        assert_eq!(of(""), Vec::<String>::new());
        assert_eq!(of(":/site"), ["@", "@v#.#", "@stdlib", "/site"]);
        assert_eq!(of("/site:"), ["/site", "@", "@v#.#", "@stdlib"]);
        assert_eq!(of("@:/site::/site"), ["@", "/site", "@v#.#", "@stdlib"]);
    }
}
