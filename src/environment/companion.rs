//! Packages of another environment that are taken along with a project's own.
//!
//! Julia searches the default environment (`@v#.#`) behind the project, and tools live there that every project is worked on
//! with; IJulia, which a notebook's kernel is, above all. Such a package can go into a project's image when both environments
//! agree on everything that it needs: an image holds one version of each package.
//!
//! Where they do not agree, a session loads it all the same, beside the project's own packages: Julia looks for each package in the
//! project first, so that what both have is the project's. A startup package goes by that.

use std::path::PathBuf;

use super::{Environment, Package, Source};

use crate::uuid::Uuid;

/// The packages that are taken along: name and UUID. IJulia's is in its `Project.toml`.
pub const COMPANIONS: &[(&str, Uuid)] = &[("IJulia", IJULIA)];

/// What a notebook's kernel is.
pub const IJULIA: Uuid = Uuid::from_u128(0x7073_ff75_c697_5162_941a_fcda_ad2a_7d2a);

/// A package of another environment that is loaded beside the project's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    /// The package.
    pub uuid: Uuid,
    /// The project file of the environment that it comes from.
    pub project_file: PathBuf,
}

/// A package of another environment that cannot be taken along into an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBehind {
    /// The package.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// Why, as a sentence without its end.
    pub reason: String,
}

impl Environment {
    /// Takes the package `uuid` of `other` along, with what it needs, if `other` names it and the project does not have
    /// it itself. `is_installed` says whether a package is there to be loaded.
    ///
    /// Where the two environments have different versions of something, or a package is missing, nothing is taken, and
    /// [`left_behind`](Self::left_behind) says why. What sessions load of `other` even so is [`beside`](Self::beside).
    pub fn take_along(&mut self, other: &Self, uuid: Uuid, is_installed: impl Fn(&Package) -> bool) {
        let named = other.project.deps.values().any(|dependency| *dependency == uuid);
        let Some(package) = other.packages.get(&uuid).filter(|_| named && self.package(uuid).is_none())
        else {
            return;
        };
        let needed = super::graph::closure(|uuid| other.packages.get(&uuid), std::iter::once(uuid));
        match self.objections(&needed, &is_installed).as_slice() {
            [] => {}
            [first, rest @ ..] => {
                let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
                let reason = format!("{first}{more} (in {})", other.manifest_file.display());
                self.left_behind.push(LeftBehind { uuid, name: package.name.clone(), reason });
                self.find_beside(other, uuid, &is_installed);
                return;
            }
        }
        for package in needed {
            if self.package(package.uuid).is_none() {
                self.packages.insert(package.uuid, package.clone());
                self.take_preferences(other, package.uuid);
            }
        }
        self.companions.push(Companion { uuid, project_file: other.project_file.clone() });
    }

    /// Notes what a session that has `other` behind the project loads of it for the package `uuid`, if all of it is there.
    fn find_beside(&mut self, other: &Self, uuid: Uuid, is_installed: impl Fn(&Package) -> bool) {
        let of_either = |uuid| self.package(uuid).or_else(|| other.packages.get(&uuid));
        let loaded = super::graph::closure(of_either, std::iter::once(uuid));
        let beside: Vec<Package> =
            loaded.into_iter().filter(|package| self.package(package.uuid).is_none()).cloned().collect();
        if beside.iter().all(is_installed) {
            for package in beside {
                self.take_preferences(other, package.uuid);
                self.beside.insert(package.uuid, package);
            }
        }
    }

    fn take_preferences(&mut self, other: &Self, uuid: Uuid) {
        if let Some(table) = other.preferences.get(&uuid) {
            self.preferences.entry(uuid).or_insert_with(|| table.clone());
        }
    }

    /// Why packages of another environment cannot be loaded beside the project's.
    fn objections(&self, needed: &[&Package], is_installed: impl Fn(&Package) -> bool) -> Vec<String> {
        let objections = needed.iter().filter_map(|theirs| match self.package(theirs.uuid) {
            Some(ours) if same_code(ours, theirs) => None,
            Some(ours) => Some(format!("the project has {ours}, and it needs {theirs}")),
            None if !is_installed(theirs) => Some(format!("{theirs} is not installed")),
            None => None,
        });
        objections.collect()
    }
}

/// Whether two environments mean the same code. What comes with Julia is the same whatever a manifest says of its version.
fn same_code(ours: &Package, theirs: &Package) -> bool {
    match (&ours.source, &theirs.source) {
        (Source::Stdlib, Source::Stdlib) => true,
        (Source::Path(a), Source::Path(b)) => a == b,
        (a, b) => a.tree().is_some() && a.tree() == b.tree(),
    }
}
