//! One attempt at an image: object, link, verification.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::{Build, Statements, WRITING_LIMIT, count};
use crate::budget::Budget;
use crate::environment::Uuid;
use crate::error::Error;
use crate::fallback::{self, Failure};
use crate::file::room_in;
use crate::plan::Plan;
use crate::process::{self, Ending, Finished};
use crate::sysimage::{
    LinkError, Linker, ObjectError, ObjectInputs, Replay, Stage, StartsWith, VerifyError, verify,
    write_object,
};
use crate::trace::{self, Modules, Owner};

/// An image that works.
pub(super) struct Made {
    /// The plan that it holds.
    pub plan: Plan,
    /// How many statements it was given.
    pub statements: u64,
    /// What became of them.
    pub replay: Replay,
}

/// An attempt that came to nothing.
pub(super) struct Failed {
    /// Who is to blame.
    pub failure: Failure<Owner>,
    /// What to tell the user.
    pub what: String,
    /// Whether minutes were spent on it.
    pub wrote_image: bool,
}

impl Build<'_> {
    /// Tries to build an image with what `attempt` says.
    pub(super) async fn attempt(
        &mut self,
        number: u32,
        plan: &Plan,
        attempt: &fallback::Attempt<Owner>,
        all: &Statements,
        linker: &Linker,
    ) -> Result<Made, AttemptError> {
        let folder = self.staging.work().join(format!("attempt-{number}"));
        std::fs::create_dir(&folder).map_err(Error::file(&folder))?;
        let plan = plan.without(&attempt.packages_out);
        let statements = folder.join("statements.jl");
        let given = select(&all.path, &statements, &self.modules(&plan), attempt)
            .map_err(Error::file(&statements))?;
        let (left, budget) = (self.budget.left(), self.budget);
        let making = self.make(number, &folder, &plan, &statements, given, linker);
        let made = match left {
            None => making.await,
            // Giving up ends every process that is under way.
            Some(left) => {
                tokio::time::timeout(left, making).await.unwrap_or_else(|_| Err(out_of_time(&budget)))
            }
        };
        // An object has the size of an image; the next attempt needs the room.
        let _ = std::fs::remove_dir_all(&folder);
        Ok(Made { plan, statements: given, replay: made? })
    }

    async fn make(
        &mut self,
        number: u32,
        folder: &Path,
        plan: &Plan,
        statements: &Path,
        given: u64,
        linker: &Linker,
    ) -> Result<Replay, AttemptError> {
        let julia = &self.prepared.julia;
        let project_file = &self.prepared.environment.project_file;
        let logs = self.staging.logs();
        let log = |name: &str| logs.join(format!("{name}-{number}.log"));

        let object = folder.join(julia.differences().object_name());
        let what = format!(
            "compiling {} and {} into an image for {} CPUs (this takes minutes)",
            count(plan.packages.len(), "package"),
            count(given, "statement"),
            plan.cpu_target
        );
        let phase = self.progress.phase(what);
        let inputs = ObjectInputs {
            julia,
            project_file,
            other_project_files: self
                .prepared
                .environment
                .companions
                .iter()
                .map(|c| c.project_file.as_path())
                .collect(),
            drivers: &self.drivers,
            plan,
            statements,
            number: given,
            folder,
            log: &log("object"),
            time_limit: Some(WRITING_LIMIT),
            statement_limit: self.prepared.settings.workloads.time_limit,
            // What is left when they are compiled goes into writing; without them it may still suffice.
            statements_limit: self.budget.left().filter(|_| given > 0).map(|left| left / 2),
        };
        let (finished, replay) = write_object(&inputs, &object)
            .await
            .map_err(|error| object_failed(error, statements, &self.modules(plan), plan))?;
        let elapsed = phase.done(&format!("{} compiled, {} refused", replay.compiled, replay.rejected));
        self.report.saw_memory(finished.peak_memory_bytes);
        self.note_phase("compile", elapsed);

        let phase = self.progress.phase("linking");
        let image = folder.join(crate::sysimage::IMAGE_NAME);
        // The image is about as large as the object. A linker that runs out of room may die without a word (it writes
        // through a memory map), and what it wrote is gone by then.
        let size = object.metadata().map_or(0, |metadata| metadata.len());
        if room_beside(&image).is_some_and(|room| room < size) {
            return Err(Error::DiskFull(image).into());
        }
        let finished = linker.link(julia, &object, &image, &log("link")).await.map_err(link_failed)?;
        self.report.saw_memory(finished.peak_memory_bytes);
        let _ = std::fs::remove_file(&object);
        let elapsed = phase.done("");
        self.note_phase("link", elapsed);

        let phase = self.progress.phase("trying the image in a fresh Julia");
        let finished = verify(
            julia,
            project_file,
            &self.drivers,
            plan,
            StartsWith::Image(&image),
            folder,
            &log("verify"),
        )
        .await
        .map_err(verify_failed)?;
        self.report.saw_memory(finished.peak_memory_bytes);
        let elapsed = phase.done("");
        self.note_phase("verify", elapsed);
        std::fs::rename(&image, self.staging.image()).map_err(Error::file(&image))?;
        Ok(replay)
    }
}

/// Why an attempt came to nothing.
pub(super) enum AttemptError {
    /// No smaller plan would help: the build ends.
    Fatal(Error),
    /// The ladder goes on.
    Failed(Failed),
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

fn out_of_time(budget: &Budget) -> AttemptError {
    let what = format!("{budget} was over while the image was being built");
    AttemptError::Failed(Failed { failure: Failure::TooMuch(what.clone()), what, wrote_image: true })
}

/// Writes those of the statements that an attempt takes; returns their number.
fn select(
    all: &Path,
    chosen: &Path,
    modules: &Modules,
    attempt: &fallback::Attempt<Owner>,
) -> std::io::Result<u64> {
    let input = BufReader::new(File::open(all)?);
    let mut output = BufWriter::new(File::create(chosen)?);
    let selected = trace::select(input, modules, &mut output, |statement| {
        attempt.owners.contains(&statement.owner()) && !attempt.statements_out.contains(statement.text())
    })?;
    output.flush()?;
    Ok(selected)
}

fn object_failed(error: ObjectError, statements: &Path, modules: &Modules, plan: &Plan) -> AttemptError {
    let what = error.to_string();
    let early = |failure| AttemptError::Failed(Failed { failure, what: what.clone(), wrote_image: false });
    let (finished, stage, log) = match error {
        ObjectError::Process(error) => return Error::from(error).into(),
        ObjectError::Inputs(error) => return Error::file(statements)(error).into(),
        ObjectError::Stalled { line, .. } => {
            return early(blame_statement(statements, line, modules, &what));
        }
        ObjectError::Late { .. } => return early(Failure::TooMuch(what.clone())),
        ObjectError::NoTarget(_) => return early(Failure::Hopeless(what.clone())),
        ObjectError::Failed { finished, stage, log } => (finished, stage, log),
    };
    if disk_is_full(&log) {
        return Error::DiskFull(log).into();
    }
    let wrote_image = stage == Stage::Writing;
    if let Some(what) = too_much(&finished, &stage, &log) {
        return AttemptError::Failed(Failed { failure: Failure::TooMuch(what.clone()), what, wrote_image });
    }
    let failure = match stage {
        Stage::Loading(name) => match plan.packages.iter().find(|package| package.name == name) {
            Some(package) => Failure::Packages(BTreeMap::from([(package.uuid, what.clone())])),
            None => Failure::Unknown(what.clone()),
        },
        Stage::Compiling(line) => blame_statement(statements, line, modules, &what),
        Stage::Writing => Failure::Unknown(what.clone()),
    };
    AttemptError::Failed(Failed { failure, what, wrote_image })
}

/// Whether a process ended for want of memory or time, in words with what to do.
fn too_much(finished: &Finished, stage: &Stage, log: &Path) -> Option<String> {
    let memory = |what: &str| {
        Some(format!(
            "Julia {what} while {stage} (it had reached {}): build for fewer CPU targets, leave packages out with \
             `exclude`, or give it more memory; its output is in {}",
            indicatif::HumanBytes(finished.peak_memory_bytes),
            log.display()
        ))
    };
    match finished.ending {
        Ending::Killed(signal) if signal == Signal::SIGKILL as i32 => {
            memory("was killed, most likely for want of memory,")
        }
        ending @ Ending::Killed(_) if ending.is_for_want_of_memory(log) => {
            memory(&format!("{ending}, most likely for want of memory,"))
        }
        ending if ending.is_for_want_of_memory(log) => memory("ran out of memory"),
        Ending::TimedOut => Some(format!("Julia took more than {:.0} s while {stage}", finished.seconds)),
        _ => None,
    }
}

fn link_failed(error: LinkError) -> AttemptError {
    let what = error.to_string();
    match error {
        LinkError::Failed { log, .. } if disk_is_full(&log) => Error::DiskFull(log).into(),
        // A linker knows nothing of statements or packages; it can only have had too many of them.
        LinkError::Failed { .. } => {
            AttemptError::Failed(Failed { failure: Failure::TooMuch(what.clone()), what, wrote_image: true })
        }
        error => Error::from(error).into(),
    }
}

fn verify_failed(error: VerifyError) -> AttemptError {
    let what = error.to_string();
    let failure = match error {
        VerifyError::Process(error) => return Error::from(error).into(),
        VerifyError::Inputs(error) => return Error::file(PathBuf::from("verify-packages"))(error).into(),
        VerifyError::Packages { failed, .. } => {
            let reason = |error: String| format!("it does not work from the image: {error}");
            Failure::Packages(
                failed.into_iter().map(|(uuid, error)| (uuid, reason(error))).collect::<BTreeMap<Uuid, _>>(),
            )
        }
        VerifyError::OtherCpu { .. } => Failure::Hopeless(what.clone()),
        VerifyError::DoesNotRun { .. } => Failure::StartUp(what.clone()),
    };
    AttemptError::Failed(Failed { failure, what, wrote_image: true })
}

/// The statement on a line of the statements file, as the one to blame.
fn blame_statement(statements: &Path, line: u64, modules: &Modules, what: &str) -> Failure<Owner> {
    let nth = || {
        let file = BufReader::new(File::open(statements).ok()?);
        file.lines().nth(usize::try_from(line.checked_sub(1)?).ok()?)?.ok()
    };
    match nth() {
        Some(text) => match trace::Statement::parse(&text, modules) {
            Ok(statement) => {
                Failure::Statement { text: statement.text().to_owned(), owner: statement.owner() }
            }
            Err(_) => Failure::Unknown(what.to_owned()),
        },
        None => Failure::Unknown(what.to_owned()),
    }
}

/// Whether the disk is what stopped a process that wrote this log, or that could not even do so.
fn disk_is_full(log: &Path) -> bool {
    let said = process::says(log, &["No space left on device"]);
    // LLVM may die without a word; then the disk itself can tell. Nothing that is written is this small.
    said || room_beside(log).is_some_and(|room| room < 16 << 20)
}

/// How many bytes can be written to the disk that a file is on.
fn room_beside(file: &Path) -> Option<u64> {
    room_in(file.parent()?)
}
