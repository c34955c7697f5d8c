//! `jlsys status`: is there a current image, and if not, why.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::cache::{Entry, StaleGroups};
use crate::cli::StatusArgs;
use crate::environment::Source;
use crate::error::{Error, Exit};
use crate::key::KeyInputs;
use crate::prepare::Prepared;
use crate::report::{SCHEMA, Tier};
use crate::state::State;

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
    /// Packages for which the startup package has to be built again, though it serves for others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed_in_part: Vec<String>,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<&'a KeyInputs>,
}

pub(super) fn execute(args: &StatusArgs) -> Result<Exit, Error> {
    let prepared = Prepared::new(&args.request())?;
    let state = State::for_session(&prepared);
    let entry = match &state {
        State::Ready(entry) => Some(entry.as_ref()),
        _ => None,
    };
    let in_part = entry.map(|entry| changed_in_part(&prepared, entry)).unwrap_or_default();
    if args.json {
        super::print_json(&Document {
            schema: SCHEMA,
            state: state.name(),
            key: prepared.key.to_string(),
            image: entry.and_then(Entry::image),
            startup: entry.and_then(Entry::startup),
            tier: entry.map(|entry| entry.header.tier),
            changed: state.changed(),
            changed_in_part: in_part.changes,
            reason: state.reason(&prepared),
            last_failure: state.last_failure(&prepared),
            inputs: args.explains().then_some(&prepared.inputs),
        })?;
    } else {
        super::print(&text(&prepared, &state, &in_part, args))?;
    }
    Ok(if entry.is_some() { Exit::Ok } else { Exit::Refused })
}

fn text(prepared: &Prepared, state: &State, in_part: &StaleGroups, args: &StatusArgs) -> String {
    let explain = args.explains();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match state {
        State::Ready(entry) => writeln!(
            text,
            "ready{}: {} ({})",
            but_for(prepared, in_part),
            entry.image().or_else(|| entry.startup()).unwrap_or_else(|| entry.folder().to_owned()).display(),
            entry.header.tier
        ),
        state => writeln!(text, "{}: {}", state.name(), state.reason(prepared)),
    };
    if let Some(reason) = state.last_failure(prepared) {
        let _ = writeln!(text, "the last build came to nothing: {reason}");
    }
    if !in_part.changes.is_empty() {
        text.push_str("in part, since it was built; `jlsys build` builds what is missing again:\n");
    }
    for change in &in_part.changes {
        let _ = writeln!(text, "  {change}");
    }
    if state.changed().len() > 1 || explain && !state.changed().is_empty() {
        text.push_str("changed:\n");
        for change in state.changed() {
            let _ = writeln!(text, "  {change}");
        }
    }
    if explain {
        explain_key(prepared, args.packages, &mut text);
    }
    text
}

/// What changed that some groups of a startup package rest on, while others, or an image that has them beside it, can be used.
fn changed_in_part(prepared: &Prepared, entry: &Entry) -> StaleGroups {
    let own_code = entry.own_code();
    let with_groups = own_code.as_ref().unwrap_or(entry);
    let mut changed = with_groups.stale_groups(&prepared.here());
    let Some(before) = &with_groups.header.own else { return changed };
    // The project's own packages that are new, or in another folder.
    for package in prepared.plan.own.packages.iter().filter_map(|own| prepared.environment.package(own.uuid))
    {
        let Source::Path(folder) = &package.source else { continue };
        let change = match before.folders.get(&package.uuid) {
            Some(before) if before == folder => continue,
            Some(before) => format!("{} was in {}", package.name, before.display()),
            None => format!("{} is new", package.name),
        };
        changed.packages.insert(package.name.clone());
        changed.changes.push(change);
    }
    changed
}

/// Which of the project's own packages changed: that is their nature, and makes nothing else stale.
fn but_for(prepared: &Prepared, changed: &StaleGroups) -> String {
    let own = prepared.plan.own.packages.iter().map(|package| package.name.as_str());
    let names: Vec<&str> = own.filter(|name| changed.packages.contains(*name)).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(", but for {}, which changed since", names.join(", "))
    }
}

/// Shows what the key is made of.
fn explain_key(prepared: &Prepared, with_packages: bool, text: &mut String) {
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("key", prepared.key.to_string());
    line("project", prepared.environment.project_file.display().to_string());
    line("manifest", prepared.environment.manifest_file.display().to_string());
    line("julia from", prepared.julia.command.display().to_string());
    text.push_str(&super::inputs::describe(&prepared.inputs, with_packages));
    for package in &prepared.plan.left_out {
        let _ = writeln!(text, "{:<12} {}: {}", "left out", package.name, package.reason);
    }
}
