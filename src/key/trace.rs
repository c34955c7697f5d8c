//! The hash that names what a workload was seen to compile.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{KeyCode, KeyInputs, KeyJulia, KeyWorkload, preferences_of, sources};
use crate::cpu::HostCpu;
use crate::environment::{Depots, Environment, IJULIA, Package, Project, Source, project_in};
use crate::file::Sha256Digest;
use crate::julia::{Driver, JuliaInstall};
use crate::plan::Plan;
use crate::uuid::Uuid;
use crate::workload::{Scope, TestSuite, Workload};

/// The name of a trace: the SHA-256 of its [`TraceInputs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceKey(Sha256Digest);

impl std::fmt::Display for TraceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Everything that can change what a workload is seen to compile.
///
/// How long it may run is not among it: [`KeptTrace`](crate::cache::KeptTrace) says how long it might.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceInputs {
    /// What is run. For `load`, its content is the list of what is loaded, in order.
    pub workload: KeyWorkload,
    /// Whose tests it is.
    pub package: Option<Uuid>,
    /// Among which packages it ran.
    pub scope: Scope,
    /// The packages that it can load.
    pub packages: BTreeMap<Uuid, TracedPackage>,
    /// Preferences of those packages.
    pub preferences: BTreeMap<Uuid, serde_json::Value>,
    /// The Julia files beside a script or notebook, which it may include.
    pub project_scripts: Option<Sha256Digest>,
    /// The default environment's files: what is in no sandbox can load its packages too.
    pub default_environment: Option<Sha256Digest>,
    /// The Julia that it runs in.
    pub julia: KeyJulia,
    /// This machine's CPU: packages may choose methods by what it can.
    pub host_cpu: HostCpu,
    /// The drivers that run workloads.
    pub drivers: Sha256Digest,
    /// How jlsys runs workloads; raised when the same one would be seen to compile something else.
    pub traces_format: u32,
}

/// The present value of [`TraceInputs::traces_format`].
pub const TRACES_FORMAT: u32 = 2;

/// The drivers that run workloads, and what they include.
const DRIVERS: &[Driver] = &[
    Driver::COMPILING,
    Driver::KERNEL,
    Driver::LOAD,
    Driver::NOTEBOOK,
    Driver::NOTES,
    Driver::OFFLINE,
    Driver::PACKAGES,
    Driver::SHADOW,
    Driver::TEST,
];

/// A package that a workload can load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedPackage {
    /// Its name.
    pub name: String,
    /// Its version, where the manifest gives one.
    pub version: Option<String>,
    /// What its code is.
    pub code: KeyCode,
    /// What lies in its `deps` folder, where `deps/build.jl` writes what it found on this machine; of no installed package that has none.
    pub built: Option<Sha256Digest>,
}

impl TraceInputs {
    /// Whether everything is as in `other`, but for the code of some packages.
    pub fn is_same_but_for(&self, packages: &[Uuid], other: &Self) -> bool {
        let without = |inputs: &Self| {
            let mut inputs = inputs.clone();
            inputs.packages.retain(|uuid, _| !packages.contains(uuid));
            inputs
        };
        without(self) == without(other)
    }

    /// The key.
    pub fn key(&self) -> TraceKey {
        // As for `KeyInputs::key`.
        TraceKey(Sha256Digest::of(serde_json::to_vec(self).unwrap_or_default()))
    }
}

/// Makes the keys of one project's traces; what several depend on is looked at once.
pub struct TraceKeys<'a> {
    environment: &'a Environment,
    depots: &'a Depots,
    julia: &'a JuliaInstall,
    plan: &'a Plan,
    image: &'a KeyInputs,
    outsiders: RefCell<BTreeMap<Uuid, Option<Sha256Digest>>>,
    scripts: OnceCell<Option<Sha256Digest>>,
}

impl<'a> TraceKeys<'a> {
    /// For the workloads of `plan`, whose image is made from `image`.
    pub fn new(
        environment: &'a Environment,
        depots: &'a Depots,
        julia: &'a JuliaInstall,
        plan: &'a Plan,
        image: &'a KeyInputs,
    ) -> Self {
        let (outsiders, scripts) = (RefCell::default(), OnceCell::new());
        Self { environment, depots, julia, plan, image, outsiders, scripts }
    }

    /// What a workload's trace depends on when it runs among these packages; `None` when some of it cannot be read, or
    /// the workload does not run there.
    pub fn inputs(&self, workload: &Workload, scope: Scope) -> Option<TraceInputs> {
        let packages = match (workload, scope) {
            (Workload::Tests(suite), Scope::Sandbox) => self.sandbox(suite)?,
            (_, Scope::Sandbox) => return None,
            // Whatever stays outside of the image is not loaded by it.
            (Workload::Load, Scope::Project) => {
                let planned = self.plan.packages.iter();
                planned.filter_map(|package| self.environment.package(package.uuid)).collect()
            }
            (Workload::Kernel(_), Scope::Project) => self.environment.loaded_in_session([IJULIA]),
            (_, Scope::Project) => {
                self.environment.packages.values().chain(self.environment.project_package()).collect()
            }
        };
        let uuids = packages.iter().map(|package| package.uuid);
        let preferences = uuids.filter_map(|uuid| {
            let value = preferences_of(uuid, self.environment, self.julia)?;
            Some((uuid, value))
        });
        let preferences = preferences.collect();
        let packages = packages.into_iter().map(|package| {
            let (name, version) = (package.name.clone(), package.version.clone());
            Some((
                package.uuid,
                TracedPackage { name, version, code: self.code(package)?, built: self.built(package) },
            ))
        });
        let searches_behind = scope == Scope::Project && *workload != Workload::Load;
        let default = self.environment.default_project.as_deref().filter(|_| searches_behind);
        Some(TraceInputs {
            workload: self.content(workload),
            package: workload.package(),
            scope,
            packages: packages.collect::<Option<_>>()?,
            preferences,
            project_scripts: match workload {
                Workload::Notebook(_) | Workload::Script(_) => Some(self.scripts()?),
                Workload::Load | Workload::Tests(_) | Workload::Kernel(_) => None,
            },
            default_environment: match default.and_then(Path::parent) {
                Some(folder) => Some(sources::digest_of_environment(folder)?),
                None => None,
            },
            julia: KeyJulia::from(self.julia),
            host_cpu: HostCpu::detect(),
            drivers: Driver::digest_of(DRIVERS),
            traces_format: TRACES_FORMAT,
        })
    }

    fn content(&self, workload: &Workload) -> KeyWorkload {
        let mut content = KeyWorkload::from(workload);
        if *workload == Workload::Load {
            let list = self.plan.modules().map(|(identity, name)| format!("{identity}\t{name}\n"));
            content.content = Some(Sha256Digest::of(list.collect::<String>()));
        }
        content
    }

    /// What the sandbox of `Pkg.test` takes from the environment: the package, what its tests name, and all that these load
    /// (`sandbox_preserve` in Pkg's src/Operations.jl). Test dependencies that the environment does not have are named
    /// in the package's own files, and their versions are the registry's choice.
    fn sandbox(&self, suite: &TestSuite) -> Option<Vec<&Package>> {
        let named = test_dependencies(&suite.folder)?;
        Some(self.environment.closure_of(std::iter::once(suite.uuid).chain(named)))
    }

    fn code(&self, package: &Package) -> Option<KeyCode> {
        if let Some(known) = self.image.packages.get(&package.uuid) {
            return Some(known.code.clone());
        }
        let digest = |folder: &Path| {
            let mut outsiders = self.outsiders.borrow_mut();
            let known = outsiders.entry(package.uuid).or_insert_with(|| sources::digest_of_outsider(folder));
            (*known).ok_or(())
        };
        KeyCode::of(package, digest).ok()
    }

    fn built(&self, package: &Package) -> Option<Sha256Digest> {
        // The files of another are part of its code.
        package.source.tree()?;
        let folder = self.depots.package_dir(package, &self.julia.facts.stdlib)?;
        sources::digest_of_built(&folder)
    }

    fn scripts(&self) -> Option<Sha256Digest> {
        let own = self.plan.own.packages.iter().filter_map(|own| self.environment.package(own.uuid));
        let folders = own.filter_map(|package| match &package.source {
            Source::Path(folder) => Some(folder.as_path()),
            _ => None,
        });
        *self.scripts.get_or_init(|| {
            sources::digest_of_scripts(self.environment.project_dir(), &folders.collect::<Vec<_>>())
        })
    }
}

/// The packages that a package's tests name: in `test/Project.toml`, or in `[extras]` and `[targets]` of its own project
/// file. `None` when these cannot be read.
fn test_dependencies(folder: &Path) -> Option<BTreeSet<Uuid>> {
    let read = |file: PathBuf| Project::read(&file).ok();
    if let Some(file) = project_in(&folder.join("test")) {
        return Some(read(file)?.deps.into_values().collect());
    }
    // Older packages have a `test/REQUIRE`, if anything; their project file is Pkg's own work.
    let Some(file) = project_in(folder) else { return Some(BTreeSet::new()) };
    let project = read(file)?;
    let names = project.targets.get("test").into_iter().flatten();
    let find = |name: &String| {
        [&project.extras, &project.weak_deps, &project.deps].into_iter().find_map(|table| table.get(name))
    };
    Some(names.filter_map(find).copied().collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const IN_DEPS: &str = "00000000-0000-0000-0000-000000000001";
    const IN_EXTRAS: &str = "00000000-0000-0000-0000-000000000002";
    const WEAK: &str = "00000000-0000-0000-0000-000000000003";

    /// What the tests of a package with these files name.
    fn named(files: &[(&str, String)]) -> Option<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        test_dependencies(folder.path()).map(|uuids| uuids.iter().map(Uuid::to_string).collect())
    }

    #[test]
    fn tests_name_their_packages_in_a_project_of_their_own_or_in_the_packages() {
        let of_package = format!(
            "[deps]\nA = \"{IN_DEPS}\"\n[weakdeps]\nC = \"{WEAK}\"\n[extras]\nB = \"{IN_EXTRAS}\"\n[targets]\n\
             test = [\"B\", \"C\"]\nbuild = [\"A\"]\n"
        );
        let of_tests = format!("[deps]\nA = \"{IN_DEPS}\"\n");
        let package = ("Project.toml", of_package);
        assert_eq!(named(std::slice::from_ref(&package)).unwrap(), [IN_EXTRAS, WEAK]);
        assert_eq!(named(&[package, ("test/Project.toml", of_tests)]).unwrap(), [IN_DEPS]);
        assert_eq!(named(&[]).unwrap(), Vec::<String>::new());
        assert_eq!(named(&[("Project.toml", "[deps".to_owned())]), None);
        assert_eq!(named(&[("test/Project.toml", "[deps".to_owned())]), None);
    }
}
