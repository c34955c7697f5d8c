//! `jlsys run`: become Julia, with the project's image if it has a current one.
//!
//! Nothing here may make a session fail that plain Julia would have started: whatever is wrong with the project, the
//! cache or the image, Julia starts, and one line says why it starts without the image.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::cache::Entry;
use crate::cli::RunArgs;
use crate::error::{Error, Exit};
use crate::julia::{Wish, discover};
use crate::prepare::{Prepared, Request};
use crate::process::{self, Command};
use crate::startup;
use crate::state::State;
use crate::sysimage::{self, HostCpu};

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
    let julia_args = JuliaArguments::read(args_for_julia);
    // Julia's own `--project` among its arguments is the one that Julia will follow.
    if let Some(project) = &julia_args.project {
        request.project = Some(project.clone());
    }
    let mut likely = request.clone();
    if likely.project.is_none() && std::env::var_os("JULIA_PROJECT").is_none() {
        likely.project.clone_from(&args.default_project);
    }
    // Plain Julia finds its default by itself, and not every version knows it by the name that jlsys does.
    let start = choose(&likely, &julia_args).or_else(|reason| plain(&request, reason))?;
    if let Some(reason) = start.reason.filter(|_| !args.quiet) {
        anstream::eprintln!("jlsys: plain Julia: {reason}");
    }
    let mut command = Command::new(&start.julia);
    if let Some(image) = start.image {
        command = command.option("--sysimage=", image);
    }
    if let Some(project) = start.project.filter(|_| julia_args.project.is_none()) {
        command = command.option("--project=", project);
    }
    if let Some(startup) = start.startup {
        let loader = if args.quiet { startup::QUIET_LOADER } else { startup::LOADER };
        command = command.arg("-L").arg(startup.join(loader));
    }
    let command = command.args(args_for_julia);
    let source = process::replace_with(&command);
    Err(Error::Exec { julia: start.julia, source })
}

/// How Julia is to be started.
struct Start {
    julia: PathBuf,
    image: Option<PathBuf>,
    /// The folder of the startup package, where there is that instead of an image.
    startup: Option<PathBuf>,
    project: Option<OsString>,
    /// Why it starts without an image.
    reason: Option<String>,
}

/// Why jlsys has no say in how Julia starts.
enum NoSay {
    /// The user does not want it to: nothing is said.
    Asked,
    /// Julia is told to use less of the CPU than there is, and refuses an image that needs more.
    Cpu(String),
    /// Something is wrong.
    Fault(Error),
}

fn choose(request: &Request, julia_args: &JuliaArguments) -> Result<Start, NoSay> {
    if std::env::var_os("JLSYS_DISABLE").is_some_and(|value| value == "1") || julia_args.names_image {
        return Err(NoSay::Asked);
    }
    if let Some(target) = &julia_args.cpu_target {
        return Err(NoSay::Cpu(target.clone()));
    }
    let prepared = Prepared::new(request).map_err(NoSay::Fault)?;
    let mut state = State::of(&prepared);
    if let State::Ready(entry) = &state
        && !runs_here(&prepared, entry)
    {
        state = State::OtherCpu;
    }
    let (image, startup) = match &state {
        State::Ready(entry) => {
            entry.note_use();
            (entry.image(), entry.startup())
        }
        _ => (None, None),
    };
    let reason = (image.is_none() && startup.is_none()).then(|| state.reason(&prepared));
    Ok(Start {
        julia: prepared.julia.command.clone(),
        image,
        startup,
        project: Some(prepared.environment.project_file.clone().into_os_string()),
        reason,
    })
}

/// Whether the image runs on this CPU. One that was built for several kinds of CPU is tried once on each new one.
fn runs_here(prepared: &Prepared, entry: &Entry) -> bool {
    let cpu = HostCpu::detect();
    if let Some(known) = entry.runs_on(&cpu) {
        return known;
    }
    let Some(image) = entry.image() else { return true };
    let works = process::block_on(sysimage::starts(&prepared.julia, &image)).unwrap_or(false);
    // Without the verdict the next start tries again, which is slow and right.
    let _ = entry.keep_verdict(&cpu, works);
    works
}

/// Plain Julia. The only thing that can still be wrong is that there is no Julia.
fn plain(request: &Request, no_say: NoSay) -> Result<Start, Error> {
    let directory = std::env::current_dir().map_err(Error::WorkingFolder)?;
    let variable = std::env::var("JULIA").ok();
    let wish =
        Wish { option: request.julia.as_deref(), variable: variable.as_deref(), directory: &directory };
    let julia = discover(wish)?;
    let reason = match no_say {
        NoSay::Asked => None,
        NoSay::Cpu(target) => {
            Some(format!("--cpu-target={target} asks for other code than an image may have"))
        }
        NoSay::Fault(error) => Some(error.to_string()),
    };
    Ok(Start {
        julia,
        image: None,
        startup: None,
        project: request.project.clone().map(OsString::from),
        reason,
    })
}

/// What Julia's own arguments say that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct JuliaArguments {
    /// `--project`, if it is among them.
    project: Option<String>,
    /// Whether they name an image.
    names_image: bool,
    /// `--cpu-target`, if it is among them and not what Julia would take anyway.
    cpu_target: Option<String>,
}

/// Julia's options that take their value as the next argument (`jl_parse_opts` in src/jloptions.c).
const TAKES_NEXT: &[&str] = &[
    "-e",
    "-E",
    "-L",
    "-H",
    "-m",
    "-p",
    "-t",
    "--eval",
    "--print",
    "--load",
    "--home",
    "--machine-file",
    "--procs",
    "--threads",
    "--bind-to",
    "--module",
];

impl JuliaArguments {
    /// Reads up to the script's name, behind which arguments are the script's.
    fn read(args: &[OsString]) -> Self {
        let mut found = Self::default();
        let mut args = args.iter().map(OsString::as_os_str);
        while let Some(arg) = args.next() {
            let Some(text) = arg.to_str().filter(|text| text.starts_with('-')) else { break };
            match text {
                "--" => break,
                "-J" | "--sysimage" => found.names_image = true,
                "--project" => found.project = Some("@.".to_owned()),
                _ if text.starts_with("-J") || text.starts_with("--sysimage=") => found.names_image = true,
                "-C" | "--cpu-target" => found.set_cpu_target(args.next().and_then(OsStr::to_str)),
                _ if TAKES_NEXT.contains(&text) => {
                    args.next();
                }
                _ => {
                    let cpu_target = text.strip_prefix("--cpu-target=").or(text.strip_prefix("-C"));
                    if let Some(project) = text.strip_prefix("--project=") {
                        found.project = Some(project.to_owned());
                    } else if cpu_target.is_some() {
                        found.set_cpu_target(cpu_target);
                    }
                }
            }
        }
        found
    }

    fn set_cpu_target(&mut self, target: Option<&str>) {
        self.cpu_target = target.filter(|target| *target != "native").map(str::to_owned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> JuliaArguments {
        JuliaArguments::read(&args.iter().map(|arg| OsStr::new(arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn julias_own_project_is_seen() {
        assert_eq!(read(&["--project=/x", "-e", "0"]).project.as_deref(), Some("/x"));
        assert_eq!(read(&["--project"]).project.as_deref(), Some("@."));
    }

    #[test]
    fn what_comes_behind_the_script_is_the_scripts() {
        assert_eq!(read(&["script.jl", "--project=/x", "-J", "y"]), JuliaArguments::default());
        assert_eq!(read(&["-e", "--project=/x"]), JuliaArguments::default());
    }

    #[test]
    fn a_cpu_target_of_the_users_own_is_seen() {
        for args in
            [&["-C", "generic"][..], &["-Cgeneric"], &["--cpu-target=generic"], &["--cpu-target", "generic"]]
        {
            assert_eq!(read(args).cpu_target.as_deref(), Some("generic"), "{args:?}");
        }
        assert_eq!(read(&["-C", "native", "-e", "0"]), JuliaArguments::default());
    }

    #[test]
    fn an_image_of_the_users_own_is_seen() {
        for args in [&["-J", "x"][..], &["-Jx"], &["--sysimage=x"], &["-q", "--sysimage", "x"]] {
            assert!(read(args).names_image, "{args:?}");
        }
    }
}
