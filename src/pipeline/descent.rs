//! The second half of a build: smaller and smaller attempts at an image, and committing the one that works.

use std::cmp::Reverse;
use std::time::{Duration, Instant, SystemTime};

use super::attempt::{AttemptError, Made};
use super::{Build, Statements, broken, note_cut_short};
use crate::cpu::HostCpu;
use crate::error::Error;
use crate::fallback::{Attempt, Ladder};
use crate::key::{KeyInputs, differences};
use crate::plan::Plan;
use crate::prepare::Prepared;
use crate::report::{Report, Tier};
use crate::sysimage::{Linker, ObjectProcess};
use crate::trace::Owner;
use crate::world::Sources;

impl<'a> Build<'a> {
    /// Climbs down the ladder until an image works, and commits it. `ahead` is the process of the first attempt, where that began
    /// already.
    pub(super) async fn climb(
        mut self,
        plan: &Plan,
        statements: &Statements,
        linker: &Linker,
        mut ahead: Option<ObjectProcess<'a>>,
    ) -> Result<Report, Error> {
        let packages = plan.packages.iter().map(|package| package.uuid).collect();
        let mut ladder = Ladder::new(packages, statements.owners.clone());
        let mut best = None;
        let mut last_failure = String::new();
        let mut number = 0;
        let mut writing_takes = Duration::ZERO;
        while let Some(attempt) = ladder.next() {
            let smaller = plan.without(&attempt.packages_out);
            if self.has_full_before() && tier_of(&smaller, &attempt, &statements.owners) != Tier::Full {
                let cause = broken(&smaller).next().unwrap_or(last_failure);
                last_failure = format!("nothing as good as the image that is there (tier full): {cause}");
                break;
            }
            if self.budget.is_short_of(writing_takes) {
                note_cut_short(&mut self.report, &self.budget, "left too little to try again with less");
                if number == 0 {
                    last_failure = format!("{} left too little for an image", self.budget);
                }
                break;
            }
            number += 1;
            let ahead = ahead.take();
            // Another attempt has no head start.
            let started = ahead.as_ref().map_or_else(Instant::now, ObjectProcess::started);
            match self.attempt(number, plan, &attempt, statements, ahead, linker).await {
                Ok(made) => {
                    writing_takes = started.elapsed();
                    ladder.worked();
                    let is_less = self.is_worth_less_than_startup(&attempt, statements)
                        || self.is_less_than_before(&attempt, &made.plan, &statements.owners);
                    if ladder.next().is_some() && !is_less {
                        self.commit_meanwhile(&attempt, &made, statements)?;
                    }
                    best = Some((attempt, made));
                }
                Err(AttemptError::Fatal(error)) => return Err(error),
                Err(AttemptError::Failed(failed)) => {
                    if failed.wrote_image {
                        writing_takes = started.elapsed();
                    }
                    // The whole of it, with the path that its log will have, is said at the end.
                    self.progress.say(&format!("  that did not work: {}", failed.problem.what));
                    last_failure = failed.problem.to_string();
                    // What ended the startup package may have been the same.
                    self.report.warn_once(last_failure.clone());
                    let environment = &self.prepared.environment;
                    ladder.failed(failed.failure, failed.wrote_image, |uuid| {
                        let name = environment.package(uuid).map_or_else(String::new, |p| p.name.clone());
                        let dependents = environment.dependents_of(uuid);
                        dependents.iter().map(|package| (package.uuid, name.clone())).collect()
                    });
                }
            }
        }
        match best {
            Some((attempt, _)) if self.is_worth_less_than_startup(&attempt, statements) => {
                self.settle_for_startup(last_failure).await
            }
            None if self.startup.is_some() => self.settle_for_startup(last_failure).await,
            Some((attempt, made)) if self.is_less_than_before(&attempt, &made.plan, &statements.owners) => {
                self.give_up(format!("nothing as good as the image that is there: {last_failure}"))
            }
            Some((attempt, made)) => self.commit(&attempt, made, statements),
            None => self.give_up(last_failure),
        }
    }

    /// Statements are worth more than packages that load at once.
    fn is_worth_less_than_startup(&self, attempt: &Attempt<Owner>, statements: &Statements) -> bool {
        self.startup.is_some() && attempt.owners.is_empty() && !statements.owners.is_empty()
    }

    /// Whether there is an image already that nothing can be better than.
    fn has_full_before(&self) -> bool {
        self.before.as_ref().is_some_and(|before| before.header.tier == Tier::Full)
    }

    /// Whether there is a better image already. That one stays.
    fn is_less_than_before(&self, attempt: &Attempt<Owner>, plan: &Plan, owners: &[Owner]) -> bool {
        self.before.as_ref().is_some_and(|before| {
            let rank = |tier, packages| (tier, Reverse(packages));
            rank(tier_of(plan, attempt, owners), plan.packages.len())
                > rank(before.header.tier, before.header.packages)
        })
    }

    /// Commits an image that works while one with more in it is tried: from here on it serves, whatever becomes of the other.
    fn commit_meanwhile(
        &mut self,
        attempt: &Attempt<Owner>,
        made: &Made,
        statements: &Statements,
    ) -> Result<(), Error> {
        self.staging.keep_own_statements(&statements.own)?;
        self.staging.set_world(made.world.clone());
        let mut report = describe(self.report.clone(), attempt, made, &statements.owners);
        report.warnings.push("more was to be tried when this was committed; `--retry` does".to_owned());
        let Prepared { cache, inputs, environment, key, overrides, .. } = self.prepared;
        self.staging.commit_copy(cache, inputs, &mut report, Some(HostCpu::detect()))?;
        cache.keep_project(&environment.project_file, *key, overrides)?;
        self.progress.say(&format!("ready with less (tier {}); trying for more", report.tier));
        Ok(())
    }

    fn commit(
        mut self,
        attempt: &Attempt<Owner>,
        made: Made,
        Statements { owners, own, .. }: &Statements,
    ) -> Result<Report, Error> {
        self.report = describe(self.report, attempt, &made, owners);
        self.warn_of_left_out(&made.plan);
        self.drop_startup();
        self.staging.keep_own_statements(own)?;
        self.staging.set_world(made.world);
        let inputs = self.inputs_compiled(made.sources)?;
        self.report.key = inputs.key();
        self.staging.commit(&self.prepared.cache, &inputs, &mut self.report, Some(HostCpu::detect()))?;
        Ok(self.report)
    }

    /// What an image was made from: a workload may have changed a package by path before it was compiled, or after.
    fn inputs_compiled(&self, sources: Sources) -> Result<KeyInputs, Error> {
        let (before, now) = (&self.prepared.inputs, self.prepared.inputs_now()?);
        if now == *before || !sources.are_as_read {
            let started = SystemTime::now() - self.budget.started().elapsed();
            let started = started.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
            // Changed before and after: it is an image of neither.
            if now != *before && i64::try_from(started).is_ok_and(|started| sources.newest >= started) {
                return Err(Error::ChangesAllTheTime(differences(before, &now).join(", ")));
            }
            return Ok(before.clone());
        }
        Ok(now)
    }
}

/// The tier of an image of `plan` that was made with what an attempt says.
fn tier_of(plan: &Plan, attempt: &Attempt<Owner>, owners: &[Owner]) -> Tier {
    let all_owners = attempt.owners.len() == owners.len();
    if all_owners && attempt.statements_out.is_empty() && broken(plan).next().is_none() {
        Tier::Full
    } else if attempt.owners.is_empty() && !owners.is_empty() {
        Tier::Load
    } else {
        Tier::Reduced
    }
}

/// A build's report, with what the image of an attempt holds.
fn describe(mut report: Report, attempt: &Attempt<Owner>, made: &Made, owners: &[Owner]) -> Report {
    report.tier = tier_of(&made.plan, attempt, owners);
    report.set_plan(&made.plan);
    report.statements.compiled = made.replay.compiled;
    report.statements.rejected = made.replay.rejected;
    report.statements.left_out = report.statements.kept - made.statements;
    report
}
