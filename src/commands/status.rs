//! `jlsys status`: is there a current image, and if not, why.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::cache::{Entry, Unusable};
use crate::cli::StatusArgs;
use crate::error::{Error, Exit};
use crate::key::{KeyInputs, differences};
use crate::prepare::Prepared;
use crate::report::{SCHEMA, Tier};
use crate::sysimage::HostCpu;

/// Whether there is an image for a project as it is now.
pub(super) enum State {
    /// There is.
    Ready(Box<Entry>),
    /// There never was one for this project.
    Missing,
    /// There is one for what the project was when it was built.
    Stale(Vec<String>),
    /// It could not be built.
    Failed(String),
    /// There is one, and something is wrong with it.
    Damaged(String),
    /// There is one, and this CPU cannot run it.
    OtherCpu,
}

impl State {
    pub(super) fn of(prepared: &Prepared) -> Self {
        match prepared.cache.entry(&prepared.key) {
            Ok(entry) if entry.runs_on(&HostCpu::detect()) == Some(false) => return Self::OtherCpu,
            Ok(entry) => return Self::Ready(Box::new(entry)),
            Err(Unusable::Damaged(what)) => return Self::Damaged(what),
            // The format is part of the key, so nobody's version of jlsys would have put it there.
            Err(other @ Unusable::OtherFormat(_)) => return Self::Damaged(other.to_string()),
            Err(Unusable::Missing) => {}
        }
        if let Some(report) = prepared.cache.failure(&prepared.key) {
            let reason = report.warnings.first().cloned();
            return Self::Failed(reason.unwrap_or_else(|| "the last build came to nothing".to_owned()));
        }
        match &prepared.last_built {
            None => Self::Missing,
            Some(record) => {
                let old = prepared.cache.entry(&record.key).ok();
                let Some((inputs, entry)) = old.and_then(|entry| Some((entry.key_inputs().ok()?, entry)))
                else {
                    return Self::Stale(Vec::new());
                };
                // In a session notebooks are edited and saved all the time. What they did when the image was built decides what it
                // holds beside the packages, and not whether these are right.
                if !inputs.differs_in_notebooks_alone(&prepared.inputs) {
                    return Self::Stale(differences(&inputs, &prepared.inputs));
                }
                match entry.runs_on(&HostCpu::detect()) {
                    Some(false) => Self::OtherCpu,
                    _ => Self::Ready(Box::new(entry)),
                }
            }
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ready(_) => "ready",
            Self::Missing => "missing",
            Self::Stale(_) => "stale",
            Self::Failed(_) | Self::Damaged(_) | Self::OtherCpu => "failed",
        }
    }

    fn changed(&self) -> &[String] {
        match self {
            Self::Stale(changed) => changed,
            _ => &[],
        }
    }

    /// Why there is no image to use, as the end of a sentence.
    pub(super) fn reason(&self, prepared: &Prepared) -> String {
        let project = prepared.environment.project_dir().display();
        match self {
            Self::Ready(_) => "it is ready".to_owned(),
            Self::Missing => format!("none was built for {project} yet; `jlsys build` builds it"),
            Self::Stale(changed) => match changed.as_slice() {
                [] => "the project changed since it was built; `jlsys build` builds a new one".to_owned(),
                [change] => format!("{change} since it was built; `jlsys build` builds a new one"),
                [change, rest @ ..] => format!(
                    "{change} and {} more since it was built; `jlsys build` builds a new one",
                    crate::pipeline::count(rest.len(), "change")
                ),
            },
            Self::Failed(reason) => {
                format!("it could not be built: {reason}; `jlsys build --retry` tries again")
            }
            Self::OtherCpu => format!(
                "it was built for other CPUs ({}) than this one; `jlsys build --cpu-target native` builds one for this",
                prepared.inputs.cpu_target
            ),
            Self::Damaged(what) => format!("{what}; `jlsys build` builds it again"),
        }
    }
}

/// The document that `status --json` prints.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    state: &'static str,
    key: String,
    image: Option<PathBuf>,
    startup: Option<PathBuf>,
    tier: Option<Tier>,
    changed: &'a [String],
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<&'a KeyInputs>,
}

pub(super) fn execute(args: &StatusArgs) -> Result<Exit, Error> {
    let prepared = Prepared::new(&args.request())?;
    let state = State::of(&prepared);
    let entry = match &state {
        State::Ready(entry) => Some(entry.as_ref()),
        _ => None,
    };
    if args.json {
        super::print_json(&Document {
            schema: SCHEMA,
            state: state.name(),
            key: prepared.key.to_string(),
            image: entry.and_then(Entry::image),
            startup: entry.and_then(Entry::startup),
            tier: entry.map(|entry| entry.header.tier),
            changed: state.changed(),
            reason: state.reason(&prepared),
            inputs: args.explain.then_some(&prepared.inputs),
        })?;
    } else {
        super::print(&text(&prepared, &state, args.explain))?;
    }
    Ok(if entry.is_some() { Exit::Ok } else { Exit::Refused })
}

fn text(prepared: &Prepared, state: &State, explain: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match state {
        State::Ready(entry) => writeln!(
            text,
            "ready: {} ({})",
            entry.image().or_else(|| entry.startup()).unwrap_or_else(|| entry.folder().to_owned()).display(),
            entry.header.tier
        ),
        state => writeln!(text, "{}: {}", state.name(), state.reason(prepared)),
    };
    if state.changed().len() > 1 || explain && !state.changed().is_empty() {
        text.push_str("changed:\n");
        for change in state.changed() {
            let _ = writeln!(text, "  {change}");
        }
    }
    if explain {
        explain_key(prepared, &mut text);
    }
    text
}

/// Shows everything that the key is made of.
fn explain_key(prepared: &Prepared, text: &mut String) {
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("key", prepared.key.to_string());
    line("project", prepared.environment.project_file.display().to_string());
    line("manifest", prepared.environment.manifest_file.display().to_string());
    line("julia from", prepared.julia.command.display().to_string());
    text.push_str(&super::inputs::describe(&prepared.inputs));
    for package in &prepared.plan.left_out {
        let _ = writeln!(text, "{:<12} {}: {}", "left out", package.name, package.reason);
    }
}
