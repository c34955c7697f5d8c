//! What Julia searches while jlsys builds.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Environment, ProjectFiles};
use crate::file::Sha256Digest;
use crate::uuid::Uuid;

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
        let text = |uuid: &Uuid| uuid.to_string();
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
