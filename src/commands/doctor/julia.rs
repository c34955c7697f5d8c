//! Julia, and what links its images.

use std::fs::File;
use std::path::Path;

use super::check::Check;
use crate::julia::{JuliaInstall, Standing, Wish, whence};
use crate::prepare::Request;
use crate::sysimage::{LinkError, Linker};

pub(super) fn checks(julia: &JuliaInstall, request: &Request, directory: &Path) -> Vec<Check> {
    let variable = std::env::var("JULIA").ok();
    let source = whence(Wish { option: request.julia.as_deref(), variable: variable.as_deref(), directory });
    vec![found(julia, &source), base_image(julia), linker(julia)]
}

fn found(julia: &JuliaInstall, source: &str) -> Check {
    let facts = &julia.facts;
    let what = format!(
        "Julia {} on {} {}: {} (from {source})",
        facts.version,
        facts.os,
        facts.arch,
        julia.command.display()
    );
    let known = |words| format!("{what}; {words}");
    // Everything that was tried was tried there.
    if (facts.os.as_str(), facts.arch.as_str()) != ("Linux", "x86_64") {
        return Check::note("julia", known("jlsys was not run on this system yet"));
    }
    match julia.differences().standing() {
        Standing::Tested => Check::ok("julia", known("every test of jlsys runs with it")),
        Standing::Run => Check::ok("julia", known("images were built and used with it")),
        Standing::Read => Check::note("julia", known("jlsys was written for it, and not run with it yet")),
        Standing::Unknown => Check::note("julia", known("it is newer than what jlsys was written for")),
    }
}

/// What was asked of Julia once is kept, so the file may have become unreadable since.
fn base_image(julia: &JuliaInstall) -> Check {
    let file = &julia.facts.base_image;
    match File::open(file) {
        Ok(_) => Check::ok("base image", file.display().to_string()),
        Err(error) => Check::fail("base image", format!("cannot read {}: {error}", file.display()))
            .advise("install Julia anew, or name another with --julia"),
    }
}

fn linker(julia: &JuliaInstall) -> Check {
    let has_startup_package = julia.differences().has_startup_package();
    match Linker::find(julia) {
        Ok(Linker::Julia(_)) => Check::ok("linker", "Julia's own lld"),
        Ok(Linker::Compiler { program, .. }) => Check::ok("linker", program.display().to_string()),
        Err(error) if has_startup_package => {
            Check::warn("linker", format!("{error}; a build ends at the startup package"))
        }
        Err(error @ LinkError::NoLinker { .. }) => {
            Check::fail("linker", error.to_string()).advise("on Debian and Ubuntu: apt-get install gcc")
        }
        Err(error) => Check::fail("linker", error.to_string()),
    }
}
