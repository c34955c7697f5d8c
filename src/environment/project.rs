//! Project files: what a project says it needs.
//!
//! What is accepted is what Pkg accepts: `src/project.jl` of JuliaLang/Pkg.jl, but for the grammar of `[compat]`
//! values, which nothing here depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::EnvironmentError;
use super::fields::{self, Fields};
use super::manifest::{read_entry_file, read_extensions, uuids};
use super::package::{Package, Source, is_identifier};
use super::paths;

use crate::uuid::Uuid;
use crate::version::Version;

/// A project file's content.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Project {
    /// The name; projects that are not packages often have none, or one that is no identifier.
    pub name: Option<String>,
    /// The identity, which makes a named project a package.
    pub uuid: Option<Uuid>,
    /// The version.
    pub version: Option<String>,
    /// The manifest to use, relative to the project's folder (`manifest = "…"`).
    pub manifest: Option<PathBuf>,
    /// The package's file, where it is not `src/NAME.jl` (`entryfile`, or `path` as it was first called).
    pub entry_file: Option<PathBuf>,
    /// What it depends on: the names that code can `using`. Weak dependencies are not among them, even where the file
    /// lists them twice for the sake of Julia 1.8 and older.
    pub deps: BTreeMap<String, Uuid>,
    /// What it has extensions for.
    pub weak_deps: BTreeMap<String, Uuid>,
    /// What its tests and its preferences name besides.
    pub extras: BTreeMap<String, Uuid>,
    /// Each extension with the packages that trigger it.
    pub extensions: BTreeMap<String, Vec<Uuid>>,
    /// Lists of names for a purpose, such as `test`.
    pub targets: BTreeMap<String, Vec<String>>,
    /// The versions it works with, as written.
    pub compat: BTreeMap<String, String>,
    /// Where to get a dependency instead of a registry (Julia 1.11).
    pub sources: BTreeMap<String, ProjectSource>,
    /// The folders of the projects that share this one's manifest, as written (Julia 1.12).
    pub workspace: Vec<PathBuf>,
    /// The `[preferences]` table: a table for each package, by name.
    pub preferences: Table,
}

/// Where a project wants a dependency from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectSource {
    /// A folder, as written.
    pub path: Option<String>,
    /// A repository.
    pub url: Option<String>,
    /// A branch, tag or commit.
    pub rev: Option<String>,
    /// A folder in the repository.
    pub subdir: Option<String>,
}

impl Project {
    /// Reads a project file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not TOML, or Pkg would not accept it.
    pub fn read(file: &Path) -> Result<Self, EnvironmentError> {
        Self::from_table(file, &fields::read(file)?)
    }

    /// Reads the text of a project; `file` is for messages.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn parse(file: &Path, text: &str) -> Result<Self, EnvironmentError> {
        Self::from_table(file, &fields::parse(file, text)?)
    }

    fn from_table(file: &Path, table: &Table) -> Result<Self, EnvironmentError> {
        let top = Fields::of_file(file, table);
        top.parsed::<Version>("version")?;
        let mut deps = dependencies(top, "deps")?;
        let weak_deps = dependencies(top, "weakdeps")?;
        let extras = dependencies(top, "extras")?;
        let extensions = read_extensions(top, &[&deps, &weak_deps])?;
        deps.retain(|name, uuid| weak_deps.get(name) != Some(uuid));
        let project = Self {
            name: top.string("name")?.map(str::to_owned),
            uuid: top.parsed("uuid")?,
            version: top.string("version")?.map(str::to_owned),
            manifest: top.path("manifest")?.map(Path::to_owned),
            entry_file: match read_entry_file(top, "path")? {
                None => read_entry_file(top, "entryfile")?,
                path => path,
            },
            deps: owned(&deps),
            weak_deps: owned(&weak_deps),
            extras: owned(&extras),
            extensions,
            targets: targets(top)?,
            compat: compat(top)?,
            sources: sources(top)?,
            workspace: workspace(top)?,
            preferences: preferences(top)?,
        };
        project.check_listed(top)?;
        Ok(project)
    }

    /// The project as a package: one with a UUID, and with a name that can be loaded.
    pub fn package(&self, project_file: &Path) -> Option<Package> {
        let name = self.name.as_ref().filter(|name| is_identifier(name))?;
        let unique = |deps: &BTreeMap<String, Uuid>| -> Vec<Uuid> {
            let unique: BTreeSet<Uuid> = deps.values().copied().collect();
            unique.into_iter().collect()
        };
        Some(Package {
            uuid: self.uuid?,
            name: name.clone(),
            version: self.version.clone(),
            source: Source::Path(paths::folder(project_file).to_owned()),
            deps: unique(&self.deps),
            weak_deps: unique(&self.weak_deps),
            extensions: self.extensions.clone(),
            entry_file: self.entry_file.clone(),
        })
    }

    /// What other sections name must be a dependency of some kind (`validate` in Pkg's `src/project.jl`).
    fn check_listed(&self, top: Fields<'_>) -> Result<(), EnvironmentError> {
        let strong = |name: &str| self.deps.contains_key(name) || self.extras.contains_key(name);
        let any = |name: &str| strong(name) || self.weak_deps.contains_key(name);
        let unlisted = |section: &str, name: &str, where_: &str| {
            let problem = format!("names `{name}`, which is not in {where_}");
            Err(top.wrong(section, problem))
        };
        for (target, names) in &self.targets {
            if let Some(name) = names.iter().find(|name| !any(name)) {
                let section = format!("targets.{target}");
                return unlisted(&section, name, "[deps], [weakdeps] or [extras]");
            }
        }
        for name in self.compat.keys() {
            if name != "julia" && !any(name) {
                return unlisted("compat", name, "[deps], [weakdeps] or [extras]");
            }
        }
        match self.sources.keys().find(|name| !strong(name)) {
            Some(name) => unlisted("sources", name, "[deps] or [extras]"),
            None => Ok(()),
        }
    }
}

fn owned(deps: &BTreeMap<&str, Uuid>) -> BTreeMap<String, Uuid> {
    deps.iter().map(|(name, uuid)| ((*name).to_owned(), *uuid)).collect()
}

/// A section of names and UUIDs, no UUID twice.
fn dependencies<'a>(top: Fields<'a>, section: &'a str) -> Result<BTreeMap<&'a str, Uuid>, EnvironmentError> {
    let Some(table) = top.table(section)? else {
        return Ok(BTreeMap::new());
    };
    let deps = uuids(table)?;
    let mut seen = BTreeMap::new();
    for (name, uuid) in &deps {
        if !is_identifier(name) {
            return Err(table.wrong(name, "is not named by a Julia identifier"));
        }
        if let Some(other) = seen.insert(uuid, name) {
            return Err(table.wrong(name, format!("has the same UUID as `{other}`")));
        }
    }
    Ok(deps)
}

fn targets(top: Fields<'_>) -> Result<BTreeMap<String, Vec<String>>, EnvironmentError> {
    let mut found = BTreeMap::new();
    let Some(targets) = top.table("targets")? else {
        return Ok(found);
    };
    for (target, _) in targets.entries() {
        let mut names = BTreeSet::new();
        for name in targets.strings(target)?.unwrap_or_default() {
            if !names.insert(name.to_owned()) {
                return Err(targets.wrong(target, format!("names `{name}` twice")));
            }
        }
        found.insert(target.to_owned(), names.into_iter().collect());
    }
    Ok(found)
}

fn compat(top: Fields<'_>) -> Result<BTreeMap<String, String>, EnvironmentError> {
    let mut found = BTreeMap::new();
    let Some(compat) = top.table("compat")? else {
        return Ok(found);
    };
    for (name, _) in compat.entries() {
        if let Some(versions) = compat.string(name)? {
            found.insert(name.to_owned(), versions.to_owned());
        }
    }
    Ok(found)
}

fn sources(top: Fields<'_>) -> Result<BTreeMap<String, ProjectSource>, EnvironmentError> {
    let mut found = BTreeMap::new();
    let Some(sources) = top.table("sources")? else {
        return Ok(found);
    };
    for (name, _) in sources.entries() {
        let Some(source) = sources.table(name)? else {
            continue;
        };
        let known = ["path", "url", "rev", "subdir"];
        if let Some((key, _)) = source.entries().find(|(key, _)| !known.contains(key)) {
            return Err(sources.wrong(name, format!("has the unknown key `{key}`")));
        }
        let text = |key| Ok(source.string(key)?.map(str::to_owned));
        let source = ProjectSource {
            path: text("path")?,
            url: text("url")?,
            rev: text("rev")?,
            subdir: text("subdir")?,
        };
        if source.path.is_some() && (source.url.is_some() || source.rev.is_some()) {
            return Err(sources.wrong(name, "has both a `path` and a `url` or `rev`"));
        }
        found.insert(name.to_owned(), source);
    }
    Ok(found)
}

fn workspace(top: Fields<'_>) -> Result<Vec<PathBuf>, EnvironmentError> {
    let Some(workspace) = top.table("workspace")? else {
        return Ok(Vec::new());
    };
    if let Some((key, _)) = workspace.entries().find(|(key, _)| *key != "projects") {
        return Err(workspace.wrong(key, "is not known"));
    }
    let folders = workspace.strings("projects")?.unwrap_or_default();
    if folders.iter().any(|folder| folder.contains('\0')) {
        return Err(workspace.wrong("projects", "has a NUL in a path"));
    }
    Ok(folders.into_iter().map(PathBuf::from).collect())
}

fn preferences(top: Fields<'_>) -> Result<Table, EnvironmentError> {
    match top.value("preferences") {
        None => Ok(Table::new()),
        Some(Value::Table(table)) => Ok(table.clone()),
        Some(_) => Err(top.wrong("preferences", "is not a table")),
    }
}
