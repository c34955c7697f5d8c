//! The hash that names a plan's image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cpu::{CpuTarget, HostCpu};
use crate::environment::{Environment, Package, Source};
use crate::file::Sha256Digest;
use crate::julia::{Driver, JuliaInstall};
use crate::plan::Plan;
use crate::uuid::Uuid;
use crate::workload::{Kind, Workload};

mod difference;
mod sources;
mod trace;

pub use difference::differences;
pub use sources::{SourcesError, is_source};
pub use trace::{TraceInputs, TraceKey, TraceKeys, TracedPackage};

/// The name of an image: the SHA-256 of its [`KeyInputs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Sha256Digest);

impl Key {
    /// The first digits, enough to tell entries apart when reading.
    pub fn short(&self) -> String {
        self.0.to_string()[..12].to_owned()
    }
}

impl From<Key> for Uuid {
    /// The UUID of what is made for this key alone.
    fn from(key: Key) -> Self {
        Self::from_u128(key.0.to_u128())
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Everything that can change an image, and nothing else: reading this struct is reading the specification.
///
/// Every map and list is in an order of its own, so that the order of entries in a file makes no difference; paths are
/// absent, so that a checkout may move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyInputs {
    /// The packages in the image.
    pub packages: BTreeMap<Uuid, KeyPackage>,
    /// Preferences of those packages; they decide what code is generated.
    pub preferences: BTreeMap<Uuid, serde_json::Value>,
    /// What the image is built with and on top of.
    pub julia: KeyJulia,
    /// For which CPUs code is generated.
    pub cpu_target: CpuTarget,
    /// This machine's CPU, where code is generated for it alone.
    pub host_cpu: Option<HostCpu>,
    /// Options for the Julia that writes the image.
    pub julia_args: Vec<String>,
    /// What is run to see what gets compiled.
    pub workloads: Vec<KeyWorkload>,
    /// How long each workload may run, in seconds: one that is cut short shows less.
    pub time_limit: f64,
    /// What jlsys's own drivers say.
    pub drivers: Sha256Digest,
    /// The version of the cache's format: what another version of jlsys wrote has another key.
    pub cache_format: u32,
    /// How jlsys cleans statements; raised when the same trace would give another image.
    pub statements_format: u32,
}

/// The version of the cache's format: the present value of [`KeyInputs::cache_format`].
pub const CACHE_FORMAT: u32 = 3;

/// The present value of [`KeyInputs::statements_format`].
pub const STATEMENTS_FORMAT: u32 = 3;

/// A package as part of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPackage {
    /// Its name.
    pub name: String,
    /// Its version, where the manifest gives one.
    pub version: Option<String>,
    /// What its code is.
    pub code: KeyCode,
    /// Whether a user can name it in `using` without the image's help.
    pub needed: bool,
}

/// What decides a package's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyCode {
    /// It comes with Julia.
    Julia,
    /// The Git tree that the manifest names.
    Tree(String),
    /// A digest of the files in its folder.
    Files(Sha256Digest),
}

/// Julia as part of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyJulia {
    /// Its version.
    pub version: String,
    /// The commit it was built from.
    pub commit: String,
    /// The content of the image that it starts with.
    pub base_image: Sha256Digest,
    /// `Sys.KERNEL`.
    pub os: String,
    /// `Sys.ARCH`.
    pub arch: String,
}

/// A workload as part of the key. A package's tests are part of its tree, and are not listed again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyWorkload {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What a script, or the code in a notebook, says; what IJulia a kernel is.
    pub content: Option<Sha256Digest>,
}

/// What decides what is compiled for the project's own packages that no image has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnInputs {
    /// The key with what their code is.
    pub key: Key,
    /// Where they lie: Julia's caches know the sources by their paths.
    pub folders: BTreeMap<Uuid, PathBuf>,
}

impl KeyInputs {
    /// Collects everything that can change the image of `plan`. Reads the files of path packages in it, and no others.
    pub fn collect(
        environment: &Environment,
        julia: &JuliaInstall,
        plan: &Plan,
        time_limit: std::time::Duration,
    ) -> Result<Self, SourcesError> {
        let mut packages = BTreeMap::new();
        let mut preferences = BTreeMap::new();
        for planned in &plan.packages {
            let package = environment.packages.get(&planned.uuid).or(environment.project_package());
            let Some(package) = package else { continue };
            let code = KeyCode::of(package, |folder| sources::digest(&package.name, folder))?;
            let (name, version) = (package.name.clone(), package.version.clone());
            packages.insert(planned.uuid, KeyPackage { name, version, code, needed: planned.needed });
            if let Some(value) = preferences_of(planned.uuid, environment, julia) {
                preferences.insert(planned.uuid, value);
            }
        }
        let mut workloads: Vec<KeyWorkload> = plan.workloads.iter().map(KeyWorkload::from).collect();
        workloads.sort();
        Ok(Self {
            packages,
            preferences,
            julia: KeyJulia::from(julia),
            cpu_target: plan.cpu_target.clone(),
            host_cpu: (plan.cpu_target == CpuTarget::Native).then(HostCpu::detect),
            julia_args: plan.julia_args.clone(),
            workloads,
            time_limit: time_limit.as_secs_f64(),
            drivers: Driver::digest_of_all(),
            cache_format: CACHE_FORMAT,
            statements_format: STATEMENTS_FORMAT,
        })
    }

    /// What decides what there is for the project's own packages beside the image; `None` when there are none, or one cannot be read.
    pub fn own(&self, environment: &Environment, plan: &Plan) -> Option<OwnInputs> {
        let mut inputs = self.clone();
        let mut folders = BTreeMap::new();
        for own in &plan.own.packages {
            let package = environment.package(own.uuid)?;
            inputs.packages.insert(own.uuid, KeyPackage::beside(package)?);
            if let Source::Path(folder) = &package.source {
                folders.insert(own.uuid, folder.clone());
            }
        }
        (!plan.own.packages.is_empty()).then(|| OwnInputs { key: inputs.key(), folders })
    }

    /// The workloads that are the project's own files: its scripts and notebooks.
    pub fn projects_own(&self) -> impl Iterator<Item = &KeyWorkload> {
        self.workloads.iter().filter(|workload| matches!(workload.kind, Kind::Scripts | Kind::Notebooks))
    }

    /// Whether nothing but notebooks is another than in `other`.
    pub fn differs_in_notebooks_alone(&self, other: &Self) -> bool {
        let without = |inputs: &Self| {
            let mut inputs = inputs.clone();
            inputs.workloads.retain(|workload| workload.kind != Kind::Notebooks);
            inputs
        };
        without(self) == without(other)
    }

    /// The key.
    pub fn key(&self) -> Key {
        // Structs, ordered maps and lists of plain values serialise always, and always the same.
        Key(Sha256Digest::of(serde_json::to_vec(self).unwrap_or_default()))
    }
}

/// What Julia reads of a package's preferences.
fn preferences_of(
    package: Uuid,
    environment: &Environment,
    julia: &JuliaInstall,
) -> Option<serde_json::Value> {
    // A Julia without preferences compiles the same whatever stands in the file.
    let table = environment.preferences.get(&package).filter(|_| julia.differences().has_preferences())?;
    // A TOML table always has a JSON form; dates become text.
    Some(serde_json::to_value(table).unwrap_or_default())
}

impl KeyCode {
    /// The code of a package; `digest` is asked for that of the files of one by path.
    fn of<E>(package: &Package, digest: impl FnOnce(&Path) -> Result<Sha256Digest, E>) -> Result<Self, E> {
        Ok(match &package.source {
            Source::Stdlib => Self::Julia,
            Source::Tree(tree) | Source::Repo { tree, .. } => Self::Tree(tree.to_string()),
            Source::Path(folder) => Self::Files(digest(folder)?),
        })
    }
}

impl KeyPackage {
    /// A package that is loaded beside the image's; `None` when its files cannot be read.
    pub fn beside(package: &Package) -> Option<Self> {
        let code = KeyCode::of(package, |folder| sources::digest(&package.name, folder)).ok()?;
        let (name, version) = (package.name.clone(), package.version.clone());
        Some(Self { name, version, code, needed: false })
    }
}

impl From<&JuliaInstall> for KeyJulia {
    fn from(julia: &JuliaInstall) -> Self {
        let facts = &julia.facts;
        Self {
            version: facts.version.to_string(),
            commit: facts.commit.clone(),
            base_image: facts.base_image_sha256,
            os: facts.os.clone(),
            arch: facts.arch.clone(),
        }
    }
}

impl From<&Workload> for KeyWorkload {
    fn from(workload: &Workload) -> Self {
        let content = match workload {
            Workload::Script(script) => Some(script.sha256),
            Workload::Kernel(kernel) => Some(kernel.sha256),
            Workload::Notebook(notebook) => Some(notebook.sha256),
            Workload::Load | Workload::Tests(_) => None,
        };
        Self { kind: workload.kind(), name: workload.name(), content }
    }
}

/// All 64 digits.
impl std::str::FromStr for Key {
    type Err = hex::FromHexError;

    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        digits.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn inputs() -> KeyInputs {
        let inputs = json!({
            "packages": {}, "preferences": {}, "cpu_target": "native", "host_cpu": null, "julia_args": [],
            "julia": { "version": "1.10.2", "commit": "", "base_image": DIGEST, "os": "Linux", "arch": "x86_64" },
            "workloads": [
                { "kind": "load", "name": "load", "content": null },
                { "kind": "tests", "name": "CSV", "content": null },
                { "kind": "notebooks", "name": "intro.ipynb", "content": DIGEST },
                { "kind": "scripts", "name": "precompile.jl", "content": DIGEST }
            ],
            "time_limit": 600.0, "drivers": DIGEST, "cache_format": 3, "statements_format": 3
        });
        serde_json::from_value(inputs).unwrap()
    }

    #[test]
    fn a_key_is_written_and_read_as_digits() {
        let key: Key = DIGEST.parse().unwrap();
        assert_eq!(key.to_string(), DIGEST);
        assert_eq!(key.short(), "001122334455");
        assert_eq!(Uuid::from(key).to_string(), "00112233-4455-6677-8899-aabbccddeeff");
        assert!("0011".parse::<Key>().is_err());
    }

    #[test]
    fn the_key_is_another_when_an_input_is() {
        let key = inputs().key();
        assert_eq!(inputs().key(), key);
        assert_ne!(KeyInputs { time_limit: 60.0, ..inputs() }.key(), key);
    }

    #[test]
    fn scripts_and_notebooks_are_the_projects_own() {
        let inputs = inputs();
        let names: Vec<&str> = inputs.projects_own().map(|workload| workload.name.as_str()).collect();
        assert_eq!(names, ["intro.ipynb", "precompile.jl"]);
    }

    #[test]
    fn notebooks_alone_may_differ() {
        let (here, mut there) = (inputs(), inputs());
        assert!(here.differs_in_notebooks_alone(&there));
        there.workloads.remove(2);
        assert!(here.differs_in_notebooks_alone(&there));
        there.workloads.pop();
        assert!(!here.differs_in_notebooks_alone(&there));
    }
}
