//! Packages in folders that somebody works in, on a real Julia: what is compiled for them is there when a session loads them, and an edit costs that
//! alone. Julia before 1.9 has nothing to keep it in.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use serde_json::Value;
use support::startup::{GROUPS, is_possible, quick};
use support::{Package, Project, julia_is_since, package};

fn shapes() -> Package {
    package("Shapes", "struct Square; side::Int; end\narea(square::Square) = square.side^2")
}

fn model() -> Package {
    let source = "
        using Shapes
        struct Tree{T}; height::T; end
        heights(n) = map(tree -> tree.height, [Tree(Shapes.area(Shapes.Square(k)) / 2) for k in 1:n])";
    package("Model", source).depends_on("Shapes").by_path()
}

const SCRIPT: &str = "using Model, Shapes\nModel.heights(3)\nmap(Shapes.area, [Shapes.Square(2)])";

fn project() -> Project {
    Project::new()
        .package(shapes())
        .package(model())
        .file("precompile.jl", SCRIPT)
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n")
}

/// What a session prints, in which nothing is said of jlsys's own. Julia may say that it precompiles.
#[track_caller]
fn prints(project: &Project, code: &str) -> String {
    let ran = project.jlsys(&["run", "--", "--startup-file=no", "-e", code]).expect_status(0);
    assert!(!ran.stderr().contains("jlsys"), "{}", ran.stderr());
    ran.stdout()
}

/// What a session compiles for Model.
fn compiled(project: &Project, code: &str) -> Vec<String> {
    let args = ["run", "--", "--startup-file=no", "--trace-compile=stderr", "-e", code];
    let traced = project.jlsys(&args).expect_status(0).stderr();
    traced.lines().filter(|line| line.contains("Model")).map(str::to_owned).collect()
}

fn edit(project: &Project) {
    project.edit("Model/src/Model.jl", |source| source.replace("/ 2", "/ 4"));
}

/// The caches of groups, with their times of change.
fn caches(project: &Project) -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
    let files = walkdir::WalkDir::new(project.cache().join("images")).sort_by_file_name();
    let files = files.into_iter().map(|file| file.unwrap().into_path());
    let code =
        files.filter(|file| file.extension().is_some_and(|ending| ending == std::env::consts::DLL_EXTENSION));
    code.map(|file| (file.clone(), file.metadata().unwrap().modified().unwrap())).collect()
}

#[test]
fn an_edit_costs_what_is_about_that_package_alone() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    let report = quick(&project);
    let groups = |report: &Value| -> Vec<(String, bool)> {
        let groups = report["groups"].as_array().unwrap().iter();
        groups.map(|group| (group["packages"].to_string(), group["reused"] == true)).collect()
    };
    assert_eq!(groups(&report), [("[\"Shapes\"]".to_owned(), false), ("[\"Model\"]".to_owned(), false)]);
    let dropped = report["packages"]["dropped"].as_array().unwrap();
    assert!(dropped.is_empty(), "it takes part: {dropped:?}");
    let heights = format!("using Model; print(Model.heights(2), ' ', {GROUPS})");
    assert_eq!(prints(&project, &heights), "[0.5, 2.0] 2");
    assert_eq!(compiled(&project, "using Model; Model.heights(2)"), Vec::<String>::new());
    assert_eq!(quick(&project)["outcome"], "hit");

    // The changed package is precompiled by Julia, as in plain Julia; nobody is told that its group is of no use.
    let before = caches(&project);
    edit(&project);
    let but = "ready, but for Model, which changed since: ";
    project.jlsys(&["status"]).expect_status(0).expect_stdout(but);
    assert_eq!(prints(&project, &heights), "[0.25, 1.0] 1");
    assert_eq!(prints(&project, &format!("using Shapes; print({GROUPS})")), "1");
    assert_eq!(caches(&project), before, "a session precompiled a group");
    project.jlsys(&["status"]).expect_status(0).expect_stdout(but);

    let report = quick(&project);
    assert_eq!(report["outcome"], "built");
    assert_eq!(groups(&report), [("[\"Shapes\"]".to_owned(), true), ("[\"Model\"]".to_owned(), false)]);
    assert!(!project.jlsys(&["status"]).expect_status(0).stdout().contains("but for"));
    assert_eq!(prints(&project, &heights), "[0.25, 1.0] 2");
    assert_eq!(compiled(&project, "using Model; Model.heights(2)"), Vec::<String>::new());
}

#[test]
fn its_own_tests_tell_what_it_is_about_and_others_do_not_run() {
    if !is_possible() {
        return;
    }
    let project = Project::new()
        .package(shapes().tests("error(\"the suite of another's package ran\")"))
        .package(model().tests("using Model, Test\n@test length(Model.heights(3)) == 3"))
        .settings("[workloads]\nkinds = [\"load\", \"tests\"]\n")
        .write();
    let report = quick(&project);
    let ran: Vec<&str> =
        report["workloads"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(ran, ["load", "Model"]);
    assert_eq!(compiled(&project, "using Model; Model.heights(3)"), Vec::<String>::new());
}

#[test]
fn a_project_of_nothing_but_such_packages_has_a_startup_package() {
    let model = package("Model", "heights(n) = map(k -> (k / 2, :tree), 1:n)").by_path();
    let project = Project::new()
        .package(model)
        .file("precompile.jl", "using Model; Model.heights(3)")
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n")
        .write();
    let build =
        |status| project.jlsys(&["build", "--cpu-target", "native", "--json"]).expect_status(status).json();
    if !julia_is_since(9) {
        let report = build(3);
        let failure = report["failure"].as_str().unwrap();
        assert!(failure.contains("every package of the project is left out of an image"), "{failure}");
        return;
    }
    let report = build(0);
    assert_eq!(
        (&report["tier"], &report["packages"]["included"][0]["name"]),
        (&"startup".into(), &"Model".into())
    );
    assert_eq!(compiled(&project, "using Model; Model.heights(2)"), Vec::<String>::new());
    assert_eq!(build(0)["outcome"], "hit");

    // Another package comes, and nothing else changes.
    let project = project.package(package("Second", "twice(x) = 2x").by_path()).write();
    project
        .jlsys(&["status"])
        .expect_status(0)
        .expect_stdout("but for Second")
        .expect_stdout("Second is new");
    let build = project.jlsys(&["build", "--cpu-target", "native", "--json"]).expect_status(0).json();
    assert_eq!(build["outcome"], "built");
    assert!(!project.jlsys(&["status"]).expect_status(0).stdout().contains("but for"));
}

#[test]
fn a_long_workload_is_not_run_again_for_an_edit() {
    if !is_possible() {
        return;
    }
    let project = Project::new()
        .package(shapes())
        .package(model())
        .file("precompile.jl", &format!("{SCRIPT}\nsleep(10.1)"))
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n")
        .write();
    quick(&project);
    edit(&project);
    let script = |report: &Value| report["workloads"][1].clone();
    let report = quick(&project);
    assert_eq!(
        (&script(&report)["name"], &script(&report)["reused"]),
        (&"precompile.jl".into(), &true.into())
    );
    assert_eq!(compiled(&project, "using Model; Model.heights(2)"), Vec::<String>::new());
    // What it runs changed.
    project.edit("precompile.jl", |script| script.replace("(10.1)", "(0.1)"));
    assert_eq!(script(&quick(&project))["reused"], false);
}

#[test]
#[ignore = "writes an image"]
fn an_image_has_it_beside_and_is_not_written_again() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    let build = || project.jlsys(&["build", "--cpu-target", "native", "--json"]).expect_status(0).json();
    let report = build();
    assert_eq!(report["tier"], "full");
    let heights = format!("using Model; print(Model.heights(2), ' ', {GROUPS})");
    assert_eq!(prints(&project, &heights), "[0.5, 2.0] 1");
    assert_eq!(compiled(&project, "using Model; Model.heights(2)"), Vec::<String>::new());
    let show = || project.jlsys(&["cache", "show", report["key"].as_str().unwrap()]).expect_status(0);
    show().expect_stdout("Model: ").expect_stdout("saves");

    let image = std::path::PathBuf::from(report["image"].as_str().unwrap());
    let written = image.metadata().unwrap().modified().unwrap();
    edit(&project);
    project.jlsys(&["status"]).expect_status(0).expect_stdout("ready, but for Model, which changed since: ");
    assert_eq!(prints(&project, &heights), "[0.25, 1.0] 0");
    let report = build();
    assert_eq!((&report["outcome"], image.metadata().unwrap().modified().unwrap()), (&"hit".into(), written));
    assert_eq!(prints(&project, &heights), "[0.25, 1.0] 1");
    assert_eq!(compiled(&project, "using Model; Model.heights(2)"), Vec::<String>::new());
    assert!(!project.jlsys(&["status"]).expect_status(0).stdout().contains("but for"));

    project.jlsys(&["cache", "verify"]).expect_status(0);
    // Workers have it as their master has.
    let on_worker = format!(
        "using Distributed; addprocs(1); using Model; print(remotecall_fetch(Core.eval, 2, Main, :({GROUPS})))"
    );
    assert_eq!(prints(&project, &on_worker), "1");
    // With processes of its own the image is used all the same.
    let processes =
        ["run", "--", "--startup-file=no", "-p", "1", "-e", "using Model; print(Model.heights(1))"];
    let ran = project.jlsys(&processes).expect_status(0).expect_stdout("[0.25]");
    assert!(!ran.stderr().contains("jlsys"), "{}", ran.stderr());
    // What is damaged is not used, and the image is.
    let code = walkdir::WalkDir::new(image.parent().unwrap().join("own"))
        .into_iter()
        .map(|file| file.unwrap().into_path());
    for file in
        code.filter(|file| file.extension().is_some_and(|ending| ending == std::env::consts::DLL_EXTENSION))
    {
        std::fs::write(file, "").unwrap();
    }
    assert_eq!(prints(&project, &heights), "[0.25, 1.0] 0");
    let is_in_use = || {
        let code = "print(Base.JLOptions().image_file |> unsafe_string)";
        assert_eq!(prints(&project, code), image.display().to_string());
    };
    is_in_use();
    // The image is sound, and stays when what is damaged beside it is removed.
    project.jlsys(&["cache", "verify"]).expect_status(1).expect_stdout("in own: ");
    project
        .jlsys(&["cache", "verify", "--repair"])
        .expect_status(0)
        .expect_stdout("beside the image was removed");
    project.jlsys(&["cache", "verify"]).expect_status(0);
    is_in_use();
    build();
    assert_eq!(prints(&project, &heights), "[0.25, 1.0] 1");
}
