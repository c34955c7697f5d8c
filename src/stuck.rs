//! What is known of packages whose precompiling gets stuck.
//!
//! The same content with the same Julia gets stuck again as a rule. A package by path is no part of the key unless it is included, and is
//! tried each time.

use crate::key::KeyPackage;
use crate::prepare::Prepared;
use crate::process::{self, Finished};

impl Prepared {
    /// The packages of which it is known; forgets them first, if they are to be tried again.
    pub fn known_stuck(&self, retry: bool) -> Vec<String> {
        let known = self.inputs.packages.iter().filter(|(uuid, package)| {
            let identity = self.identity(uuid, package);
            if retry {
                self.cache.forget_stuck(&identity);
            }
            self.cache.was_stuck(&identity)
        });
        known.map(|(_, package)| package.name.clone()).collect()
    }

    /// Has nobody wait any more for those that were stuck in a process, and keeps that.
    pub fn give_up_on_stuck(&self, finished: &Finished) {
        let names: Vec<String> = finished.newly_stuck().map(|package| package.name.clone()).collect();
        for (uuid, package) in
            self.inputs.packages.iter().filter(|(_, package)| names.contains(&package.name))
        {
            self.cache.keep_stuck(&self.identity(uuid, package));
        }
        process::give_up_on(names);
    }

    fn identity(&self, uuid: &crate::uuid::Uuid, package: &KeyPackage) -> String {
        let julia = &self.julia.facts;
        let version = package.version.as_deref().unwrap_or_default();
        format!("{} {uuid} {version} {:?} {} {}", package.name, package.code, julia.version, julia.commit)
    }
}
