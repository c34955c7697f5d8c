//! What to build: which packages go into the image, and what is run to see what they compile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::{FILE_NAME, Settings};
use crate::cpu::CpuTarget;
use crate::environment::{COMPANIONS, Environment, LeftBehind, Package, Source};
use crate::julia::{Differences, Identity, JuliaInstall};
use crate::uuid::Uuid;
use crate::workload::{self, Kind, Workload};

/// What to build.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The packages that go into the image, dependencies before dependents.
    pub packages: Vec<PlannedPackage>,
    /// The extensions that Julia loads when those packages are loaded.
    pub extensions: Vec<PlannedExtension>,
    /// What a startup package is about beside those.
    pub own: OwnCode,
    /// The packages of the environment that do not, each with the reason.
    pub left_out: Vec<LeftOut>,
    /// What is run to see what gets compiled.
    pub workloads: Vec<Workload>,
    /// For which CPUs code is generated.
    pub cpu_target: CpuTarget,
    /// Further options for the Julia that writes the image.
    pub julia_args: Vec<String>,
    /// What the user should know about it, one sentence each.
    pub warnings: Vec<String>,
    /// What is as it should be, and good to know once.
    pub notes: Vec<String>,
}

/// Packages that stay outside of the image since they are folders that somebody works in, with what depends on them. A startup package has what is
/// compiled for them in groups of their own, so that an edit costs these alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnCode {
    /// The packages, dependencies before dependents.
    pub packages: Vec<PlannedPackage>,
    /// The extensions that Julia loads when they, and others of the plan, are loaded.
    pub extensions: Vec<PlannedExtension>,
}

impl OwnCode {
    /// Whether it has a package.
    pub fn has(&self, uuid: Uuid) -> bool {
        self.packages.iter().any(|package| package.uuid == uuid)
    }
}

/// A package that goes into the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPackage {
    /// Its identity.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// Its version, where the manifest gives one.
    pub version: Option<String>,
    /// Whether the project, or a path package that stays outside, names it: `using` it must work.
    pub needed: bool,
}

/// An extension that goes into the image: a module of its own, which Julia loads once the packages that trigger it are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedExtension {
    /// Its module's name.
    pub name: String,
    /// The package that it belongs to.
    pub package: Uuid,
    /// The packages that trigger it.
    pub triggers: Vec<Uuid>,
}

impl PlannedExtension {
    /// Its identity, as drivers have it.
    pub fn identity(&self) -> Identity {
        Identity { package: self.package, extension: Some(self.name.clone()) }
    }
}

/// A package of the environment that does not go into the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uuid: Uuid,
    /// Why.
    pub reason: LeftOutReason,
}

impl From<&LeftBehind> for LeftOut {
    fn from(behind: &LeftBehind) -> Self {
        let reason = LeftOutReason::LeftBehind(behind.reason.clone());
        Self { name: behind.name.clone(), uuid: behind.uuid, reason }
    }
}

/// It is no fault, but what one expects to be fast will not be.
fn about_left_behind(behind: &LeftOut, in_startup: bool) -> String {
    let even_so = if in_startup { "; a startup package has what it compiles all the same" } else { "" };
    format!("{} is not taken into the image: {}{even_so}", behind.name, behind.reason)
}

/// Why a package does not go into the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// Its sources are a folder that somebody works in.
    Path,
    /// The settings say so.
    Excluded,
    /// It is not the project's own, and does not go together with it.
    LeftBehind(String),
    /// It depends on a package that is left out.
    DependsOn(String),
    /// It does not load.
    DoesNotLoad(String),
    /// An image with it cannot be built or does not work.
    Breaks(String),
    /// It depends on this package, which breaks.
    DependsOnBroken(String),
    /// Nothing that a user can name loads it, and by itself it does not load; as with packages for other systems.
    NotForHere(String),
}

impl LeftOutReason {
    /// Whether this is as it should be; if not, it is a fault to warn of.
    pub fn is_chosen(&self) -> bool {
        matches!(
            self,
            Self::Path | Self::Excluded | Self::LeftBehind(_) | Self::DependsOn(_) | Self::NotForHere(_)
        )
    }
}

impl std::fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path => write!(f, "it is a folder that may change; `include` in {FILE_NAME} takes it in"),
            Self::Excluded => write!(f, "`exclude` names it"),
            Self::LeftBehind(reason) => f.write_str(reason),
            Self::DependsOn(other) => write!(f, "it depends on {other}, which is left out"),
            Self::DoesNotLoad(error) => write!(f, "it does not load: {error}"),
            Self::Breaks(what) => f.write_str(what),
            Self::DependsOnBroken(other) => write!(f, "it depends on {other}, which breaks"),
            Self::NotForHere(error) => write!(f, "nothing loads it, and by itself it does not load: {error}"),
        }
    }
}

/// The settings ask for something that the environment does not have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A setting names a package that the environment does not have.
    #[error("`{setting}` names {name}, which is not a package of {}", .project.display())]
    UnknownPackage {
        /// The setting.
        setting: &'static str,
        /// The package.
        name: String,
        /// The project file.
        project: PathBuf,
    },
    /// `include` names an installed package.
    #[error(
        "`include` names {name}, which {} has as an installed package: those are in the image anyway, and `include` is for packages in folders (`Pkg.develop`)",
        .project.display()
    )]
    NotDeveloped {
        /// The package.
        name: String,
        /// The project file.
        project: PathBuf,
    },
    /// A workload that cannot be run.
    #[error(transparent)]
    Workload(#[from] workload::SelectError),
}

impl Plan {
    /// Makes the plan. `package_folder` tells where a package's files are, if they are there.
    pub fn new(
        environment: &Environment,
        settings: &Settings,
        differences: Differences,
        package_folder: impl Fn(&Package) -> Option<PathBuf>,
    ) -> Result<Self, PlanError> {
        check_names(environment, settings)?;
        check_included(environment, settings)?;
        let mut closure = environment.closure();
        closure.extend(environment.project_package());
        let left_out = left_out(&closure, settings);
        let needed = needed(environment, &left_out);
        let packages = closure.iter().filter(|package| !left_out.contains_key(&package.uuid));
        let packages = packages.map(|package| PlannedPackage {
            uuid: package.uuid,
            name: package.name.clone(),
            version: package.version.clone(),
            needed: needed.contains(&package.uuid),
        });
        let packages: Vec<_> = packages.collect();
        let extensions =
            if differences.has_extensions() { extensions(environment, &packages) } else { Vec::new() };
        let own = match differences.has_startup_package() {
            true => OwnCode::of(environment, &closure, &left_out, &packages),
            false => OwnCode::default(),
        };
        let behind: Vec<LeftOut> = environment.left_behind.iter().map(LeftOut::from).collect();
        let in_startup = |package: &LeftOut| {
            differences.has_startup_package() && environment.beside.contains_key(&package.uuid)
        };
        let notes = behind.iter().map(|package| about_left_behind(package, in_startup(package))).collect();
        let workloads = workload::select(environment, &settings.workloads, package_folder)?;
        Ok(Self {
            packages,
            extensions,
            own,
            workloads: workloads.workloads,
            warnings: workloads.warnings,
            notes,
            left_out: left_out.into_values().chain(behind).collect(),
            cpu_target: settings.cpu_target.clone().unwrap_or_else(CpuTarget::chosen_here),
            julia_args: settings.julia_args.clone(),
        })
    }

    /// What a driver is to load, each with its module's name: extensions follow the packages that trigger them.
    pub fn modules(&self) -> impl Iterator<Item = (Identity, &str)> {
        let packages =
            self.packages.iter().map(|package| (Identity::from(package.uuid), package.name.as_str()));
        packages
            .chain(self.extensions.iter().map(|extension| (extension.identity(), extension.name.as_str())))
    }

    /// The packages that sessions load from elsewhere than Julia's own image.
    pub fn outside_of_base<'p>(&'p self, julia: &JuliaInstall) -> impl Iterator<Item = &'p PlannedPackage> {
        self.packages.iter().filter(|package| !julia.has_base_module(package.uuid))
    }

    /// This plan as if the project's own packages were to go into the image, too.
    pub fn with_own(&self) -> Self {
        let mut all = self.clone();
        let OwnCode { packages, extensions } = std::mem::take(&mut all.own);
        all.left_out.retain(|left_out| !self.own.has(left_out.uuid));
        all.packages.extend(packages);
        all.extensions.extend(extensions);
        all
    }

    /// The workloads that a runner runs. Loading is none of them: it comes first, whether its statements are wanted or not.
    pub fn to_run(&self) -> impl Iterator<Item = &Workload> {
        self.workloads.iter().filter(|workload| workload.kind() != Kind::Load)
    }

    /// This plan without some packages, each with the reason.
    pub fn without(&self, reasons: &BTreeMap<Uuid, LeftOutReason>) -> Self {
        let mut smaller = self.clone();
        smaller.packages.retain(|package| !reasons.contains_key(&package.uuid));
        smaller.extensions.retain(|extension| {
            let mut needs = extension.triggers.iter().chain([&extension.package]);
            !needs.any(|uuid| reasons.contains_key(uuid))
        });
        let gone = self.packages.iter().filter_map(|package| {
            let reason = reasons.get(&package.uuid)?.clone();
            Some(LeftOut { name: package.name.clone(), uuid: package.uuid, reason })
        });
        smaller.left_out.extend(gone);
        smaller
    }
}

impl OwnCode {
    fn of(
        environment: &Environment,
        closure: &[&Package],
        left_out: &BTreeMap<Uuid, LeftOut>,
        planned: &[PlannedPackage],
    ) -> Self {
        let mut packages: Vec<PlannedPackage> = Vec::new();
        // Dependencies come first: what rests on an excluded package is none of these.
        for package in closure {
            let is_left_out =
                left_out.get(&package.uuid).is_some_and(|it| it.reason != LeftOutReason::Excluded);
            let is_there = |uuid: &Uuid| {
                !left_out.contains_key(uuid) || packages.iter().any(|other| other.uuid == *uuid)
            };
            if is_left_out && package.deps.iter().all(is_there) {
                packages.push(PlannedPackage {
                    uuid: package.uuid,
                    name: package.name.clone(),
                    version: package.version.clone(),
                    needed: true,
                });
            }
        }
        let is_own = |uuid: &Uuid| packages.iter().any(|package| package.uuid == *uuid);
        let all: Vec<PlannedPackage> = planned.iter().chain(&packages).cloned().collect();
        let mut extensions = extensions(environment, &all);
        extensions.retain(|extension| is_own(&extension.package) || extension.triggers.iter().any(is_own));
        Self { packages, extensions }
    }
}

/// The extensions of those packages whose triggers are all among them.
fn extensions(environment: &Environment, packages: &[PlannedPackage]) -> Vec<PlannedExtension> {
    let uuids: BTreeSet<Uuid> = packages.iter().map(|package| package.uuid).collect();
    let known = packages.iter().filter_map(|package| environment.package(package.uuid));
    let all = known.flat_map(|package| {
        package.extensions.iter().map(|(name, triggers)| PlannedExtension {
            name: name.clone(),
            package: package.uuid,
            triggers: triggers.clone(),
        })
    });
    all.filter(|extension| extension.triggers.iter().all(|trigger| uuids.contains(trigger))).collect()
}

fn check_names(environment: &Environment, settings: &Settings) -> Result<(), PlanError> {
    let names: BTreeSet<&str> = environment
        .packages
        .values()
        .chain(environment.project_package())
        .map(|package| package.name.as_str())
        // Whether these are there depends on the machine.
        .chain(COMPANIONS.iter().map(|(name, _)| *name))
        .collect();
    let named = [
        ("include", &settings.include),
        ("exclude", &settings.exclude),
        ("workloads.skip-tests", &settings.workloads.skip_tests),
    ];
    for (setting, list) in named {
        if let Some(name) = list.iter().find(|name| !names.contains(name.as_str())) {
            return Err(PlanError::UnknownPackage {
                setting,
                name: name.clone(),
                project: environment.project_file.clone(),
            });
        }
    }
    Ok(())
}

/// What is in the image anyway need not be taken in, and whoever says so means something else.
fn check_included(environment: &Environment, settings: &Settings) -> Result<(), PlanError> {
    let is_folder = |package: &&Package| matches!(package.source, Source::Path(_));
    for name in &settings.include {
        let all = environment.packages.values().chain(environment.project_package());
        let named: Vec<&Package> = all.filter(|package| package.name == *name).collect();
        if !named.is_empty() && !named.iter().any(is_folder) {
            let (name, project) = (name.clone(), environment.project_file.clone());
            return Err(PlanError::NotDeveloped { name, project });
        }
    }
    Ok(())
}

fn left_out(closure: &[&Package], settings: &Settings) -> BTreeMap<Uuid, LeftOut> {
    let mut left_out: BTreeMap<Uuid, LeftOut> = BTreeMap::new();
    // Dependencies come first, so one pass sees every dependency's fate before its dependents'.
    for package in closure {
        let reason = if settings.exclude.contains(&package.name) {
            Some(LeftOutReason::Excluded)
        } else if let Source::Path(folder) = &package.source
            && !settings.include.contains(&package.name)
            && !settings.include_within.as_deref().is_some_and(|root| is_within(folder, root))
        {
            Some(LeftOutReason::Path)
        } else {
            let outside = package.deps.iter().find_map(|uuid| left_out.get(uuid));
            outside.map(|other| LeftOutReason::DependsOn(other.name.clone()))
        };
        if let Some(reason) = reason {
            let entry = LeftOut { name: package.name.clone(), uuid: package.uuid, reason };
            left_out.insert(package.uuid, entry);
        }
    }
    left_out
}

/// Whether a folder is this one or in it, through whatever links.
fn is_within(folder: &Path, root: &Path) -> bool {
    match (folder.canonicalize(), root.canonicalize()) {
        (Ok(folder), Ok(root)) => folder.starts_with(root),
        _ => false,
    }
}

/// What a user can name in `using`: direct dependencies, companions, and what packages that stay outside depend on.
fn needed(environment: &Environment, left_out: &BTreeMap<Uuid, LeftOut>) -> BTreeSet<Uuid> {
    let direct = environment.direct_dependencies().into_iter().map(|package| package.uuid);
    let outside = left_out.keys().filter_map(|uuid| environment.packages.get(uuid));
    let companions = environment.companions.iter().map(|companion| companion.uuid);
    direct.chain(companions).chain(outside.flat_map(|package| package.deps.iter().copied())).collect()
}
