//! Which workloads need not run, since they did before and nothing changed that they depend on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::BuildOptions;
use crate::cache::KeptTrace;
use crate::key::{TraceInputs, TraceKey, TraceKeys};
use crate::prepare::Prepared;
use crate::uuid::Uuid;
use crate::workload::{Kind, Outcome, Ran, Runner, Scope, Workload};

/// A workload that takes no longer is run again when one of the project's own packages was edited.
const RUN_AGAIN: Duration = Duration::from_secs(10);

/// The traces of earlier runs.
pub(super) struct Reuse<'a> {
    prepared: &'a Prepared,
    /// Whether everything is to run again.
    nothing: bool,
    /// Whether what was stuck is to run again.
    retry: bool,
    /// What each workload's trace depends on, as it is before anything runs: what is edited while it runs is not known to
    /// have taken part.
    inputs: BTreeMap<(Kind, String), Vec<TraceInputs>>,
}

impl<'a> Reuse<'a> {
    /// Looks at what the workloads of a project depend on. With `force`, traces are kept and not taken.
    pub(super) fn new(prepared: &'a Prepared, BuildOptions { force, retry, .. }: BuildOptions) -> Self {
        let Prepared { environment, depots, julia, plan, inputs, .. } = prepared;
        let keys = TraceKeys::new(environment, depots, julia, plan, inputs);
        let with_load = std::iter::once(&Workload::Load).chain(&plan.workloads);
        let inputs = with_load.map(|workload| {
            let scopes = [Scope::Sandbox, Scope::Project];
            let inputs = scopes.into_iter().filter_map(|scope| keys.inputs(workload, scope));
            (name_of(workload), inputs.collect())
        });
        Self { prepared, nothing: force, retry, inputs: inputs.collect() }
    }

    fn inputs(&self, workload: &Workload) -> &[TraceInputs] {
        self.inputs.get(&name_of(workload)).map_or(&[], Vec::as_slice)
    }

    /// What a workload was seen to compile when it ran last, if running it again would show the same.
    pub(super) fn take(&self, workload: &Workload, runner: &Runner<'_>) -> Option<Ran> {
        if self.nothing {
            return None;
        }
        let (trace, log) = runner.files(workload);
        self.inputs(workload).iter().find_map(|inputs| {
            let is_wanted = |kept: &KeptTrace| self.is_wanted(kept);
            let take = |key: &TraceKey| self.prepared.cache.take_trace(key, is_wanted, &trace, &log);
            let kept = take(&inputs.key()).or_else(|| take(&self.before_an_edit(workload, inputs)?))?;
            Some(Ran {
                name: kept.name,
                kind: kept.kind,
                outcome: kept.outcome,
                started: None,
                seconds: kept.seconds,
                compile_seconds: kept.compile_seconds,
                limit: runner.time_limit,
                scope: inputs.scope,
                reused: true,
                peak_memory_bytes: kept.peak_memory_bytes,
                cut_short: false,
                ran_out_of_memory: false,
                stuck: Vec::new(),
                trace: trace.clone(),
                log: log.clone(),
                note: kept.note,
                error: kept.error,
                activated: kept.activated,
                loaded: kept.loaded,
            })
        })
    }

    /// Whether a workload need not run, as far as its record says.
    pub(super) fn has(&self, workload: &Workload) -> bool {
        let is_kept = |inputs: &TraceInputs| {
            let kept =
                |key: &TraceKey| self.prepared.cache.kept_trace(key).filter(|kept| self.is_wanted(kept));
            kept(&inputs.key()).is_some() || self.before_an_edit(workload, inputs).is_some()
        };
        !self.nothing && self.inputs(workload).iter().any(is_kept)
    }

    /// The trace of a long workload from before one of the project's own packages was edited. What no longer fits is refused when it is replayed, and
    /// what the workload would show beside it is seldom worth the minutes: `--retry` runs it again.
    fn before_an_edit(&self, workload: &Workload, inputs: &TraceInputs) -> Option<TraceKey> {
        let Prepared { plan, cache, environment, .. } = self.prepared;
        if self.retry || plan.own.packages.is_empty() {
            return None;
        }
        let own: Vec<Uuid> = plan.own.packages.iter().map(|package| package.uuid).collect();
        let (kind, name) = name_of(workload);
        let is_its = |kept: &KeptTrace| {
            (kept.kind, &kept.name) == (kind, &name)
                && kept.project == environment.project_file
                && kept.seconds > RUN_AGAIN.as_secs_f64()
                && self.is_wanted(kept)
        };
        cache.trace_like(is_its, |before| inputs.is_same_but_for(&own, before))
    }

    fn is_wanted(&self, kept: &KeptTrace) -> bool {
        match kept.outcome {
            // What had no more time than it would have now might show more.
            Outcome::Timeout => kept.limit >= self.prepared.settings.workloads.time_limit.as_secs_f64(),
            Outcome::Stuck => !self.retry,
            Outcome::Ok | Outcome::Failed | Outcome::Crashed => true,
        }
    }

    /// How long workloads took when they ran last.
    pub(super) fn times(&self) -> Times {
        let mut seconds = BTreeMap::new();
        for kept in self.prepared.cache.kept_traces() {
            // A package's tests are the same whoever's dependency it is; scripts and notebooks are a project's own.
            let is_ours = kept.package.is_some() || kept.project == self.prepared.environment.project_file;
            if is_ours {
                let longest: &mut f64 = seconds.entry((kept.kind, kept.package, kept.name)).or_default();
                *longest = longest.max(kept.seconds);
            }
        }
        Times(seconds)
    }

    /// Keeps the trace of a workload that ran.
    pub(super) fn keep(&self, workload: &Workload, ran: &Ran) {
        if !is_worth_keeping(ran) {
            return;
        }
        let Some(inputs) = self.inputs(workload).iter().find(|inputs| inputs.scope == ran.scope) else {
            return;
        };
        let project = &self.prepared.environment.project_file;
        let kept = KeptTrace::of(ran, inputs, project);
        // What is not kept runs again.
        let _ = self.prepared.cache.keep_trace(inputs, kept, &ran.trace, &ran.log);
    }

    /// Puts the workloads that took longest when they last ran before the others, so that no long one runs on alone at the
    /// end; and before these the ones of which nothing is known.
    pub(super) fn longest_first(&self, workloads: &mut [Workload]) {
        if workloads.len() < 2 {
            return;
        }
        let times = self.times();
        let expected = |workload: &Workload| times.of(workload).unwrap_or(f64::INFINITY);
        workloads.sort_by(|a, b| expected(b).total_cmp(&expected(a)));
    }
}

/// How long workloads took, the longest of what each was seen to take.
pub(super) struct Times(BTreeMap<(Kind, Option<Uuid>, String), f64>);

impl Times {
    /// In seconds; `None` when it never ran.
    pub(super) fn of(&self, workload: &Workload) -> Option<f64> {
        self.0.get(&(workload.kind(), workload.package(), workload.name())).copied()
    }
}

fn name_of(workload: &Workload) -> (Kind, String) {
    (workload.kind(), workload.name())
}

/// Whether running a workload again would show the same. One that failed is deterministic as a rule: a test suite says what
/// it found. A crash, or memory that ran out, may have been this once, and hid all that would have come.
fn is_worth_keeping(ran: &Ran) -> bool {
    match ran.outcome {
        _ if ran.ran_out_of_memory => false,
        // What was stuck costs the time in which nothing happens, until it is to be tried again.
        Outcome::Ok | Outcome::Timeout | Outcome::Stuck => true,
        // Without a sandbox what failed may be that something is not installed, which no key knows.
        Outcome::Failed => ran.kind != Kind::Tests || ran.scope == Scope::Sandbox,
        Outcome::Crashed => false,
    }
}
