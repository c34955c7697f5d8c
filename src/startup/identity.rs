//! The hash that names a group of a startup package.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use toml::Table;

use super::{Before, Group, SOURCES};
use crate::cpu::{CpuTarget, HostCpu};
use crate::environment::{Environment, Package};
use crate::file::Sha256Digest;
use crate::julia::Driver;
use crate::key::{KeyInputs, KeyJulia, KeyPackage};
use crate::uuid::Uuid;

/// Everything that can change a group's package image: it is made anew when one of these changed, and else taken from an earlier build.
#[derive(Debug, Serialize)]
struct GroupInputs<'a> {
    /// The packages that it waits for.
    packages: &'a BTreeMap<Uuid, String>,
    /// What is loaded with them.
    loaded: BTreeMap<Uuid, Cow<'a, KeyPackage>>,
    /// Preferences of those packages.
    preferences: BTreeMap<Uuid, &'a Table>,
    /// What it is built with.
    julia: &'a KeyJulia,
    cpu_target: &'a CpuTarget,
    host_cpu: &'a Option<HostCpu>,
    /// The groups that it rests on.
    before: BTreeSet<Uuid>,
    /// Its source.
    drivers: Sha256Digest,
    /// Its statements.
    statements: Sha256Digest,
}

impl KeyInputs {
    /// The identity of a group's package. Groups of the same one are the same.
    pub fn group_uuid(&self, group: &Group, before: &[Before], environment: &Environment) -> Uuid {
        let loaded = environment.loaded_in_session(group.packages.keys().copied());
        let preferences =
            loaded.iter().filter_map(|it| Some((it.uuid, environment.preferences.get(&it.uuid)?))).collect();
        let key_package = |package: &Package| match self.packages.get(&package.uuid) {
            Some(known) => Some(Cow::Borrowed(known)),
            None => KeyPackage::beside(package).map(Cow::Owned),
        };
        let inputs = GroupInputs {
            packages: &group.packages,
            loaded: loaded.iter().filter_map(|it| Some((it.uuid, key_package(it)?))).collect(),
            preferences,
            julia: &self.julia,
            cpu_target: &self.cpu_target,
            host_cpu: &self.host_cpu,
            before: before.iter().map(|before| before.uuid).collect(),
            drivers: Driver::digest_of(SOURCES),
            statements: Sha256Digest::of(group.statements.join("\n")),
        };
        // As for `KeyInputs::key`.
        let digest = Sha256Digest::of(serde_json::to_vec(&inputs).unwrap_or_default());
        Uuid::from_u128(digest.to_u128())
    }
}
