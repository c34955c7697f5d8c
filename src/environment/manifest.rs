//! Manifests: every package of an environment, pinned.
//!
//! What is accepted is what Pkg accepts: `src/manifest.jl` of JuliaLang/Pkg.jl (`Manifest(raw, …)`,
//! `normalize_deps`, `validate_manifest`), as its `test/manifests.jl` shows. Three things are stricter: an unknown
//! major format, where Pkg warns and reads on; one UUID used twice, where Pkg keeps whichever it read last; and
//! names and paths that could reach outside the folders they belong in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use super::error::EnvironmentError;
use super::fields::{self, Fields};
use super::package::{Package, Source, TreeHash, is_identifier};
use super::paths;

use crate::uuid::Uuid;
use crate::version::Version;

/// A manifest file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it says about itself.
    pub header: Header,
    /// Its packages.
    pub packages: BTreeMap<Uuid, Package>,
}

/// What a manifest says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// 1.0.0 for manifests of Julia 1.6 and older, which do not say it; 2.x from 1.7 on.
    pub format: Version,
    /// The Julia that resolved it; not in format 1.
    pub julia_version: Option<Version>,
    /// A hash over the project's dependencies when it was resolved; not before Julia 1.8.
    pub project_hash: Option<TreeHash>,
}

impl Manifest {
    /// Reads a manifest file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not TOML, or Pkg would not accept it.
    pub fn read(file: &Path) -> Result<Self, EnvironmentError> {
        Self::from_table(file, &fields::read(file)?)
    }

    /// Reads the text of a manifest; `file` is for messages and for what relative paths are relative to.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn parse(file: &Path, text: &str) -> Result<Self, EnvironmentError> {
        Self::from_table(file, &fields::parse(file, text)?)
    }

    fn from_table(file: &Path, table: &Table) -> Result<Self, EnvironmentError> {
        let top = Fields::of_file(file, table);
        let header = read_header(file, top)?;
        // Julia's `is_v1_format_manifest`: a file that does not say its format has its packages at the top.
        let groups = if top.value("manifest_format").is_none() {
            Some(top)
        } else {
            check_registries(top)?;
            top.table("deps")?
        };
        let entries = match groups {
            Some(groups) => read_entries(file, groups)?,
            None => Vec::new(),
        };
        Ok(Self { header, packages: connect(&entries)? })
    }
}

fn read_header(file: &Path, top: Fields<'_>) -> Result<Header, EnvironmentError> {
    let format = match top.string("manifest_format")? {
        Some(text) => top
            .parsed::<Version>("manifest_format")?
            .filter(|format| (1..=2).contains(&format.major))
            .ok_or_else(|| EnvironmentError::UnknownFormat {
                file: file.to_owned(),
                format: text.to_owned(),
            })?,
        // Pkg takes an empty file for format 2 (`read_manifest`).
        None if top.entries().next().is_none() => Version::new(2, 0, 0),
        // Format 1 has nothing but packages at the top, so a package may be called `julia_version`.
        None => {
            return Ok(Header { format: Version::new(1, 0, 0), julia_version: None, project_hash: None });
        }
    };
    Ok(Header {
        format,
        julia_version: top.parsed("julia_version")?,
        project_hash: top.parsed("project_hash")?,
    })
}

/// Format 2.1 lists the registries that packages came from. They do not change what is loaded, but Pkg checks them.
fn check_registries(top: Fields<'_>) -> Result<(), EnvironmentError> {
    let Some(registries) = top.table("registries")? else {
        return Ok(());
    };
    for (name, _) in registries.entries() {
        if let Some(registry) = registries.table(name)? {
            if registry.parsed::<Uuid>("uuid")?.is_none() {
                return Err(registry.wrong("uuid", "is missing"));
            }
            registry.string("url")?;
        }
    }
    Ok(())
}

/// A package whose dependencies are still names.
struct Entry<'a> {
    fields: Fields<'a>,
    package: Package,
}

/// The entries of all packages: each name has a list, for several packages may be called the same.
fn read_entries<'a>(file: &Path, groups: Fields<'a>) -> Result<Vec<Entry<'a>>, EnvironmentError> {
    let mut entries = Vec::new();
    for (name, group) in groups.entries() {
        let not_entries = || groups.wrong(name, "is not a list of package entries");
        for entry in group.as_array().ok_or_else(not_entries)? {
            let table = entry.as_table().ok_or_else(not_entries)?;
            let fields = groups.of_package(name, table);
            let package = read_package(file, name, fields)?;
            entries.push(Entry { fields, package });
        }
    }
    Ok(entries)
}

fn read_package(file: &Path, name: &str, fields: Fields<'_>) -> Result<Package, EnvironmentError> {
    if !is_identifier(name) {
        return Err(fields.wrong("name", "is not a Julia identifier"));
    }
    let uuid = fields.parsed("uuid")?.ok_or_else(|| fields.wrong("uuid", "is missing"))?;
    fields.boolean("pinned")?;
    fields.parsed::<Version>("version")?;
    check_unused(fields)?;
    Ok(Package {
        uuid,
        name: name.to_owned(),
        version: fields.string("version")?.map(str::to_owned),
        source: read_source(file, fields)?,
        deps: Vec::new(),
        weak_deps: Vec::new(),
        extensions: BTreeMap::new(),
        entry_file: read_entry_file(fields, "entryfile")?,
    })
}

/// Fields that say nothing about what is loaded, but that Pkg refuses when they are malformed.
fn check_unused(fields: Fields<'_>) -> Result<(), EnvironmentError> {
    fields.one_or_more("registries")?;
    if let Some(apps) = fields.table("apps")? {
        for (name, _) in apps.entries() {
            if let Some(app) = apps.table(name)? {
                if app.string("julia_command")?.is_none() {
                    return Err(app.wrong("julia_command", "is missing"));
                }
                app.strings("julia_flags")?;
            }
        }
    }
    if let Some(syntax) = fields.table("syntax")? {
        syntax.parsed::<Version>("julia_version")?;
    }
    Ok(())
}

/// As `explicit_manifest_entry_path` in Julia's `base/loading.jl`: a path wins over a tree, and an entry with neither
/// is a standard library.
fn read_source(file: &Path, fields: Fields<'_>) -> Result<Source, EnvironmentError> {
    let path = fields.path("path")?;
    let tree = fields.parsed("git-tree-sha1")?;
    let url = fields.string("repo-url")?.map(str::to_owned);
    let rev = fields.string("repo-rev")?.map(str::to_owned);
    let subdir = fields.string("repo-subdir")?.map(str::to_owned);
    Ok(match (path, tree, url) {
        (Some(path), _, _) => Source::Path(paths::resolve(paths::folder(file), path)),
        (None, Some(tree), Some(url)) => Source::Repo { tree, url, rev, subdir },
        (None, Some(tree), None) => Source::Tree(tree),
        // Pkg writes the tree when it has cloned the repository; until then Julia cannot find the package.
        (None, None, Some(_)) => {
            return Err(fields.wrong(
                "git-tree-sha1",
                "is missing, so Julia cannot find this package that has a `repo-url`",
            ));
        }
        (None, None, None) => Source::Stdlib,
    })
}

/// The file to load in a package's folder, which it must not leave.
pub(super) fn read_entry_file(fields: Fields<'_>, field: &str) -> Result<Option<PathBuf>, EnvironmentError> {
    let Some(path) = fields.path(field)? else {
        return Ok(None);
    };
    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !path.components().all(inside) {
        return Err(fields.wrong(field, "leaves the package's folder"));
    }
    Ok(Some(path.to_owned()))
}

/// Turns names into identities, and checks that they are right (`validate_manifest`).
fn connect(entries: &[Entry<'_>]) -> Result<BTreeMap<Uuid, Package>, EnvironmentError> {
    let mut names: HashMap<&str, Vec<Uuid>> = HashMap::new();
    let mut by_uuid: BTreeMap<Uuid, &Entry<'_>> = BTreeMap::new();
    for entry in entries {
        let package = &entry.package;
        names.entry(&package.name).or_default().push(package.uuid);
        if let Some(first) = by_uuid.insert(package.uuid, entry) {
            let problem = format!("is also the UUID of `{}`", first.package.name);
            return Err(entry.fields.wrong("uuid", problem));
        }
    }
    let find = |uuid: Uuid| by_uuid.get(&uuid).map(|entry| entry.package.name.as_str());
    by_uuid
        .iter()
        .map(|(uuid, entry)| {
            let deps = named(entry.fields, "deps", &names)?;
            for (name, uuid) in &deps {
                check_dependency(entry.fields, name, *uuid, find(*uuid))?;
            }
            let weak_deps = named(entry.fields, "weakdeps", &names)?;
            let package = Package {
                extensions: read_extensions(entry.fields, &[&deps, &weak_deps])?,
                deps: sorted(&deps),
                weak_deps: sorted(&weak_deps),
                ..entry.package.clone()
            };
            Ok((*uuid, package))
        })
        .collect()
}

fn sorted(deps: &BTreeMap<&str, Uuid>) -> Vec<Uuid> {
    let unique: BTreeSet<Uuid> = deps.values().copied().collect();
    unique.into_iter().collect()
}

/// The packages of a `deps` or `weakdeps` field: a list of names that are unique in the manifest, or a table of names
/// and UUIDs (`normalize_deps`).
fn named<'a>(
    fields: Fields<'a>,
    field: &'a str,
    names: &HashMap<&str, Vec<Uuid>>,
) -> Result<BTreeMap<&'a str, Uuid>, EnvironmentError> {
    if let Some(Value::Table(_)) = fields.value(field) {
        return fields.table(field)?.map_or(Ok(BTreeMap::new()), uuids);
    }
    let Ok(list) = fields.strings(field) else {
        return Err(fields.wrong(field, "is neither a list of names nor a table of UUIDs"));
    };
    let mut found = BTreeMap::new();
    for name in list.unwrap_or_default() {
        let uuid = match names.get(name).map(Vec::as_slice) {
            Some([uuid]) => *uuid,
            Some(_) => {
                let problem = format!("names `{name}`, which several packages are called");
                return Err(fields.wrong(field, problem));
            }
            None => {
                let problem = format!("names `{name}`, which the manifest does not have");
                return Err(fields.wrong(field, problem));
            }
        };
        if found.insert(name, uuid).is_some() {
            return Err(fields.wrong(field, format!("names `{name}` twice")));
        }
    }
    Ok(found)
}

/// A table of names and UUIDs.
pub(super) fn uuids(table: Fields<'_>) -> Result<BTreeMap<&str, Uuid>, EnvironmentError> {
    let mut found = BTreeMap::new();
    for (name, _) in table.entries() {
        if let Some(uuid) = table.parsed(name)? {
            found.insert(name, uuid);
        }
    }
    Ok(found)
}

fn check_dependency(
    fields: Fields<'_>,
    name: &str,
    uuid: Uuid,
    found: Option<&str>,
) -> Result<(), EnvironmentError> {
    let problem = match found {
        Some(found) if found == name => return Ok(()),
        Some(found) => format!("names `{name}` with the UUID of `{found}`"),
        None => format!("names `{name}` = {uuid}, which the manifest does not have"),
    };
    Err(fields.wrong("deps", problem))
}

/// The extensions with their triggers.
///
/// A trigger that is neither a weak nor a full dependency can never load (Julia looks it up in just those,
/// `_insert_extension_triggers` in `base/loading.jl`), so an extension with such a trigger is left out.
pub(super) fn read_extensions(
    fields: Fields<'_>,
    dependencies: &[&BTreeMap<&str, Uuid>],
) -> Result<BTreeMap<String, Vec<Uuid>>, EnvironmentError> {
    let mut found = BTreeMap::new();
    let Some(extensions) = fields.table("extensions")? else {
        return Ok(found);
    };
    for (name, _) in extensions.entries() {
        if !is_identifier(name) {
            return Err(extensions.wrong(name, "is not named by a Julia identifier"));
        }
        let resolve = |trigger: &str| dependencies.iter().find_map(|deps| deps.get(trigger));
        let triggers: Option<BTreeSet<Uuid>> =
            extensions.one_or_more(name)?.into_iter().map(|trigger| resolve(trigger).copied()).collect();
        if let Some(triggers) = triggers {
            found.insert(name.to_owned(), triggers.into_iter().collect());
        }
    }
    Ok(found)
}
