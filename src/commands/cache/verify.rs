//! `jlsys cache verify`: are the cached images still what was committed?

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cache::{Cache, Entry, Listing, Lookup};
use crate::cli::VerifyArgs;
use crate::commands::{print, print_json};
use crate::cpu::HostCpu;
use crate::error::{Error, Exit};
use crate::key::Key;
use crate::prepare::{find_julia, locate_cache};
use crate::process;
use crate::progress::{Progress, Verbosity};
use crate::report::SCHEMA;
use crate::startup;
use crate::sysimage::{self};
use crate::words::count;

/// The document that `cache verify --json` prints.
#[derive(Serialize)]
struct Document {
    schema: u32,
    entries: Vec<Checked>,
}

/// What came of checking one entry.
#[derive(Serialize)]
struct Checked {
    folder: PathBuf,
    /// What is wrong, one sentence each.
    problems: Vec<String>,
    /// With `--start`: how that went, where it could be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Start>,
    /// Whether what is wrong is all in what is beside the image.
    #[serde(skip)]
    is_image_sound: bool,
    removed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Start {
    /// Julia starts with it.
    Works,
    /// Julia does not start with it on this CPU, which it was not built on.
    OtherCpu,
    /// Julia does not start with it.
    Fails,
    /// The Julia that it was built with is not here any more.
    NoJulia,
}

pub(super) fn execute(args: &VerifyArgs) -> Result<Exit, Error> {
    let cache = locate_cache()?;
    let progress = Progress::new(if args.json { Verbosity::Quiet } else { Verbosity::Normal });
    let listing = cache.list();
    let mut checked = Vec::new();
    for key in keys(&cache, &listing, args)? {
        let phase = progress.phase(format!("checking {}", key.short()));
        checked.push(check(&cache, &key, args)?);
        phase.done(
            checked.last().map_or("", |checked| if checked.is_sound() { "" } else { "something is wrong" }),
        );
    }
    for damaged in listing.damaged.iter().filter(|_| args.keys.is_empty()) {
        let removed = args.repair && damaged.is_own;
        if removed {
            cache.prepare()?;
            cache.remove_damaged(damaged)?;
        }
        let (folder, problems) = (damaged.folder.clone(), vec![damaged.problem.clone()]);
        checked.push(Checked { folder, problems, is_image_sound: false, start: None, removed });
    }
    let all_sound = checked.iter().all(|checked| checked.is_sound() || checked.removed);
    if args.json {
        print_json(&Document { schema: SCHEMA, entries: checked })?;
    } else {
        print(&text(&checked, args.repair))?;
    }
    Ok(if all_sound { Exit::Ok } else { Exit::Refused })
}

fn keys(cache: &Cache, listing: &Listing, args: &VerifyArgs) -> Result<Vec<Key>, Error> {
    if args.keys.is_empty() {
        let mut keys: Vec<Key> = listing.entries.iter().map(|listed| listed.entry.header.key).collect();
        keys.sort();
        keys.dedup();
        return Ok(keys);
    }
    let mut keys = Vec::new();
    for name in &args.keys {
        match super::look_up(cache, name)? {
            Lookup::Entry(key) => keys.push(key),
            Lookup::Failure(key) => {
                return Err(Error::NoImage(format!(
                    "{} could not be built, so there is no image to check; `jlsys cache show {}` says why",
                    key.short(),
                    key.short()
                )));
            }
        }
    }
    Ok(keys)
}

fn check(cache: &Cache, key: &Key, args: &VerifyArgs) -> Result<Checked, Error> {
    let mut problems = cache.problems(key);
    let entry = cache.entry_as_is(key).ok();
    let start =
        entry.as_ref().filter(|_| args.start && problems.is_empty()).and_then(|entry| start(cache, entry));
    if start == Some(Start::Fails) {
        problems.push("Julia does not start with it".to_owned());
    }
    let is_own = entry.as_ref().is_none_or(Entry::is_own);
    let beside = cache.problems_beside(key);
    let removed = args.repair && is_own && !(problems.is_empty() && beside.is_empty());
    let folder = entry.map_or_else(PathBuf::new, |entry| entry.folder().to_owned());
    if removed {
        cache.prepare()?;
        if problems.is_empty() {
            cache.remove_beside(key).map_err(Error::file(&folder))?;
        } else {
            // What is damaged is of no use to whoever has it mapped.
            cache.remove(key, true)?;
        }
    }
    let is_image_sound = problems.is_empty();
    problems.extend(beside);
    Ok(Checked { folder, problems, is_image_sound, start, removed })
}

/// Starts Julia with an entry's image, or with its startup package, if it has either.
fn start(cache: &Cache, entry: &Entry) -> Option<Start> {
    let (image, startup) = (entry.image(), entry.startup());
    if image.is_none() && startup.is_none() {
        return None;
    }
    let inputs = entry.key_inputs().ok()?;
    let report = entry.report().ok()?;
    let command = report.julia.command;
    let julia = find_julia(Some(&command.to_string_lossy()), Path::new("/"), cache).ok();
    let Some(julia) = julia.filter(|julia| julia.facts.base_image_sha256 == inputs.julia.base_image) else {
        return Some(Start::NoJulia);
    };
    let Some(image) = image else {
        // Julia finds the packages that it is for in the project alone.
        let folder = startup.filter(|_| report.project.exists())?;
        let loads = process::block_on(startup::loads(&julia, &report.project, &folder)).unwrap_or(false);
        return Some(if loads { Start::Works } else { Start::Fails });
    };
    let cpu = HostCpu::detect();
    let works = process::block_on(sysimage::starts(&julia, &image)).unwrap_or(false);
    let is_known_to_work = entry.runs_on(&cpu) == Some(true);
    // A cache that cannot be written to keeps no verdicts.
    let _ = entry.keep_verdict(&cpu, works);
    Some(match (works, is_known_to_work) {
        (true, _) => Start::Works,
        (false, true) => Start::Fails,
        (false, false) => Start::OtherCpu,
    })
}

impl Checked {
    fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

fn text(checked: &[Checked], repair: bool) -> String {
    let mut text = String::new();
    for entry in checked {
        let folder = entry.folder.display();
        for problem in &entry.problems {
            text.push_str(&format!("{folder}: {problem}\n"));
        }
        if entry.removed {
            let what = if entry.is_image_sound {
                "what is beside the image was removed; `jlsys build` makes it again"
            } else {
                "removed"
            };
            text.push_str(&format!("{folder}: {what}\n"));
        }
        match entry.start {
            Some(Start::OtherCpu) => {
                text.push_str(&format!("{folder}: it is for other CPUs than this one\n"))
            }
            Some(Start::NoJulia) => {
                text.push_str(&format!(
                    "{folder}: the Julia it was built with is not here, so it was not started\n"
                ));
            }
            Some(Start::Works | Start::Fails) | None => {}
        }
    }
    let bad = checked.iter().filter(|checked| !checked.is_sound()).count();
    let images = count(checked.len(), "image");
    text.push_str(&match bad {
        0 => format!("{images} checked, nothing wrong\n"),
        bad if repair => format!("{images} checked, something was wrong with {bad}\n"),
        bad => {
            format!("{images} checked, something is wrong with {bad}; `--repair` removes what is damaged\n")
        }
    });
    text
}
