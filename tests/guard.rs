//! What a session with an image does is what plain Julia does: each session here runs twice, with the image and without it.
//!
//! The image is the one of `build.rs`.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::image::{built, model};
use support::{Project, Ran, julia_is_since, package, pkg_takes};

/// Runs one session with the image and one without; returns both, the one with the image first.
fn both(project: &Project, variables: &[(&str, &str)], args: &[&str]) -> [Ran; 2] {
    [None, Some("1")].map(|disable| {
        let mut command: Command = project.command(&[&["run", "--"], args].concat());
        // Workers of 1.5 know the project by the variable alone.
        command.envs(variables.iter().copied()).env("JULIA_PROJECT", project.path(""));
        if let Some(disable) = disable {
            command.env("JLSYS_DISABLE", disable);
        }
        Ran(command.output().unwrap())
    })
}

/// Expects the same output and exit status, and returns the output. With the image nothing more is said.
#[track_caller]
fn same(project: &Project, variables: &[(&str, &str)], args: &[&str]) -> String {
    let [image, plain] = both(project, variables, args);
    assert_eq!(
        image.stdout(),
        plain.stdout(),
        "with the image: {}\nplain: {}",
        image.stderr(),
        plain.stderr()
    );
    assert_eq!(image.0.status.code(), plain.0.status.code(), "{}", image.stderr());
    assert!(!image.stderr().contains("jlsys:"), "{}", image.stderr());
    image.stdout()
}

#[test]
#[ignore = "builds an image"]
fn a_package_whose_init_fails_fails_where_it_is_used() {
    let project = built();
    let missing = [("NO_SOLVER", "1")];
    assert_eq!(same(&project, &missing, &["-e", "print(1)"]), "1");
    assert_eq!(same(&project, &missing, &["-e", "using Own; print(Own.answer())"]), "42");
    // The package, and what depends on it.
    for name in ["Solver", "Model"] {
        let code = format!("try; @eval using {name}; catch error; showerror(stdout, error); end");
        let [image, plain] = both(&project, &missing, &["-e", &code]);
        let expected = "InitError: no solver is here\nduring initialization of module Solver";
        assert_eq!((image.stdout(), plain.stdout()), (expected.to_owned(), expected.to_owned()));
    }
    // What is missing may come; then `__init__` runs once.
    let code = "try; @eval using Model; catch; print(\"no \"); end
        delete!(ENV, \"NO_SOLVER\"); using Model; print(Model.solves())";
    let ran = project.jlsys_with(&missing, &["run", "--", "-e", code]).expect_status(0);
    assert_eq!((ran.stdout().as_str(), ran.stderr().as_str()), ("no 1", ""));
}

#[test]
#[ignore = "builds an image"]
fn an_init_runs_when_the_package_is_used_and_sees_the_session() {
    let project = built().file(
        "script.jl",
        "before = 1
        println(any(id -> id.name == \"Recorder\", keys(Base.loaded_modules)))
        using Recorder
        println(Recorder.SEEN[]); println(Recorder.ORDER)
        using Model; println(Recorder.LOADED); println(pathof(Model)); println(Recorder.__init__, methods(Recorder.__init__))",
    );
    let said = same(&project, &[], &["script.jl", "one", "-x"]);
    for words in ["[\"one\", \"-x\"]", "\"script.jl\"", "[:Inner, :Second, :First, :Recorder]"] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    assert!(said.contains("[\"Recorder\", \"Solver\", \"Model\"]"), "{said}");
    let said = same(&project, &[], &["-i", "-e", "using Recorder; print(Recorder.SEEN[]); exit()"]);
    assert!(said.starts_with("(true,"), "{said}");
}

#[test]
#[ignore = "builds an image"]
fn a_session_that_goes_to_another_project_has_that_projects_versions() {
    let project = built();
    let other = Project::new()
        .shared()
        .package(package("Solver", "const STARTED = Ref(2)").version("2.0.0"))
        .package(model())
        .write();
    let [manifest, folder] = ["Manifest.toml", ""].map(|name| other.path(name).canonicalize().unwrap());
    assert!(manifest.is_file());
    let folder = folder.display().to_string();
    let folder = folder.trim_end_matches('/');
    let report = "println(Model.solves(), ' ', Base.pathof(Model))";
    let sessions = [
        format!("import Pkg; Pkg.activate({folder:?}); using Model; {report}"),
        format!(
            "using Distributed; addprocs(1; exeflags = \"--project={folder}\"); @everywhere workers() using Model
            println(remotecall_fetch(() -> Base.invokelatest(Main.Model.solves), 2))"
        ),
        format!("run(`$(Base.julia_cmd()) --startup-file=no --project={folder} -e $(\"using Model; {report}\")`)"),
    ];
    for code in &sessions {
        let [image, plain] = both(&project, &[], &["-e", code]);
        // What a worker says on standard error comes out of its master's standard output.
        let printed: String =
            image.stdout().split_inclusive('\n').filter(|line| !line.contains("jlsys: ")).collect();
        assert_eq!(printed, plain.stdout(), "{}", image.stderr());
        assert!(printed.starts_with('2'), "{printed}");
        let said = image.stderr() + &image.stdout();
        assert_eq!(said.matches("jlsys: ").count(), 1, "{said}");
        assert!(said.contains(&format!("{folder} wants Solver 2.0.0 (the image has 1.0.0)")), "{said}");
        // Workers and children are as quiet as the session.
        let mut command = project.command(&["run", "-q", "--", "-e", code]);
        let quiet = Ran(command.env("JULIA_PROJECT", project.path("")).output().unwrap()).expect_status(0);
        assert_eq!(quiet.stdout(), plain.stdout());
        assert!(!quiet.stderr().contains("jlsys:"), "{}", quiet.stderr());
    }
    // What is loaded stays, as in plain Julia.
    let code = format!("using Model; import Pkg; Pkg.activate({folder:?}); using Model; {report}");
    assert!(same(&project, &[], &["-e", &code]).starts_with("1 "));
}

/// What the image was built with is known of the first checkout alone.
fn know_what_was_built(copy: &Path) {
    let settings = std::fs::read_to_string(copy.join("jlsys.toml")).unwrap();
    std::fs::write(copy.join("jlsys.toml"), format!("cpu-target = \"native\"\n{settings}")).unwrap();
}

#[test]
#[ignore = "builds an image"]
fn a_checkout_that_moved_has_its_own_package_from_the_image() {
    let project = built();
    let moved = copy_of(&project.path(""), project.outside("elsewhere"));
    know_what_was_built(&moved);
    // The builder's cache is of another folder.
    let code = "using Own; print(Own === Base.JlsysGuard.modules[Base.PkgId(Own)], ' ', pathof(Own))
        isdefined(Base, :pkgorigins) && @assert Base.pkgorigins[Base.PkgId(Own)].cachepath === nothing";
    let mut command = project.command(&["run", "--", "-e", code]);
    let ran = Ran(command.current_dir(&moved).output().unwrap()).expect_status(0);
    let file = moved.join("Own/src/Own.jl").canonicalize().unwrap();
    assert_eq!((ran.stdout(), ran.stderr()), (format!("true {}", file.display()), String::new()));
}

/// A copy of a checkout, as another clone or worktree is.
fn copy_of(checkout: &Path, copy: PathBuf) -> PathBuf {
    let status = Command::new("cp").arg("-a").arg(checkout).arg(&copy).status().unwrap();
    assert!(status.success());
    copy.canonicalize().unwrap()
}

#[test]
#[ignore = "builds an image"]
fn a_package_of_another_checkout_is_the_images_if_its_code_is() {
    let project = built();
    let report = "println(Own.answer(), ' ', Own === get(Base.JlsysGuard.modules, Base.PkgId(Own), 0), ' ', pathof(Own))";
    let plain_report = "println(Own.answer(), \" false \", pathof(Own))";
    let sessions = |folder: &Path, report: &str| {
        [
            format!("import Pkg; Pkg.activate({folder:?}); using Own; {report}"),
            format!(
                "using Distributed; addprocs(1; exeflags = \"--project={0}\")
                @everywhere workers() begin using Own; {report} end",
                folder.display()
            ),
            format!(
                "run(`$(Base.julia_cmd()) --startup-file=no --project={} -e $({:?})`)",
                folder.display(),
                format!("using Own; {report}")
            ),
        ]
    };
    let run = |code: &str, variables: &[(&str, &str)]| {
        let mut command = project.command(&["run", "--", "-e", code]);
        command.envs(variables.iter().copied()).env("JULIA_PROJECT", project.path(""));
        Ran(command.output().unwrap()).expect_status(0)
    };

    let same = copy_of(&project.path(""), project.outside("same"));
    for code in sessions(&same, report) {
        let ran = run(&code, &[]);
        let said = ran.stdout() + &ran.stderr();
        let file = same.join("Own/src/Own.jl");
        assert!(said.contains(&format!("42 true {}", file.display())), "{said}");
        assert!(!said.contains("jlsys:"), "{said}");
    }

    // As long as before: the size tells nothing.
    let other = copy_of(&project.path(""), project.outside("other"));
    let source = std::fs::read_to_string(other.join("Own/src/Own.jl")).unwrap();
    std::fs::write(other.join("Own/src/Own.jl"), source.replace("42", "43")).unwrap();
    let newer = copy_of(&other, project.outside("newer"));
    let version = std::fs::read_to_string(newer.join("Own/Project.toml")).unwrap();
    std::fs::write(newer.join("Own/Project.toml"), version.replace("1.0.0", "2.0.0")).unwrap();
    for (folder, wants) in
        [(&other, "wants another Own 1.0.0"), (&newer, "wants Own 2.0.0 (the image has 1.0.0)")]
    {
        for (code, plain) in sessions(folder, report).iter().zip(sessions(folder, plain_report)) {
            let ran = run(code, &[]);
            let said = ran.stdout() + &ran.stderr();
            let file = folder.join("Own/src/Own.jl");
            assert!(said.contains(&format!("43 false {}", file.display())), "{said}");
            assert_eq!(said.matches("jlsys:").count(), 1, "{said}");
            assert!(said.contains(&format!("{} {wants}", folder.display())), "{said}");
            let ran = run(&plain, &[("JLSYS_DISABLE", "1")]);
            assert!((ran.stdout() + &ran.stderr()).contains(&format!("43 false {}", file.display())));
        }
    }

    // What is edited before it is loaded.
    let code = format!(
        "file = {:?}; text = read(file, String); write(file, replace(text, \"42\" => \"44\")); using Own; {report}",
        same.join("Own/src/Own.jl")
    );
    know_what_was_built(&same);
    let mut command = project.command(&["run", "--", "-e", &code]);
    let ran = Ran(command.current_dir(&same).output().unwrap()).expect_status(0);
    assert!(ran.stdout().starts_with("44 false"), "{}{}", ran.stdout(), ran.stderr());
    assert!(ran.stderr().contains("wants another Own 1.0.0"), "{}", ran.stderr());
}

#[test]
#[ignore = "builds an image"]
fn nothing_of_ours_is_in_main_and_closures_have_the_same_numbers() {
    let project = built();
    let code = "println(x -> x); println(names(Main; all = true, imported = true)); f(y; z = y) = () -> z; println(f(1), gensym())";
    same(&project, &[], &["-e", code]);
    same(
        &project,
        &[],
        &["-e", "using Own, Model; println(x -> x); println(names(Main; all = true, imported = true))"],
    );
}

#[test]
#[ignore = "builds an image"]
fn who_asks_where_a_packages_cache_is_is_told_of_one_that_is_there() {
    if !julia_is_since(6) {
        println!("skipped: this Julia does not keep it");
        return;
    }
    let project = built();
    let code = "using Model; origin = Base.pkgorigins[Base.PkgId(Model)]
        print(isfile(origin.path), ' ', isfile(origin.cachepath), ' ', first(Base.DEPOT_PATH) == origin.cachepath[1:length(first(Base.DEPOT_PATH))])";
    assert_eq!(same(&project, &[], &["-e", code]), "true true true");
}

#[test]
#[ignore = "builds an image"]
fn workers_load_what_their_master_loads() {
    let project = built();
    let code = "using Distributed; addprocs(2); using Model
        println(pmap(_ -> Model.solves(), 1:2))
        @everywhere using Own
        println(pmap(_ -> Own.answer(), 1:2))";
    assert_eq!(same(&project, &[], &["-e", code]), "[1, 1]\n[42, 42]\n");
    let code = "using Model; println(pmap(_ -> Model.solves(), 1:2))";
    assert_eq!(same(&project, &[], &["-p", "2", "-e", code]), "[1, 1]\n");
}

/// A newer Own in a folder of its own, and a registry that is there: Pkg asks for nothing else.
fn newer_own(project: &Project) -> PathBuf {
    let newer = project.outside("newer");
    std::fs::create_dir_all(newer.join("src")).unwrap();
    let own = std::fs::read_to_string(project.path("Own/Project.toml")).unwrap();
    std::fs::write(newer.join("Project.toml"), own.replace("1.0.0", "9.0.0")).unwrap();
    std::fs::write(newer.join("src/Own.jl"), "module Own\nanswer() = 43\nend\n").unwrap();
    let registry = project.depot().join("registries/Empty");
    std::fs::create_dir_all(&registry).unwrap();
    std::fs::write(
        registry.join("Registry.toml"),
        "name = \"Empty\"\nuuid = \"23338594-aafe-5451-b93e-139f81909107\"\nrepo = \"https://example.org/r.git\"\n\n[packages]\n",
    )
    .unwrap();
    newer
}

const OFFLINE: [(&str, &str); 2] = [("JULIA_PKG_OFFLINE", "true"), ("JULIA_PKG_SERVER", "")];

#[test]
#[ignore = "builds an image"]
fn pkg_changes_what_is_in_the_image() {
    let project = built();
    let newer = newer_own(&project);
    let code = format!(
        "import Pkg; Pkg.UPDATED_REGISTRY_THIS_SESSION[] = true; Pkg.activate(mktempdir())
        Pkg.develop(Pkg.PackageSpec(path = {newer:?})); using Own; print(Own.answer())"
    );
    let [image, plain] = both(&project, &OFFLINE, &["-e", &code]);
    assert_eq!((image.stdout(), plain.stdout()), ("43".to_owned(), "43".to_owned()), "{}", image.stderr());
    assert!(image.stderr().contains("wants Own 9.0.0 (the image has 1.0.0)"), "{}", image.stderr());
}

#[test]
#[ignore = "builds an image"]
fn a_session_in_which_pkg_changes_the_project_says_what_it_still_has() {
    // Whether packages were loaded before, and are after it.
    for (before, after, expected) in [
        ("using Own", "print(Own.answer())", "42"),
        ("", "print(0)", "0"),
        ("using Model", "using Own; print(Own.answer())", "43"),
    ] {
        let project = built();
        let newer = newer_own(&project);
        let code = format!("import Pkg; {before}; {}; {after}", pkg_takes("Own", &newer, "9.0.0"));
        let run = |quiet: &[&str], code: &str| {
            let mut command = project.command(&[&["run"], quiet, &["--", "-e", code]].concat());
            Ran(command.env("JULIA_PROJECT", project.path("")).output().unwrap()).expect_status(0)
        };
        let files =
            ["Project.toml", "Manifest.toml"].map(|name| (name, std::fs::read(project.path(name)).unwrap()));
        let ran = run(&[], &code);
        assert_eq!(ran.stdout(), expected, "{}", ran.stderr());
        assert_eq!(ran.stderr().matches("jlsys:").count(), 1, "{}", ran.stderr());
        let says = "wants Own 9.0.0 (the image has 1.0.0): this session goes on with what it has loaded";
        assert!(ran.stderr().contains(says), "{}", ran.stderr());
        let next = run(&[], "using Own; print(Own.answer())");
        assert_eq!(next.stdout(), "43", "{}", next.stderr());
        assert!(next.stderr().contains("jlsys: plain Julia"), "{}", next.stderr());
        for (name, text) in files {
            std::fs::write(project.path(name), text).unwrap();
        }
        assert!(!run(&["-q"], &code).stderr().contains("jlsys:"));
    }
    // Pkg changed nothing that the image has.
    let project = built();
    same(&project, &OFFLINE, &["-e", "import Pkg; using Own; Pkg.activate(Base.active_project()); print(1)"]);
}

/// What a terminal shows of a session in which somebody enters these lines.
fn at_a_terminal(project: &Project, lines: &[&str]) -> String {
    let line = "exec \"$JLSYS\" run -- --startup-file=no --color=no --banner=no";
    let args = ["120", "script", "--quiet", "--return", "--command", line, "/dev/null"];
    let mut command = project.command_for("timeout", &args);
    command
        .env("JLSYS", env!("CARGO_BIN_EXE_jlsys"))
        .env("JULIA_PROJECT", project.path(""))
        .env("TERM", "xterm")
        // There was little on it for the build alone.
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    // What is entered before Julia reads the terminal, it may lose.
    let (mut shown, mut byte) = (Vec::new(), [0]);
    while !shown.ends_with(b"julia> ") && stdout.read(&mut byte).unwrap() > 0 {
        shown.push(byte[0]);
    }
    stdin.write_all(format!("{}\nexit()\n", lines.join("\n")).as_bytes()).unwrap();
    stdout.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert!(child.wait().unwrap().success(), "{shown}");
    shown
}

#[test]
#[ignore = "builds an image"]
fn who_has_pkg_change_the_project_at_a_terminal_is_told_at_the_next_line() {
    let project = built();
    let newer = newer_own(&project);
    let manifest = std::fs::read(project.path("Manifest.toml")).unwrap();
    // What is printed is not what is entered, which a terminal shows as well.
    let (shows, change) = (
        "println(\"after\", \"wards\", Own.answer())",
        format!("import Pkg; {};", pkg_takes("Own", &newer, "9.0.0")),
    );
    let shown = at_a_terminal(&project, &["using Own", &change, shows, shows]);
    std::fs::write(project.path("Manifest.toml"), manifest).unwrap();
    assert_eq!(shown.matches("jlsys: ").count(), 1, "{shown}");
    let says = "wants Own 9.0.0 (the image has 1.0.0): this session goes on with what it has loaded";
    let (before, after) = shown.split_once(says).unwrap_or_else(|| panic!("{shown}"));
    assert!(!before.contains("afterwards42") && after.matches("afterwards42").count() == 2, "{shown}");
    let shown = at_a_terminal(&project, &["using Own", "import Pkg;", shows]);
    assert!(shown.contains("afterwards42") && !shown.contains("jlsys: "), "{shown}");
}
