//! `jlsys run`: become Julia, with the project's image if it has a current one.
//!
//! Nothing here may make a session fail that plain Julia would have started: whatever is wrong with the project, the
//! cache or the image, Julia starts, and one line says why it starts without the image.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::RunArgs;
use crate::error::{Error, Exit};
use crate::julia::{HandsOff, JuliaArguments, Wish, discover};
use crate::output::tell;
use crate::prepare::{Located, Prepared, Request, find_julia, locate_cache};
use crate::process::{self, Command};
use crate::startup;
use crate::state::State;

/// The variable that keeps sessions with an image, and what they start, from saying what they load without it (`julia/guard.jl`).
const QUIET: &str = "JLSYS_QUIET";

pub(super) fn execute(args: &RunArgs) -> Result<Exit, Error> {
    let mut request = args.request();
    let mut args_for_julia = args.args.as_slice();
    // juliaup's launcher takes a channel before all else. What is started here is the Julia behind the launcher.
    if let [channel, rest @ ..] = args_for_julia
        && let Some(channel) = channel.to_str().filter(|text| text.starts_with('+'))
    {
        request.julia = Some(channel.to_owned());
        args_for_julia = rest;
    }
    let is_quiet = args.quiet || is_set(QUIET) || is_set("JLSYS_DISABLE");
    let start = choose(args, &mut request, args_for_julia).or_else(|no_say| plain(&request, no_say))?;
    if let Some(reason) = start.reason.filter(|_| !is_quiet) {
        tell(format_args!("jlsys: plain Julia: {reason}"));
    }
    let mut command = Command::new(&start.julia);
    let mut variables: &[(&str, &str)] = &[];
    if let Some(image) = start.image {
        command = command.option("--sysimage=", image);
        if args.quiet {
            variables = &[(QUIET, "1")];
        }
    }
    if let Some(project) = start.project {
        command = command.option("--project=", project);
    }
    if let Some(startup) = start.startup {
        let loader = if is_quiet { startup::QUIET_LOADER } else { startup::LOADER };
        command = command.arg("-L").arg(startup.join(loader));
    }
    let command = command.args(args_for_julia);
    let source = process::replace_with(&command.program, &command.args, variables);
    Err(Error::Exec { julia: start.julia, source })
}

/// How Julia is to be started.
#[derive(Default)]
struct Start {
    julia: PathBuf,
    image: Option<PathBuf>,
    /// The folder of the startup package, where there is that instead of an image, or beside one.
    startup: Option<PathBuf>,
    /// What to tell Julia of its project; nothing where it finds by itself which.
    project: Option<OsString>,
    /// Why it starts without an image.
    reason: Option<String>,
}

/// Why jlsys has no say in how Julia starts.
enum NoSay {
    /// There will be no session: nothing is said.
    NoSession,
    /// Something is wrong.
    Fault(Error),
}

fn choose(args: &RunArgs, request: &mut Request, args_for_julia: &[OsString]) -> Result<Start, NoSay> {
    let disabled = std::env::var_os("JLSYS_DISABLE").filter(|value| value != "0" && !value.is_empty());
    let fault = NoSay::Fault;
    let directory = std::env::current_dir().map_err(Error::WorkingFolder).map_err(fault)?;
    let cache = locate_cache().map_err(fault)?;
    let julia = find_julia(request.julia.as_deref(), &directory, &cache).map_err(fault)?;
    let says = JuliaArguments::read(args_for_julia, &julia.facts.version);
    if says.hands_off == Some(HandsOff::NoSession) {
        return Err(NoSay::NoSession);
    }
    let told = settle_project(args, request, &says);
    let located = Located::find(request, &julia, &directory);
    let project = told.argument(&located);
    let plain =
        |project, reason| Ok(Start { julia: julia.command.clone(), project, reason, ..Start::default() });
    match says.hands_off {
        Some(HandsOff::Unknown(option)) => {
            let version = &julia.facts.version;
            return plain(project, Some(format!("jlsys knows no option {option} of Julia {version}")));
        }
        Some(_) => return plain(project, None),
        None => {}
    }
    // In the same project as without it.
    if let Some(value) = disabled {
        let reason = (value != "1").then(|| Error::Disable(value).to_string());
        return plain(project, reason);
    }
    let prepared = match Prepared::of(request, julia.clone(), cache, located) {
        Ok(prepared) => prepared,
        Err(error) => return plain(project, Some(error.to_string())),
    };
    let mut state = State::for_session(&prepared);
    if state.untried().is_some() {
        state =
            process::block_on(state.tried(&prepared)).map_err(|error| NoSay::Fault(Error::Runtime(error)))?;
    }
    let (image, mut startup) = match &state {
        State::Ready(entry) => (entry.image(), entry.startup()),
        _ => (None, None),
    };
    let (compiled_with, version) = (&prepared.settings.julia_args, &prepared.julia.facts.version);
    let refusal = says.refuse(startup.is_none(), compiled_with, version);
    let is_nothing = image.is_none() && startup.is_none();
    if let Some(reason) = refusal.or_else(|| is_nothing.then(|| state.reason(&prepared))) {
        return plain(project, Some(reason));
    }
    // An image goes without what there is beside it.
    if let State::Ready(entry) = &state
        && image.is_some()
        && says.refuse(false, compiled_with, version).is_none()
    {
        startup = entry.own_code().and_then(|own| own.startup());
    }
    if let State::Ready(entry) = &state {
        entry.note_use();
    }
    Ok(Start { julia: julia.command, image, startup, project, reason: None })
}

/// What Julia is to be told of its project.
enum Told {
    /// Nothing: its own arguments or `JULIA_PROJECT` say it.
    Nothing,
    /// Where the project was found, unless it is the default environment: there a session is as plain Julia's.
    WhereFound {
        /// What the user asked for: where there is no such project, that is Julia's to judge. Not every version knows the default by
        /// the name that jlsys does.
        asked: Option<OsString>,
    },
}

impl Told {
    fn argument(self, located: &Located<'_>) -> Option<OsString> {
        match self {
            Self::Nothing => None,
            Self::WhereFound { asked } => located.project_file().map(OsString::from).or(asked),
        }
    }
}

/// Settles which project the request is about.
fn settle_project(args: &RunArgs, request: &mut Request, says: &JuliaArguments) -> Told {
    if let Some(project) = &says.project {
        request.project = None;
        request.julia_project = Some(project.clone());
        return Told::Nothing;
    }
    let asked = request.project.clone().map(OsString::from);
    if asked.is_none() {
        if std::env::var_os("JULIA_PROJECT").is_some() {
            return Told::Nothing;
        }
        request.project.clone_from(&args.default_project);
    }
    Told::WhereFound { asked }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

/// Plain Julia. The only thing that can still be wrong is that there is no Julia.
fn plain(request: &Request, no_say: NoSay) -> Result<Start, Error> {
    // Julia starts where there is no working folder any more. Only relative paths need one, and juliaup's overrides.
    let directory = std::env::current_dir().unwrap_or_default();
    let variable = std::env::var("JULIA").ok();
    let wish =
        Wish { option: request.julia.as_deref(), variable: variable.as_deref(), directory: &directory };
    let reason = match no_say {
        NoSay::NoSession => None,
        NoSay::Fault(error) => Some(error.to_string()),
    };
    let project = request.project.clone().map(OsString::from);
    Ok(Start { julia: discover(wish)?, project, reason, ..Start::default() })
}
