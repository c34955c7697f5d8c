//! The project: its files, its packages, its settings.

use super::check::Check;
use super::compat;
use crate::config::FILE_NAME;
use crate::environment::{Project, Source, project_in};
use crate::error::Error;
use crate::prepare::{Prepared, Request};
use crate::uuid::Uuid;
use crate::words::count;

pub(super) fn checks(prepared: &Prepared, request: &Request) -> Vec<Check> {
    let mut checks = vec![found(prepared, request), manifest(prepared)];
    checks.extend(standard_library(prepared));
    checks.extend(compat::check(&prepared.environment, &prepared.julia.facts.version));
    checks.push(installed(prepared));
    checks.push(settings(prepared));
    checks
}

/// What keeps jlsys from making a plan.
pub(super) fn refused(error: &Error) -> Check {
    let name = match error {
        Error::Config(_) | Error::Plan(_) => "settings",
        Error::Environment(_) => "project",
        Error::Sources(_) => "packages",
        _ => "plan",
    };
    Check::fail(name, error.to_string())
}

fn found(prepared: &Prepared, request: &Request) -> Check {
    let how = match &request.project {
        Some(_) => "--project",
        None => match std::env::var_os("JULIA_PROJECT") {
            Some(name) if name.is_empty() => "JULIA_PROJECT, which is empty",
            Some(_) => "JULIA_PROJECT",
            None => "the working folder",
        },
    };
    let file = prepared.environment.project_file.display();
    let direct = count(prepared.environment.project.deps.len(), "direct dependency");
    Check::ok("project", format!("{file} (from {how}), {direct}"))
}

fn manifest(prepared: &Prepared) -> Check {
    let environment = &prepared.environment;
    let header = &environment.manifest;
    let writer = header
        .julia_version
        .as_ref()
        .map_or_else(String::new, |version| format!(", written by Julia {version}"));
    let what = format!(
        "{}: format {}.{}{writer}, {}",
        environment.manifest_file.display(),
        header.format.major,
        header.format.minor,
        count(environment.packages.len(), "package")
    );
    match prepared.version_warning() {
        None => Check::ok("manifest", what),
        Some(warning) => Check::warn("manifest", warning)
            .advise("in this Julia: `import Pkg; Pkg.resolve()`, or use the Julia that wrote it (--julia)"),
    }
}

/// Packages of the standard library that do not load, since a manifest that another Julia wrote lists other dependencies than theirs.
fn standard_library(prepared: &Prepared) -> Option<Check> {
    let Prepared { environment, julia, .. } = prepared;
    // What is in Julia's own image is loaded already.
    let loaded = |uuid: &Uuid| julia.has_base_module(*uuid);
    let outside = environment.closure().into_iter().filter(|package| package.source == Source::Stdlib);
    let misfits = outside.filter(|package| !loaded(&package.uuid)).filter_map(|package| {
        let file = project_in(&julia.facts.stdlib.join(&package.name))?;
        let own = Project::read(&file).ok()?;
        let missing = own.deps.into_iter().filter(|(_, uuid)| !package.deps.contains(uuid));
        let names: Vec<String> = missing.map(|(name, _)| name).collect();
        (!names.is_empty()).then(|| format!("{} needs {}", package.name, names.join(", ")))
    });
    let misfits: Vec<String> = misfits.collect();
    if misfits.is_empty() {
        return None;
    }
    let finding = format!(
        "the manifest was made for another Julia, and these do not load in {}: {}, which it does not list",
        julia.facts.version,
        misfits.join("; ")
    );
    Some(Check::warn("library", finding).advise("in this Julia: `import Pkg; Pkg.resolve()`"))
}

fn installed(prepared: &Prepared) -> Check {
    let stdlib = &prepared.julia.facts.stdlib;
    match prepared.environment.check_installed(&prepared.depots, stdlib) {
        Ok(()) => {
            let all = count(prepared.environment.closure().len(), "package");
            Check::ok("packages", format!("installed: {all} that the project loads"))
        }
        Err(error) => Check::fail("packages", error.to_string()),
    }
}

fn settings(prepared: &Prepared) -> Check {
    let file = prepared.environment.project_dir().join(FILE_NAME);
    let plan = &prepared.plan;
    let source = match file.exists() {
        true => file.display().to_string(),
        false => format!("no {FILE_NAME}, and none is needed"),
    };
    let left_out = match plan.left_out.len() {
        0 => String::new(),
        number => format!(", {number} left out"),
    };
    let remote = match &prepared.settings.remote.url {
        Some(url) => format!("; remote {url}, which is not asked here"),
        None => String::new(),
    };
    let what = format!(
        "{source}: {} into the image{left_out}, {} to run, CPU target {}{remote}",
        count(plan.packages.len(), "package"),
        count(plan.workloads.len(), "workload"),
        plan.cpu_target
    );
    match plan.warnings.first() {
        None => Check::ok("settings", what),
        Some(warning) => Check::note("settings", what).advise(warning),
    }
}
