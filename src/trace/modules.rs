//! The modules a statement may name, and whom they belong to.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::DropReason;

use crate::uuid::Uuid;

/// The package that test suites are written with.
const TEST: &str = "Test";

/// A top-level module that is loaded wherever the statements are replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedModule {
    /// Its name, as Julia prints it.
    pub name: String,
    /// The package it belongs to: its own, or for an extension (a top-level module of its own since Julia 1.9) the
    /// package that it extends.
    pub package: Uuid,
}

/// Which top-level module names a statement may hold, and whom they belong to.
#[derive(Debug, Clone, Default)]
pub struct Modules {
    by_name: HashMap<String, Rank>,
    /// The packages in dependency order; a [`Rank`] points into it.
    packages: Vec<Uuid>,
    without_tests: bool,
}

/// Where a module stands in the order of loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Base,
    Package(usize),
}

/// The package that a statement belongs to: it is left out together with that package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// No package of the environment: Julia itself, or a standard library that the environment does not have.
    Base,
    /// A package of the environment.
    Package(Uuid),
}

impl Modules {
    /// `packages` in dependency order (what is depended on first); `base` the names of the other modules in the stock
    /// image (`Base.loaded_modules` of a fresh `julia`; `Base` and `Core` go without saying, `Main` never counts).
    ///
    /// Statements hold names alone, so of two packages of one name only the first listed is meant. A package takes
    /// precedence over a base module of its name: a standard library that is in the environment is a package.
    pub fn new(
        packages: impl IntoIterator<Item = LoadedModule>,
        base: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut modules = Self::default();
        let mut positions = HashMap::new();
        for module in packages {
            let position = *positions.entry(module.package).or_insert_with(|| {
                modules.packages.push(module.package);
                modules.packages.len() - 1
            });
            modules.by_name.entry(module.name).or_insert(Rank::Package(position));
        }
        for name in base.into_iter().chain(["Base".into(), "Core".into()]) {
            modules.by_name.entry(name).or_insert(Rank::Base);
        }
        modules.by_name.remove("Main");
        modules
    }

    /// The same, but what is about `Test` is to be left out. A suite makes Julia compile macros, test sets and their
    /// results, which are of use to the next run of tests alone.
    #[must_use]
    pub fn without_tests(self) -> Self {
        Self { without_tests: true, ..self }
    }

    /// Where the top-level module `name` stands.
    pub(super) fn rank(&self, name: &str) -> Result<Rank, DropReason> {
        if self.without_tests && name == TEST {
            return Err(DropReason::Test);
        }
        self.by_name.get(name).copied().ok_or(DropReason::ModuleNotLoaded)
    }

    pub(super) fn owner(&self, rank: Rank) -> Owner {
        match rank {
            Rank::Base => Owner::Base,
            Rank::Package(position) => Owner::Package(self.package(position)),
        }
    }

    /// The package at a [`Rank::Package`]'s position.
    pub(super) fn package(&self, position: usize) -> Uuid {
        self.packages[position]
    }
}

/// `base`, or the package's UUID.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Package(uuid) => uuid.fmt(f),
        }
    }
}

/// As displayed, so that it can be a key of a JSON object.
impl Serialize for Owner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, digit: char) -> LoadedModule {
        let uuid = "00000000-0000-0000-0000-00000000000x".replace('x', &digit.to_string());
        LoadedModule { name: name.into(), package: uuid.parse().unwrap() }
    }

    #[test]
    fn of_two_packages_of_one_name_the_first_listed_is_meant() {
        let modules = Modules::new([module("A", '1'), module("A", '2')], []);
        let owner = modules.owner(modules.rank("A").unwrap());
        assert_eq!(owner.to_string(), "00000000-0000-0000-0000-000000000001");
    }

    #[test]
    fn a_standard_library_in_the_environment_is_a_package() {
        let modules = Modules::new([module("Dates", '1')], ["Dates".into(), "Mmap".into()]);
        assert_eq!(modules.rank("Dates"), Ok(Rank::Package(0)));
        assert_eq!(modules.rank("Mmap"), Ok(Rank::Base));
        assert_eq!(modules.rank("Core"), Ok(Rank::Base));
    }

    #[test]
    fn tests_are_left_out_on_demand() {
        let modules = Modules::new([], ["Test".into(), "Dates".into()]);
        assert_eq!(modules.rank("Test"), Ok(Rank::Base));
        let modules = modules.without_tests();
        assert_eq!((modules.rank("Test"), modules.rank("Dates")), (Err(DropReason::Test), Ok(Rank::Base)));
    }

    #[test]
    fn main_is_never_loaded() {
        assert_eq!(Modules::new([], ["Main".into()]).rank("Main"), Err(DropReason::ModuleNotLoaded));
    }
}
