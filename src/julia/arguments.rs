//! What Julia's own arguments say, read as Julia reads them.
//!
//! Julia reads them with `getopt_long` (`jl_parse_opts` in `src/jloptions.c`): values attached or as the next argument,
//! letters in bundles, long options cut short as far as they stay unambiguous, and nothing behind the first argument that
//! is no option.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::Differences;

/// What Julia's own arguments say that matters to which image a session can have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JuliaArguments {
    /// `--project`: `@.` when it has no value, and empty for the default environment.
    pub project: Option<String>,
    /// Why jlsys has no say in how Julia starts.
    pub hands_off: Option<HandsOff>,
    /// `--cpu-target`.
    pub cpu_target: Option<String>,
    /// Where further processes are started, if they are.
    processes: Option<Processes>,
    /// The last value of each option that makes Julia generate other code for packages.
    code: Vec<(&'static str, String)>,
}

/// Where further processes are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Processes {
    /// On this machine: `-p`.
    Here,
    /// On others, too: `--machine-file`.
    Elsewhere,
}

/// Why jlsys has no say in how Julia starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandsOff {
    /// The arguments name an image, another Julia's folder, or a file that Julia is to compile into.
    Asked,
    /// No session comes of it: Julia prints something about itself, or refuses an option.
    NoSession,
    /// An option that this version of Julia does not have, as far as is known here.
    Unknown(String),
}

/// Whether an option has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    /// Only attached, behind `=`.
    Optional,
    /// Attached, or the next argument.
    Required,
}

/// What an option has to do with images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Nothing.
    Other,
    Project,
    CpuTarget,
    /// The image, another Julia's folder, a file to compile into, a report on Julia itself.
    HandsOff,
    /// Julia prints something and ends.
    NoSession,
    /// What Julia generates for the code of packages differs, unless the value is the one named.
    Code(&'static str),
    /// Further processes are started.
    Workers(Processes),
    /// What is behind it belongs to the module's `main`.
    Module,
}

use Meaning::{Code, CpuTarget, HandsOff as Hands, Module, NoSession, Other, Project, Workers};
use Value::{None as Bare, Optional, Required};

use crate::version::Version;

/// The long options: name, value, meaning, and the minor version of Julia 1 that has it first. None was ever taken away.
/// From `longopts` in `src/jloptions.c`, read for 1.5 to 1.14-DEV.
const LONG: &[(&str, Value, Meaning, u32)] = &[
    ("version", Bare, NoSession, 5),
    ("help", Bare, NoSession, 5),
    ("help-hidden", Bare, NoSession, 5),
    ("interactive", Bare, Other, 9),
    ("quiet", Bare, Other, 5),
    ("banner", Required, Other, 5),
    ("home", Required, Hands, 5),
    ("eval", Required, Other, 5),
    ("module", Required, Module, 12),
    ("print", Required, Other, 5),
    ("load", Required, Other, 5),
    ("bug-report", Required, Hands, 5),
    ("sysimage", Required, Hands, 5),
    ("sysimage-native-code", Required, Other, 5),
    ("compiled-modules", Required, Other, 5),
    ("pkgimages", Required, Other, 9),
    ("cpu-target", Required, CpuTarget, 5),
    ("procs", Required, Workers(Processes::Here), 5),
    ("threads", Required, Other, 5),
    ("gcthreads", Required, Other, 10),
    ("machine-file", Required, Workers(Processes::Elsewhere), 5),
    ("project", Optional, Project, 5),
    ("color", Required, Other, 5),
    ("history-file", Required, Other, 5),
    ("startup-file", Required, Other, 5),
    ("compile", Required, Other, 5),
    ("code-coverage", Optional, Code("none"), 5),
    ("track-allocation", Optional, Code("none"), 5),
    ("optimize", Optional, Other, 5),
    ("min-optlevel", Optional, Other, 7),
    ("debug-info", Optional, Other, 9),
    ("check-bounds", Required, Code("auto"), 5),
    ("output-bc", Required, Hands, 5),
    ("output-unopt-bc", Required, Hands, 5),
    ("output-o", Required, Hands, 5),
    ("output-asm", Required, Hands, 5),
    ("output-ji", Required, Hands, 5),
    ("output-incremental", Required, Other, 5),
    ("depwarn", Required, Other, 5),
    ("warn-overwrite", Required, Other, 5),
    ("warn-scope", Required, Other, 5),
    ("inline", Required, Code("yes"), 5),
    ("polly", Required, Other, 5),
    ("timeout-for-safepoint-straggler", Required, Other, 12),
    ("trace-compile", Required, Other, 5),
    ("trace-compile-timing", Bare, Other, 12),
    ("trace-dispatch", Required, Other, 12),
    ("task-metrics", Required, Other, 12),
    ("math-mode", Required, Code("user"), 5),
    ("handle-signals", Required, Other, 5),
    ("experimental", Bare, Other, 12),
    ("worker", Optional, Other, 5),
    ("bind-to", Required, Other, 5),
    // Julia takes it as the very first argument only, and there is no session then.
    ("lisp", Bare, NoSession, 5),
    ("image-codegen", Bare, Other, 6),
    ("rr-detach", Bare, Other, 7),
    ("strip-metadata", Bare, Other, 8),
    ("strip-ir", Bare, Other, 8),
    ("permalloc-pkgimg", Required, Other, 9),
    ("heap-size-hint", Required, Other, 9),
    ("hard-heap-limit", Required, Other, 13),
    ("heap-target-increment", Required, Other, 13),
    ("gc-sweep-always-full", Bare, Other, 13),
    ("trim", Optional, Other, 12),
    ("compress-sysimage", Required, Other, 13),
    ("trace-eval", Optional, Other, 13),
    ("target-sanitize", Required, Other, 14),
];

/// The letters: each with the long option that it stands for, whether a value belongs to it, and the first minor version.
/// From `shortopts` in the same file.
const SHORT: &[(u8, &str, bool, u32)] = &[
    (b'v', "version", false, 5),
    (b'h', "help", false, 5),
    (b'q', "quiet", false, 5),
    (b'i', "interactive", false, 5),
    (b'H', "home", true, 5),
    (b'e', "eval", true, 5),
    (b'E', "print", true, 5),
    (b'L', "load", true, 5),
    (b'J', "sysimage", true, 5),
    (b'C', "cpu-target", true, 5),
    (b't', "threads", true, 5),
    (b'p', "procs", true, 5),
    (b'O', "optimize", true, 5),
    (b'g', "debug-info", true, 5),
    (b'm', "module", true, 12),
    (b'P', "project", true, 14),
];

impl JuliaArguments {
    /// Reads the arguments of `julia` as this version does, up to the script's name, behind which they are the script's.
    pub fn read(args: &[OsString], julia: &Version) -> Self {
        let mut args = args;
        // Until 1.8 nothing behind the first `--` is read, not even as a value (at the start of `jl_parse_opts`).
        if (julia.major, julia.minor) < (1, 9)
            && let Some(end) = args.iter().position(|arg| arg == "--")
        {
            args = &args[..end];
        }
        let mut reader = Reader { minor: minor(julia), rest: args.iter(), found: Self::default() };
        while let Some(arg) = reader.rest.next().map(|arg| arg.as_bytes()) {
            let goes_on = match arg {
                b"--" | b"-" => false,
                [b'-', b'-', option @ ..] => reader.long(option),
                [b'-', letters @ ..] => reader.letters(letters),
                _ => false,
            };
            if !goes_on {
                break;
            }
        }
        reader.found
    }

    /// Why a session with these arguments cannot have what was compiled with the options in `compiled_with`, an image or, where it is
    /// none, a startup package; as a sentence.
    pub fn refuse(&self, is_image: bool, compiled_with: &[String], julia: &Version) -> Option<String> {
        if let Some(option) = self.other_code(compiled_with) {
            return Some(format!("{option} asks for other code than an image has"));
        }
        // Julia loads the file that loads a startup package on each process.
        let has_room = match self.processes {
            None => true,
            Some(Processes::Here) => Differences::of(julia).loads_files_beside_processes(),
            Some(Processes::Elsewhere) => false,
        };
        (!is_image && !has_room)
            .then(|| "beside -p or --machine-file this Julia loads no startup package".to_owned())
    }

    /// The option that asks for other code, as people write it.
    fn other_code(&self, compiled_with: &[String]) -> Option<String> {
        if let Some(target) = self.cpu_target.as_ref().filter(|target| *target != "native") {
            return Some(format!("--cpu-target={target}"));
        }
        let options = self.code.iter().filter(|(name, value)| is_other_code(name, value));
        options
            .map(|(name, value)| format!("--{name}={value}"))
            .find(|option| !compiled_with.contains(option))
    }
}

/// Later major versions have at least what the last of these has.
fn minor(julia: &Version) -> u32 {
    if julia.major > 1 { u32::MAX } else { julia.minor }
}

fn is_other_code(name: &str, value: &str) -> bool {
    let usual = LONG.iter().find_map(|(known, _, meaning, _)| match meaning {
        Code(usual) if *known == name => Some(*usual),
        _ => None,
    });
    usual.is_some_and(|usual| usual != value)
}

struct Reader<'a> {
    minor: u32,
    rest: std::slice::Iter<'a, OsString>,
    found: JuliaArguments,
}

impl<'a> Reader<'a> {
    /// A long option without its hyphens. Says whether more is to be read.
    fn long(&mut self, option: &'a [u8]) -> bool {
        let equals = option.iter().position(|&byte| byte == b'=');
        let (name, attached) = match equals {
            Some(at) => (&option[..at], Some(&option[at + 1..])),
            None => (option, None),
        };
        let known = || LONG.iter().filter(|(.., since)| *since <= self.minor);
        let exact = known().find(|(known, ..)| known.as_bytes() == name);
        let mut longer = known().filter(|(known, ..)| known.as_bytes().starts_with(name));
        let &(name, takes, meaning, _) = match (exact, longer.next(), longer.next()) {
            (Some(exact), ..) => exact,
            (None, Some(only), None) => only,
            // Of several that it could be short for, Julia takes none.
            (None, Some(_), Some(_)) => return self.end(HandsOff::NoSession),
            (None, None, _) => {
                let option = format!("--{}", String::from_utf8_lossy(name));
                return self.end(HandsOff::Unknown(option));
            }
        };
        let value = match (takes, attached) {
            (Bare, Some(_)) => return self.end(HandsOff::NoSession),
            (Required, None) => match self.rest.next() {
                Some(value) => Some(value.as_bytes()),
                None => return self.end(HandsOff::NoSession),
            },
            (_, attached) => attached,
        };
        self.take(name, meaning, value)
    }

    /// One letter or several, the last of them perhaps with its value. Says whether more is to be read.
    fn letters(&mut self, letters: &'a [u8]) -> bool {
        for (at, letter) in letters.iter().enumerate() {
            let known = SHORT.iter().find(|(known, .., since)| known == letter && *since <= self.minor);
            let Some(&(_, name, takes_value, _)) = known else {
                return self.end(HandsOff::Unknown(format!("-{}", char::from(*letter))));
            };
            let long = LONG.iter().find(|(known, ..)| *known == name);
            let (takes, meaning) = long.map_or((Required, Other), |&(_, takes, meaning, _)| (takes, meaning));
            if !takes_value {
                if !self.take(name, meaning, None) {
                    return false;
                }
                continue;
            }
            let value = match &letters[at + 1..] {
                [] => self.rest.next().map(|value| value.as_bytes()),
                attached => Some(attached),
            };
            // At the very end the value may be missing where the long option needs none.
            if value.is_none() && takes == Required {
                return self.end(HandsOff::NoSession);
            }
            return self.take(name, meaning, value);
        }
        true
    }

    fn take(&mut self, name: &'static str, meaning: Meaning, value: Option<&'a [u8]>) -> bool {
        let text = value.map(|value| OsStr::from_bytes(value).to_string_lossy().into_owned());
        match meaning {
            Other => {}
            Project => self.found.project = Some(text.unwrap_or_else(|| "@.".to_owned())),
            CpuTarget => self.found.cpu_target = text,
            Hands => self.found.hands_off = Some(HandsOff::Asked),
            NoSession => return self.end(HandsOff::NoSession),
            Code(_) => {
                self.found.code.retain(|(known, _)| *known != name);
                // Without a value, those that can have none mean the user's own code.
                self.found.code.push((name, text.unwrap_or_else(|| "user".to_owned())));
            }
            Workers(place) => self.found.processes = self.found.processes.max(Some(place)),
            Module => return false,
        }
        true
    }

    fn end(&mut self, hands_off: HandsOff) -> bool {
        self.found.hands_off = Some(hands_off);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(minor: u32, args: &[&str]) -> JuliaArguments {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        JuliaArguments::read(&args, &Version::new(1, minor, 0))
    }

    /// The project that each version of Julia takes.
    #[track_caller]
    fn expect_project(args: &[&str], project: Option<&str>) {
        for minor in 5..=14 {
            assert_eq!(read(minor, args).project.as_deref(), project, "{args:?} on 1.{minor}");
        }
    }

    #[test]
    fn the_project_is_found_wherever_it_stands() {
        for args in [
            &["--project=/x"][..],
            &["--project=/x", "-e", "0"],
            &["--project=/y", "--project=/x", "script.jl", "--project=/z"],
            &["--startup-file", "no", "--project=/x"],
            &["--color", "no", "--depwarn", "no", "--history-file", "no", "--project=/x"],
            &["--startup-file=no", "--project=/x"],
            &["-qe", "code", "--project=/x"],
            &["-ie", "code", "--project=/x"],
            &["-ecode", "--project=/x"],
            &["-qC", "native", "--project=/x"],
            &["-t", "4", "--project=/x"],
            &["-t4", "-p", "2", "-O", "2", "-O2", "-g", "1", "-L", "file.jl", "--project=/x"],
            &["--check-bounds", "yes", "--code-coverage", "--track-allocation=none", "--project=/x"],
            &["--proj=/x"],
            &["--pro", "--start", "no", "--proj=/x"],
            &["-e", "--project=/y", "--project=/x", "--", "--project=/z"],
        ] {
            // `--pro` is short for `--procs`, too.
            if args[0] == "--pro" {
                assert_eq!(read(10, args).hands_off, Some(HandsOff::NoSession));
            } else {
                expect_project(args, Some("/x"));
            }
        }
        expect_project(&["--project"], Some("@."));
        expect_project(&["--project="], Some(""));
        expect_project(&["--project", "/x"], Some("@."));
        expect_project(&["--project=/x", "--project"], Some("@."));
    }

    #[test]
    fn what_comes_behind_the_script_is_the_scripts() {
        for args in [
            &["script.jl", "--project=/x", "-J", "y"][..],
            &["-", "--project=/x"],
            &["--", "--project=/x"],
            &["-e", "--project=/x"],
            &["", "--project=/x"],
        ] {
            for minor in 5..=14 {
                assert_eq!(read(minor, args), JuliaArguments::default(), "{args:?} on 1.{minor}");
            }
        }
    }

    #[test]
    fn each_version_has_its_own_options() {
        // From 1.12 on `-m` runs a module, and what follows is that module's.
        assert_eq!(read(12, &["-m", "Tool", "--project=/x"]), JuliaArguments::default());
        assert_eq!(read(11, &["-m", "Tool"]).hands_off, Some(HandsOff::Unknown("-m".to_owned())));
        assert_eq!(read(14, &["-P", "/x"]).project.as_deref(), Some("/x"));
        // What it is short for depends on what there is.
        assert!(read(5, &["--h=x"]).hands_off.is_some());
        assert_eq!(read(5, &["--hom", "x"]).hands_off, Some(HandsOff::Asked));
        assert_eq!(read(5, &["--tra-c=x"]).hands_off, Some(HandsOff::Unknown("--tra-c".to_owned())));
        assert_eq!(read(5, &["--trace=x"]).hands_off, None);
        assert_eq!(read(12, &["--trace=x"]).hands_off, Some(HandsOff::NoSession));
        assert_eq!(read(12, &["--trace-compile=x"]).hands_off, None);
        // Until 1.8 `--` ends everything, wherever it stands.
        assert_eq!(read(8, &["-e", "--", "--project=/x"]).hands_off, Some(HandsOff::NoSession));
        assert_eq!(read(9, &["-e", "--", "--project=/x"]).project.as_deref(), Some("/x"));
    }

    #[test]
    fn an_image_of_the_users_own_is_seen_wherever_it_stands() {
        for args in [
            &["-J", "x"][..],
            &["-Jx"],
            &["--sysimage=x"],
            &["--sysimage-=x", "-Jy"],
            &["-q", "--sysimage", "x"],
            &["--startup-file", "no", "-J", "x"],
            &["-qJ", "x"],
            &["--output-o", "x"],
            &["--output-ji=x"],
            &["-H", "/opt/julia/bin"],
            &["--bug-report=rr"],
        ] {
            assert_eq!(read(10, args).hands_off, Some(HandsOff::Asked), "{args:?}");
        }
        // `--sysim` is short for `--sysimage-native-code`, too.
        for args in [
            &["-v"][..],
            &["-qv"],
            &["--version"],
            &["--help"],
            &["-e"],
            &["--quiet=x"],
            &["--lisp"],
            &["--sysim=x"],
        ] {
            assert_eq!(read(10, args).hands_off, Some(HandsOff::NoSession), "{args:?}");
        }
        assert_eq!(read(10, &["--new", "x"]).hands_off, Some(HandsOff::Unknown("--new".to_owned())));
    }

    #[test]
    fn further_processes_are_seen() {
        for args in [&["-p", "2"][..], &["-qp2"], &["--procs=2"], &["--procs", "2"]] {
            assert_eq!(read(10, args).processes, Some(Processes::Here), "{args:?}");
        }
        assert_eq!(read(10, &["--machine-file=x", "-p2"]).processes, Some(Processes::Elsewhere));
        assert_eq!(read(10, &["script.jl", "-p", "2"]).processes, None);
    }

    #[test]
    fn a_startup_package_is_refused_where_processes_are_started_that_cannot_load_it() {
        let refused = |minor, is_image, args: &[&str]| {
            read(minor, args).refuse(is_image, &[], &Version::new(1, minor, 0)).is_some()
        };
        assert!(refused(12, false, &["-p", "2"]) && !refused(11, false, &["-p", "2"]));
        assert!(refused(11, false, &["--machine-file=x"]));
        assert!(!refused(12, true, &["-p", "2", "--machine-file=x"]) && !refused(12, false, &["-q"]));
        assert!(refused(12, true, &["--check-bounds=yes"]) && refused(12, false, &["--check-bounds=yes"]));
    }

    #[test]
    fn options_that_ask_for_other_code_are_seen() {
        let other = |args: &[&str]| read(10, args).other_code(&[]);
        for args in [
            &["-C", "generic"][..],
            &["-Cgeneric"],
            &["--cpu-target=generic"],
            &["--startup-file", "no", "-qCgeneric"],
        ] {
            assert_eq!(other(args).as_deref(), Some("--cpu-target=generic"), "{args:?}");
        }
        for (args, option) in [
            (&["--check-bounds", "yes"][..], "--check-bounds=yes"),
            (&["--code-coverage"], "--code-coverage=user"),
            (&["--track-allocation=all"], "--track-allocation=all"),
            (&["--math-mode=ieee"], "--math-mode=ieee"),
            (&["--inline=no"], "--inline=no"),
        ] {
            assert_eq!(other(args).as_deref(), Some(option));
            assert_eq!(read(10, args).other_code(&[option.to_owned()]), None);
        }
        for args in [
            &["-C", "generic", "-C", "native"][..],
            &["--check-bounds=no", "--check-bounds=auto"],
            &["--code-coverage", "--code-coverage=none"],
            &["-O3", "-g2", "--compile=min"],
        ] {
            assert_eq!(other(args), None, "{args:?}");
        }
    }
}
