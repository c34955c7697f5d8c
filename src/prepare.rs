//! From what the user said to a plan and its key, without starting a process if that can be helped.

use std::path::{Path, PathBuf};

use crate::cache::{Cache, CacheVariables, Entry, ProjectRecord, Unusable};
use crate::config::{Overrides, Settings};
use crate::cpu::CpuTarget;
use crate::environment::{
    COMPANIONS, DepotSettings, Depots, Environment, EnvironmentError, LoadPath, Package, Search,
};
use crate::error::Error;
use crate::julia::{self, JuliaInstall, Wish};
use crate::key::{Key, KeyInputs, KeyWorkload, OwnInputs};
use crate::plan::Plan;
use crate::process;
use crate::sysimage::{self, NoTarget, Served};
use crate::version::Version;
use crate::workload::Kind;
use crate::world::Here;

/// What the user said about which project and which Julia.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `--project`.
    pub project: Option<String>,
    /// `--project` among Julia's own arguments, in the place of `JULIA_PROJECT`.
    pub julia_project: Option<String>,
    /// `--julia`.
    pub julia: Option<String>,
    /// What flags decide.
    pub overrides: Overrides,
    /// Whether the default environment will do where there is no project around the working folder. What takes minutes is
    /// done for it only when it is named.
    pub falls_back: bool,
    /// Whether the flags of the last build go on to count where no others are given.
    pub as_last_built: bool,
    /// Whether something is to be built.
    pub builds: bool,
    /// Whether Julia may be asked for which CPUs it generates code, where that matters and is not known: not where nothing is built.
    pub may_ask: bool,
}

/// A project with its Julia, its plan and its key.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The cache.
    pub cache: Cache,
    /// The Julia.
    pub julia: JuliaInstall,
    /// The project's packages.
    pub environment: Environment,
    /// Where packages are installed.
    pub depots: Depots,
    /// The settings, with the flags applied.
    pub settings: Settings,
    /// What to build.
    pub plan: Plan,
    /// Everything that can change the image.
    pub inputs: KeyInputs,
    /// The image's name.
    pub key: Key,
    /// How the project was last built.
    pub last_built: Option<ProjectRecord>,
    /// What to keep with the project, so that other commands make the same plan.
    pub overrides: Overrides,
    /// Why a session would take packages from elsewhere than the project, where it would: then no image is right for it.
    pub hidden: Option<String>,
    /// Whether it is the default environment, since nobody named a project and there is none around.
    pub is_last_resort: bool,
    /// The flags of the last build, where they count and the command has none of its own.
    pub remembered: Option<String>,
    /// Why the image is for this machine's CPUs alone, where it is to be used on others and this Julia cannot do that.
    pub gave_way: Option<NoTarget>,
}

impl Prepared {
    /// Reads everything that decides the image. Starts Julia only when this Julia was not asked before.
    pub fn new(request: &Request) -> Result<Self, Error> {
        let directory = std::env::current_dir().map_err(Error::WorkingFolder)?;
        let cache = Surroundings::read(&directory).cache()?;
        let julia = find_julia(request.julia.as_deref(), &directory, &cache)?;
        let located = Located::find(request, &julia, &directory);
        Self::of(request, julia, cache, located)
    }

    /// The same when it is known already which Julia it is, where the cache, and where the project.
    pub fn of(
        request: &Request,
        mut julia: JuliaInstall,
        cache: Cache,
        located: Located<'_>,
    ) -> Result<Self, Error> {
        let Located { surroundings, depots, project } = located;
        let search = surroundings.search(request, &depots, &julia.facts.version);
        let files = search.belonging_to(project?)?;
        let hidden = search.in_front(&files.project_file);
        let is_last_resort = files.is_last_resort;
        if is_last_resort && !request.falls_back {
            let series = julia.facts.version.major_minor();
            let place = surroundings.directory.to_owned();
            return Err(EnvironmentError::NoProjectAround { place, series }.into());
        }
        let mut environment = Environment::load(&files)?;
        if let Some(default) = &files.default_project {
            take_companions(&mut environment, default, &surroundings, &depots, &julia);
        }

        if julia.differences().has_preferences() {
            julia.load_path = LoadPath::of(&environment, &files, cache.root());
        }

        let last_built = cache.project(&environment.project_file);
        let mut overrides = request.overrides.clone();
        let mut remembered = None;
        if let Some(record) = &last_built
            && request.as_last_built
            && overrides == Overrides::default()
        {
            overrides = record.overrides.clone();
            remembered = Some(overrides.flags()).filter(|flags| !flags.is_empty());
            // What the machine looks like where the image is built must not be asked again where it is used; a build finds out anew.
            if request.builds {
                overrides.found_cpu_target = None;
            } else if overrides.found_cpu_target.is_some() {
                let known = Known { cache, julia, environment, depots, last_built, hidden, is_last_resort };
                return Self::with(known, overrides, None, request.falls_back);
            }
        }
        let wished = overrides.found_cpu_target.take().unwrap_or_else(CpuTarget::chosen_here);
        let mut gave_way = None;
        if Settings::load(environment.project_dir(), &overrides)?.cpu_target.is_none() {
            let served = match request.may_ask {
                true => process::block_on(ask(&cache, &julia, &wished)).map_err(Error::Runtime)?,
                false => cache.serves(&julia, &wished),
            };
            if let Served::No(reason) = served {
                gave_way = Some(reason);
            }
            overrides.found_cpu_target = Some(if gave_way.is_some() { CpuTarget::Native } else { wished });
        }
        let known = Known { cache, julia, environment, depots, last_built, hidden, is_last_resort };
        let prepared = Self::with(known, overrides, gave_way, request.falls_back)?;
        Ok(Self { remembered, ..prepared })
    }

    fn with(
        known: Known,
        overrides: Overrides,
        gave_way: Option<NoTarget>,
        for_session: bool,
    ) -> Result<Self, Error> {
        let Known { cache, julia, environment, depots, last_built, hidden, is_last_resort } = known;
        let settings = Settings::load(environment.project_dir(), &overrides)?;
        let planned = |settings: &Settings| -> Result<(Plan, KeyInputs), Error> {
            let folder = |package: &Package| depots.package_dir(package, &julia.facts.stdlib);
            let plan = Plan::new(&environment, settings, julia.differences(), folder)?;
            let inputs = KeyInputs::collect(&environment, &julia, &plan, settings.workloads.time_limit)?;
            Ok((plan, inputs))
        };
        let shown = last_built.as_ref().filter(|_| for_session);
        let shown = shown.and_then(|record| {
            let entry = cache.entry(&record.key).ok()?;
            as_shown(&entry.header.shown_by, &settings, planned)
                .filter(|(_, inputs)| inputs.key() == record.key)
        });
        let (plan, inputs) = shown.map_or_else(|| planned(&settings), Ok)?;
        let key = inputs.key();
        Ok(Self {
            cache,
            julia,
            environment,
            depots,
            settings,
            plan,
            inputs,
            key,
            last_built,
            overrides,
            remembered: None,
            hidden,
            is_last_resort,
            gave_way,
        })
    }

    /// The same project as `run` would have it, without this command's flags: with what it was last built with.
    pub fn as_last_built(&self) -> Option<Self> {
        let record = self.cache.project(&self.environment.project_file)?;
        let Self { cache, julia, environment, depots, .. } = self.clone();
        let overrides = record.overrides.clone();
        let (hidden, is_last_resort) = (self.hidden.clone(), self.is_last_resort);
        let known =
            Known { cache, julia, environment, depots, last_built: Some(record), hidden, is_last_resort };
        Self::with(known, overrides, None, true).ok()
    }

    /// Whether this Julia generates code for the plan's CPUs, as far as that is known.
    pub fn target_is_served(&self) -> Served {
        self.cache.serves(&self.julia, &self.plan.cpu_target)
    }

    /// The same; asks Julia where it is not known.
    pub async fn ask_for_target(&self) -> Served {
        ask(&self.cache, &self.julia, &self.plan.cpu_target).await
    }

    /// Why images are for this machine's CPUs alone, in words.
    pub fn target_warning(&self) -> Option<String> {
        let wished = self.gave_way.as_ref()?.target();
        Some(format!(
            "built for CPUs like this machine's alone: this Julia's own image has no code for {wished} ones, so sessions on \
             other CPUs start plain Julia"
        ))
    }

    /// What decides the image now: packages by path may have changed since this was read.
    pub fn inputs_now(&self) -> Result<KeyInputs, Error> {
        Ok(KeyInputs::collect(
            &self.environment,
            &self.julia,
            &self.plan,
            self.settings.workloads.time_limit,
        )?)
    }

    /// The project's own packages that no image has, as they are now; `None` where there are none.
    pub fn own(&self) -> Option<OwnInputs> {
        self.inputs.own(&self.environment, &self.plan)
    }

    /// Where things are here and now, which decides whether an image is right beside its content.
    pub fn here(&self) -> Here<'_> {
        Here::new(&self.environment, &self.depots, &self.julia)
    }

    /// The entry of `key`, if there is one that may be used here.
    pub fn entry(&self, key: &Key) -> Result<Entry, Unusable> {
        self.cache.entry_for(key, &self.here())
    }

    /// What was noted when the image of `key` was built, if it is there.
    pub fn notes_of(&self, key: &Key) -> Option<Vec<String>> {
        self.cache.entry_as_is(key).ok()?.report().ok().map(|report| report.notes)
    }

    /// Whether other commands would make another plan if they did not know what was decided outside of `jlsys.toml`.
    pub fn overrides_matter(&self) -> bool {
        let found = self.overrides.found_cpu_target.as_ref().map(|_| CpuTarget::chosen_here());
        self.last_built.as_ref().is_none_or(|record| record.overrides != self.overrides)
            && self.overrides != Overrides { found_cpu_target: found, ..Overrides::default() }
    }

    /// Whether the manifest was made by another Julia than this, in words.
    pub fn version_warning(&self) -> Option<String> {
        let made_with = self.environment.manifest.julia_version.as_ref()?;
        let version = &self.julia.facts.version;
        ((made_with.major, made_with.minor) != (version.major, version.minor)).then(|| {
            format!(
                "{} was made with Julia {made_with} and is used with Julia {version}",
                self.environment.manifest_file.display()
            )
        })
    }
}

/// The plan for a session, made without a search for the project's scripts and notebooks: those that showed what to compile are
/// known. There may be others by now; that makes what is in the image no less right.
fn as_shown(
    shown_by: &[KeyWorkload],
    settings: &Settings,
    planned: impl Fn(&Settings) -> Result<(Plan, KeyInputs), Error>,
) -> Option<(Plan, KeyInputs)> {
    let of_kind = |kind| shown_by.iter().filter(move |workload| workload.kind == kind);
    let mut settings = settings.clone();
    settings.workloads.kinds.retain(|kind| *kind != Kind::Notebooks);
    let scripts = of_kind(Kind::Scripts).map(|script| script.name.clone().into());
    settings.workloads.scripts.get_or_insert_with(|| scripts.collect());
    let (plan, mut inputs) = planned(&settings).ok()?;
    inputs.workloads.extend(of_kind(Kind::Notebooks).cloned());
    inputs.workloads.sort();
    Some((plan, inputs))
}

/// Whether a Julia generates code for some CPUs; asks it, unless the cache knows.
async fn ask(cache: &Cache, julia: &JuliaInstall, target: &CpuTarget) -> Served {
    match cache.serves(julia, target) {
        Served::Unknown => {
            let served = sysimage::serves(julia, target).await;
            cache.keep_serves(julia, target, &served);
            served
        }
        known => known,
    }
}

/// The cache, for commands that need no project.
pub fn locate_cache() -> Result<Cache, Error> {
    let directory = std::env::current_dir().map_err(Error::WorkingFolder)?;
    Surroundings::read(&directory).cache()
}

/// What is known before there is a plan.
struct Known {
    cache: Cache,
    julia: JuliaInstall,
    environment: Environment,
    depots: Depots,
    last_built: Option<ProjectRecord>,
    hidden: Option<String>,
    is_last_resort: bool,
}

/// The variables that decide where things are.
struct Surroundings<'a> {
    directory: &'a Path,
    home: Option<PathBuf>,
    depot_path: Option<std::ffi::OsString>,
    julia_project: Option<String>,
    load_path: Option<std::ffi::OsString>,
}

impl<'a> Surroundings<'a> {
    fn read(directory: &'a Path) -> Self {
        Self {
            directory,
            home: std::env::home_dir(),
            depot_path: std::env::var_os("JULIA_DEPOT_PATH"),
            julia_project: std::env::var("JULIA_PROJECT").ok(),
            load_path: std::env::var_os("JULIA_LOAD_PATH"),
        }
    }

    fn depots(&self, bundled: &[PathBuf], julia: &Version) -> Depots {
        Depots::from_settings(DepotSettings {
            variable: self.depot_path.as_deref(),
            home: self.home.as_deref(),
            cwd: self.directory,
            bundled,
            julia,
        })
    }

    fn search<'s>(&'s self, request: &'s Request, depots: &'s Depots, julia: &'s Version) -> Search<'s> {
        Search {
            project: request.project.as_deref(),
            julia_project: request.julia_project.as_deref().or(self.julia_project.as_deref()),
            load_path: self.load_path.as_deref(),
            cwd: self.directory,
            home: self.home.as_deref(),
            depots,
            julia,
        }
    }

    fn cache(&self) -> Result<Cache, Error> {
        // The first depot is the same whatever the Julia: its own depots come last.
        let depots = self.depots(&[], &Version::new(1, 12, 0));
        let variables = CacheVariables {
            own: std::env::var_os("JLSYS_CACHE_DIR").map(PathBuf::from),
            shared: std::env::var_os("JLSYS_CACHE_PATH"),
        };
        Ok(Cache::locate(variables, depots.paths().first().map(PathBuf::as_path))?)
    }
}

/// Where a project is, whatever state it is in.
pub struct Located<'a> {
    surroundings: Surroundings<'a>,
    depots: Depots,
    /// The project file, and whether it is that of the default environment for want of another.
    project: Result<(PathBuf, bool), EnvironmentError>,
}

impl<'a> Located<'a> {
    /// Looks for the project that a request is about.
    pub fn find(request: &Request, julia: &JuliaInstall, directory: &'a Path) -> Self {
        let surroundings = Surroundings::read(directory);
        let depots = surroundings.depots(&julia.facts.bundled_depots, &julia.facts.version);
        let project = surroundings.search(request, &depots, &julia.facts.version).project_file();
        Self { surroundings, depots, project }
    }

    /// The project file; `None` where there is none, or the default environment's for want of another, which Julia finds by itself.
    pub fn project_file(&self) -> Option<&Path> {
        self.project
            .as_ref()
            .ok()
            .and_then(|(file, is_last_resort)| (!is_last_resort).then_some(file.as_path()))
    }
}

/// Takes along what notebooks need of the default environment. That one may be in any state: then nothing is taken.
fn take_companions(
    environment: &mut Environment,
    default: &Path,
    surroundings: &Surroundings<'_>,
    depots: &Depots,
    julia: &JuliaInstall,
) {
    let Some(project) = default.to_str() else { return };
    let search = Search {
        project: Some(project),
        julia_project: None,
        load_path: surroundings.load_path.as_deref(),
        cwd: surroundings.directory,
        home: surroundings.home.as_deref(),
        depots,
        julia: &julia.facts.version,
    };
    let Ok(default) = search.run().and_then(|files| Environment::load(&files)) else { return };
    for (_, uuid) in COMPANIONS {
        environment
            .take_along(&default, *uuid, |package| depots.entry_file(package, &julia.facts.stdlib).is_some());
    }
}

/// The Julia that a command starts: a path, a name on `PATH`, or `+channel` of juliaup.
pub fn julia_of(command: &str) -> Result<JuliaInstall, Error> {
    let directory = std::env::current_dir().map_err(Error::WorkingFolder)?;
    let cache = Surroundings::read(&directory).cache()?;
    find_julia(Some(command), &directory, &cache)
}

/// The Julia to use; asks it what it is, unless the cache knows.
pub fn find_julia(option: Option<&str>, directory: &Path, cache: &Cache) -> Result<JuliaInstall, Error> {
    let variable = std::env::var("JULIA").ok();
    let command = julia::discover(Wish { option, variable: variable.as_deref(), directory })?;
    if let Some(julia) = cache.probed(&command) {
        return Ok(julia);
    }
    let julia = ask_julia(command)?;
    // Without it the next start asks again, which is slow and right.
    let _ = cache.keep_probe(&julia);
    Ok(julia)
}

/// Asks the Julia that a command starts what it is.
pub fn ask_julia(command: PathBuf) -> Result<JuliaInstall, Error> {
    let facts = process::block_on(julia::probe(&command)).map_err(Error::Runtime)??;
    Ok(JuliaInstall { command, facts, load_path: None })
}
