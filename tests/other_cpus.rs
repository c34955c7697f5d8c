//! Packages' caches for other CPUs than the builder's, on a real Julia whose own image is for several (1.9 and later): an official binary, or one built as those are.
//! A session that Julia is told to run as the least of these CPUs (`-C`) stands for one on another machine; where an emulator of x86-64 is installed, there is such
//! a machine.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::binder::Binder;
use support::{Project, Ran, julia, julia_is_since, make_executable, package};
use walkdir::WalkDir;

/// The least of the CPUs that `portable` is on x86-64 and aarch64.
const LEAST: &str = "generic";

const USES: &str = "using Deep, Wide; print(Deep.total([1, 2]) + Wide.half(4.0))";

/// One package that rests on another, and both on one that is not in the stock image of 1.10 and later, but comes precompiled.
fn project() -> Project {
    Project::new()
        .package(package("Wide", "half(x) = x / 2\nprecompile(half, (Float64,))"))
        .package(package("Deep", "using Wide\ntotal(values) = sum(Wide.half, values)").depends_on("Wide"))
        .file("precompile.jl", USES)
        .settings("[workloads]\nkinds = [\"scripts\"]\n")
}

/// Whether Julia can generate code for other CPUs than this one's and keep it in caches; says that the test is skipped if not.
fn is_possible() -> bool {
    let starts = || {
        let mut julia = Command::new(julia());
        julia.args(["--startup-file=no", "-C", LEAST, "-e", "0"]).output().unwrap().status.success()
    };
    let is_possible = julia_is_since(9) && starts();
    if !is_possible {
        println!("skipped: this Julia has no package images, or is for this machine's CPU alone");
    }
    is_possible
}

/// A session on another CPU, as far as Julia can be told to be on one; its log of loading.
fn elsewhere(project: &Project, code: &str) -> Ran {
    let mut julia =
        project.command_for(julia(), &["--startup-file=no", "-C", LEAST, "--project=.", "-e", code]);
    Ran(julia.env("JULIA_DEBUG", "loading").output().unwrap())
}

/// The caches in a depot.
fn caches(depot: &Path) -> BTreeSet<PathBuf> {
    let files = WalkDir::new(depot.join("compiled")).into_iter().flatten().map(walkdir::DirEntry::into_path);
    files.filter(|file| file.extension().is_some_and(|ending| ending == "ji")).collect()
}

#[track_caller]
fn expect_nothing_precompiled(session: &Ran) {
    let log = session.stderr();
    let lines: Vec<&str> =
        log.lines().filter(|line| line.contains("Rejecting") || line.contains("Precompiling")).collect();
    assert!(lines.is_empty(), "{lines:#?}");
    assert!(log.contains("Loading object cache file"), "{log}");
}

#[test]
fn packages_are_precompiled_once_for_all_cpus_that_the_target_has() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    // What `Pkg.instantiate()` leaves.
    let native = ["--startup-file=no", "--project=.", "-e", USES];
    assert!(project.command_for(julia(), &native).output().unwrap().status.success());
    let before = caches(project.depot());
    let without = elsewhere(&project, USES).expect_status(0);
    assert!(without.stderr().contains("Rejecting cache file"), "{}", without.stderr());
    // That session has made its own.
    caches(project.depot()).difference(&before).for_each(|cache| std::fs::remove_file(cache).unwrap());

    let build = ["build", "--quick", "--cpu-target", "portable", "--json"];
    let report = project.jlsys(&build).expect_status(0).json();
    assert_eq!((&report["caches"]["made"], &report["caches"]["missing"]), (&Value::from(2), &Value::Null));
    assert!(report["caches"]["made_bytes"].as_u64().unwrap() > 0, "{report:#}");
    assert!(report["caches"]["target"].as_str().unwrap().contains(LEAST), "{report:#}");
    // In the depot, beside those that were there, and not in the startup package's folder once more.
    let after = caches(project.depot());
    assert!(after.is_superset(&before) && after.len() == before.len() + 2, "{after:#?}");
    let own: BTreeSet<String> = caches(&Path::new(report["startup"].as_str().unwrap()).join("depot"))
        .iter()
        .map(|cache| cache.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(own, BTreeSet::from(["JlsysGroup".to_owned(), "JlsysStartup".to_owned()]));

    let session = elsewhere(&project, USES).expect_status(0).expect_stdout("3.5");
    expect_nothing_precompiled(&session);
    // Nor here, where Julia could take others.
    project.jlsys(&["status"]).expect_status(0).expect_stdout("ready:");
    let session =
        project.jlsys_with(&[("JULIA_DEBUG", "loading")], &["run", "--", "-e", USES]).expect_status(0);
    expect_nothing_precompiled(&session);
    assert!(session.stderr().contains("for JlsysGroup"), "{}", session.stderr());
    project.jlsys(&["status"]).expect_status(0).expect_stdout("ready:");

    let again = project.jlsys(&[&build[..], &["--force"]].concat()).expect_status(0).json();
    assert_eq!((&again["caches"]["made"], &again["caches"]["there"]), (&Value::from(0), &Value::from(2)));
    assert_eq!(caches(project.depot()), after);
}

#[test]
fn for_this_cpu_alone_nothing_is_made_that_was_there() {
    if !julia_is_since(9) {
        println!("skipped: this Julia has no package images");
        return;
    }
    let project = project().write();
    let native = ["--startup-file=no", "--project=.", "-e", USES];
    assert!(project.command_for(julia(), &native).output().unwrap().status.success());
    let before = caches(project.depot());
    let report =
        project.jlsys(&["build", "--quick", "--cpu-target", "native", "--json"]).expect_status(0).json();
    assert_eq!(report.get("caches"), None);
    assert_eq!(caches(project.depot()), before);
}

#[test]
fn a_container_keeps_what_sessions_elsewhere_can_use_also_where_nothing_is_built() {
    if !is_possible() {
        return;
    }
    let script = "push!(LOAD_PATH, joinpath(@__DIR__, \"extra\")); using Extra, Deep; print(Extra.ONE)";
    let project = project()
        .file("precompile.jl", script)
        .file("extra/Extra/src/Extra.jl", "module Extra\nconst ONE = 1\nend\n")
        .write();
    let binder = Binder::new(&project, julia());
    // The tests' own packages; the caches of the standard library stay in sight.
    let binder = binder.set("JULIA_DEPOT_PATH", format!("{}:", project.depot().display()));
    let ran = binder.jlsys(&["postbuild", "--quick"]).expect_status(0);
    let ran = ran
        .expect_stderr("the startup package is in place")
        .expect_stderr("for portable CPUs: 2 made, 0 there");
    // It was precompiled by the script alone, for the builder's CPU.
    let ran = ran.expect_stderr(" of caches that no session can use");
    assert!(
        !caches(project.depot()).iter().any(|cache| cache.to_str().unwrap().contains("/Extra/")),
        "{}",
        ran.stderr()
    );
    expect_nothing_precompiled(&elsewhere(&project, USES).expect_status(0));
    // The second time there is nothing to build, and they are looked at all the same.
    binder.jlsys(&["postbuild", "--quick"]).expect_status(0).expect_stderr("0 made, 2 there already");

    let project = Project::new()
        .package(package("Never", "__init__() = error(\"not here\")"))
        .settings("[workloads]\nkinds = [\"load\"]\n")
        .write();
    let binder = Binder::new(&project, julia());
    let binder = binder.set("JULIA_DEPOT_PATH", format!("{}:", project.depot().display()));
    let ran = binder.jlsys(&["postbuild", "--quick"]).expect_status(0);
    ran.expect_stderr("no image could be built").expect_stderr("for portable CPUs: 1 made, 0 there");
}

#[test]
fn on_an_older_cpu_the_startup_package_is_used_and_nothing_is_precompiled() {
    if !is_possible() {
        return;
    }
    let emulators = ["qemu-x86_64", "qemu-x86_64-static"];
    let found = emulators.iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    let Some(emulator) = found.filter(|_| cfg!(target_arch = "x86_64")) else {
        println!("skipped: no emulator of older CPUs");
        return;
    };
    let project = project().write();
    let either = project.outside("either");
    let script = format!(
        "#!/bin/sh\n[ -z \"$OLDER\" ] || exec {emulator} -cpu Haswell '{julia}' \"$@\"\nexec '{julia}' \"$@\"\n",
        julia = julia().display()
    );
    std::fs::write(&either, script).unwrap();
    make_executable(&either);
    let either = either.to_str().unwrap();
    let build = ["build", "--quick", "--cpu-target", "portable", "--julia", either];
    project.jlsys(&build).expect_status(0);
    let session = project
        .jlsys_with(
            &[("OLDER", "1"), ("JULIA_DEBUG", "loading")],
            &["run", "--julia", either, "--", "-e", USES],
        )
        .expect_status(0)
        .expect_stdout("3.5");
    expect_nothing_precompiled(&session);
    assert!(session.stderr().contains("for JlsysGroup"), "{}", session.stderr());
}
