//! The first half of a build: workloads are run, and their traces become statements.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

use indicatif::HumanBytes;

use super::{Build, count};
use crate::error::Error;
use crate::plan::{LeftOutReason, Plan};
use crate::report::{StatementCounts, WorkloadReport};
use crate::trace::{Collector, Owner};
use crate::workload::{self, For, Outcome, Ran, Runner};

/// All statements of all workloads, in one file.
pub(super) struct Statements {
    /// The file.
    pub path: PathBuf,
    /// Whose they are.
    pub owners: Vec<Owner>,
}

impl Build<'_> {
    /// Loads the packages and runs the workloads. Returns the plan without what does not load, and the traces.
    pub(super) async fn trace(&mut self) -> Result<(Plan, Vec<Ran>), Error> {
        let traces = self.staging.work().join("traces");
        std::fs::create_dir(&traces).map_err(Error::file(&traces))?;
        let logs = self.staging.logs();
        let jobs = self.jobs();
        self.precompile(For::Workloads).await?;
        let runner = Runner {
            julia: &self.prepared.julia,
            project_file: &self.prepared.environment.project_file,
            drivers: &self.drivers,
            traces: &traces,
            logs: &logs,
            time_limit: self.prepared.settings.workloads.time_limit,
            deadline: self.budget.end_of_workloads(),
            jobs,
        };
        let plan = self.prepared.plan.clone();
        let phase = self.progress.phase(format!("loading {}", count(plan.packages.len(), "package")));
        let loaded = workload::load(&runner, &plan).await?;
        if loaded.cut_short {
            let budget = self.budget.to_string();
            return Err(Error::OutOfTime { budget, doing: "the packages were being loaded" });
        }
        let failed = loaded.failed.len();
        let result = if failed == 0 { String::new() } else { format!("{failed} failed") };
        let mut phases = vec![self.ended("load", phase.done(&result))];

        let others: Vec<_> =
            plan.workloads.iter().filter(|w| w.kind() != workload::Kind::Load).cloned().collect();
        let mut ran = Vec::new();
        if !others.is_empty() {
            let title = format!("running {}, {jobs} at once", count(others.len(), "workload"));
            let phase = self.progress.phase(title);
            let running = std::cell::RefCell::new(Vec::new());
            let on_start = |workload: &workload::Workload| {
                running.borrow_mut().push(workload.name());
                phase.update(&running.borrow().join(", "));
            };
            let on_end = |ran: &Ran| {
                running.borrow_mut().retain(|name| *name != ran.name);
                phase.update(&running.borrow().join(", "));
                self.progress.say(&format!("  {}", describe(ran)));
            };
            ran = runner.run(&others, on_start, on_end).await?;
            phases.push(self.ended("workloads", phase.done("")));
        }
        if plan.workloads.contains(&workload::Workload::Load) {
            ran.insert(0, loaded.ran);
        }
        self.report.phases.extend(phases);
        let cut_short = ran.iter().filter(|ran| ran.cut_short).map(|ran| ran.kind.of(&ran.name));
        let cut_short: Vec<String> = cut_short.collect();
        if !cut_short.is_empty() {
            self.was_cut_short(&format!("left too little for {}", cut_short.join(", ")));
        }
        for ran in &ran {
            self.report.saw_memory(ran.peak_memory_bytes);
            if ran.ran_out_of_memory {
                let what = ran.kind.of(&ran.name);
                let peak = HumanBytes(ran.peak_memory_bytes);
                self.report.warnings.push(format!(
                    "{what} ran out of memory (it had reached {peak}): run fewer at once with `--jobs`"
                ));
            }
        }
        for (extension, error) in &loaded.failed_extensions {
            let package = self.owner_name(&Owner::Package(extension.package));
            let name = extension.extension.as_deref().unwrap_or_default();
            self.report.warnings.push(format!("{name}, an extension of {package}, does not load: {error}"));
        }
        let is_needed = |uuid| plan.packages.iter().any(|package| package.uuid == uuid && package.needed);
        let reasons = loaded.failed.into_iter().map(|(uuid, error)| {
            let reason = if is_needed(uuid) {
                LeftOutReason::DoesNotLoad(error)
            } else {
                LeftOutReason::NotForHere(error)
            };
            (uuid, reason)
        });
        let mut plan = plan.without(&reasons.collect());
        plan.extensions.retain(|extension| !loaded.failed_extensions.contains_key(&extension.identity()));
        Ok((plan, ran))
    }

    /// Cleans the traces into one file of statements.
    pub(super) fn collect(&mut self, plan: &Plan, traces: &[Ran]) -> Result<Statements, Error> {
        let phase = self.progress.phase("cleaning statements");
        let path = self.staging.entry().join("statements.jl");
        let file = File::create(&path).map_err(Error::file(&path))?;
        let mut collector = Collector::new(self.modules(plan), BufWriter::new(file));
        for ran in traces {
            // A workload that ended before it compiled anything left no file.
            let lines = match File::open(&ran.trace) {
                Ok(trace) => collector.read(BufReader::new(trace)).map_err(Error::file(&ran.trace))?.lines,
                Err(_) => 0,
            };
            self.report.workloads.push(WorkloadReport::new(ran, lines, self.budget.started()));
        }
        let totals = collector.finish().map_err(Error::file(&path))?;
        let counts = &totals.counts;
        self.report.statements = StatementCounts {
            traced: counts.lines,
            kept: counts.kept + counts.for_other_streams,
            dropped: counts.dropped.iter().map(|(reason, n)| (reason.to_string(), *n)).collect(),
            by_package: totals.owners.iter().map(|(owner, n)| (self.owner_name(owner), *n)).collect(),
            ..StatementCounts::default()
        };
        let result = format!("{} different ones to replay, of {}", counts.kept, count(counts.lines, "line"));
        let elapsed = phase.done(&result);
        self.note_phase("statements", elapsed);
        Ok(Statements { path, owners: totals.owners.into_keys().collect() })
    }
}

/// A workload's end in one line.
fn describe(ran: &Ran) -> String {
    let what = ran.kind.of(&ran.name);
    let how = match ran.outcome {
        Outcome::Ok => String::new(),
        Outcome::Failed if ran.kind == workload::Kind::Notebooks => {
            ", not every cell succeeded; all count".to_owned()
        }
        Outcome::Failed => ", failed; what it compiled until then counts".to_owned(),
        Outcome::Timeout if ran.cut_short => {
            ", ended by the time budget; what it compiled until then counts".to_owned()
        }
        Outcome::Timeout => ", ended at the time limit; what it compiled until then counts".to_owned(),
        Outcome::Crashed => ", crashed; what it compiled until then counts".to_owned(),
    };
    let note = ran.note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
    format!("{what}: {:.1} s{how}{note}", ran.seconds)
}
