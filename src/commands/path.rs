//! `jlsys path`: an image that Julia starts with, the project's or else Julia's own, so that a line with it in a shell works always.

use std::path::{Path, PathBuf};

use crate::cli::PathArgs;
use crate::error::{Error, Exit};
use crate::julia::{JuliaInstall, Wish, discover};
use crate::output::{print, tell};
use crate::prepare::{Prepared, Request, ask_julia, find_julia, locate_cache};
use crate::process;
use crate::startup;
use crate::state::State;

/// What there is for a project.
enum Found {
    Image(PathBuf),
    /// The folder of the startup package.
    Startup(PathBuf),
}

pub(super) fn execute(args: &PathArgs) -> Result<Exit, Error> {
    let request = args.request();
    let line = match (find(&request), args.env) {
        (Ok(Found::Image(image)), false) => image.display().to_string(),
        (Ok(Found::Image(image)), true) => format!("--sysimage={}", image.display()),
        (Ok(Found::Startup(folder)), true) => format!("--load={}", folder.join(startup::LOADER).display()),
        (Ok(Found::Startup(_)), false) => {
            let reason = "there is a startup package, with which `julia \"$(jlsys path --env)\"` starts";
            return stock(&request, args.env, reason);
        }
        (Err(reason), _) => return stock(&request, args.env, &reason),
    };
    print(&format!("{line}\n"))?;
    Ok(Exit::Ok)
}

/// What there is for the project, or why there is nothing.
fn find(request: &Request) -> Result<Found, String> {
    let prepared = Prepared::new(request).map_err(|error| error.to_string())?;
    let tried = process::block_on(State::for_session(&prepared).tried(&prepared));
    let state = tried.map_err(|error| Error::Runtime(error).to_string())?;
    let found = match &state {
        State::Ready(entry) => {
            entry.image().map(Found::Image).or_else(|| entry.startup().map(Found::Startup))
        }
        _ => None,
    };
    found.ok_or_else(|| state.reason(&prepared))
}

/// Julia's own image: to start with it is to start plain Julia.
fn stock(request: &Request, env: bool, reason: &str) -> Result<Exit, Error> {
    // The line must go on wherever plain `julia` would. Only relative paths need a working folder.
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let julia = locate_cache()
        .and_then(|cache| find_julia(request.julia.as_deref(), &directory, &cache))
        .or_else(|error| asked_anew(request, &directory).ok_or(error))?;
    tell(format_args!("jlsys: Julia's own image: {reason}"));
    let option = if env { "--sysimage=" } else { "" };
    print(&format!("{option}{}\n", julia.facts.base_image.display()))?;
    Ok(Exit::Stock)
}

/// The Julia that is asked for, or where that is not there the one that the line itself starts, where it is not known and nothing can be kept.
fn asked_anew(request: &Request, directory: &Path) -> Option<JuliaInstall> {
    let variable = std::env::var("JULIA").ok();
    let asked = Wish { option: request.julia.as_deref(), variable: variable.as_deref(), directory };
    let on_path = Wish { option: None, variable: None, directory };
    [asked, on_path].into_iter().find_map(|wish| ask_julia(discover(wish).ok()?).ok())
}
