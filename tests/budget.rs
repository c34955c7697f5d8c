//! The time budget of a build: workloads are cut first, then the tier. Julia is real, and so is all that it runs; a shim
//! stands in for writing the image, which takes minutes.

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::shim::Shim;
use support::{Project, package};

/// Builds, and checks that it took hardly longer than the budget.
fn build_within(shim: &Shim, seconds: u64, status: i32) -> Value {
    let started = Instant::now();
    let report = shim.build(&["--time-budget", &format!("{seconds}s")], status);
    // Ending processes, trying the image and a busy machine take their time.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(seconds + 25), "{took:?} instead of {seconds} s: {report:#}");
    report
}

#[test]
fn workloads_are_cut_first_and_share_what_there_is() {
    let shim = Shim::new("");
    // In the order of their names, and one at a time, the first would take all.
    let project = &shim.project;
    std::fs::write(project.path("precompile_0.jl"), "sort([\"b\", \"a\"]); sleep(600)").unwrap();
    std::fs::write(project.path("precompile_1.jl"), "using Sockets\nip\"1.2.3.4\" < ip\"5.6.7.8\"").unwrap();
    let report = shim.build(&["--time-budget", "24s", "--jobs", "1"], 0);
    assert_eq!((&report["tier"], &report["cut_short"]), (&"full".into(), &24.0.into()), "{report:#}");
    let outcome = |name: &str| {
        let workloads = report["workloads"].as_array().unwrap();
        workloads.iter().find(|workload| workload["name"] == name).unwrap()["outcome"].clone()
    };
    assert_eq!([outcome("precompile_0.jl"), outcome("precompile_1.jl")], ["timeout", "ok"], "{report:#}");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("too little for precompile_0.jl; `--retry`"), "{warnings}");

    // What was built stays, until it is asked for again.
    assert_eq!(shim.build(&[], 0)["outcome"], "hit");
}

#[test]
fn with_too_many_statements_the_packages_alone_are_built() {
    let shim = Shim::new("if [ -s $statements ]; then sleep 600; fi").without_startup();
    let report = build_within(&shim, 30, 0);
    assert_eq!(report["tier"], "load", "{report:#}");
    assert_eq!(shim.attempts().len(), 2);
    assert!(report["warnings"].to_string().contains("compiling the statements took more than"), "{report:#}");
}

#[test]
fn when_the_time_is_over_julia_stays_as_it_is_until_there_is_more() {
    let shim = Shim::new("replayed; sleep 600").without_startup();
    let report = build_within(&shim, 12, 3);
    assert_eq!((&report["tier"], &report["cut_short"]), (&"stock".into(), &12.0.into()), "{report:#}");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("time budget of 12 s was over while the image was being built"), "{warnings}");
    shim.expect_nothing_left();
    let run = shim.project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0);
    assert_eq!(run.stdout(), "1");

    // The same time, or less, would not suffice again; more may.
    let attempts = shim.attempts().len();
    build_within(&shim, 12, 3);
    assert_eq!(shim.attempts().len(), attempts);
    build_within(&shim, 13, 3);
    assert!(shim.attempts().len() > attempts);
}

#[test]
fn a_budget_in_the_settings_is_one_too_and_loading_is_in_it() {
    let project = Project::new()
        .package(package("Sleepy", "sleep(600)"))
        .settings("time-budget = \"6s\"\n[workloads]\nkinds = [\"load\"]\n")
        .write();
    let report = project.jlsys(&["build", "--json"]).expect_status(3).json();
    assert_eq!((&report["tier"], &report["cut_short"]), (&"stock".into(), &6.0.into()), "{report:#}");
    assert!(report["warnings"].to_string().contains("the packages were being loaded"), "{report:#}");
    // No package is to blame.
    assert_eq!(report["packages"]["dropped"], Value::Array(Vec::new()), "{report:#}");
    let flag = project.jlsys(&["build", "--json", "--time-budget", "7s"]).expect_status(3).json();
    assert_eq!(flag["cut_short"], 7.0, "{flag:#}");
}

#[test]
fn times_that_are_none_are_refused() {
    let shim = Shim::new("");
    for time in ["0s", "-5m", "soon"] {
        let argument = format!("--time-budget={time}");
        let ran = shim.project.jlsys(&["build", &argument]).expect_status(1);
        assert!(ran.stderr().contains("--time-budget"), "{}", ran.stderr());
    }
}
