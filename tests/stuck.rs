//! What is stuck is named, ended and gone around; what is slow is not stuck. The time in which nothing may happen is seconds here.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::shim::Shim;
use support::{Project, Ran, package};

/// For ever, but for a timer that goes off ten times a second, as those of progress bars do.
const FOR_EVER: &str = "timedwait(() -> false, 1e9)";

/// A project on which only what is named here takes time.
fn project(settings: &str) -> Project {
    Project::new().settings(&format!("stall-limit = \"4s\"\n{settings}"))
}

fn workload<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["workloads"].as_array().unwrap().iter().find(|workload| workload["name"] == name).unwrap()
}

/// What came to a standstill, with the words for it.
fn stuck(report: &Value) -> Vec<&str> {
    let stuck = report["stuck"].as_array().map_or(&[][..], Vec::as_slice);
    stuck.iter().map(|standstill| standstill["what"].as_str().unwrap()).collect()
}

#[test]
fn a_package_that_waits_while_it_is_precompiled_is_named_and_the_rest_is_built() {
    // From its source it does not load either, wherever that is.
    let project = project("[workloads]\ntime-limit = \"60s\"\nkinds = [\"load\", \"scripts\"]\n")
        .stdlib("Random")
        .package(package("Waits", FOR_EVER))
        .package(package("OnTop", "using Waits").depends_on("Waits"))
        .file("precompile.jl", "using Random\nshuffle(1:3)");
    let shim = Shim::of(project, "", "cp \"$base\" \"$out\"").without_startup();
    let report = shim.build(&[], 0);
    assert_eq!(report["tier"], "reduced", "{report:#}");
    // It is tried twice; the second time it is given half of the time.
    assert_eq!(stuck(&report), ["precompiling Waits", "precompiling Waits", "loading Waits"], "{report:#}");
    let lost = |place: usize| report["stuck"][place]["seconds"].as_f64().unwrap();
    assert!((4.0..10.0).contains(&lost(0)) && (2.0..6.0).contains(&lost(1)), "{report:#}");
    assert!((2.0..6.0).contains(&lost(2)), "{report:#}");
    let reason = |name: &str| {
        let dropped = report["packages"]["dropped"].as_array().unwrap();
        dropped.iter().find(|package| package["name"] == name).unwrap()["reason"].to_string()
    };
    assert!(reason("Waits").contains("was ended since it was stuck"), "{}", reason("Waits"));
    assert!(reason("OnTop").contains("Waits"), "{}", reason("OnTop"));
    // What it was doing stands in the log: where Julia was, and what each process did.
    let logs = PathBuf::from(report["image"].as_str().unwrap()).with_file_name("logs");
    let logs =
        std::fs::read_dir(logs).unwrap().flatten().map(|log| std::fs::read_to_string(log.path()).unwrap());
    let logs = logs.collect::<Vec<_>>().join("\n");
    assert!(logs.contains("Waits.jl:2") && logs.contains("[jlsys: precompiling Waits is stuck"), "{logs}");
    shim.expect_nothing_left();

    // Another image of the same packages does not wait for it.
    let other = shim.build(&["--exclude", "OnTop"], 0);
    assert!(other["stuck"].is_null(), "{other:#}");
    let before = "Waits is left out: it was stuck before, so it is not waited for";
    assert!(other["warnings"].to_string().contains(before), "{other:#}");
    let again = shim.build(&["--exclude", "OnTop", "--retry"], 0);
    assert_eq!(stuck(&again), stuck(&report), "{again:#}");
}

/// As the REPL's own workload does (JuliaLang/julia issue 52666).
#[test]
#[ignore = "builds images"]
fn a_package_that_waits_only_while_it_is_precompiled_is_loaded_from_its_source() {
    let only_there = format!("Base.JLOptions().incremental == 1 && {FOR_EVER}");
    let in_image_too = format!("ccall(:jl_generating_output, Cint, ()) == 1 && {FOR_EVER}");
    let settings = "stall-limit = \"6s\"\njulia-args = [\"-O0\", \"-g0\"]\n[workloads]\nkinds = [\"load\", \"scripts\"]\n";
    let project = Project::new()
        .settings(settings)
        .package(package("Fine", "value(x) = [x, x]"))
        .package(package("Heals", &format!("{only_there}\nvalue(x) = [x, x]")))
        .package(package("OnTop", "using Heals\nvalue(x) = Heals.value(x)").depends_on("Heals"))
        .package(package("Waits", &format!("{in_image_too}\nvalue(x) = [x, x]")))
        .file(
            "precompile.jl",
            "using Fine, OnTop, Waits\nprint(Fine.value(1), OnTop.value(1.0), Waits.value('a'))",
        )
        .write();
    let build = ["build", "--cpu-target", "native", "--no-sessions", "--json"];
    let report = project.jlsys(&build).expect_status(0).json();
    // Its statements are there, as it ran to its end.
    assert_eq!(workload(&report, "precompile.jl")["outcome"], "ok", "{report:#}");
    let included = report["packages"]["included"].as_array().unwrap();
    assert_eq!(
        included.iter().map(|it| &it["name"]).collect::<Vec<_>>(),
        ["Fine", "Heals", "OnTop"],
        "{report:#}"
    );
    let mut all = stuck(&report);
    all.sort_unstable();
    let twice = ["precompiling Heals", "precompiling Heals", "precompiling Waits", "precompiling Waits"];
    assert_eq!(all[1..], twice, "{report:#}");
    assert_eq!(all[0], "loading Waits for the image", "{report:#}");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("precompiling Heals was stuck, so it is loaded from its source"), "{warnings}");
    assert!(warnings.contains("Waits is left out: Julia was ended since it was stuck"), "{warnings}");
    // A session has it at once, where plain Julia would be stuck.
    project
        .jlsys(&["run", "--", "-e", "using OnTop; print(OnTop.value(2))"])
        .expect_status(0)
        .expect_stdout("[2, 2]");
}

#[test]
fn a_package_that_waits_while_it_is_loaded_is_left_out() {
    let project = project(
        "[workloads]\ntime-limit = \"60s\"\nkinds = [\"load\", \"tests\"]\nskip-tests = [\"Random\"]\n",
    )
    .stdlib("Random")
    .package(package("AtTop", &format!("__precompile__(false)\n{FOR_EVER}")))
    .package(package(
        "AtInit",
        &format!("__init__() = ccall(:jl_generating_output, Cint, ()) == 0 && {FOR_EVER}"),
    ))
    .package(package("Fine", "value(x) = [x, x]").tests("using Fine; Fine.value(1)"))
    .write();
    let ran = project.jlsys(&["trace", "--json"]).expect_status(0);
    let report = ran.json();
    let mut stuck = stuck(&report);
    stuck.sort_unstable();
    assert_eq!(stuck, ["loading AtInit", "loading AtTop"], "{report:#}");
    let warnings = report["warnings"].to_string();
    for name in ["AtTop", "AtInit"] {
        let words = format!("{name} is left out: it does not load: Julia was ended since it was stuck");
        assert!(warnings.contains(&words), "{warnings}");
    }
    assert_eq!(workload(&report, "Fine")["outcome"], "ok", "{report:#}");
}

#[test]
#[ignore = "builds images"]
fn a_package_that_waits_only_when_it_comes_from_an_image_is_left_out() {
    let only_from_image = format!(
        "__init__() = occursin(\"attempt-\", unsafe_string(Base.JLOptions().image_file)) && {FOR_EVER}"
    );
    let project = project("julia-args = [\"-O0\", \"-g0\"]\n[workloads]\nkinds = [\"load\"]\n")
        .package(package("Fine", "value(x) = [x, x]"))
        .package(package("Waits", &only_from_image))
        .package(package("OnTop", "using Waits").depends_on("Waits"))
        .write();
    let build = ["build", "--cpu-target", "native", "--no-sessions", "--json"];
    let report = project.jlsys(&build).expect_status(0).json();
    assert_eq!(report["tier"], "reduced", "{report:#}");
    assert_eq!(stuck(&report), ["trying the image"], "{report:#}");
    let included = report["packages"]["included"].as_array().unwrap();
    assert_eq!(included.iter().map(|it| &it["name"]).collect::<Vec<_>>(), ["Fine"], "{report:#}");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("Waits is left out"), "{warnings}");
    assert!(warnings.contains("OnTop is left out: it depends on Waits"), "{warnings}");
    // A session waits no longer than plain Julia's.
    project.jlsys(&["run", "--", "-e", "using Fine, Waits; print(1)"]).expect_status(0).expect_stdout("1");
}

#[test]
fn workloads_that_wait_are_named_and_not_run_again_until_they_are_to_be() {
    let cells = ["value = [1, 2, 3]", "sort(value)\nread(`sh -c \"sleep 1000 & exit 0\"`)", "value"];
    let cells: Vec<Value> = cells
        .iter()
        .map(|source| serde_json::json!({"cell_type": "code", "metadata": {}, "outputs": [], "source": source}))
        .collect();
    let notebook = serde_json::json!({
        "cells": cells, "nbformat": 4, "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "julia", "display_name": "Julia", "language": "julia"}},
    });
    let project = project("[workloads]\ntime-limit = \"60s\"\n")
        .package(
            package("Waits", "value(x) = [x, x]")
                .tests(&format!("using Waits; Waits.value(1.5); {FOR_EVER}")),
        )
        .file("waits.ipynb", &notebook.to_string())
        .write();
    let trace = |args: &[&str]| project.jlsys(&[&["trace", "--json"], args].concat()).expect_status(0).json();
    let report = trace(&[]);
    let outcome = |name: &str| workload(&report, name)["outcome"].clone();
    // The cell's own child has ended; what that left behind holds the pipe.
    assert_eq!([outcome("Waits"), outcome("waits.ipynb")], ["stuck", "stuck"], "{report:#}");
    let mut stuck = stuck(&report);
    stuck.sort_unstable();
    assert_eq!(stuck, ["cell 2 of waits.ipynb", "tests of Waits"], "{report:#}");
    assert!(workload(&report, "Waits")["statements"].as_u64().unwrap() > 0, "{report:#}");
    let again = trace(&[]);
    assert!(again["stuck"].is_null(), "{again:#}");
    assert_eq!(workload(&again, "Waits")["reused"], true, "{again:#}");
}

/// Runs a suite of one package, with the time in which nothing may happen as short.
fn suite(tests: &str) -> Project {
    project("[workloads]\ntime-limit = \"120s\"\n")
        .package(package("Slow", "value(x) = [x, x]").tests(tests))
        .write()
}

#[test]
fn what_sleeps_between_two_lines_is_not_stuck() {
    let project = suite("using Slow; for n in 1:5; println(n); sleep(3); end; Slow.value(1.5)");
    let report = project.jlsys(&["trace", "--json"]).expect_status(0).json();
    assert_eq!(workload(&report, "Slow")["outcome"], "ok", "{report:#}");
}

#[test]
fn what_is_stopped_and_continued_is_not_stuck() {
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    let tests = format!("using Slow; write({begun:?}, string(getpid())); sleep(1); println(sum(rand(10)))");
    let project = suite(&tests);
    let mut command = project.command(&["trace", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = wait_for(&begun);
    let signal =
        |name: &str| assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    signal("STOP");
    std::thread::sleep(Duration::from_secs(10));
    signal("CONT");
    let ran = Ran(child.wait_with_output().unwrap()).expect_status(0);
    assert_eq!(workload(&ran.json(), "Slow")["outcome"], "ok", "{}", ran.stderr());
    assert_eq!(ran.stderr().matches(&format!("process {pid} is stopped")).count(), 1, "{}", ran.stderr());
}

fn wait_for(file: &Path) -> String {
    for _ in 0..600 {
        match std::fs::read_to_string(file) {
            Ok(text) if !text.is_empty() => return text,
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    panic!("{} does not come", file.display());
}

/// A control group whose processes get a twentieth of a core; `None` where this user may not make one.
struct SlowGroup(PathBuf);

impl SlowGroup {
    fn new() -> Option<Self> {
        let name = format!("jlsys-slow-{}", std::process::id());
        let (v1, v2) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
        let group = if v1.is_dir() { v1.join(name) } else { v2.join(name) };
        std::fs::create_dir(&group).ok()?;
        let group = Self(group);
        let written = match v1.is_dir() {
            true => std::fs::write(group.0.join("cpu.cfs_quota_us"), "5000"),
            false => std::fs::write(group.0.join("cpu.max"), "5000 100000"),
        };
        written.ok().map(|()| group)
    }
}

impl Drop for SlowGroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn what_has_a_twentieth_of_a_core_is_not_stuck() {
    let Some(group) = SlowGroup::new() else {
        println!("skipped: a control group needs the right to make one");
        return;
    };
    // Nothing is printed, read or written while it works.
    let tests = format!(
        "using Slow
        work(n) = (x = 0.0; for i in 1:n; x += sin(i); end; x)
        work(10)
        write({:?}, string(getpid()))
        start = time()
        while time() - start < 12; work(1000); end",
        group.0.join("cgroup.procs")
    );
    let report = suite(&tests).jlsys(&["trace", "--json"]).expect_status(0).json();
    assert_eq!(workload(&report, "Slow")["outcome"], "ok", "{report:#}");
}

/// Control groups (version 1) of which the one has 16 MB of memory, and the other gets 32 pages a second from the disk with the swap; `None`
/// where there is no swap, or this user may not make them.
struct SwappingGroups {
    memory: PathBuf,
    disk: PathBuf,
}

impl SwappingGroups {
    fn new() -> Option<Self> {
        let swaps = std::fs::read_to_string("/proc/swaps").ok()?;
        let swap = std::fs::metadata(swaps.lines().nth(1)?.split_whitespace().next()?).ok()?;
        let device = if swap.is_file() { swap.dev() } else { swap.rdev() };
        let name = format!("jlsys-swapping-{}", std::process::id());
        let root = Path::new("/sys/fs/cgroup");
        let groups = Self { memory: root.join("memory").join(&name), disk: root.join("blkio").join(&name) };
        std::fs::create_dir(&groups.memory).ok()?;
        std::fs::create_dir(&groups.disk).ok()?;
        std::fs::write(groups.memory.join("memory.limit_in_bytes"), "16777216").ok()?;
        let rate = format!("{}:{} 131072", rustix::fs::major(device), rustix::fs::minor(device));
        std::fs::write(groups.disk.join("blkio.throttle.read_bps_device"), rate).ok()?;
        Some(groups)
    }
}

impl Drop for SwappingGroups {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.memory);
        let _ = std::fs::remove_dir(&self.disk);
    }
}

#[test]
fn what_waits_for_its_memory_to_come_back_from_swap_is_not_stuck() {
    let Some(groups) = SwappingGroups::new() else {
        println!("skipped: it needs swap, and the right to make control groups (version 1)");
        return;
    };
    let tests = format!(
        "using Slow
        look(data) = (sum = 0; start = time(); while time() - start < 12; sum += data[rand(1:length(data))]; end; sum)
        look(ones(Int, 10))
        write({:?}, string(getpid()))
        data = rand(Int, 4 << 20)
        write({:?}, string(getpid()))
        look(data)",
        groups.memory.join("cgroup.procs"),
        groups.disk.join("cgroup.procs")
    );
    let report = suite(&tests).jlsys(&["trace", "--json"]).expect_status(0).json();
    assert_eq!(workload(&report, "Slow")["outcome"], "ok", "{report:#}");
}

/// A project whose image is there in a moment, with a Julia whose sessions load the REPL and Pkg beside it. `repl` and `pkg` are shell code in the
/// place of precompiling these.
fn with_sessions(repl: &str, pkg: &str) -> Shim {
    let shim = Shim::new("").without_startup();
    // Before 1.11 they are in the stock image. What is asked of a later one beside that, 1.5 does not know.
    let later = format!(
        "case $* in *probe.jl*) '{}' \"$@\" | sed 's/^version\\t.*/version\\t1.12.0/'; exit 0 ;; esac",
        support::julia().display()
    );
    let stand_in = format!(
        "case $* in
        *--sessions=REPL*) echo repl >>'{0}'; {repl}; exit 0 ;;
        *--sessions=Pkg*) echo pkg >>'{0}'; {pkg}; exit 0 ;;
        */precompile.jl*) exit 0 ;;
        esac",
        shim.project.outside("steps").display()
    );
    shim.first(&format!("{}\n{stand_in}", if support::julia_is_since(11) { "" } else { &later }));
    std::fs::write(
        shim.project.path("jlsys.toml"),
        "stall-limit = \"3s\"\n[workloads]\nkinds = [\"load\"]\n",
    )
    .unwrap();
    shim
}

fn steps(shim: &Shim) -> Vec<String> {
    let steps = std::fs::read_to_string(shim.project.outside("steps")).unwrap_or_default();
    steps.lines().map(str::to_owned).collect()
}

#[test]
fn a_repl_that_is_stuck_is_tried_twice_and_the_image_is_ready_before() {
    // As in JuliaLang/julia issue 52666: nothing happens any more.
    let shim = with_sessions("sleep 1000", "true");
    let mut command = shim.project.command(&["build", "--cpu-target", "native", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&shim.project.outside("steps"));
    shim.project.jlsys(&["status"]).expect_status(0).expect_stdout("ready");
    shim.project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
    let ran = Ran(child.wait_with_output().unwrap()).expect_status(0);
    let report = ran.json();
    assert_eq!((&report["tier"], &report["outcome"]), (&"full".into(), &"built".into()), "{report:#}");
    assert_eq!(steps(&shim), ["repl", "repl", "pkg"]);
    assert_eq!(report["sessions"], serde_json::json!({"repl": "stuck", "pkg": "done"}), "{report:#}");
    assert_eq!(stuck(&report), ["precompiling the REPL"; 2], "{report:#}");
    let said = ran.stderr();
    let ready =
        said.find("ready; precompiling the REPL for it, which may be interrupted").expect("the phase");
    assert!(ready < said.find("ready; precompiling Pkg").expect("the phase"), "{said}");
    assert!(
        report["warnings"].to_string().contains("the REPL for sessions with the image was stuck twice"),
        "{report:#}"
    );

    // What is known is not tried again, until it is to be.
    assert_eq!(shim.build(&[], 0)["outcome"], "hit");
    assert_eq!(steps(&shim).len(), 3);
    shim.build(&["--retry"], 0);
    assert_eq!(steps(&shim).len(), 5);
}

#[test]
fn what_is_interrupted_when_the_image_is_ready_is_made_up_for() {
    let shim = with_sessions("sleep 1000", "true");
    let mut command =
        shim.project.command(&["build", "--cpu-target", "native", "--json", "--stall-limit", "10m"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&shim.project.outside("steps"));
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran(child.wait_with_output().unwrap()).expect_status(0);
    assert!(ran.stderr().contains("interrupted; the image is in place"), "{}", ran.stderr());
    assert!(ran.json()["sessions"].is_null(), "{}", ran.stdout());
    shim.project.jlsys(&["status"]).expect_status(0).expect_stdout("ready");

    shim.first("case $* in *--sessions=REPL*) exit 0 ;; esac");
    assert!(shim.build(&["--no-sessions"], 0)["sessions"].is_null());
    let report = shim.build(&[], 0);
    assert_eq!(report["outcome"], "hit", "{report:#}");
    assert_eq!(report["sessions"], serde_json::json!({"repl": "done", "pkg": "done"}), "{report:#}");
    assert_eq!(steps(&shim), ["repl", "pkg"]);
}

#[test]
fn a_time_budget_that_ends_there_leaves_the_image() {
    let shim = with_sessions("sleep 1000", "true");
    let report = shim.build(&["--time-budget", "25s", "--stall-limit", "10m"], 0);
    assert_eq!((&report["tier"], &report["cut_short"]), (&"full".into(), &Value::Null), "{report:#}");
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("left too little for precompiling the REPL; the next `jlsys build`"),
        "{warnings}"
    );
}

#[test]
fn an_image_that_works_is_in_place_while_more_is_tried() {
    // With statements writing crashes at first, and is then stuck.
    let fault = "if [ -s $statements ]; then
            replayed
            [ -e $JLSYS_CACHE_DIR/crashed ] || { : >$JLSYS_CACHE_DIR/crashed; kill -SEGV $$; }
            : >$JLSYS_CACHE_DIR/begun; echo begun >$JLSYS_CACHE_DIR/begun; sleep 1000
        fi";
    let shim = Shim::new(fault).without_startup();
    let mut command = shim.project.command(&["build", "--cpu-target", "native"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&shim.project.cache().join("begun"));
    shim.project.jlsys(&["status"]).expect_status(0).expect_stdout("(load)");
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    Ran(child.wait_with_output().unwrap()).expect_status(130);
    shim.project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
    let report = shim.build(&[], 0);
    assert_eq!((&report["outcome"], &report["tier"]), (&"hit".into(), &"load".into()), "{report:#}");
    assert!(report["warnings"].to_string().contains("`--retry` does"), "{report:#}");
}

#[test]
fn waiting_for_another_julia_that_precompiles_is_said_and_not_ended() {
    if !support::julia_is_since(10) {
        println!("skipped: this Julia has no pidfiles");
        return;
    }
    let project = project("[workloads]\ntime-limit = \"120s\"\nkinds = [\"load\"]\n")
        .package(package("Held", "value(x) = [x, x]"))
        .package(package("Orphaned", "value(x) = [x, x]"))
        .write();
    let ask = "for name in ARGS; println(Base.compilecache_pidfile_path(Base.identify_package(name))); end";
    let args = ["--startup-file=no", "--project=.", "-e", ask, "Held", "Orphaned"];
    let paths = Ran(project.command_for(support::julia(), &args).output().unwrap()).expect_status(0).stdout();
    let paths: Vec<&Path> = paths.lines().map(Path::new).collect();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let hold = |path: &Path, pid: u32| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("{pid} {}", host.trim())).unwrap();
    };
    let mut living = Command::new("sleep").arg("300").spawn().unwrap();
    let mut dead = Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    hold(paths[0], living.id());
    hold(paths[1], dead.id());

    let mut command = project.command(&["trace", "--json"]);
    let said_file = project.outside("said");
    let said = || std::fs::read_to_string(&said_file).unwrap();
    command.stdout(Stdio::piped()).stderr(std::fs::File::create(&said_file).unwrap());
    let child = command.spawn().unwrap();
    let pid = living.id();
    let words = format!("waiting for process {pid}, which precompiles Held (pidfile {}", paths[0].display());
    let is_said = (0..120).any(|_| {
        std::thread::sleep(Duration::from_secs(1));
        said().contains(&words)
    });
    // Longer than it would have taken to find it stuck.
    std::thread::sleep(Duration::from_secs(6));
    std::fs::remove_file(paths[0]).unwrap();
    living.kill().unwrap();
    living.wait().unwrap();
    let report = Ran(child.wait_with_output().unwrap()).expect_status(0).json();
    assert!(is_said, "{words} is not in {}", said());
    assert!(report["stuck"].is_null(), "{report:#}");
    assert_eq!(workload(&report, "load")["outcome"], "ok", "{report:#}");
}

#[test]
fn a_package_that_leaves_a_timer_behind_is_named() {
    // From 1.10 on Julia waits for it at the end of precompiling, for ever, and says so every 15 s.
    let project = Project::new()
        .settings("stall-limit = \"20s\"\n[workloads]\ntime-limit = \"120s\"\nkinds = [\"load\"]\n")
        .package(package("Ticks", "const TICK = Timer(_ -> nothing, 0.5; interval = 0.5)"))
        .package(package("Fine", "value(x) = [x, x]"))
        .write();
    let report = project.jlsys(&["trace", "--json"]).expect_status(0).json();
    let expected = if support::julia_is_since(10) { &["precompiling Ticks"; 2][..] } else { &[] };
    assert_eq!(stuck(&report), expected, "{report:#}");
}
