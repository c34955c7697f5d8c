//! What `status`, `run` and `doctor` say is true, whatever builds came before. A shim stands in for the steps that take
//! minutes.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use serde_json::Value;
use support::Project;
use support::shim::Shim;

/// What a Julia says that was built on one machine for that machine, and is told to run as another CPU.
const NO_TARGET: &str = "ERROR: Unable to find compatible target in cached code image.";

/// A shim for a Julia that has code for this machine's CPU alone, and notes in `asked` how often it was asked; in what looks like a
/// container, where images are for other machines when nobody says.
fn built_for_this_machine() -> Shim {
    let shim = Shim::new("").without_startup();
    let asked = shim.project.outside("asked");
    shim.first(&format!(
        "case $* in *--output-o=*) ;; *--cpu-target=generic*) echo >>'{}'; echo '{NO_TARGET}' >&2; exit 1 ;; esac",
        asked.display()
    ));
    let container = shim.project.outside("");
    Shim { project: shim.project.env("REPO_DIR", container) }
}

fn asked(shim: &Shim) -> usize {
    std::fs::read_to_string(shim.project.outside("asked")).unwrap_or_default().lines().count()
}

fn state(project: &Project) -> Value {
    project.jlsys(&["status", "--json"]).json()
}

#[track_caller]
fn expect_starts_with_image(project: &Project) {
    let ran = project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0);
    assert_eq!((ran.stdout().as_str(), ran.stderr().as_str()), ("1", ""));
}

fn cpu_check(project: &Project) -> Value {
    let found = project.jlsys(&["doctor", "--json"]).json();
    let checks = found["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == "cpu").unwrap().clone()
}

#[test]
fn a_target_that_nobody_asked_for_gives_way_to_native() {
    let shim = built_for_this_machine();
    let project = &shim.project;
    assert_eq!(cpu_check(project)["mark"], "warn");
    let ran = project.jlsys(&["build"]).expect_status(0);
    let said = ran.stderr();
    assert_eq!(said.matches("built for CPUs like this machine's alone").count(), 1, "{said}");
    assert!(!said.contains("that did not work"), "{said}");
    assert_eq!((shim.attempts().len(), asked(&shim)), (1, 1));
    assert_eq!(state(project)["state"], "ready");
    expect_starts_with_image(project);
    assert!(project.jlsys(&["path"]).expect_status(0).stdout().contains("/images/"));
    assert_eq!(project.jlsys(&["build", "--json"]).expect_status(0).json()["outcome"], "hit");
    assert_eq!(project.jlsys(&["postbuild", "--strict"]).expect_status(0).stdout(), "");
    assert_eq!((cpu_check(project)["mark"].as_str(), asked(&shim)), (Some("warn"), 1));

    // Another checkout of the same has the same image, without a build.
    let other = Project::new();
    for file in ["Project.toml", "Manifest.toml", "jlsys.toml", "precompile.jl"] {
        std::fs::copy(project.path(file), other.path(file)).unwrap();
    }
    let ran = support::Ran(project.command(&["status"]).current_dir(other.path("")).output().unwrap());
    ran.expect_status(0).expect_stdout("ready");
    assert_eq!(asked(&shim), 1);
}

#[test]
fn a_target_that_was_asked_for_is_refused_before_anything_runs() {
    let shim = built_for_this_machine();
    let project = &shim.project;
    let words = ["no code for generic CPUs", "\"native\""];
    project.jlsys(&["build", "-q", "--cpu-target", "generic"]).expect_refusal(&words);
    project.edit("jlsys.toml", |text| format!("cpu-target = \"generic\"\n{text}"));
    project.jlsys(&["build"]).expect_refusal(&words);
    assert_eq!((shim.attempts().len(), asked(&shim)), (0, 1));
    assert_eq!(std::fs::read_dir(project.cache().join("traces")).unwrap().count(), 0);
    assert_eq!(cpu_check(project)["mark"], "fail");
    let found = state(project);
    assert_eq!(found["state"], "failed", "{found}");
    assert!(found["reason"].as_str().unwrap().contains("no code for generic CPUs"), "{found}");
    let ran = project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
    assert!(ran.stderr().contains("no code for generic CPUs"), "{}", ran.stderr());
    // `postbuild` never fails.
    project.jlsys(&["postbuild"]).expect_status(0).expect_stderr("no code for generic CPUs");
    assert_eq!(asked(&shim), 1);
}

#[test]
fn a_cpu_that_julia_does_not_know_is_refused() {
    if !cfg!(target_arch = "x86_64") {
        println!("skipped: elsewhere Julia takes any name");
        return;
    }
    let shim = Shim::new("");
    shim.project.jlsys(&["build", "-q", "--cpu-target", "nativ"]).expect_refusal(&["nativ", "\"native\""]);
    assert_eq!(shim.attempts().len(), 0);
}
