//! What is precompiled before packages are loaded: by workloads, and by the Julia that writes an image.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::{Build, BuildOptions, check_target, watch};
use crate::budget::Budget;
use crate::cpu::CpuTarget;
use crate::environment::IJULIA;
use crate::error::Error;
use crate::julia::{Drivers, Identity, write_packages};
use crate::prepare::Prepared;
use crate::process::Standstill;
use crate::progress::Progress;
use crate::report::{CachesReport, PhaseReport};
use crate::uuid::Uuid;
use crate::workload::{self, Counted, Counting, For, Precompiling};

const REPL: Uuid = Uuid::from_u128(0x3fa0_cd96_eef1_5676_8a61_b3b8_758b_bffb);

const PKG: Uuid = Uuid::from_u128(0x44cf_e95a_1eb2_52ea_b672_e2af_df69_b78f);

/// What precompiling was.
pub(super) struct Precompiled {
    phase: PhaseReport,
    peak_memory_bytes: u64,
    stuck: Vec<Standstill>,
    /// The packages that were stuck to the last, or are known to be.
    not_precompiled: BTreeSet<String>,
    /// What there is for other CPUs, where caches are for such.
    caches: Option<CachesReport>,
}

/// Precompiles the packages for the plan's CPUs, and builds nothing: for sessions without an image, whatever became of that. `None` where there is nothing to
/// do, as for this machine's CPU alone.
pub async fn precompile(
    prepared: &Prepared,
    options: BuildOptions,
    budget: Budget,
    progress: &Progress,
) -> Result<Option<CachesReport>, Error> {
    if prepared.plan.cpu_target == CpuTarget::Native || !prepared.julia.differences().has_package_images() {
        return Ok(None);
    }
    prepared.environment.check_installed(&prepared.depots, &prepared.julia.facts.stdlib)?;
    check_target(prepared).await?;
    prepared.cache.prepare()?;
    watch(prepared, options, progress);
    let mut build = Build::new(prepared, options, budget, progress, prepared.cache.stage()?)?;
    let precompiled = build.precompile_for_sessions().await?;
    build.note_precompiled(precompiled);
    Ok(build.report.caches)
}

impl Build<'_> {
    /// Precompiles the packages for workloads and sessions; for the CPUs of the plan, and what is right for these already is left as it is.
    pub(super) async fn precompile_for_sessions(&self) -> Result<Option<Precompiled>, Error> {
        let Prepared { julia, environment, plan, .. } = self.prepared;
        if plan.cpu_target == CpuTarget::Native || !julia.differences().has_package_images() {
            return self.precompile(For::Workloads { counting: None }).await;
        }
        let work = self.staging.work();
        let [packages, beside, counts] = ["sessions", "beside", "counts"].map(|name| work.join(name));
        let loaded = self.loaded_by_sessions();
        let named = loaded.iter().map(|(identity, name)| (identity.clone(), name.as_str()));
        write_packages(&packages, named).map_err(Error::file(&packages))?;
        // What IJulia has no need to load may be loaded all the same, and an image is given it.
        let kernel = environment.loaded_in_session([IJULIA]).into_iter();
        let kernel = kernel.filter(|package| !julia.has_base_module(package.uuid));
        let kernel = kernel.map(|package| (package.uuid.into(), package.name.as_str()));
        let others = kernel.chain(self.loaded_by_any_session());
        write_packages(&beside, others).map_err(Error::file(&beside))?;
        let counting = Counting { packages: &packages, beside: &beside, counts: &counts };
        self.precompile(For::Workloads { counting: Some(counting) }).await
    }

    /// The packages that sessions load from elsewhere than Julia's own image, with their extensions: the project's, and the kernel's.
    fn loaded_by_sessions(&self) -> BTreeMap<Identity, String> {
        let Prepared { julia, environment, plan, .. } = self.prepared;
        let packages = environment.closure().into_iter().chain(environment.project_package());
        let packages = packages.chain(environment.loaded_in_session([IJULIA]));
        let packages = packages.filter(|package| !julia.has_base_module(package.uuid));
        let packages = packages.map(|package| (package.uuid.into(), package.name.clone()));
        let extensions =
            plan.extensions.iter().map(|extension| (extension.identity(), extension.name.clone()));
        let others = self.loaded_by_any_session().map(|(identity, name)| (identity, name.to_owned()));
        packages.chain(extensions).chain(others).collect()
    }

    /// What sessions at a terminal load. It comes precompiled, but repo2docker has Julia look in its own depot alone.
    fn loaded_by_any_session<'n>(&self) -> impl Iterator<Item = (Identity, &'n str)> + use<'n> {
        let julia = &self.prepared.julia;
        let packages = [(REPL, "REPL"), (PKG, "Pkg")].into_iter();
        let loads_them = julia.differences().sessions_load_beside_the_image();
        packages.filter(move |_| loads_them).map(|(uuid, name)| (uuid.into(), name as &'n str))
    }

    /// What was counted, in a report's words.
    fn caches_report(&self, counted: &Counted) -> CachesReport {
        let Prepared { julia, plan, .. } = self.prepared;
        let names = self.loaded_by_sessions();
        let missing = counted.missing().filter_map(|identity| names.get(identity).cloned()).collect();
        CachesReport::new(julia.facts.target(&plan.cpu_target), counted, missing)
    }

    /// Precompiles the packages, several at once, where Julia can and there is something to do. What came of it is for
    /// [`Build::note_precompiled`].
    async fn precompile(&self, purpose: For<'_>) -> Result<Option<Precompiled>, Error> {
        let Prepared { julia, environment, .. } = self.prepared;
        if self.is_all_in_base_image() || !julia.differences().precompiles_in_parallel() {
            return Ok(None);
        }
        // What is not precompiled by then is loaded from its source, for which the time is over as well.
        let deadline = match purpose {
            For::Workloads { .. } => self.budget.end_of_workloads(),
            For::Writing(_) | For::Sessions { .. } => self.budget.end(),
        };
        let (name, title) = match purpose {
            For::Workloads { counting: None } => ("precompile", "precompiling packages".to_owned()),
            For::Workloads { .. } => {
                ("precompile", format!("precompiling packages for {} CPUs", self.prepared.plan.cpu_target))
            }
            For::Writing(_) => ("precompile-image", "precompiling packages for the image".to_owned()),
            For::Sessions { step, .. } => (step.phase(), "precompiling for sessions".to_owned()),
        };
        let started = Instant::now();
        let phase = self.progress.phase(title.clone());
        let log = self.staging.logs().join(name).with_added_extension("log");
        let mut runs = vec![(&environment.project_file, None, log)];
        // Companions come from another environment, of which nothing else goes into the image.
        let companions = environment.companions.iter().filter(|_| matches!(purpose, For::Writing(_)));
        for companion in companions {
            let name = environment.package(companion.uuid).map(|package| package.name.as_str());
            let log = self.staging.logs().join(format!("precompile-{}.log", companion.uuid));
            runs.push((&companion.project_file, name, log));
        }
        let (mut all, mut peak_memory_bytes, mut stuck) = (true, 0, Vec::new());
        let mut not_precompiled = BTreeSet::new();
        let jobs = self.jobs();
        let counts = match purpose {
            For::Workloads { counting } => counting.map(|counting| counting.counts),
            For::Writing(_) | For::Sessions { .. } => None,
        };
        let counted = || counts.map(Counted::read).unwrap_or_default();
        let mut caches = Counted::default();
        for (project, named, log) in runs {
            let drivers = Drivers { project_file: project, ..self.drivers() };
            let cpus = &self.prepared.plan.cpu_target;
            let how = Precompiling { purpose, cpus, named, jobs, deadline, once_more: false };
            let mut finished = workload::precompile(drivers, how, &log).await?;
            stuck.extend(finished.standstills(|| title.clone()));
            // What was stuck comes and goes (JuliaLang/julia issue 52666). The others are there by now.
            let suspect = finished.newly_stuck().next().map(|package| package.name.clone());
            if let Some(name) = suspect {
                self.progress.say(&format!("  once more, after the others: {name}"));
                let _ = std::fs::rename(&log, log.with_extension("stuck.log"));
                caches = counted();
                let how = Precompiling { once_more: true, ..how };
                finished = workload::precompile(drivers, how, &log).await?;
                stuck.extend(finished.standstills(|| title.clone()));
                self.prepared.give_up_on_stuck(&finished);
            }
            not_precompiled.extend(finished.stuck.iter().map(|package| package.name.clone()));
            peak_memory_bytes = finished.peak_memory_bytes.max(peak_memory_bytes);
            all &= finished.ending.is_success();
        }
        let caches = counts.map(|_| self.caches_report(&caches.or_later(counted())));
        let came_to = [
            (!all).then(|| "not all of them precompile".to_owned()),
            caches.as_ref().map(CachesReport::to_string),
        ];
        phase.done(&came_to.into_iter().flatten().collect::<Vec<_>>().join("; "));
        let phase = self.ended(name, started.elapsed());
        Ok(Some(Precompiled { phase, peak_memory_bytes, stuck, not_precompiled, caches }))
    }

    /// Precompiles the packages without native code for the process that writes an image, where such a process has caches of its own.
    pub(super) async fn precompile_for_image(&self) -> Result<Option<Precompiled>, Error> {
        match self.prepared.julia.differences().image_precompile_arguments() {
            Some(arguments) => self.precompile(For::Writing(arguments)).await,
            None => Ok(None),
        }
    }

    /// Notes what was precompiled, which may have been beside workloads.
    pub(super) fn note_precompiled(&mut self, precompiled: Option<Precompiled>) {
        if let Some(Precompiled { phase, peak_memory_bytes, stuck, not_precompiled, caches }) = precompiled {
            self.report.caches = caches.or(self.report.caches.take());
            self.from_source.borrow_mut().extend(not_precompiled);
            self.report.stuck.extend(stuck);
            self.report.saw_phase(phase, peak_memory_bytes);
        }
    }

    /// Whether loading a package will not precompile it, as far as that can be known: several processes that precompile
    /// the same would do it several times.
    pub(super) fn packages_are_precompiled(&self) -> bool {
        self.prepared.julia.differences().precompiles_in_parallel() || self.is_all_in_base_image()
    }

    fn is_all_in_base_image(&self) -> bool {
        let Prepared { julia, environment, .. } = self.prepared;
        let mut packages = environment.packages.values().chain(environment.project_package());
        packages.all(|package| julia.has_base_module(package.uuid))
    }
}
