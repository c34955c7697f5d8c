//! Workloads that ran before and that nothing changed for: what they were seen to compile is taken from the cache. Julia is real;
//! `jlsys trace` runs the workloads, so no image is needed.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::shim::Shim;
use support::{Package, Project, package};

/// A package of this version, whose tests compile something of its own.
fn tested(name: &str, version: &str) -> Package {
    package(name, "greet(name) = string(\"Hello, \", name, '!')")
        .version(version)
        .tests(&format!("using {name}, Test\n@test {name}.greet(\"Ada\") == \"Hello, Ada!\"\n"))
}

/// A project with three tested packages and a script, of which one package is built on another. They are folders of the
/// project: of others Pkg makes no sandbox without a registry.
fn project() -> Project {
    Project::new()
        .package(tested("Ground", "1.0.0").by_path())
        .package(tested("Upper", "1.0.0").by_path().depends_on("Ground"))
        .package(tested("Aside", "1.0.0").by_path())
        .settings("include = [\"Ground\", \"Upper\", \"Aside\"]\n")
        .file("precompile.jl", "using Ground; Ground.greet(1)")
        .write()
}

fn trace(project: &Project, arguments: &[&str]) -> Value {
    project.jlsys(&[&["trace", "--json"], arguments].concat()).expect_status(0).json()
}

/// The workloads that ran, the others having been reused; sorted.
fn ran(report: &Value) -> Vec<&str> {
    let workloads = report["workloads"].as_array().unwrap().iter();
    let mut names: Vec<&str> = workloads
        .filter(|workload| !workload["reused"].as_bool().unwrap())
        .map(|workload| workload["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    names
}

/// How many lines each workload traced.
fn lines(report: &Value) -> BTreeMap<&str, u64> {
    let workloads = report["workloads"].as_array().unwrap().iter();
    workloads.map(|w| (w["name"].as_str().unwrap(), w["statements"].as_u64().unwrap())).collect()
}

/// The folders of kept traces of workloads of this name.
fn kept(cache: &Path, name: &str) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(cache.join("traces")).unwrap().flatten().map(|entry| entry.path());
    let is_of_name = |folder: &PathBuf| {
        let text = std::fs::read(folder.join("trace.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()["name"] == name
    };
    folders.filter(is_of_name).collect()
}

#[test]
fn only_what_can_have_changed_runs_again() {
    let first = project();
    let cache = first.cache();
    let cold = trace(&first, &[]);
    assert_eq!(ran(&cold), ["Aside", "Ground", "Upper", "load", "precompile.jl"], "{cold:#}");
    assert!(cold["statements"]["by_package"]["Upper"].as_u64().unwrap() > 0, "{cold:#}");

    // Nothing changed: nothing runs, and the statements are the same.
    let output = first.outside("statements.jl");
    let warm = trace(&first, &["--output", output.to_str().unwrap()]);
    assert_eq!(ran(&warm), [""; 0], "{warm:#}");
    assert_eq!((&warm["statements"], lines(&warm)), (&cold["statements"], lines(&cold)));
    assert!(std::fs::read_to_string(&output).unwrap().contains("Upper.greet"));
    for workload in warm["workloads"].as_array().unwrap() {
        assert!(workload["seconds"].as_f64().unwrap() > 0.0 && workload["started"].is_null(), "{workload}");
    }

    // What does not depend on a package does not run again when it changes.
    let change = |name: &str, from: &str, to: &str| {
        first.edit(&format!("{name}/src/{name}.jl"), |text| text.replace(from, to));
    };
    change("Aside", "Hello, ", "Hello,\\x20");
    assert_eq!(ran(&trace(&first, &[])), ["Aside", "load", "precompile.jl"]);
    change("Ground", "Hello, ", "Hello,\\x20");
    assert_eq!(ran(&trace(&first, &[])), ["Ground", "Upper", "load", "precompile.jl"]);
    // Back to where it was.
    change("Aside", "\\x20", " ");
    change("Ground", "\\x20", " ");
    assert_eq!(ran(&trace(&first, &[])), [""; 0]);

    // A script may include other files.
    first.edit("included.jl", |_| "f() = 1".to_owned());
    assert_eq!(ran(&trace(&first, &[])), ["precompile.jl"]);
    first.edit("data.csv", |_| "1,2".to_owned());
    assert_eq!(ran(&trace(&first, &[])), [""; 0]);

    // A damaged one runs again, and is replaced; so does one that somebody else could have written.
    for folder in kept(cache, "Ground") {
        std::fs::write(folder.join("trace.jl.zst"), "not packed").unwrap();
    }
    for folder in kept(cache, "Upper") {
        let everybody = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(folder.join("trace.json"), everybody).unwrap();
    }
    for folder in kept(cache, "Aside") {
        std::fs::write(folder.join("trace.json"), "{").unwrap();
    }
    let damaged = trace(&first, &[]);
    assert_eq!(ran(&damaged), ["Aside", "Ground", "Upper"]);
    assert!(lines(&damaged).values().all(|lines| *lines > 0), "{damaged:#}");
    assert_eq!(ran(&trace(&first, &[])), [""; 0]);

    assert_eq!(ran(&trace(&first, &["--force"])).len(), 5);

    // They are listed, and go with their age.
    let list = || first.jlsys(&["cache", "list", "--json"]).expect_status(0).json()["traces"].clone();
    assert!(list()["count"].as_u64().unwrap() >= 5 && list()["bytes"].as_u64().unwrap() > 1000, "{}", list());
    first.jlsys(&["cache", "gc", "--max-age", "90d"]).expect_status(0);
    assert!(list()["count"].as_u64().unwrap() >= 5);
    first.jlsys(&["cache", "gc", "--max-age", "0s"]).expect_status(0);
    assert_eq!(list(), serde_json::json!({"count": 0, "bytes": 0}));
}

#[test]
fn a_path_package_outside_of_the_image_counts_for_its_tests() {
    let project = Project::new().package(tested("Mine", "1.0.0").by_path()).write();
    trace(&project, &[]);
    assert_eq!(ran(&trace(&project, &[])), [""; 0]);
    project.edit("Mine/src/Mine.jl", |text| text.replace("Hello", "Good day"));
    // Its tests fail now, which is a result like any other. Loading has nothing to do with it.
    assert_eq!(ran(&trace(&project, &[])), ["Mine"]);
    assert_eq!(ran(&trace(&project, &[])), [""; 0]);
}

#[test]
fn without_a_sandbox_the_whole_project_counts() {
    let cache = tempfile::tempdir().unwrap();
    // No registry has these, so their tests run in the project.
    let project = |version: &str| {
        Project::new()
            .package(tested("Tested", "1.0.0"))
            .package(package("Other", "").version(version))
            .env("JLSYS_CACHE_DIR", cache.path())
            .write()
    };
    assert_eq!(ran(&trace(&project("1.0.0"), &[])), ["Tested", "load"]);
    assert_eq!(ran(&trace(&project("1.0.0"), &[])), [""; 0]);
    assert_eq!(ran(&trace(&project("1.0.1"), &[])), ["Tested", "load"]);
}

#[test]
fn what_was_ended_is_reused_only_where_it_would_be_ended_no_later() {
    let project = Project::new()
        .stdlib("Mmap")
        .file("precompile_crash.jl", "ccall(:abort, Cvoid, ())")
        .file("precompile_fail.jl", "error(\"always\")")
        .file("precompile_long.jl", "sort([\"b\", \"a\"]); sleep(600)")
        .settings("[workloads]\nkinds = [\"scripts\"]\ntime-limit = \"6s\"\n")
        .write();
    let limit = |limit: &str| {
        let settings = format!("[workloads]\nkinds = [\"scripts\"]\ntime-limit = \"{limit}\"\n");
        project.edit("jlsys.toml", |_| settings);
    };
    assert_eq!(ran(&trace(&project, &[])).len(), 3);
    // A crash may have been this once.
    let again = trace(&project, &[]);
    assert_eq!(ran(&again), ["precompile_crash.jl"], "{again:#}");
    limit("5s");
    assert_eq!(ran(&trace(&project, &[])), ["precompile_crash.jl"]);
    limit("8s");
    assert_eq!(ran(&trace(&project, &[])), ["precompile_crash.jl", "precompile_long.jl"]);

    // The one of which nothing is known starts first, and then the one that took longest.
    let report = trace(&project, &["--force", "--jobs", "1"]);
    let mut workloads: Vec<&Value> = report["workloads"].as_array().unwrap().iter().collect();
    workloads.sort_by(|a, b| a["started"].as_f64().unwrap().total_cmp(&b["started"].as_f64().unwrap()));
    let order: Vec<_> = workloads.iter().map(|workload| workload["name"].as_str().unwrap()).collect();
    assert_eq!(order, ["precompile_crash.jl", "precompile_long.jl", "precompile_fail.jl"], "{report:#}");
}

#[test]
fn a_build_takes_what_was_traced_before() {
    let shim = Shim::new("");
    std::fs::write(shim.project.path("precompile.jl"), "sort([\"b\", \"a\"])").unwrap();
    trace(&shim.project, &[]);
    let report = shim.build(&[], 0);
    assert_eq!((&report["outcome"], ran(&report)), (&"built".into(), vec![""; 0]), "{report:#}");
    // The log of the run that it was is with the entry.
    let logs = report["workloads"].as_array().unwrap().iter().map(|workload| workload["log"].as_str());
    assert!(logs.flatten().all(|log| Path::new(log).is_file()), "{report:#}");
    let report = shim.build(&["--force"], 0);
    assert!(!ran(&report).is_empty(), "{report:#}");
}
