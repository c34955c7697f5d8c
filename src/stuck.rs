//! What is known of packages that get stuck.
//!
//! The same content with the same Julia gets stuck again as a rule. A package by path is no part of the key unless it is included, and is
//! tried each time.

use crate::cache::StuckIn;
use crate::key::KeyPackage;
use crate::prepare::Prepared;
use crate::process::{self, Finished};
use crate::uuid::Uuid;

impl Prepared {
    /// The packages that are known to get stuck in this, each with its name.
    pub fn known_stuck(&self, place: StuckIn) -> impl Iterator<Item = (Uuid, &str)> {
        let packages = self.inputs.packages.iter();
        let known = packages
            .filter(move |(uuid, package)| self.cache.was_stuck(&self.identity(uuid, package), place));
        known.map(|(uuid, package)| (*uuid, package.name.as_str()))
    }

    /// Keeps that a package of this name got stuck in this.
    pub fn keep_stuck(&self, name: &str, place: StuckIn) {
        for (uuid, package) in self.inputs.packages.iter().filter(|(_, package)| package.name == name) {
            self.cache.keep_stuck(&self.identity(uuid, package), place);
        }
    }

    /// Forgets what is known, so that all are tried again.
    pub fn forget_stuck(&self) {
        for (uuid, package) in &self.inputs.packages {
            self.cache.forget_stuck(&self.identity(uuid, package));
        }
    }

    /// Has nobody wait any more for those whose precompiling was stuck in a process, and keeps that.
    pub fn give_up_on_stuck(&self, finished: &Finished) {
        let names: Vec<String> = finished.newly_stuck().map(|package| package.name.clone()).collect();
        for name in &names {
            self.keep_stuck(name, StuckIn::Precompiling);
        }
        process::give_up_on(names);
    }

    fn identity(&self, uuid: &Uuid, package: &KeyPackage) -> String {
        let julia = &self.julia.facts;
        let version = package.version.as_deref().unwrap_or_default();
        format!("{} {uuid} {version} {:?} {} {}", package.name, package.code, julia.version, julia.commit)
    }
}
