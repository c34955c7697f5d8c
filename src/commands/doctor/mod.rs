//! `jlsys doctor`: what is there, what is missing, what to do, and whether an image is worth it.
//!
//! Nothing is built, and nothing runs but a Julia that was never asked what it is, or for which CPUs it generates code.

mod cache;
mod check;
mod compat;
mod image;
mod julia;
mod jupyter;
mod machine;
mod project;
mod text;
mod variables;
mod worth;

use serde::Serialize;

use crate::cli::DoctorArgs;
use crate::error::{Error, Exit};
use crate::output;
use crate::prepare::{Prepared, Request, find_julia, locate_cache};
use crate::report::SCHEMA;

use check::{Check, Mark};
use worth::Worth;

/// The document that `doctor --json` prints.
#[derive(Serialize)]
struct Document {
    schema: u32,
    /// Whether a build would start.
    can_build: bool,
    checks: Vec<Check>,
    worth: Option<Worth>,
}

pub(super) fn execute(args: &DoctorArgs) -> Result<Exit, Error> {
    let (checks, worth) = examine(&args.request())?;
    let can_build = checks.iter().all(|check| check.mark != Mark::Fail);
    let document = Document { schema: SCHEMA, can_build, checks, worth };
    if args.json {
        super::print_json(&document)?;
    } else {
        output::written(text::print(&document))?;
    }
    Ok(if can_build { Exit::Ok } else { Exit::Refused })
}

/// Looks at everything, as far as each step lets the next be looked at.
fn examine(request: &Request) -> Result<(Vec<Check>, Option<Worth>), Error> {
    let directory = std::env::current_dir().map_err(Error::WorkingFolder)?;
    let mut checks = Vec::new();
    let mut worth = None;
    let cache = locate_cache();
    if let Ok(cache) = &cache {
        match find_julia(request.julia.as_deref(), &directory, cache) {
            Ok(install) => {
                checks.extend(julia::checks(&install, request, &directory));
                match Prepared::new(request) {
                    Ok(prepared) => {
                        checks.extend(project::checks(&prepared, request));
                        checks.extend(machine::checks(&prepared));
                        checks.extend(image::checks(&prepared));
                        worth = Some(Worth::of(&prepared));
                    }
                    Err(error) => checks.push(project::refused(&error)),
                }
            }
            Err(error) => checks.push(Check::fail("julia", error.to_string())),
        }
    }
    checks.extend(cache::checks(cache.as_ref()));
    checks.extend(jupyter::checks());
    checks.extend(variables::checks(|name| std::env::var_os(name)));
    Ok((checks, worth))
}
