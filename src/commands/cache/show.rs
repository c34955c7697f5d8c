//! `jlsys cache show`: everything that is known about an image.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use indicatif::HumanBytes;
use jiff::Timestamp;
use serde::Serialize;

use super::ago;
use crate::cache::{Cache, Entry, Lookup};
use crate::cli::ShowArgs;
use crate::commands::{inputs, print, print_json};
use crate::duration::took;
use crate::error::{Error, Exit};
use crate::key::{Key, KeyInputs, differences};
use crate::prepare::locate_cache;
use crate::profile;
use crate::report::{GroupReport, Report, SCHEMA, WorkloadReport};
use crate::words::count;
use crate::workload::{Kind, Outcome};
use crate::world::World;

/// The document that `cache show --json` prints.
#[derive(Serialize)]
struct Document {
    schema: u32,
    key: Key,
    /// Absent for a build that came to nothing.
    entry: Option<EntryFacts>,
    report: Report,
    /// What must still be true where the image is used; absent for a build that came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    world: Option<World>,
    /// What the key is made of; absent for a build that came to nothing.
    inputs: Option<KeyInputs>,
}

#[derive(Serialize)]
struct EntryFacts {
    folder: PathBuf,
    bytes: u64,
    created: Timestamp,
    last_used: Timestamp,
    shared: bool,
}

/// The document that `cache show --diff --json` prints.
#[derive(Serialize)]
struct Difference {
    schema: u32,
    from: Key,
    to: Key,
    changed: Vec<String>,
}

pub(super) fn execute(args: &ShowArgs) -> Result<Exit, Error> {
    let cache = locate_cache()?;
    if let Some(other) = &args.diff {
        return diff(&cache, other, args);
    }
    let document = match super::look_up(&cache, &args.key)? {
        Lookup::Entry(key) => {
            let entry = open(&cache, &key)?;
            let report = entry.report().map_err(Error::file(entry.folder()))?;
            let inputs = entry.key_inputs().map_err(Error::file(entry.folder()))?;
            let facts = EntryFacts {
                folder: entry.folder().to_owned(),
                bytes: entry.header.bytes,
                created: entry.header.created,
                last_used: entry.last_used(),
                shared: !entry.is_own(),
            };
            let world = entry.world().ok();
            Document { schema: SCHEMA, key, entry: Some(facts), report, world, inputs: Some(inputs) }
        }
        Lookup::Failure(key) => {
            let report = cache.failure(&key).ok_or_else(|| {
                Error::NoImage(format!("{} could not be built, and its report cannot be read", key.short()))
            })?;
            Document { schema: SCHEMA, key, entry: None, report, world: None, inputs: None }
        }
    };
    if let Some(file) = &args.profile {
        profile::Target::new(file)?.write(&(&document.report).into())?;
    }
    if args.json {
        print_json(&document)?;
    } else {
        print(&text(&document, args.packages))?;
    }
    Ok(Exit::Ok)
}

/// A group of the startup package in one line.
fn describe(group: &GroupReport) -> String {
    let packages = match group.packages.as_slice() {
        [] => "Julia's own".to_owned(),
        packages => packages.join(", "),
    };
    let statements = count(group.compiled, "statement");
    match &group.left_out {
        Some(reason) => format!("{packages}: left out: {reason}"),
        None => format!(
            "{packages}: {statements}, {}; a session loads it in {:.1} ms and {} of memory, and saves {:.0} ms or more",
            HumanBytes(group.bytes),
            group.loading_seconds * 1e3,
            HumanBytes(group.memory_bytes),
            group.inferring_seconds * 1e3
        ),
    }
}

fn open(cache: &Cache, key: &Key) -> Result<Entry, Error> {
    cache
        .entry_as_is(key)
        .map_err(|unusable| Error::NoImage(format!("image {} cannot be shown: {unusable}", key.short())))
}

fn diff(cache: &Cache, other: &str, args: &ShowArgs) -> Result<Exit, Error> {
    let inputs = |name: &str| match super::look_up(cache, name)? {
        Lookup::Entry(key) => {
            let entry = open(cache, &key)?;
            entry.key_inputs().map(|inputs| (key, inputs)).map_err(Error::file(entry.folder()))
        }
        Lookup::Failure(key) => Err(Error::NoImage(format!(
            "{} could not be built; what it was to be made of was not kept",
            key.short()
        ))),
    };
    let ((from, old), (to, new)) = (inputs(other)?, inputs(&args.key)?);
    let changed = differences(&old, &new);
    if args.json {
        print_json(&Difference { schema: SCHEMA, from, to, changed })?;
    } else if changed.is_empty() {
        print("no difference\n")?;
    } else {
        print(&changed.iter().map(|change| format!("{change}\n")).collect::<String>())?;
    }
    Ok(Exit::Ok)
}

// Writing to a string cannot fail.
fn text(document: &Document, with_packages: bool) -> String {
    let report = &document.report;
    let mut text = answer(document);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("key", document.key.to_string());
    line("project", report.project.display().to_string());
    match &document.entry {
        Some(entry) => {
            let image =
                report.image.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
            line("image", format!("{image} ({})", HumanBytes(report.image_bytes)));
            if let Some(startup) = &report.startup {
                line("startup", startup.display().to_string());
            }
            let place = if entry.shared { ", in a shared cache" } else { "" };
            line("entry", format!("{} ({}{place})", entry.folder.display(), HumanBytes(entry.bytes)));
            line(
                "built",
                format!("{} ({})", entry.created.strftime("%Y-%m-%d %H:%M:%S UTC"), ago(entry.created)),
            );
            line("last used", ago(entry.last_used));
        }
        None => line("image", "none: it could not be built; `jlsys build --retry` tries again".to_owned()),
    }
    for (keeper, place) in document.world.iter().flat_map(World::bound) {
        line("bound to", format!("{}, which {} keeps (in {})", place.display(), keeper.package, keeper.at));
    }
    line("julia from", report.julia.command.display().to_string());
    line("peak memory", HumanBytes(report.peak_memory_bytes).to_string());
    let phases = report.phases.iter().map(|phase| format!("{} {}", phase.name, took(phase.seconds)));
    line("took", phases.collect::<Vec<_>>().join(", "));
    // Suites that passed are as many as packages, and nobody's but their authors'.
    let is_listed =
        |ran: &WorkloadReport| with_packages || ran.kind != Kind::Tests || ran.outcome != Outcome::Ok;
    for workload in report.workloads.iter().filter(|ran| is_listed(ran)) {
        line("ran", ran(workload));
    }
    let others = report.workloads.iter().filter(|ran| !is_listed(ran)).count();
    if others > 0 {
        line("ran", format!("tests of {}: ok", count(others, "package")));
    }
    let statements = &report.statements;
    line(
        "statements",
        format!(
            "{} of {} compiled, {} refused by Julia, {} left out; {} were traced",
            statements.compiled,
            statements.kept,
            statements.rejected,
            statements.left_out,
            count(statements.traced, "line")
        ),
    );
    for group in &report.groups {
        line("group", describe(group));
    }
    if with_packages {
        let mut owners: Vec<_> = statements.by_package.iter().collect();
        owners.sort_by_key(|(name, number)| (std::cmp::Reverse(**number), *name));
        for (name, number) in owners {
            line("", format!("{number:>6} {name}"));
        }
        for (reason, number) in &statements.dropped {
            line("not kept", format!("{number:>6} {reason}"));
        }
    }
    match &document.inputs {
        Some(key) => text.push_str(&inputs::describe(key, with_packages)),
        None if !with_packages => {
            line("packages", format!("{} (--packages lists them)", report.packages.included.len()));
        }
        None => {
            for package in &report.packages.included {
                let version = package.version.as_deref().unwrap_or("-");
                line("package", format!("{} {version} ({})", package.name, package.uuid));
            }
        }
    }
    for package in &report.packages.dropped {
        let _ = writeln!(text, "{:<12} {}: {}", "left out", package.name, package.reason);
    }
    for (name, sentences) in [("warning", &report.warnings), ("note", &report.notes)] {
        for sentence in sentences {
            let _ = writeln!(text, "{name:<12} {sentence}");
        }
    }
    text
}

/// What there is, in one line.
fn answer(document: &Document) -> String {
    let report = &document.report;
    let (project, version) = (project_dir(&report.project).display(), &report.julia.version);
    let Some(entry) = &document.entry else {
        return format!("no image of {project} could be built with Julia {version}\n");
    };
    let what = match (&report.image, &report.startup) {
        (None, Some(_)) => "startup package",
        _ => "image",
    };
    format!(
        "{what} of {project} for Julia {version} (tier {}): {}, {} compiled, {}; built {}, used {}\n",
        report.tier,
        count(report.packages.included.len(), "package"),
        count(report.statements.compiled, "statement"),
        HumanBytes(entry.bytes),
        ago(entry.created),
        ago(entry.last_used)
    )
}

/// A workload in one line.
fn ran(workload: &WorkloadReport) -> String {
    let log = workload.log.as_ref().map_or_else(String::new, |log| format!(", {}", log.display()));
    let lines = count(workload.statements, "line");
    let compiling = workload.compile_seconds;
    let compiling = compiling.map_or_else(String::new, |time| format!(" ({} compiling)", took(time)));
    let error = workload.error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
    let (what, outcome) = (workload.kind.of(&workload.name), workload.outcome);
    format!("{what}: {outcome}{error}, {}{compiling}, {lines}{log}", took(workload.seconds))
}

fn project_dir(project_file: &Path) -> &Path {
    project_file.parent().unwrap_or(project_file)
}
