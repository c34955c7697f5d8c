//! Where preferences come from: every environment that Julia searches.
//!
//! After `parse_load_path` and `load_path_expand` in Julia's `base/initdefs.jl`, and `get_preferences` in `base/loading.jl`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::find::{ProjectFiles, Search, project_in};
use super::{Environment, EnvironmentError, Project, paths, workspace};
use crate::file::Sha256Digest;

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

/// Why a session would take packages from elsewhere than the project, as a sentence without its end: what comes first in
/// `JULIA_LOAD_PATH` and has packages is searched first.
pub(super) fn in_front(search: &Search<'_>, project_file: &Path) -> Option<String> {
    search.load_path?;
    for entry in entries(search.load_path) {
        let has_packages = match expand(search, &entry, project_file) {
            Some(file) if file == project_file => return None,
            // One that sets preferences only has none.
            Some(file) => {
                !Project::read(&file).is_ok_and(|project| project.deps.is_empty() && project.name.is_none())
            }
            None if entry.starts_with('@') => entry.starts_with("@script"),
            None => paths::resolve(search.cwd, &paths::expand_home(Path::new(&entry), search.home)).is_dir(),
        };
        if has_packages {
            return Some(format!("JULIA_LOAD_PATH has packages of {entry} before the project's"));
        }
    }
    Some("JULIA_LOAD_PATH leaves the project out".to_owned())
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
                Some(path).filter(|path| search.is_project_file(path))
            }
        }
    }
}

/// The load path of processes that build, where the user set one.
///
/// Packages come from the project, whatever else is on the user's path. Preferences are those that a session finds there: they are
/// put together in an environment of their own, which comes first and has no packages.
#[derive(Debug, Clone)]
pub struct LoadPath {
    folder: PathBuf,
    project: String,
    has_default: bool,
}

impl LoadPath {
    /// For a project; `None` where the user set no load path. The environment will be in `cache`.
    pub fn of(environment: &Environment, files: &ProjectFiles, cache: &Path) -> Option<Self> {
        if !environment.has_load_path {
            return None;
        }
        // Julia knows a package by what the project calls it, which may be anything.
        let text = |uuid: &super::Uuid| uuid.to_string();
        let preferences = &environment.preferences;
        let names: Table = preferences.keys().map(|uuid| (text(uuid), Value::from(text(uuid)))).collect();
        let tables = preferences.iter().map(|(uuid, table)| (text(uuid), Value::from(table.clone())));
        let project = Table::from_iter([
            ("extras".to_owned(), Value::from(names)),
            ("preferences".to_owned(), Value::from(tables.collect::<Table>())),
        ]);
        let project = project.to_string();
        let folder = cache.join("preferences").join(format!("{:.32}", Sha256Digest::of(&project)));
        let default = files.default_project.as_ref();
        let has_default = default.is_some_and(|default| files.preferences_from.contains(default));
        Some(Self { folder, project, has_default })
    }

    /// The value of `JULIA_LOAD_PATH`.
    pub fn value(&self) -> OsString {
        let mut value = self.folder.clone().into_os_string();
        value.push(if self.has_default { ":@:@v#.#:@stdlib" } else { ":@:@stdlib" });
        value
    }

    /// Writes the environment with the preferences.
    pub fn write(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        std::fs::write(self.folder.join("Project.toml"), &self.project)
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
