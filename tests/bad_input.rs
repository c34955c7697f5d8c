//! Bad input gets one clear line and exit status 1, and leaves nothing behind. No image is needed for any of it.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use support::{Project, julia, package, says};

/// Nothing but what a probe leaves: no builds, no entries.
fn expect_nothing_left(project: &Project) {
    for folder in ["images", "tmp", "failures", "projects"] {
        let count = std::fs::read_dir(project.cache().join(folder)).map_or(0, Iterator::count);
        assert_eq!(count, 0, "{folder} has something in it");
    }
}

fn script(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn there_is_no_project() {
    let project = Project::new();
    project.jlsys(&["build"]).expect_refusal(&["no Project.toml", "--project"]);
    project.jlsys(&["build", "--project", "/no/such"]).expect_refusal(&["/no/such"]);
    expect_nothing_left(&project);
}

#[test]
fn the_default_environment_is_built_only_when_it_is_named() {
    let project = Project::new();
    let name = says("print(\"v\", VERSION.major, '.', VERSION.minor)");
    let default = project.depot().join("environments").join(&name);
    std::fs::create_dir_all(&default).unwrap();
    std::fs::write(default.join("Project.toml"), "").unwrap();
    let option = format!("--project=@{name}");
    for command in ["build", "trace"] {
        project.jlsys(&[command]).expect_refusal(&["no Project.toml here or above", &option]);
        project.jlsys(&[command, &option]).expect_refusal(&[&name, "no manifest"]);
    }
    let ran = project.jlsys(&["doctor"]).expect_status(1);
    ran.expect_stdout("no Project.toml here or above");
    expect_nothing_left(&project);

    // A session takes it, and is told how it can have an image.
    std::fs::write(default.join("Manifest.toml"), "").unwrap();
    let words = format!("there is no project here, and no image yet for {}", default.display());
    project
        .jlsys(&["status"])
        .expect_status(1)
        .expect_stdout(&words)
        .expect_stdout(&format!("--project @{name}"));
}

#[test]
fn the_project_has_no_manifest() {
    let project = Project::new().stdlib("Mmap").write();
    std::fs::remove_file(project.path("Manifest.toml")).unwrap();
    project.jlsys(&["build"]).expect_refusal(&["Project.toml", "no manifest", "Pkg.instantiate()"]);
    expect_nothing_left(&project);
}

#[test]
fn the_project_is_not_toml() {
    let project = Project::new().stdlib("Mmap").write().file("Project.toml", "[deps]\nMmap = \n");
    project.jlsys(&["build"]).expect_refusal(&["Project.toml:2:"]);
    expect_nothing_left(&project);
}

#[test]
fn the_manifest_is_not_toml() {
    let project = Project::new().stdlib("Mmap").write().file("Manifest.toml", "[[Mmap]\n");
    project.jlsys(&["build"]).expect_refusal(&["Manifest.toml:1:"]);
    expect_nothing_left(&project);
}

#[test]
fn a_package_is_not_in_the_depot() {
    let project = Project::new().package(package("Absent", "")).package(package("Gone", "")).write();
    std::fs::remove_dir_all(project.outside("depot/packages")).unwrap();
    project.jlsys(&["build"]).expect_refusal(&[
        "Absent 1.0.0",
        "Gone 1.0.0",
        "not installed",
        "Pkg.instantiate()",
    ]);
    expect_nothing_left(&project);
}

#[test]
fn the_settings_are_wrong() {
    let project = Project::new().stdlib("Mmap").settings("exclud = []").write();
    project.jlsys(&["build"]).expect_refusal(&["jlsys.toml:1:1", "exclud", "exclude"]);
    let project = Project::new().stdlib("Mmap").settings("exclude = [\"Nobody\"]").write();
    project.jlsys(&["build"]).expect_refusal(&["exclude", "Nobody"]);
    // What is in the image anyway is not to be taken in.
    let project = Project::new().stdlib("Mmap").settings("include = [\"Mmap\"]").write();
    project.jlsys(&["build"]).expect_refusal(&["include", "Mmap", "Pkg.develop"]);
    let project = Project::new().stdlib("Mmap").write();
    project.jlsys(&["build", "--include", "Mmap"]).expect_refusal(&["include", "Mmap", "Pkg.develop"]);
    for (settings, words) in [
        ("[cache]\nmax-size = \"20\"", ["jlsys.toml:2:12", "20G"]),
        ("julia-args = [\"-O9\"]", ["-O9", "0, 1, 2, 3"]),
        ("time-budget = \"20\"", ["jlsys.toml:1:15", "unit"]),
    ] {
        let project = Project::new().stdlib("Mmap").settings(settings).write();
        project.jlsys(&["build"]).expect_refusal(&words);
    }
    let project = Project::new().stdlib("Mmap").settings("[workloads]\nscripts = [\"no.jl\"]").write();
    project.jlsys(&["build"]).expect_refusal(&["no.jl", "workloads.scripts"]);
    expect_nothing_left(&project);
}

#[test]
fn there_is_no_julia() {
    let project = Project::new().stdlib("Mmap").write();
    project.jlsys(&["build", "--julia", "/no/julia"]).expect_refusal(&["/no/julia", "--julia"]);
    let mut command = project.command(&["build"]);
    let output = command.env_remove("JULIA").env("PATH", project.path("")).output().unwrap();
    support::Ran(output).expect_refusal(&["no Julia found", "PATH", "JULIA", "--julia"]);
    project.jlsys(&["build", "--julia", "+1.10"]).expect_refusal(&["juliaup", "1.10"]);
    expect_nothing_left(&project);
}

#[test]
fn julia_does_not_answer() {
    let project = Project::new().stdlib("Mmap").write();
    let fake = project.outside("julia");
    for (text, words) in [
        ("#!/bin/sh\necho nothing to say >&2\nexit 7\n", &["status 7", "nothing to say"][..]),
        ("#!/bin/sh\nexit 0\n", &["answers without"]),
        ("#!/bin/sh\nprintf 'version\\t1.3.1\\nend\\tx\\n'\n", &["Julia 1.3.1", "1.5 and later"]),
        ("#!/no/such/interpreter\n", &["cannot start"]),
        ("#!/bin/sh\nkill -SEGV $$\n", &["SIGSEGV"]),
    ] {
        script(&fake, text);
        project.jlsys(&["build", "--julia", fake.to_str().unwrap()]).expect_refusal(words);
    }
    expect_nothing_left(&project);
}

#[test]
fn a_wrapper_script_is_a_julia() {
    let project = Project::new().stdlib("Mmap").write();
    let wrapper = project.outside("wrapper");
    script(&wrapper, &format!("#!/bin/sh\nexec '{}' \"$@\"\n", julia().display()));
    let status = project.jlsys(&["status", "--json", "--julia", wrapper.to_str().unwrap()]).expect_status(1);
    assert_eq!(status.json()["state"], "missing");
}

#[test]
fn the_cache_cannot_be_written_to() {
    let project = Project::new().stdlib("Mmap").write().file("in-the-way", "");
    let cache = project.path("in-the-way");
    let mut command = project.command(&["build"]);
    let output = command.env("JLSYS_CACHE_DIR", &cache).output().unwrap();
    support::Ran(output).expect_refusal(&["cannot write to the cache", "in-the-way"]);
}

#[test]
fn the_cache_is_open_to_others() {
    let project = Project::new().stdlib("Mmap").write();
    std::fs::create_dir(project.cache()).unwrap();
    std::fs::set_permissions(project.cache(), std::fs::Permissions::from_mode(0o777)).unwrap();
    project.jlsys(&["build"]).expect_refusal(&["others may write to", "777"]);
}

#[test]
fn the_command_line_is_wrong() {
    let project = Project::new();
    for args in [
        &["bild"][..],
        &["build", "--jobs", "0"],
        &["build", "--time-limit", "soon"],
        &["build", "--time-budget", "20"],
        &["build", "--cpu-target", ""],
        &["cache", "gc", "--max-size", "20"],
        &["cache", "gc", "--max-age", "90"],
        &["run", "--julia"],
    ] {
        let ran = project.jlsys(args).expect_status(1);
        assert!(ran.stderr().starts_with("error:"), "{}", ran.stderr());
    }
    project.jlsys(&["--help"]).expect_status(0).expect_stdout("build");
    project.jlsys(&["--version"]).expect_status(0);
}
