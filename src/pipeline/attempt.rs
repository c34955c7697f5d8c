//! One attempt at an image: object, link, verification.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::disk::{self, room_beside};
use super::{Build, Statements, WRITING_LIMIT};
use crate::budget::Budget;
use crate::cache::StuckIn;
use crate::duration::{about, took};
use crate::error::Error;
use crate::fallback::{self, Failure};
use crate::plan::Plan;
use crate::problem::Problem;
use crate::process::{Ending, Finished};
use crate::sysimage::{
    LinkError, Linker, Look, ObjectError, ObjectInputs, ObjectProcess, Replay, ReplayLimits, Stage, Stalled,
    VerifyError, verify,
};
use crate::trace::{self, Modules, Owner};
use crate::uuid::Uuid;
use crate::words::count;
use crate::world::{FilesRead, Places, Sources, World};

/// An image that works.
pub(super) struct Made {
    /// The plan that it holds.
    pub plan: Plan,
    /// How many statements it was given.
    pub statements: u64,
    /// What became of them.
    pub replay: Replay,
    /// What must still be true where it is used.
    pub world: World,
    /// What it was compiled from.
    pub sources: Sources,
}

/// An attempt that came to nothing.
pub(super) struct Failed {
    /// Who is to blame.
    pub failure: Failure<Owner>,
    /// What to tell the user.
    pub problem: Problem,
    /// Whether minutes were spent on it.
    pub wrote_image: bool,
}

impl<'a> Build<'a> {
    /// Tries to build an image with what `attempt` says; `ahead` is a process that began with it already.
    pub(super) async fn attempt(
        &mut self,
        number: u32,
        plan: &Plan,
        attempt: &fallback::Attempt<Owner>,
        all: &Statements,
        ahead: Option<ObjectProcess<'a>>,
        linker: &Linker,
    ) -> Result<Made, AttemptError> {
        let plan = plan.without(&attempt.packages_out);
        let (mut object, given) = match ahead {
            Some(object) => (object, all.number),
            None => self.start_attempt(number, &plan, attempt, all).await?,
        };
        let (left, budget) = (self.budget.left(), self.budget);
        let making = self.make(number, &mut object, given, linker);
        let made = match left {
            None => making.await,
            // Giving up ends every process that is under way.
            Some(left) => {
                tokio::time::timeout(left, making).await.unwrap_or_else(|_| Err(out_of_time(&budget)))
            }
        };
        let folder = object.inputs().folder.clone();
        drop(object);
        // An object has the size of an image; the next attempt needs the room.
        let _ = std::fs::remove_dir_all(&folder);
        let (replay, world, sources) = made?;
        Ok(Made { plan, statements: given, replay, world, sources })
    }

    /// Starts the process of the first attempt, in which nothing is left out, while the statements still come.
    pub(super) async fn start_ahead(&self, plan: &Plan, statements: &Path) -> Option<ObjectProcess<'a>> {
        let folder = self.attempt_folder(1).ok()?;
        // What keeps it from starting is said when its turn comes.
        ObjectProcess::start(self.object_inputs(1, plan, statements, folder)).await.ok()
    }

    async fn start_attempt(
        &self,
        number: u32,
        plan: &Plan,
        attempt: &fallback::Attempt<Owner>,
        all: &Statements,
    ) -> Result<(ObjectProcess<'a>, u64), AttemptError> {
        let folder = self.attempt_folder(number).map_err(Error::file(&self.staging.work()))?;
        let statements = folder.join("statements.jl");
        let given = select(&all.path, &statements, &self.modules(plan).image, attempt)
            .map_err(Error::file(&statements))?;
        let inputs = self.object_inputs(number, plan, &statements, folder);
        let failed = |error| object_failed(error, &statements, &self.modules(plan).image, plan);
        let object = ObjectProcess::start(inputs).await.map_err(failed)?;
        object.all_given(given).map_err(failed)?;
        Ok((object, given))
    }

    fn attempt_folder(&self, number: u32) -> std::io::Result<PathBuf> {
        let folder = self.staging.work().join(format!("attempt-{number}"));
        // One that was to start ahead, and could not, may have left something.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    fn object_inputs(
        &self,
        number: u32,
        plan: &Plan,
        statements: &Path,
        folder: PathBuf,
    ) -> ObjectInputs<'a> {
        let environment = &self.prepared.environment;
        ObjectInputs {
            julia: &self.prepared.julia,
            project_file: &environment.project_file,
            other_project_files: environment.companions.iter().map(|c| c.project_file.as_path()).collect(),
            drivers: self.drivers_folder.clone(),
            plan: plan.clone(),
            statements: statements.to_owned(),
            folder,
            log: self.attempt_log("object", number),
            capacity: self.options.capacity(),
            time_limit: Some(WRITING_LIMIT),
            is_suspect: !self.from_source.borrow().is_empty(),
        }
    }

    fn attempt_log(&self, name: &str, number: u32) -> PathBuf {
        self.staging.logs().join(format!("{name}-{number}.log"))
    }

    async fn make(
        &mut self,
        number: u32,
        process: &mut ObjectProcess<'a>,
        given: u64,
        linker: &Linker,
    ) -> Result<(Replay, World, Sources), AttemptError> {
        let julia = &self.prepared.julia;
        let plan = &process.inputs().plan;
        let earlier = self.outlook.as_ref().and_then(|outlook| outlook.earlier);
        let time = earlier.map_or_else(
            || "this takes minutes".to_owned(),
            |earlier| format!("about {}, as {}", about(earlier.image), earlier.source()),
        );
        let what = format!(
            "compiling {} and {} into an image for {} CPUs ({time})",
            count(plan.packages.len(), "package"),
            count(given, "statement"),
            plan.cpu_target
        );
        let phase = self.progress.phase(what);
        let limits = ReplayLimits {
            one: self.prepared.settings.workloads.time_limit,
            // What is left when they are compiled goes into writing; without them it may still suffice.
            all: self.budget.left().filter(|_| given > 0).map(|left| left / 2),
        };
        let written = process.finish(limits).await;
        if let Err(ObjectError::Failed { finished, stage, .. }) = &written {
            self.report.stuck.extend(finished.standstills(|| format!("{stage} for the image")));
            if let (Stage::Loading(name), true) = (stage, finished.was_stuck()) {
                self.prepared.keep_stuck(name, StuckIn::Writing);
            }
        }
        let ObjectInputs { plan, statements, folder, .. } = process.inputs();
        let (finished, replay) =
            written.map_err(|error| object_failed(error, statements, &self.modules(plan).image, plan))?;
        let elapsed = phase.done(&replay.to_string());
        self.report.saw_memory(finished.peak_memory_bytes);
        self.note_phase("compile", elapsed);

        let phase = self.progress.phase("linking");
        let object = process.inputs().object();
        let image = folder.join(crate::sysimage::IMAGE_NAME);
        // The image is about as large as the object. A linker that runs out of room may die without a word (it writes
        // through a memory map), and what it wrote is gone by then.
        let size = object.metadata().map_or(0, |metadata| metadata.len());
        if room_beside(&image).is_some_and(|room| room < size) {
            return Err(Error::DiskFull(image).into());
        }
        let log = self.attempt_log("link", number);
        let finished = linker.link(julia, &object, &image, &log).await;
        let finished = finished.map_err(|error| link_failed(error, folder))?;
        self.report.saw_memory(finished.peak_memory_bytes);
        let _ = std::fs::remove_file(&object);
        let elapsed = phase.done("");
        self.note_phase("link", elapsed);

        let phase = self.progress.phase("trying the image in a fresh Julia");
        let log = self.attempt_log("verify", number);
        let finished = verify(self.drivers(), plan, &image, folder, &log).await.map_err(|error| {
            self.report.stuck.extend(error.standstills());
            verify_failed(error)
        })?;
        self.report.saw_memory(finished.peak_memory_bytes);
        let (world, sources) = self.look_around(number, process.inputs(), &image).await;
        let elapsed = phase.done("");
        self.note_phase("verify", elapsed);
        std::fs::rename(&image, self.staging.image()).map_err(Error::file(&image))?;
        Ok((replay, world, sources))
    }

    /// Finds out what must still be true where an image that works is used, and what became of its sources meanwhile.
    async fn look_around(&self, number: u32, inputs: &ObjectInputs<'_>, image: &Path) -> (World, Sources) {
        let prepared = self.prepared;
        let here = prepared.here();
        let places = Places::of(&here, &inputs.plan);
        let look = Look {
            drivers: self.drivers(),
            plan: &inputs.plan,
            image,
            folder: &inputs.folder,
            log: &self.attempt_log("places", number),
        };
        let found = look.find(prepared.depots.paths(), &places).await;
        // What is not known may be so: the image then serves where it was built.
        let (places, address_space) = found.unwrap_or_else(|| (places.all(), None));
        let read = std::fs::read_to_string(inputs.files_read()).unwrap_or_default();
        let read = FilesRead::parse(&read);
        let files = read.beyond_the_key(&here, |_| false);
        (World { places, files, address_space }, read.sources(&here))
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
    too_much(Problem::new(format!("{budget} was over while the image was being built")), true)
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
    let problem = error.problem();
    let what = problem.what.clone();
    let (failure, wrote_image) = match error {
        ObjectError::Process(error) => return Error::from(error).into(),
        ObjectError::Inputs(error) => return Error::file(statements)(error).into(),
        ObjectError::Stalled(Stalled { line, .. }) => {
            (blame_statement(statements, line, modules, what), false)
        }
        ObjectError::Late { .. } => return too_much(problem, false),
        ObjectError::NoTarget(_) => (Failure::Hopeless(what), false),
        ObjectError::Failed { finished, stage, log } => {
            if let Some(error) = disk::refused(finished.ending, &log, &statements.with_file_name("")) {
                return error.into();
            }
            let wrote_image = stage == Stage::Writing;
            if let Some(what) = ended_by_want(&finished, &stage, &log) {
                return too_much(Problem::new(what).with_log(log), wrote_image);
            }
            let failure = match stage {
                Stage::Loading(name) => match plan.packages.iter().find(|package| package.name == name) {
                    Some(package) => Failure::Packages(BTreeMap::from([(package.uuid, what)])),
                    None => Failure::Unknown(what),
                },
                Stage::Compiling(line) => blame_statement(statements, line, modules, what),
                Stage::Writing => Failure::Unknown(what),
            };
            (failure, wrote_image)
        }
    };
    AttemptError::Failed(Failed { failure, problem, wrote_image })
}

/// An attempt that less work can help.
fn too_much(problem: Problem, wrote_image: bool) -> AttemptError {
    let failure = Failure::TooMuch(problem.what.clone());
    AttemptError::Failed(Failed { failure, problem, wrote_image })
}

/// Whether a process ended for want of memory or time, in words with what to do.
fn ended_by_want(finished: &Finished, stage: &Stage, log: &Path) -> Option<String> {
    let memory = |what: &str| {
        Some(format!(
            "Julia {what} while {stage} (it had reached {}): build for fewer CPU targets, leave packages out with \
             `exclude`, or give it more memory",
            indicatif::HumanBytes(finished.peak_memory_bytes),
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
        Ending::TimedOut => Some(format!("Julia took more than {} while {stage}", took(finished.seconds))),
        _ => None,
    }
}

fn link_failed(error: LinkError, folder: &Path) -> AttemptError {
    let problem = error.problem();
    match error {
        LinkError::Failed { finished, log } => match disk::refused(finished.ending, &log, folder) {
            Some(error) => error.into(),
            // A linker knows nothing of statements or packages; it can only have had too many of them.
            None => too_much(problem, true),
        },
        error => Error::from(error).into(),
    }
}

fn verify_failed(error: VerifyError) -> AttemptError {
    let problem = error.problem();
    let failure = match error {
        VerifyError::Process(error) => return Error::from(error).into(),
        VerifyError::Inputs(error) => return Error::file(PathBuf::from("verify-packages"))(error).into(),
        VerifyError::Packages { failed, .. } => {
            let reason = |error: String| format!("it does not work from the image: {error}");
            Failure::Packages(
                failed.into_iter().map(|(uuid, error)| (uuid, reason(error))).collect::<BTreeMap<Uuid, _>>(),
            )
        }
        VerifyError::OtherCpu { .. } => Failure::Hopeless(problem.what.clone()),
        VerifyError::DoesNotRun { .. } => Failure::StartUp(problem.what.clone()),
    };
    AttemptError::Failed(Failed { failure, problem, wrote_image: true })
}

/// The statement on a line of the statements file, as the one to blame.
fn blame_statement(statements: &Path, line: u64, modules: &Modules, what: String) -> Failure<Owner> {
    let nth = || {
        let file = BufReader::new(File::open(statements).ok()?);
        file.lines().nth(usize::try_from(line.checked_sub(1)?).ok()?)?.ok()
    };
    match nth() {
        Some(text) => match trace::Statement::parse(&text, modules) {
            Ok(statement) => {
                Failure::Statement { text: statement.text().to_owned(), owner: statement.owner() }
            }
            Err(_) => Failure::Unknown(what),
        },
        None => Failure::Unknown(what),
    }
}
