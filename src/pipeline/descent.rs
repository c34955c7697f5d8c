//! The second half of a build: smaller and smaller attempts at an image, and committing the one that works.

use std::time::{Duration, Instant};

use super::attempt::{AttemptError, Made};
use super::{Build, Statements, note_cut_short};
use crate::error::Error;
use crate::fallback::{Attempt, Ladder};
use crate::plan::Plan;
use crate::report::{Report, Tier};
use crate::sysimage::{HostCpu, Linker, ObjectProcess};
use crate::trace::Owner;
use crate::workload::For;

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
                    best = Some((attempt, made));
                }
                Err(AttemptError::Fatal(error)) => return Err(error),
                Err(AttemptError::Failed(failed)) => {
                    if failed.wrote_image {
                        writing_takes = started.elapsed();
                    }
                    // The whole of it, with the path that its log will have, is said at the end.
                    let what = failed.what.split("; its output is in").next().unwrap_or_default();
                    self.progress.say(&format!("  that did not work: {what}"));
                    last_failure.clone_from(&failed.what);
                    // What ended the startup package may have been the same.
                    if !self.report.warnings.contains(&failed.what) {
                        self.report.warnings.push(failed.what);
                    }
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
            // Statements are worth more than packages that load at once.
            Some((attempt, _))
                if self.startup.is_some() && attempt.owners.is_empty() && !statements.owners.is_empty() =>
            {
                self.settle_for_startup(last_failure).await
            }
            None if self.startup.is_some() => self.settle_for_startup(last_failure).await,
            Some((attempt, made)) => {
                if self.prepared.julia.differences().ties_caches_to_the_image() {
                    let image = self.staging.image();
                    let precompiled = self.precompile(For::Sessions(&image)).await?;
                    self.note_precompiled(precompiled);
                }
                self.commit(&attempt, made, &statements.owners)
            }
            None => self.give_up(last_failure),
        }
    }

    fn commit(mut self, attempt: &Attempt<Owner>, made: Made, owners: &[Owner]) -> Result<Report, Error> {
        let all_owners = attempt.owners.len() == owners.len();
        let nothing_broke = made.plan.left_out.iter().all(|left_out| left_out.reason.is_chosen());
        self.report.tier = if all_owners && nothing_broke && attempt.statements_out.is_empty() {
            Tier::Full
        } else if attempt.owners.is_empty() && !owners.is_empty() {
            Tier::Load
        } else {
            Tier::Reduced
        };
        self.report.set_plan(&made.plan);
        self.report.statements.compiled = made.replay.compiled;
        self.report.statements.rejected = made.replay.rejected;
        self.report.statements.left_out = self.report.statements.kept - made.statements;
        self.warn_of_left_out(&made.plan);
        self.drop_startup();
        let (cache, inputs) = (&self.prepared.cache, &self.prepared.inputs);
        self.staging.commit(cache, inputs, &mut self.report, Some(HostCpu::detect()))?;
        Ok(self.report)
    }
}
