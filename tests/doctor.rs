//! `jlsys doctor`: what it finds, what it says to do, and that it does nothing else.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::shim::Shim;
use support::{Project, julia_is_since, make_executable, package};

/// A project with nothing wrong.
fn sound() -> Project {
    Project::new().package(package("Greets", "greet() = 1")).write()
}

fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    let mut checks = found["checks"].as_array().unwrap().iter();
    checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {found:#}"))
}

/// Expects that one thing keeps a build from starting, said in these words.
#[track_caller]
fn expect_fail(project: &Project, name: &str, words: &str) {
    let found = project.jlsys(&["doctor", "--json"]).expect_status(1).json();
    assert_eq!(found["can_build"], false, "{found:#}");
    let check = check(&found, name);
    assert_eq!(check["mark"], "fail", "{check:#}");
    assert!(check["finding"].as_str().unwrap().contains(words), "{check:#}");
    let fails = found["checks"].as_array().unwrap().iter().filter(|check| check["mark"] == "fail");
    assert_eq!(fails.count(), 1, "{found:#}");
    // What it says will happen is what happens.
    assert_ne!(project.jlsys(&["build", "-q"]).0.status.code(), Some(0));
}

#[test]
fn a_sound_project_can_be_built() {
    let project = sound();
    // The Julia under test may have code for this machine alone, which is a warning in a container.
    let doctor = ["doctor", "--json", "--cpu-target", "native"];
    let found = project.jlsys(&doctor).expect_status(0).json();
    assert_eq!((&found["schema"], &found["can_build"]), (&1.into(), &true.into()), "{found:#}");
    for name in ["julia", "base image", "linker", "project", "manifest", "packages", "cpu", "cache"] {
        assert_eq!(check(&found, name)["mark"], "ok", "{found:#}");
    }
    assert!(check(&found, "julia")["finding"].as_str().unwrap().contains("from the variable JULIA"));
    assert!(check(&found, "image")["finding"].as_str().unwrap().starts_with("missing: "), "{found:#}");
    assert_eq!(found["worth"]["verdict"], "unknown", "{found:#}");
    let text = project.jlsys(&["doctor"]).expect_status(0).stdout();
    assert!(text.lines().all(|line| !line.contains('\u{1b}')), "colours into a pipe: {text}");
    assert!(
        text.contains("\nIs an image worth it here? Not known yet; `jlsys trace` measures it."),
        "{text}"
    );
}

#[test]
fn a_standard_library_that_does_not_load_with_the_manifest_is_named() {
    if !julia_is_since(10) {
        println!("skipped: this Julia's image holds all of its standard library");
        return;
    }
    let project = Project::new().stdlib("SparseArrays").write();
    let library = |project: &Project| {
        let found = project.jlsys(&["doctor", "--json", "--cpu-target", "native"]).expect_status(0).json();
        let checks = found["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["name"] == "library")
    };
    assert_eq!(library(&project), None);
    // As Julia 1.5 wrote it.
    project.edit("Manifest.toml", |text| {
        text.replace(", \"Serialization\"", "").replace("\"Serialization\", ", "")
    });
    let check = library(&project).unwrap();
    assert_eq!(check["mark"], "warn");
    assert!(check["finding"].as_str().unwrap().contains("SparseArrays needs Serialization"), "{check:#}");
    let mut julia = Command::new(support::julia());
    julia
        .args(["--project", "-e", "using SparseArrays"])
        .current_dir(project.path(""))
        .env("JULIA_DEPOT_PATH", project.depot());
    let said = String::from_utf8(julia.output().unwrap().stderr).unwrap();
    assert!(said.contains("does not have Serialization in its dependencies"), "{said}");
}

#[test]
fn julia_is_asked_once() {
    let project = sound();
    let (shim, log) = (project.outside("julia"), project.outside("starts"));
    let text =
        format!("#!/bin/sh\necho >>'{}'\nexec '{}' \"$@\"\n", log.display(), support::julia().display());
    std::fs::write(&shim, text).unwrap();
    make_executable(&shim);
    let project = project.env("JULIA", shim);
    let starts = || std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    project.jlsys(&["doctor"]).expect_status(0);
    // What it is, and in a container whether it has code for other CPUs.
    let asked = starts();
    assert!((1..=2).contains(&asked), "{asked}");
    project.jlsys(&["doctor"]).expect_status(0);
    assert_eq!(starts(), asked);
}

#[test]
fn without_a_julia_the_rest_is_looked_at_all_the_same() {
    let project = sound().env("JULIA", Path::new("/no/such/julia"));
    let found = project.jlsys(&["doctor", "--json"]).expect_status(1).json();
    assert_eq!(check(&found, "julia")["mark"], "fail");
    assert!(check(&found, "julia")["finding"].as_str().unwrap().contains("/no/such/julia"));
    assert_eq!(check(&found, "cache")["mark"], "ok", "{found:#}");
    assert_eq!(found["worth"], Value::Null);
}

#[test]
fn what_is_missing_is_named() {
    expect_fail(&Project::new().file("Project.toml", ""), "project", "no manifest");
    let project = sound();
    std::fs::remove_dir_all(project.depot().join("packages/Greets")).unwrap();
    expect_fail(&project, "packages", "Greets");
    expect_fail(&sound().file("jlsys.toml", "inclde = []\n"), "settings", "inclde");
    expect_fail(&sound().file("jlsys.toml", "exclude = [\"Nobody\"]\n"), "settings", "Nobody");
}

#[test]
fn a_cache_that_others_can_write_to_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let project = sound();
    project.jlsys(&["doctor"]).expect_status(0);
    std::fs::set_permissions(project.cache(), std::fs::Permissions::from_mode(0o777)).unwrap();
    expect_fail(&project, "cache", "chmod 700");
}

#[test]
fn a_linker_is_needed_where_julia_has_none() {
    let project = sound();
    // From here on the answer of this Julia is known, which need not start without a PATH.
    project.jlsys(&["doctor"]).expect_status(0);
    let found = project.env("PATH", Path::new("/nowhere")).jlsys(&["doctor", "--json"]).json();
    let expected = if julia_is_since(9) { "ok" } else { "fail" };
    assert_eq!(check(&found, "linker")["mark"], expected, "{found:#}");
    assert_eq!(found["can_build"], expected == "ok", "{found:#}");
}

#[test]
fn what_does_not_fit_together_is_a_warning() {
    let project = sound();
    project.edit("Project.toml", |text| format!("{text}\n[compat]\njulia = \"0.7\"\nGreets = \"1\"\n"));
    project.edit("Manifest.toml", |text| {
        format!("julia_version = \"1.2.3\"\nmanifest_format = \"2.0\"\n{}", text.replace("[[", "[[deps."))
    });
    let project = project.env("JULIA_LOAD_PATH", Path::new("/nowhere:@"));
    let found = project.jlsys(&["doctor", "--json"]).expect_status(0).json();
    for (name, words) in [
        ("compat", ", not 0.7"),
        ("manifest", "made with Julia 1.2.3"),
        ("variable", "JULIA_LOAD_PATH=/nowhere:@"),
    ] {
        let check = check(&found, name);
        assert_eq!(check["mark"], "warn", "{check:#}");
        assert!(check["finding"].as_str().unwrap().contains(words), "{check:#}");
        assert!(check["advice"].is_string(), "{check:#}");
    }
    assert!(!check(&found, "compat")["finding"].as_str().unwrap().contains("Greets"), "{found:#}");
}

#[test]
fn a_kernel_whose_jlsys_is_gone_is_named() {
    let project = sound();
    let kernels = project.outside("jupyter/kernels");
    for (name, jlsys) in [("gone", "/no/such/jlsys"), ("works", env!("CARGO_BIN_EXE_jlsys"))] {
        let julia = support::julia();
        let spec = serde_json::json!({
            "argv": ["/bin/sh", "-c", "exit", jlsys, julia, "-i"], "display_name": name, "language": "julia",
            "metadata": {"jlsys": {"format": 1, "jlsys": jlsys, "wraps": "julia-1.5", "julia": julia, "project": null}},
        });
        std::fs::create_dir_all(kernels.join(name)).unwrap();
        std::fs::write(kernels.join(name).join("kernel.json"), spec.to_string()).unwrap();
    }
    let project = project.env("JUPYTER_DATA_DIR", kernels.parent().unwrap());
    let found = project.jlsys(&["doctor", "--json"]).expect_status(0).json();
    let of_kernels: Vec<_> =
        found["checks"].as_array().unwrap().iter().filter(|check| check["name"] == "kernel").collect();
    let marks: Vec<&Value> = of_kernels.iter().map(|check| &check["mark"]).collect();
    assert_eq!(marks, ["warn", "ok"], "{of_kernels:#?}");
    assert!(of_kernels[0]["finding"].as_str().unwrap().contains("/no/such/jlsys"));
    assert!(of_kernels[0]["advice"].as_str().unwrap().contains("jlsys kernel install"));
}

#[test]
fn what_was_measured_answers_whether_it_is_worth_it() {
    let shim = Shim::new("");
    let project = &shim.project;
    let worth = || project.jlsys(&["doctor", "--json"]).expect_status(0).json()["worth"].clone();
    assert_eq!(worth()["verdict"], "unknown");
    project.jlsys(&["trace", "-q"]).expect_status(0).expect_stdout("precompile.jl");
    let traced = worth();
    assert_eq!(traced["workload"], "precompile.jl", "{traced:#}");
    assert!(
        traced["statements"].as_u64().unwrap() > 0 && traced["seconds"].as_f64().unwrap() > 0.0,
        "{traced:#}"
    );
    assert_eq!(traced["compile_seconds"].is_number(), julia_is_since(8), "{traced:#}");
}
