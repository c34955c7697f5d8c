//! Julia's own arguments: what jlsys reads in them is what a real Julia does.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use jlsys::julia::{HandsOff, JuliaArguments};
use jlsys::version::Version;
use support::{Project, Ran, julia, says};

/// Prints what Julia made of its arguments, before anything that they say is run.
const ASK: &str = r#"
let o = Base.JLOptions(), text = s -> s == C_NULL ? "-" : unsafe_string(s)
    println("project ", text(o.project))
    println("cpu ", text(o.cpu_target))
    println("other ", o.check_bounds, o.code_coverage, o.malloc_log, o.fast_math, o.can_inline)
    println("image ", text(o.image_file))
    println("active ", something(Base.active_project(), "-"))
end
exit(0)
"#;

struct Asked<'a> {
    project: &'a Project,
    version: Version,
}

impl<'a> Asked<'a> {
    fn new(project: &'a Project) -> Self {
        let version = says("print(VERSION)").parse().unwrap();
        Self { project, version }
    }

    fn julia(&self, args: &[&str]) -> Output {
        let ask = self.project.path("ask.jl");
        let mut command = self.project.command_for(julia(), &["-L", ask.to_str().unwrap()]);
        command.args(args).stdin(Stdio::null()).output().unwrap()
    }

    fn read(&self, args: &[&str]) -> JuliaArguments {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        JuliaArguments::read(&args, &self.version)
    }

    /// What Julia said of one thing.
    fn said(output: &Output, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))
    }
}

fn lines() -> Vec<Vec<&'static str>> {
    let mut lines: Vec<Vec<&str>> = [
        "",
        "--project=other",
        "--project=",
        "--project",
        "--project other",
        "--project=@.",
        "--project=@other",
        "--project=@v#.#",
        "--project=other --project",
        "--project --project=other",
        "--proj=other",
        "--p=other",
        "--pro=other",
        "--startup-file no --project=other",
        "--startup no --project=other",
        "--s no --project=other",
        "--history-file no --color yes --depwarn no --project=other",
        "--compile min --project=other",
        "--check-bounds yes --project=other",
        "--check-bounds=no --check-bounds=yes --project=other",
        "--inline no --math-mode ieee --project=other",
        "--math-mode=user --inline=yes --project=other",
        "--code-coverage --project=other",
        "--code-coverage none --project=other",
        "--code-coverage=user --code-coverage=none --project=other",
        "--track-allocation=all --project=other",
        "-qe 1 --project=other",
        "-ie 1 --project=other",
        "-e1 --project=other",
        "-e --project=other --project=other/nested",
        "-qC generic --project=other",
        "-C generic -C native --project=other",
        "-Cgeneric script.jl --project=other",
        "-t 2 -O 1 -g 1 -L ask.jl --project=other",
        "-t2 -O1 -g1 --project=other",
        "-O --project=other",
        "--optimize --project=other",
        "-g --project=other",
        "-p1 --project=other",
        "script.jl --project=other",
        "- --project=other",
        "-- --project=other",
        "-- script.jl --project=other",
        "-e -- --project=other",
        "-q -- -v",
        "--banner no -i --project=other",
        "--quiet=yes --project=other",
        "--sysim=x",
        "--sysimage-n no --project=other",
        "-x --project=other",
        "--nothing --project=other",
        "-e",
        "-v",
        "-qv",
        "--version",
        "--help",
        "-qh",
        "--help-h",
        "--trace=stderr --project=other",
        "--trace-compile stderr --project=other",
        "--min-optlevel=1 --project=other",
        "--bind-to 127.0.0.1 --warn-overwrite no --project=other",
        "--pkgimages no --project=other",
        "--heap-size-hint 1G --gcthreads 1 --project=other",
        "--debug-info --interactive --project=other",
        "--lisp",
        "-m Base --project=other",
        "--module Base --project=other",
    ]
    .iter()
    .map(|line| line.split_whitespace().collect())
    .collect();
    lines.push(vec!["", "--project=other"]);
    lines.push(vec!["-e", "", "--project=other"]);
    lines
}

#[test]
fn are_read_as_julia_reads_them() {
    let project = Project::new()
        .file("ask.jl", ASK)
        .file("script.jl", "")
        .file("other/Project.toml", "")
        .file("other/nested/Project.toml", "")
        .write();
    let asked = Asked::new(&project);
    let plain = asked.julia(&[]);
    let stock = Asked::said(&plain, "image").unwrap();
    let usual = Asked::said(&plain, "other").unwrap();
    let usual_cpu = Asked::said(&plain, "cpu").unwrap();
    let mut lines = lines();
    let named = ["--startup-file", "no", "--sysimage", &stock, "--project=other"];
    lines.extend([named.to_vec(), vec!["-qJ", &stock, "script.jl"]]);
    for line in &lines {
        let output = asked.julia(line);
        let read = asked.read(line);
        let Some(told) = Asked::said(&output, "project") else {
            let end = matches!(read.hands_off, Some(HandsOff::NoSession | HandsOff::Unknown(_)));
            // Whether Julia likes a value is left to Julia, also whether it has code for such CPUs.
            let said = String::from_utf8_lossy(&output.stderr);
            let value =
                said.contains("invalid argument") || said.contains("Unable to find compatible target");
            assert!(end || value, "{line:?}: {read:?}, and Julia: {output:?}");
            continue;
        };
        let names_image = line.contains(&stock.as_str());
        assert_eq!(read.hands_off, names_image.then_some(HandsOff::Asked), "{line:?}");
        assert_eq!(read.project.as_deref().unwrap_or("-"), told, "{line:?}");
        let cpu = Asked::said(&output, "cpu").unwrap();
        let other = Asked::said(&output, "other").unwrap();
        let target = cpu != usual_cpu && cpu != "native";
        assert_eq!(read.cpu_target.as_deref().unwrap_or(&usual_cpu), cpu, "{line:?}");
        assert_eq!(
            read.refuse(true, &[], &asked.version).is_some(),
            target || other != usual,
            "{line:?}: {read:?} {other}"
        );
    }
}

/// The project that jlsys looks at is the one that Julia has, however it is told.
#[test]
fn and_by_the_variable_decide_the_project_as_in_julia() {
    let project = Project::new()
        .file("ask.jl", ASK)
        .file("other/Project.toml", "")
        .file("@other/Project.toml", "")
        .file("sub/deeper/x.jl", "")
        .write();
    let series = says("print(VERSION.major, '.', VERSION.minor)");
    let depot = project.outside("own-depot");
    for name in ["other", &format!("v{series}")] {
        std::fs::create_dir_all(depot.join("environments").join(name)).unwrap();
        std::fs::write(depot.join("environments").join(name).join("Project.toml"), "").unwrap();
    }
    let own = project.path("Project.toml");
    let default = depot.join("environments").join(format!("v{series}")).join("Project.toml");
    // What `jlsys status` looks at, told by `jlsys run` and by Julia's own words.
    let looked_at = |folder: &Path, variable: Option<&str>, args: &[&str]| {
        let run = |mut command: Command| {
            command.current_dir(folder).env("JULIA_DEPOT_PATH", format!("{}:", depot.display()));
            match variable {
                Some(value) => command.env("JULIA_PROJECT", value),
                None => command.env_remove("JULIA_PROJECT"),
            };
            command.stdin(Stdio::null()).output().unwrap()
        };
        let ask = project.path("ask.jl");
        let ask = ["-L", ask.to_str().unwrap()];
        let arguments: Vec<&str> = ask.into_iter().chain(args.iter().copied()).collect();
        let with: Vec<&str> = ["run", "-q", "--"].into_iter().chain(arguments.iter().copied()).collect();
        let julia = run(project.command_for(julia(), &arguments));
        let jlsys = run(project.command(&with));
        let active = |output: &Output| Asked::said(output, "active").unwrap();
        let told = |output: &Output| Asked::said(output, "project").unwrap();
        ((active(&julia), told(&julia)), (active(&jlsys), told(&jlsys)))
    };
    let root = project.path("");
    for (folder, variable, args) in [
        (root.clone(), Some(""), &[][..]),
        (root.clone(), Some("@."), &[]),
        (root.clone(), Some("other"), &[]),
        (root.clone(), Some("@other"), &[]),
        (root.clone(), Some("@v#.#"), &[]),
        (root.clone(), Some("other"), &["--project="]),
        (root.clone(), Some("other"), &["--project"]),
        (root.clone(), None, &["--project="]),
        (root.clone(), None, &["--project=@other"]),
        (root.clone(), None, &["--startup-file", "no", "--project=other"]),
        (root.join("sub/deeper"), None, &["--project"]),
        (root.join("sub/deeper"), Some("../../other"), &[]),
        (project.outside("home"), None, &["--project=@."]),
        (project.outside("home"), None, &[]),
    ] {
        std::fs::create_dir_all(&folder).unwrap();
        let (julia, jlsys) = looked_at(&folder, variable, args);
        assert_eq!(jlsys, julia, "JULIA_PROJECT={variable:?} {args:?} in {}", folder.display());
    }
    // Nobody says anything: then it is the project around the folder, as `julia --project` has it.
    let (plain, jlsys) = looked_at(&root.join("sub/deeper"), None, &[]);
    assert_eq!((plain.0, jlsys.0), (default.display().to_string(), own.display().to_string()));
}

#[test]
fn without_a_working_folder_julia_starts_all_the_same() {
    let project = Project::new().write();
    let gone = project.outside("gone");
    std::fs::create_dir(&gone).unwrap();
    let jlsys = project.command(&["run", "--", "-e", "print(1)"]);
    let program = jlsys.get_program().to_str().unwrap().to_owned();
    let mut command =
        project.command_for("sh", &["-c", "rmdir ../gone; exec \"$0\" run -- -e 'print(1)'", &program]);
    let ran = Ran(command.current_dir(&gone).output().unwrap()).expect_status(0);
    assert_eq!(ran.stdout(), "1");
    ran.expect_stderr("plain Julia: the working folder cannot be read");
}

#[test]
fn an_option_that_asks_for_other_code_is_named() {
    let project = Project::new().stdlib("Random").write();
    let ran = project.jlsys(&["run", "--", "-q", "--check-bounds", "yes", "-e", "print(1)"]).expect_status(0);
    assert_eq!(ran.stdout(), "1");
    ran.expect_stderr("plain Julia: --check-bounds=yes asks for other code than an image has");
    // No session, nothing to say.
    let ran = project.jlsys(&["run", "--", "-v"]).expect_status(0);
    assert_eq!(ran.stderr(), "");
}

#[test]
fn whoever_reads_may_have_gone() {
    let project = Project::new().stdlib("Random").write();
    let jlsys = project.command(&[]);
    let program = jlsys.get_program().to_str().unwrap().to_owned();
    // The reader has gone when the command begins to write.
    for command in ["status", "doctor", "cache list", "completions bash", "status --json"] {
        let script = format!("{{ sleep 1; \"$0\" {command}; echo $? >status; }} 2>&1 | true; cat status");
        let ran = Ran(project.command_for("bash", &["-c", &script, &program]).output().unwrap());
        assert!(["0\n", "1\n"].contains(&ran.stdout().as_str()), "{command}: {}", ran.stdout());
        assert_eq!(ran.stderr(), "", "{command}");
    }
    // The line that says why there is no image is heard by nobody, and Julia starts.
    let script = "{ sleep 1; \"$0\" run -- -e 'print(stdout, 1)' 3>&1 >out; } 2>&1 | true; cat out";
    let ran = Ran(project.command_for("bash", &["-c", script, &program]).output().unwrap());
    assert_eq!(ran.stdout(), "1");
}
