//! What was true where an image was built, beside its content.
//!
//! The key names content alone, so that one image serves wherever the content is the same. Some of what decides what a session
//! does is no content: where a package lies that keeps its folder's name, what `deps/build.jl` wrote beside it, which files
//! outside of its tree were read while it was compiled. An entry records that, and a start compares: a `stat` for each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::environment::{Depots, Environment, Source};
use crate::julia::JuliaInstall;
use crate::uuid::Uuid;

mod files;
mod mapping;
mod places;

pub use files::{FilesRead, ReadFile, Sources};
pub use mapping::{is_noexec, why_not_mapped};
pub use places::{Keeper, KeptPlace, Place, Places};

/// What must still be true where an image is used. Written into its entry.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct World {
    /// The folders that packages in the image keep; see `julia/places.jl`.
    pub places: Vec<KeptPlace>,
    /// The files that were read while the packages were compiled, but for those that the key covers.
    pub files: Vec<ReadFile>,
    /// How much address space a Julia has taken when it has started with the image, in bytes, where the system says.
    pub address_space: Option<u64>,
}

/// What a start compares with.
#[derive(Debug)]
pub struct Here<'a> {
    environment: &'a Environment,
    depots: &'a Depots,
    julia: &'a JuliaInstall,
    home: Option<PathBuf>,
    folders: std::cell::RefCell<HashMap<Uuid, Option<PathBuf>>>,
}

impl<'a> Here<'a> {
    /// A project as it is here and now.
    pub fn new(environment: &'a Environment, depots: &'a Depots, julia: &'a JuliaInstall) -> Self {
        let home = std::env::home_dir();
        Self { environment, depots, julia, home, folders: Default::default() }
    }

    /// Where packages are installed.
    pub fn depots(&self) -> &Depots {
        self.depots
    }

    /// The Julia.
    pub fn julia(&self) -> &JuliaInstall {
        self.julia
    }

    /// Where a package lies.
    fn folder(&self, uuid: Uuid) -> Option<PathBuf> {
        let look_up = || {
            let package = self.environment.package(uuid)?;
            self.depots.package_dir(package, &self.julia.facts.stdlib)
        };
        self.folders.borrow_mut().entry(uuid).or_insert_with(look_up).clone()
    }

    fn has_by_path(&self, uuid: Uuid) -> bool {
        self.environment.package(uuid).is_some_and(|package| matches!(package.source, Source::Path(_)))
    }

    fn name(&self, uuid: Uuid) -> String {
        self.environment.package(uuid).map_or_else(|| uuid.to_string(), |package| package.name.clone())
    }
}

impl World {
    /// What is another here than where the image was built, one sentence each; nothing when the image is right.
    ///
    /// Files that only have other times of change take their present ones: then `true` comes with it.
    pub fn differences(&mut self, here: &Here<'_>) -> (Vec<String>, bool) {
        let mut differences: Vec<String> =
            self.places.iter().filter_map(|place| place.difference(here)).collect();
        let mut has_news = false;
        for file in &mut self.files {
            match file.compare(here) {
                Ok(is_new) => has_news |= is_new,
                Err(difference) => differences.push(difference),
            }
        }
        (differences, has_news)
    }

    /// The packages that bind the image to a place, each with that place; nothing when it serves anywhere.
    pub fn bound(&self) -> impl Iterator<Item = (&Keeper, &Path)> {
        self.places.iter().flat_map(|place| place.by.iter().map(|keeper| (keeper, place.path.as_path())))
    }

    /// The packages that bind the image to a place, as a part of a sentence.
    pub fn binding_packages(&self) -> Option<String> {
        let mut names: Vec<&str> = self.bound().map(|(keeper, _)| keeper.package.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        match names.as_slice() {
            [] => None,
            [name] => Some(format!("{name} keeps its place")),
            names => Some(format!("{} keep their place", names.join(", "))),
        }
    }
}
