//! What is precompiled before packages are loaded: by workloads, and by the Julia that writes an image.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Build;
use crate::error::Error;
use crate::julia::Drivers;
use crate::prepare::Prepared;
use crate::process::Standstill;
use crate::report::PhaseReport;
use crate::workload::{self, For, Precompiling};

/// What precompiling was.
pub(super) struct Precompiled {
    phase: PhaseReport,
    peak_memory_bytes: u64,
    stuck: Vec<Standstill>,
    /// The packages that were stuck to the last, or are known to be.
    not_precompiled: BTreeSet<String>,
}

impl Build<'_> {
    /// Precompiles the packages, several at once, where Julia can and there is something to do. What came of it is for
    /// [`Build::note_precompiled`].
    pub(super) async fn precompile(&self, purpose: For<'_>) -> Result<Option<Precompiled>, Error> {
        let Prepared { julia, environment, .. } = self.prepared;
        if self.is_all_in_base_image() || !julia.differences().precompiles_in_parallel() {
            return Ok(None);
        }
        // What is not precompiled by then is loaded from its source, for which the time is over as well.
        let deadline = match purpose {
            For::Workloads => self.budget.end_of_workloads(),
            For::Writing(_) | For::Sessions { .. } => self.budget.end(),
        };
        let (name, title) = match purpose {
            For::Workloads => ("precompile", "precompiling packages"),
            For::Writing(_) => ("precompile-image", "precompiling packages for the image"),
            For::Sessions { step, .. } => (step.phase(), "precompiling for sessions"),
        };
        let started = Instant::now();
        let phase = self.progress.phase(title);
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
        for (project, named, log) in runs {
            let drivers = Drivers { project_file: project, ..self.drivers() };
            let how = Precompiling { purpose, named, jobs, deadline, once_more: false };
            let mut finished = workload::precompile(drivers, how, &log).await?;
            stuck.extend(finished.standstills(|| title.to_owned()));
            // What was stuck comes and goes (JuliaLang/julia issue 52666). The others are there by now.
            let suspect = finished.newly_stuck().next().map(|package| package.name.clone());
            if let Some(name) = suspect {
                self.progress.say(&format!("  once more, after the others: {name}"));
                let _ = std::fs::rename(&log, log.with_extension("stuck.log"));
                let how = Precompiling { once_more: true, ..how };
                finished = workload::precompile(drivers, how, &log).await?;
                stuck.extend(finished.standstills(|| title.to_owned()));
                self.prepared.give_up_on_stuck(&finished);
            }
            not_precompiled.extend(finished.stuck.iter().map(|package| package.name.clone()));
            peak_memory_bytes = finished.peak_memory_bytes.max(peak_memory_bytes);
            all &= finished.ending.is_success();
        }
        phase.done(if all { "" } else { "not all of them precompile" });
        let phase = self.ended(name, started.elapsed());
        Ok(Some(Precompiled { phase, peak_memory_bytes, stuck, not_precompiled }))
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
        if let Some(Precompiled { phase, peak_memory_bytes, stuck, not_precompiled }) = precompiled {
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
