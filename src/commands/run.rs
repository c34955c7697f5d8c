//! `jlsys run`: become Julia, with the project's image if it has a current one.
//!
//! Nothing here may make a session fail that plain Julia would have started: whatever is wrong with the project, the
//! cache or the image, Julia starts, and one line says why it starts without the image.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::RunArgs;
use crate::error::{Error, Exit};
use crate::julia::{HandsOff, JuliaArguments, JuliaInstall, Processes, Wish, discover};
use crate::output::tell;
use crate::prepare::{Prepared, Request, find_julia, locate_cache, project_file};
use crate::process::{self, Command};
use crate::startup;
use crate::state::State;

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
    let start = choose(args, &mut request, args_for_julia).or_else(|no_say| plain(&request, no_say))?;
    if let Some(reason) = start.reason.filter(|_| !args.quiet) {
        tell(format_args!("jlsys: plain Julia: {reason}"));
    }
    let mut command = Command::new(&start.julia);
    if let Some(image) = start.image {
        command = command.option("--sysimage=", image);
    }
    if let Some(project) = start.project {
        command = command.option("--project=", project);
    }
    if let Some(startup) = start.startup {
        let loader = if args.quiet { startup::QUIET_LOADER } else { startup::LOADER };
        command = command.arg("-L").arg(startup.join(loader));
    }
    let command = command.args(args_for_julia);
    let source = process::replace_with(&command.program, &command.args);
    Err(Error::Exec { julia: start.julia, source })
}

/// How Julia is to be started.
#[derive(Default)]
struct Start {
    julia: PathBuf,
    image: Option<PathBuf>,
    /// The folder of the startup package, where there is that instead of an image.
    startup: Option<PathBuf>,
    /// What to tell Julia of its project; nothing where it finds by itself which.
    project: Option<OsString>,
    /// Why it starts without an image.
    reason: Option<String>,
}

/// Why jlsys has no say in how Julia starts.
enum NoSay {
    /// The user does not want it to, or there will be no session: nothing is said.
    Asked,
    /// Something is wrong.
    Fault(Error),
}

fn choose(args: &RunArgs, request: &mut Request, args_for_julia: &[OsString]) -> Result<Start, NoSay> {
    if std::env::var_os("JLSYS_DISABLE").is_some_and(|value| value == "1") {
        return Err(NoSay::Asked);
    }
    let fault = NoSay::Fault;
    let directory = std::env::current_dir().map_err(Error::WorkingFolder).map_err(fault)?;
    let cache = locate_cache().map_err(fault)?;
    let julia = find_julia(request.julia.as_deref(), &directory, &cache).map_err(fault)?;
    let says = JuliaArguments::read(args_for_julia, &julia.facts.version);
    if says.hands_off == Some(HandsOff::NoSession) {
        return Err(NoSay::Asked);
    }
    let project = which_project(args, request, &says, &julia, &directory);
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
    let prepared = match Prepared::with_julia(request, julia.clone(), cache, &directory) {
        Ok(prepared) => prepared,
        Err(error) => return plain(project, Some(error.to_string())),
    };
    if let Some(option) = says.other_code(&prepared.settings.julia_args) {
        return plain(project, Some(format!("{option} asks for other code than an image has")));
    }
    let mut state = State::for_session(&prepared);
    if state.untried().is_some() {
        state =
            process::block_on(state.tried(&prepared)).map_err(|error| NoSay::Fault(Error::Runtime(error)))?;
    }
    let (image, startup) = match &state {
        State::Ready(entry) => {
            entry.note_use();
            (entry.image(), entry.startup())
        }
        _ => (None, None),
    };
    let mut reason = (image.is_none() && startup.is_none()).then(|| state.reason(&prepared));
    // Julia loads the file that loads it on each process.
    let is_in_the_way = match says.processes {
        None => false,
        Some(Processes::Here) => !prepared.julia.differences().loads_files_beside_processes(),
        Some(Processes::Elsewhere) => true,
    };
    let startup = if startup.is_some() && is_in_the_way {
        reason = Some("beside -p or --machine-file this Julia loads no startup package".to_owned());
        None
    } else {
        startup
    };
    Ok(Start { julia: julia.command, image, startup, project, reason })
}

/// Settles which project the request is about, and says what Julia is to be told of that: nothing where its own arguments or
/// `JULIA_PROJECT` say it, and where it is the default environment, so that a session is as plain Julia's.
fn which_project(
    args: &RunArgs,
    request: &mut Request,
    says: &JuliaArguments,
    julia: &JuliaInstall,
    directory: &Path,
) -> Option<OsString> {
    if let Some(project) = &says.project {
        request.project = None;
        request.julia_project = Some(project.clone());
        return None;
    }
    let asked = request.project.clone().map(OsString::from);
    if asked.is_none() {
        if std::env::var_os("JULIA_PROJECT").is_some() {
            return None;
        }
        request.project.clone_from(&args.default_project);
    }
    // Where there is no such project, what the user asked for is Julia's to judge. Not every version knows the default by the
    // name that jlsys does.
    project_file(request, julia, directory).map(PathBuf::into_os_string).or(asked)
}

/// Plain Julia. The only thing that can still be wrong is that there is no Julia.
fn plain(request: &Request, no_say: NoSay) -> Result<Start, Error> {
    // Julia starts where there is no working folder any more. Only relative paths need one, and juliaup's overrides.
    let directory = std::env::current_dir().unwrap_or_default();
    let variable = std::env::var("JULIA").ok();
    let wish =
        Wish { option: request.julia.as_deref(), variable: variable.as_deref(), directory: &directory };
    let reason = match no_say {
        NoSay::Asked => None,
        NoSay::Fault(error) => Some(error.to_string()),
    };
    let project = request.project.clone().map(OsString::from);
    Ok(Start { julia: discover(wish)?, project, reason, ..Start::default() })
}
