//! Test suites that misbehave, under a real Julia: each is ended when it should be, leaves nothing running, and what it
//! compiled until then counts. `jlsys trace` runs them, so no image is needed.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Project, package};

/// A test suite that compiles something of its package's own first, and then does this.
fn suite(name: &str, then: &str) -> support::Package {
    package(name, "greet(name) = string(\"Hello, \", name, '!')")
        .tests(&format!("using {name}, Test\n@test {name}.greet(\"Ada\") == \"Hello, Ada!\"\n{then}\n"))
}

fn trace(project: &Project) -> Value {
    project.jlsys(&["trace", "--json"]).expect_status(0).json()
}

fn workload<'a>(report: &'a Value, name: &str) -> &'a Value {
    let workloads = report["workloads"].as_array().unwrap();
    let workload = workloads.iter().find(|workload| workload["name"] == name);
    workload.unwrap_or_else(|| panic!("{name} is not in {report}"))
}

fn outcome<'a>(report: &'a Value, name: &str) -> &'a str {
    workload(report, name)["outcome"].as_str().unwrap()
}

#[track_caller]
fn expect_partial_trace(report: &Value, name: &str) {
    assert!(
        report["statements"]["by_package"][name].as_u64().unwrap_or(0) > 0,
        "nothing of {name}: {report:#}"
    );
}

/// The processes whose command line has this in it.
fn processes_with(mark: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let commands = commands.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    commands.filter(|line| line.contains(mark)).collect()
}

#[test]
fn workloads_print_to_streams_that_sessions_have() {
    let tests = "using Prints, Test\nprintln(1.5f0, :tests)";
    let project = Project::new()
        .package(package("Prints", "of() = 1").tests(tests))
        .file("precompile.jl", "println(1.5, :script)")
        .write();
    let file = project.outside("statements.jl");
    project.jlsys(&["trace", "--output", file.to_str().unwrap()]).expect_status(0);
    let statements = std::fs::read_to_string(file).unwrap();
    // What `println(x, y)` calls with the stream: since 1.12 `print`, with the end of the line as one thing more.
    let prints = if support::julia_is_since(12) { "print" } else { "println" };
    for number in ["Float32", "Float64"] {
        for stream in ["IOStream", "TTY", "PipeEndpoint"] {
            let statement = format!("typeof(Base.{prints}), Base.{stream}, {number}, ");
            assert!(statements.contains(&statement), "{statement}: {statements}");
        }
    }
}

#[test]
#[ignore = "takes a minute"]
fn suites_that_fail_crash_and_exit_leave_their_traces() {
    let project = Project::new()
        .package(suite("Fine", ""))
        .package(suite("Failing", "@test 1 == 2"))
        .package(suite("Unloadable", "include(\"no-such-file.jl\")"))
        .package(suite("Segfault", "unsafe_load(Ptr{Int}(8))\nccall(:raise, Cint, (Cint,), 11)"))
        .package(suite("Exits", "exit(3)"))
        .package(suite("Aborts", "ccall(:abort, Cvoid, ())"))
        .package(suite("Wanders", "cd(mktempdir()); rm(pwd(); recursive = true)"))
        .package(suite("Reads", "@test read(stdin, String) == \"\""))
        .package(suite("Closes", "close(stdout); close(stderr)"))
        .write();
    let report = trace(&project);
    for (name, expected) in [
        ("Fine", "ok"),
        ("Failing", "failed"),
        ("Unloadable", "failed"),
        ("Segfault", "crashed"),
        ("Exits", "failed"),
        ("Aborts", "crashed"),
        ("Reads", "ok"),
    ] {
        assert_eq!(outcome(&report, name), expected, "{name}: {report:#}");
        expect_partial_trace(&report, name);
    }
    for name in ["Wanders", "Closes"] {
        expect_partial_trace(&report, name);
    }
    // A process that is killed says nothing any more; before 1.8 none can.
    let is_counted = support::julia_is_since(8);
    for (name, is_known) in [("Fine", is_counted), ("Exits", is_counted), ("Segfault", false)] {
        let workload = workload(&report, name);
        let compiling = workload["compile_seconds"].as_f64();
        assert_eq!(compiling.is_some(), is_known, "{name}: {workload:#}");
        let most = workload["seconds"].as_f64().unwrap();
        assert!(compiling.is_none_or(|seconds| 0.0 < seconds && seconds < most), "{name}: {workload:#}");
        assert!(workload["started"].as_f64().unwrap() > 0.0, "{workload:#}");
    }
}

#[test]
#[ignore = "takes a minute"]
fn suites_that_hang_are_ended_with_all_that_they_started() {
    let mark = format!("jlsys-test-hang-{}", std::process::id());
    // `sh -c` with a comment for a name; `setsid` leaves the process group.
    let child = |command: &str| format!("run(`sh -c \"{command} # {mark}\"`; wait = false)");
    let project = Project::new()
        .package(suite("Hangs", "while true; sleep(1); end"))
        .package(suite("Spins", "while true; end"))
        .package(suite(
            "Spawns",
            &format!(
                "{}\n{}\nsleep(1000)",
                child("while true; do sleep 1; done"),
                child("setsid sh -c 'while true; do sleep 1; done'")
            ),
        ))
        .package(suite(
            "Stubborn",
            &format!("run(`sh -c \"trap '' TERM INT HUP; while true; do sleep 1; done # {mark}\"`)"),
        ))
        .settings("[workloads]\ntime-limit = \"60s\"\n")
        .write();
    let started = Instant::now();
    let report = project.jlsys(&["trace", "--json", "--jobs", "4"]).expect_status(0).json();
    for name in ["Hangs", "Spins", "Spawns", "Stubborn"] {
        assert_eq!(outcome(&report, name), "timeout", "{name}: {report:#}");
        expect_partial_trace(&report, name);
    }
    assert_eq!(processes_with(&mark), Vec::<String>::new());
    assert!(started.elapsed() < Duration::from_secs(200), "{:?}", started.elapsed());
}

#[test]
fn a_suite_that_prints_a_gigabyte_does_not_fill_the_disk() {
    let project = Project::new()
        .package(suite("Prints", "line = 'x'^(1 << 20) * '\\n'\nfor _ in 1:1024; print(line); end"))
        .write();
    let report = trace(&project);
    assert_eq!(outcome(&report, "Prints"), "ok", "{report:#}");
    expect_partial_trace(&report, "Prints");
}

#[test]
fn nothing_is_written_into_the_project() {
    let project =
        Project::new().package(suite("Fine", "")).file("precompile.jl", "using Fine; Fine.greet(1)").write();
    let listing = || {
        let entries = std::fs::read_dir(project.path("")).unwrap().flatten();
        let read = |entry: std::fs::DirEntry| (entry.file_name(), std::fs::read(entry.path()).ok());
        let mut files: Vec<_> = entries.map(read).collect();
        files.sort();
        files
    };
    let before = listing();
    let report = trace(&project);
    assert_eq!(outcome(&report, "precompile.jl"), "ok");
    assert_eq!(outcome(&report, "load"), "ok");
    assert!(before == listing(), "the project's folder changed");
}

#[test]
fn what_scripts_and_suites_do_with_pkg_stays_out_of_projects() {
    // A sandbox has neither Pkg nor Printf.
    let install = "const REQUIRE = isdefined(Base, :require_stdlib) ? Base.require_stdlib : Base.require
        const Pkg = REQUIRE(Base.PkgId(Base.UUID(\"44cfe95a-1eb2-52ea-b672-e2afdf69b78f\"), \"Pkg\"))
        Pkg.activate(ENV[\"THE_PROJECT\"])
        Pkg.add(\"Printf\")
        using Printf\n";
    // In the second's sandbox something is missing, so it runs in the project.
    let direct = format!("{install}@sprintf(\"%d\", 1) == \"1\" || error()");
    let project = Project::new()
        .package(package("Sandboxed", "of() = 1").by_path().tests(&direct))
        .package(package("Direct", "of() = 1").by_path().tests(&direct))
        .settings("[workloads]\nkinds = [\"tests\", \"scripts\"]\n")
        .env("JULIA_PKG_SERVER", "")
        .env("JULIA_PKG_PRECOMPILE_AUTO", "0")
        .file("precompile.jl", &direct)
        .write();
    let place = project.path("");
    let project = project
        .env("THE_PROJECT", place)
        .file("Direct/test/Project.toml", "[deps]\nNowhere = \"6a6c7379-7300-4000-8000-6e6f77686572\"\n");
    let files =
        || ["Project.toml", "Manifest.toml"].map(|name| std::fs::read_to_string(project.path(name)).unwrap());
    let before = files();
    let report = trace(&project);
    for name in ["Sandboxed", "Direct", "precompile.jl"] {
        assert_eq!(outcome(&report, name), "ok", "{name}: {report:#}");
        let note = workload(&report, name)["note"].as_str().unwrap_or_default();
        assert!(note.contains("went to a copy"), "{name}: {note}");
    }
    assert_eq!(before, files());
}

#[test]
fn a_script_that_fails_is_said_with_its_error_and_its_log() {
    let project = Project::new()
        .settings("[workloads]\nkinds = [\"scripts\"]\n")
        .file("precompile.jl", "println((PROGRAM_FILE == @__FILE__, ARGS, pwd() == @__DIR__, isinteractive()))\nf() = error(\"no data today\")\nf()")
        .write();
    for _ in 0..2 {
        let ran = project.jlsys(&["trace", "--json"]).expect_status(0);
        let report = ran.json();
        let script = workload(&report, "precompile.jl");
        assert_eq!(script["error"], "no data today");
        let log = script["log"].as_str().unwrap();
        let text = std::fs::read_to_string(log).unwrap();
        assert!(
            text.starts_with("(true, String[], true, false)\n") && text.contains("precompile.jl:2"),
            "{text}"
        );
        ran.expect_stderr(&format!("failed (no data today; log: {log}); what it compiled until then counts"));
    }
}

#[test]
fn packages_that_do_not_load_are_named_and_the_rest_goes_on() {
    let project = Project::new()
        .package(package("Throws", "error(\"not today\")"))
        .package(package("BadInit", "__init__() = error(\"no display\")"))
        .package(package("Dependent", "using Throws").depends_on("Throws"))
        .package(package("Crashes", "ccall(:abort, Cvoid, ())"))
        .package(suite("Fine", ""))
        .settings("[workloads]\nkinds = [\"load\", \"tests\"]\n")
        .write();
    let ran = project.jlsys(&["trace", "--json"]).expect_status(0);
    let report = ran.json();
    assert_eq!(outcome(&report, "load"), "failed");
    expect_partial_trace(&report, "Fine");
    let warnings = report["warnings"].to_string();
    for (name, words) in
        [("Throws", "not today"), ("BadInit", "no display"), ("Dependent", ""), ("Crashes", "Aborted")]
    {
        assert!(
            warnings.contains(&format!("{name} is left out")) && warnings.contains(words),
            "{name}: {warnings}"
        );
    }
}
