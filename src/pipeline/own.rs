//! What an image has beside it for the project's own packages, which are no part of it: an edit there costs their groups alone.

use tokio::sync::Semaphore;

use super::startup::Wanted;
use super::traces::Aims;
use super::{Build, BuildOptions};
use crate::budget::Budget;
use crate::cache::Entry;
use crate::error::Error;
use crate::key::{Key, OwnInputs};
use crate::prepare::Prepared;
use crate::progress::Progress;
use crate::report::{Report, Tier};
use crate::words::count;

/// Whether something is to be compiled that an image does not have beside it yet, or has for other code.
pub(super) fn is_due(prepared: &Prepared, image: &Entry) -> bool {
    if prepared.plan.own.packages.is_empty() {
        return false;
    }
    let now = prepared.own();
    match image.own_code() {
        Some(own) => own.header.own != now || !own.stale_groups(&prepared.here()).groups.is_empty(),
        None => code(&image.header.own) != code(&now) || !image.own_statements().is_empty(),
    }
}

fn code(own: &Option<OwnInputs>) -> Option<Key> {
    own.as_ref().map(|own| own.key)
}

/// Compiles what was seen to be compiled for the project's own packages, for sessions with an image. What is outside of the image is precompiled for
/// it already. Workloads run again where the code is another than what they ran with.
pub(super) async fn compile(
    prepared: &Prepared,
    options: BuildOptions,
    budget: &Budget,
    progress: &Progress,
    image: &Entry,
    report: &mut Report,
) -> Result<(), Error> {
    let mut prepared = prepared.clone();
    prepared.plan.workloads.retain(|workload| !workload.is_suite_of_others());
    let mut build = Build::new(&prepared, options, *budget, progress, prepared.cache.stage()?)?;
    let before = image.own_code();
    let last = before.as_ref().unwrap_or(image);
    let statements = match code(&last.header.own) == code(&prepared.own()) {
        true => last.own_statements(),
        false => build.trace(Aims::default()).await?.statements.own,
    };
    if statements.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = prepared.plan.own.packages.iter().map(|package| package.name.as_str()).collect();
    let names = names.join(", ");
    let number = statements.len() as u64;
    let what = format!("{} about {names}", count(number, "statement"));
    let phase = progress.phase(format!("ready; compiling {what} for it, which may be interrupted"));
    let path = image.image();
    let wanted = Wanted {
        groups: build.own_groups(&prepared.plan, &statements),
        number,
        together: None,
        image: path.as_deref(),
        earlier: if options.force { Vec::new() } else { before.into_iter().collect() },
    };
    let (turns, mut peak_memory_bytes) = (Semaphore::new(build.jobs()), 0);
    match build.compile_groups(&prepared.plan, wanted, &turns, &mut peak_memory_bytes).await {
        Ok(groups) => {
            let elapsed = phase.done(&super::startup::describe(&groups));
            report.phases.push(build.ended("own", elapsed));
            report.warnings.extend(super::startup::warnings(&groups));
            report.groups.clone_from(&groups);
            build.staging.keep_own_statements(&statements)?;
            let mut beside = Report { tier: Tier::Startup, groups, ..build.report.clone() };
            build.staging.commit_beside(image, &prepared.cache, &prepared.inputs, &mut beside)?;
        }
        Err(problem) => {
            drop(phase);
            report.warnings.push(format!("sessions compile what is about {names}: {problem}"));
        }
    }
    Ok(())
}
