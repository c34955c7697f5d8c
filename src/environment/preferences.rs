//! Preferences: settings of packages that change what they compile to.
//!
//! After `get_preferences`, `collect_preferences` and `recursive_prefs_merge` in Julia's `base/loading.jl`. Which
//! sections of a project may name a package grew over the versions (`[deps]` in 1.6, then `[extras]`, then
//! `[weakdeps]`); all three count here, as a preference too many in the key costs less than one too few.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::error::EnvironmentError;
use super::fields::{self, Fields};
use super::{Project, paths};

use crate::uuid::Uuid;

/// Preference files beside a project file; the first that exists is read.
const FILE_NAMES: [&str; 2] = ["JuliaLocalPreferences.toml", "LocalPreferences.toml"];

/// The preferences of packages, as one environment of the load path sets them.
///
/// `project_file` only says where the local preferences are and what to call the project in messages.
fn of_project(
    project_file: &Path,
    project: &Project,
) -> Result<BTreeMap<Uuid, Vec<Table>>, EnvironmentError> {
    let folder = paths::folder(project_file);
    let local = FILE_NAMES.iter().map(|name| folder.join(name)).find(|file| file.is_file());
    let local = match &local {
        Some(file) => Some((file.as_path(), fields::read(file)?)),
        None => None,
    };
    // The project's own table first: what stands in the local file is merged over it.
    let mut sources = vec![(project_file, "preferences.", &project.preferences)];
    sources.extend(local.as_ref().map(|(file, table)| (*file, "", table)));

    let mut found: BTreeMap<Uuid, Vec<Table>> = BTreeMap::new();
    for (uuid, name) in names(project) {
        for (file, section, table) in &sources {
            match table.get(name) {
                None => {}
                Some(Value::Table(table)) => found.entry(uuid).or_default().push(table.clone()),
                Some(_) => {
                    let field = format!("{section}{name}");
                    return Err(Fields::of_file(file, table).wrong(&field, "is not a table"));
                }
            }
        }
    }
    Ok(found)
}

/// The name by which a project's preferences know each package (`get_uuid_name`).
fn names(project: &Project) -> BTreeMap<Uuid, &str> {
    let mut names = BTreeMap::new();
    // From the least to the most decisive, so that a later section's name replaces an earlier one's.
    for section in [&project.weak_deps, &project.extras, &project.deps] {
        // Reversed, so that of two names in a section the first wins.
        names.extend(section.iter().rev().map(|(name, uuid)| (*uuid, name.as_str())));
    }
    if let (Some(name), Some(uuid)) = (&project.name, project.uuid) {
        names.insert(uuid, name);
    }
    names
}

/// The preferences of every package that one of the projects names, nearest project first.
///
/// A package without preferences is not in the result.
///
/// # Errors
///
/// A preferences file cannot be read or is not TOML, or a package's preferences are not a table.
pub fn collect(projects: &[(&Path, &Project)]) -> Result<BTreeMap<Uuid, Table>, EnvironmentError> {
    let mut merged: BTreeMap<Uuid, Table> = BTreeMap::new();
    // From the far end, so that what is nearer overrides.
    for (file, project) in projects.iter().rev() {
        for (uuid, tables) in of_project(file, project)? {
            let base = merged.entry(uuid).or_default();
            for table in tables {
                merge(base, table);
            }
        }
    }
    merged.retain(|_, table| !table.is_empty());
    Ok(merged)
}

/// Puts `over` on top of `base`: tables are merged, all else is replaced, and what `over` lists under `__clear__` goes.
/// The list itself stays in the result, as it does in Julia.
pub fn merge(base: &mut Table, over: Table) {
    if let Some(cleared) = over.get("__clear__").and_then(Value::as_array) {
        // Julia heeds the list only when it has nothing but strings.
        let keys: Option<Vec<&str>> = cleared.iter().map(Value::as_str).collect();
        for key in keys.unwrap_or_default() {
            base.remove(key);
        }
    }
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, over: &str) -> Table {
        let mut table: Table = base.parse().unwrap();
        merge(&mut table, over.parse().unwrap());
        table
    }

    #[test]
    fn tables_merge_and_values_replace() {
        assert_eq!(
            merged("a = 1\nb = {x = 1, y = 2}\nc = {x = 1}", "b = {y = 3}\nc = 5\nd = 6"),
            "a = 1\nb = {x = 1, y = 3}\nc = 5\nd = 6".parse().unwrap()
        );
    }

    #[test]
    fn clear_removes_before_what_comes_with_it_is_set() {
        let over = "__clear__ = ['a', 'b']\nb = {y = 2}";
        assert_eq!(
            merged("a = 1\nb = {x = 1}\nc = 1", over),
            "c = 1\nb = {y = 2}\n__clear__ = ['a', 'b']".parse().unwrap()
        );
    }

    #[test]
    fn clear_works_at_any_depth_and_only_with_strings() {
        assert_eq!(
            merged("t = {a = 1, b = 2}", "t = {__clear__ = ['a']}"),
            "t = {b = 2, __clear__ = ['a']}".parse().unwrap()
        );
        assert_eq!(merged("a = 1", "__clear__ = ['a', 1]"), "a = 1\n__clear__ = ['a', 1]".parse().unwrap());
    }
}
