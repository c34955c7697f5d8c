//! The ladder, rung by rung. A shim stands in for the two steps that take minutes: it writes no real object, and the
//! "linked" image is a copy of the stock one, which a real Julia then tries. Everything else is real. Faults that a
//! real Julia produces on demand are in `faults.rs`.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use jlsys::workload::Capacity;
use serde_json::Value;
use support::shim::Shim;
use support::{Project, julia, julia_is_since, package};

#[test]
fn nothing_wrong_is_full_in_one_attempt() {
    let shim = Shim::new("");
    let report = shim.build(&["--strict"], 0);
    assert_eq!(report["tier"], "full", "{report:#}");
    assert_eq!(shim.attempts().len(), 1);
    let owners = report["statements"]["by_package"].as_object().unwrap();
    assert!(owners.contains_key("Random") && owners.contains_key("Sockets"), "{owners:?}");
    shim.project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
    assert_eq!(shim.build(&[], 0)["outcome"], "hit");
    shim.expect_nothing_left();
}

/// A project with one suite, which passes only when there is a file `begun` before it ends; `None` where nothing can begin beside
/// it.
fn with_suite_that_waits_for(begun: &Path) -> Option<Shim> {
    if !Capacity::detect().has_room_beside(1) {
        println!("skipped: there is no room for one more process here");
        return None;
    }
    let tests = format!(
        "using Waits, Test\n@test timedwait(() -> isfile({begun:?}), 60.0) === :ok\nsleep(2)\nWaits.wave(1)\n"
    );
    let waits = package("Waits", "wave(n) = string(\"wave \", n)").tests(&tests).by_path();
    let project = Project::new().stdlib("Random").package(waits);
    let project = project.settings("[workloads]\nskip-tests = [\"Random\"]\n");
    Some(Shim::of(project, "", "cp \"$base\" \"$out\"").without_startup())
}

/// Expects that the suite passed, and that an image has all that it compiled.
fn expect_full_after_the_suite(report: &Value, shim: &Shim) {
    let workloads = report["workloads"].as_array().unwrap();
    let suite = workloads.iter().find(|workload| workload["name"] == "Waits").unwrap();
    assert_eq!((&suite["outcome"], &report["tier"]), (&"ok".into(), &"full".into()), "{report:#}");
    assert_eq!(shim.attempts().len(), 1);
    assert_eq!(shim.attempts()[0].1, report["statements"]["kept"], "{report:#}");
}

#[test]
fn the_first_attempt_begins_while_workloads_run() {
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    let Some(shim) = with_suite_that_waits_for(&begun) else { return };
    shim.first(&format!("case $* in *--output-o=*) : >'{}' ;; esac", begun.display()));
    expect_full_after_the_suite(&shim.build(&["--jobs", "1"], 0), &shim);
}

#[test]
fn what_ends_beside_workloads_for_want_of_memory_begins_again_alone() {
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    let Some(shim) = with_suite_that_waits_for(&begun) else { return };
    let begun = begun.display();
    shim.first(&format!(
        "case $* in *--output-o=*) [ -e '{begun}' ] || {{ : >'{begun}'; kill -KILL $$; }} ;; esac"
    ));
    let report = shim.build(&["--jobs", "1"], 0);
    expect_full_after_the_suite(&report, &shim);
    assert!(!report["warnings"].to_string().contains("memory"), "{report:#}");
}

#[test]
fn a_statement_that_crashes_code_generation_is_left_out_alone() {
    let shim = Shim::new(
        "bad=$(grep -n 'Random.shuffle' $statements | head -n 1 | cut -d: -f1); [ -z \"$bad\" ] || crash_at $bad",
    );
    let report = shim.build(&["--strict"], 2);
    assert_eq!(report["tier"], "reduced", "{report:#}");
    let attempts = shim.attempts();
    assert!((2..=3).contains(&attempts.len()), "{attempts:?}");
    let (first, last) = (attempts[0], attempts[attempts.len() - 1]);
    assert_eq!(first.1 - last.1, attempts.len() as u64 - 1, "{attempts:?}");
    assert_eq!(report["statements"]["left_out"], first.1 - last.1);
    assert!(report["packages"]["dropped"].as_array().unwrap().is_empty());
    assert!(report["warnings"].to_string().contains("SIGSEGV"), "{report:#}");
    // What worked is found again, and not built again.
    assert_eq!(shim.build(&[], 0)["outcome"], "hit");
    assert_eq!(shim.attempts().len(), attempts.len());
}

#[test]
fn a_statement_that_hangs_code_generation_is_left_out() {
    let shim = Shim::new(
        "bad=$(grep -n 'Random.shuffle' $statements | head -n 1 | cut -d: -f1)
        [ -z \"$bad\" ] || { printf 'line %010d\\n' $bad >$replayed; sleep 1000; }",
    );
    let report = shim.build(&["--time-limit", "6s"], 0);
    assert_eq!(report["tier"], "reduced", "{report:#}");
    assert!(report["warnings"].to_string().contains("took more than 6 s"), "{report:#}");
}

#[test]
fn when_writing_crashes_the_owner_is_found_by_bisection() {
    let shim = Shim::new("if grep -q 'Sockets' $statements; then replayed; kill -SEGV $$; fi");
    let report = shim.build(&[], 0);
    assert_eq!(report["tier"], "reduced", "{report:#}");
    let kept: u64 = shim.attempts().last().unwrap().1;
    assert!(kept > 0, "{:?}", shim.attempts());
    assert!(shim.attempts().len() <= 8);
}

#[test]
fn a_julia_without_code_for_the_cpus_is_tried_once_and_said_once() {
    let shim = Shim::new(
        "echo 'ERROR: Unable to find compatible target in cached code image.' >&2; rm -f $loaded; exit 1",
    )
    .without_startup();
    let report = shim.build(&[], 3);
    assert_eq!(shim.attempts().len(), 1, "{report:#}");
    let warnings = report["warnings"].to_string();
    assert_eq!(
        warnings.matches("this Julia's own image has no code for native CPUs").count(),
        1,
        "{warnings}"
    );
}

#[test]
fn when_no_statement_can_be_written_the_packages_are_still_loaded() {
    let shim = Shim::new("if [ -s $statements ]; then replayed; kill -ABRT $$; fi").without_startup();
    let report = shim.build(&[], 0);
    assert_eq!(report["tier"], "load", "{report:#}");
    assert_eq!(report["statements"]["compiled"], 0);
    assert!(shim.attempts().len() <= 8);
}

#[test]
fn a_package_that_cannot_be_written_is_found_by_bisection() {
    let shim = Shim::new("if grep -q 'Sockets' $packages; then replayed; kill -SEGV $$; fi");
    let report = shim.build(&[], 0);
    assert_eq!(report["tier"], "reduced", "{report:#}");
    let dropped = report["packages"]["dropped"].as_array().unwrap();
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    assert_eq!(dropped[0]["name"], "Sockets");
    assert!(report["warnings"].to_string().contains("Sockets is left out"), "{report:#}");
}

#[test]
fn want_of_memory_leads_to_less_work() {
    let shim = Shim::new("if [ -s $statements ]; then replayed; kill -KILL $$; fi").without_startup();
    let report = shim.build(&[], 0);
    assert_eq!(report["tier"], "load", "{report:#}");
    assert_eq!(shim.attempts().len(), 2);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("memory") && warnings.contains("fewer CPU targets"), "{warnings}");
}

#[test]
fn a_linker_that_fails_leads_to_the_next_tier_and_then_to_stock() {
    let shim = Shim::with_compiler("", "echo cannot link >&2; exit 1").without_startup();
    let report = shim.build(&[], 3);
    assert_eq!((&report["tier"], &report["outcome"]), (&"stock".into(), &"fallback".into()));
    assert_eq!(shim.attempts().len(), 2);
    assert!(report["image"].is_null());
    shim.expect_nothing_left();

    // Remembered, until it is to be tried again.
    let ran = shim.project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0);
    assert_eq!(ran.stdout(), "1");
    assert!(ran.stderr().contains("came to nothing"), "{}", ran.stderr());
    shim.project.jlsys(&["status"]).expect_status(1).expect_stdout("failed:").expect_stdout("--retry");
    let again = shim.build(&[], 3);
    assert!(again["warnings"].to_string().contains("--retry"), "{again:#}");
    assert_eq!(shim.attempts().len(), 2);
    std::fs::write(
        shim.project.outside("cc"),
        std::fs::read_to_string(shim.project.outside("cc"))
            .unwrap()
            .replace("echo cannot link >&2; exit 1", "cp \"$base\" \"$out\""),
    )
    .unwrap();
    assert_eq!(shim.build(&["--retry"], 0)["tier"], "full");
    shim.project.jlsys(&["status"]).expect_status(0);
    // The log of the failure is where the report said.
    let warning = report["warnings"].as_array().unwrap().last().unwrap().as_str().unwrap();
    let log = warning.rsplit(' ').next().unwrap();
    assert!(!std::path::Path::new(log).exists(), "the failure is forgotten: {log}");
}

#[test]
fn an_empty_object_leads_to_the_next_tier() {
    let shim = Shim::new("if [ -s $statements ]; then replayed; : >$out; exit 0; fi").without_startup();
    let report = shim.build(&[], 0);
    assert_eq!(report["tier"], "load", "{report:#}");
}

#[test]
fn a_filesystem_that_refuses_the_image_is_said_and_nobody_blamed() {
    // What Julia, LLVM and linkers say.
    let objects = [
        "replayed; echo 'ERROR: failed to emit output file Permission denied'; exit 0",
        "replayed; echo 'LLVM ERROR: IO failure on output stream: Disk quota exceeded' >&2; kill -ABRT $$",
        "replayed; kill -XFSZ $$",
    ];
    let linker = "echo \"ld: cannot open output file $out: Read-only file system\" >&2; exit 1";
    let shims = objects.map(Shim::new).into_iter().chain([Shim::with_compiler("", linker)]);
    for shim in shims.map(Shim::without_startup) {
        let project = &shim.project;
        let said = project.jlsys(&["build", "--cpu-target", "native"]).expect_status(1).stderr();
        let last = said.lines().last().unwrap_or_default();
        assert!(
            last.contains("the image cannot be written in ") && last.contains("JLSYS_CACHE_DIR"),
            "{said}"
        );
        assert!(!said.contains("is left out"), "{said}");
        assert_eq!(shim.attempts().len(), 1, "{said}");
        shim.expect_nothing_left();
        let status = project
            .jlsys(&["status"])
            .expect_status(1)
            .expect_stdout("failed: the last build came to nothing");
        assert!(status.stdout().contains("`jlsys build` tries again"), "{}", status.stdout());
    }
}

#[test]
fn an_image_that_does_not_start_is_not_kept() {
    let shim = Shim::with_compiler("", "echo no image >\"$out\"").without_startup();
    let report = shim.build(&[], 3);
    assert_eq!(report["tier"], "stock", "{report:#}");
    assert!(report["warnings"].to_string().contains("when started with the image"), "{report:#}");
    assert!(shim.attempts().len() <= 8);
    shim.expect_nothing_left();
}

#[test]
fn how_many_threads_generate_code_is_the_users_to_say() {
    let threads = |set: &str| {
        // The process is told by the variable, or takes it from the file (`julia/object.jl`).
        let note = "echo \"<$JULIA_IMAGE_THREADS$(cat $all_given)>\" >>$JLSYS_CACHE_DIR/threads";
        let shim = Shim::new(note).without_startup();
        let project = shim.project.env("JULIA_IMAGE_THREADS", set);
        project.jlsys(&["build", "--cpu-target", "native"]).expect_status(0);
        std::fs::read_to_string(project.cache().join("threads")).unwrap()
    };
    assert_eq!(threads("3"), "<3>\n");
    // Where memory is scarce it is one; before 1.10 Julia does not ask.
    let cores = std::thread::available_parallelism().unwrap();
    let ours = if julia_is_since(10) {
        vec![format!("<{cores}>\n"), "<1>\n".to_owned()]
    } else {
        vec!["<>\n".to_owned()]
    };
    assert!(ours.contains(&threads("")));
}

#[test]
fn an_image_for_other_cpus_is_not_tried_again_and_again() {
    // What a real Julia says of an image for CPUs above this one: 1.5, 1.10.
    for image in ["system image", "cached code image"] {
        let shim = Shim::with_compiler("", "echo 'no image' >\"$out\"").without_startup();
        let refusal = format!(
            "case $* in *verify.jl*) echo 'ERROR: Unable to find compatible target in {image}.'; exit 1 ;; esac"
        );
        shim.first(&refusal);
        let report = shim.build(&[], 3);
        assert!(report["warnings"].to_string().contains("other CPUs"), "{report:#}");
        assert_eq!(shim.attempts().len(), 1);
    }
}

#[test]
fn on_another_cpu_the_image_is_tried_once_and_the_verdict_kept() {
    let shim = Shim::new("");
    let report = shim.build(&[], 0);
    let image = PathBuf::from(report["image"].as_str().unwrap());
    let header = image.with_file_name("entry.json");
    let text = std::fs::read_to_string(&header).unwrap();
    let mut json: Value = serde_json::from_str(&text).unwrap();
    json["tried_on"] = "another-cpu".into();
    std::fs::write(&header, json.to_string()).unwrap();
    let verdicts = || std::fs::read_dir(image.with_file_name("cpus")).map_or(0, Iterator::count);

    // It starts here: tried, and kept.
    let ran = shim.project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0);
    assert_eq!((ran.stdout().as_str(), ran.stderr().as_str(), verdicts()), ("1", "", 1));

    // It does not: a Julia that refuses any image of jlsys's, as on a CPU without the features.
    let count = shim.project.outside("refused");
    let refusal = format!(
        "case $* in *images/*) echo x >>'{}'; echo 'ERROR: Unable to find compatible target'; exit 1 ;; esac",
        count.display()
    );
    shim.first(&refusal);
    std::fs::remove_dir_all(image.with_file_name("cpus")).unwrap();
    for _ in 0..3 {
        let ran = shim.project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0);
        assert_eq!(ran.stdout(), "1");
        assert!(ran.stderr().contains("other CPUs"), "{}", ran.stderr());
        assert_eq!(ran.stderr().lines().count(), 1, "{}", ran.stderr());
    }
    assert_eq!(std::fs::read_to_string(count).unwrap().lines().count(), 1);
    shim.project.jlsys(&["status"]).expect_status(1).expect_stdout("failed:");
}

#[test]
fn a_julia_upgraded_in_place_is_another_julia() {
    let shim = Shim::new("");
    let old = shim.build(&[], 0);
    // The same path; the answer to the probe names another version.
    let answer = format!(
        "case $* in *probe.jl*) '{}' \"$@\" | sed 's/^version\\t.*/version\\t1.99.0/'; exit 0 ;; esac",
        julia().display()
    );
    shim.first(&answer);
    let status = shim.project.jlsys(&["status", "--json"]).expect_status(1).json();
    assert_eq!(status["state"], "stale");
    assert_ne!(status["key"], old["key"]);
    assert!(status["changed"].to_string().contains("→ 1.99.0"), "{status}");
}

#[test]
fn builders_of_one_key_build_once_and_of_several_side_by_side() {
    let shim = Shim::new("sleep 1");
    let build = |target: &str| {
        let mut command = shim.project.command(&["build", "--json", "--cpu-target", target]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let outcomes = |children: Vec<std::process::Child>| {
        let reports = children.into_iter().map(|child| support::Ran(child.wait_with_output().unwrap()));
        let mut outcomes: Vec<String> =
            reports.map(|ran| ran.expect_status(0).json()["outcome"].as_str().unwrap().to_owned()).collect();
        outcomes.sort();
        outcomes
    };
    let same = outcomes((0..8).map(|_| build("native")).collect());
    assert_eq!(same.iter().filter(|outcome| *outcome == "built").count(), 1, "{same:?}");
    assert_eq!(same.iter().filter(|outcome| *outcome == "hit").count(), 7, "{same:?}");
    let different = outcomes(["generic", "core2", "nehalem", "portable"].map(build).into());
    assert_eq!(different, ["built"; 4]);
    assert_eq!(shim.attempts().len(), 5);
    shim.expect_nothing_left();
}

#[test]
fn without_locks_all_build_and_any_of_their_images_serves() {
    let shim = Shim::new("");
    // As on a network filesystem that does not have them.
    let (source, library) = (shim.project.outside("nolock.c"), shim.project.outside("nolock.so"));
    let code = "#include <errno.h>\nint flock(int fd, int how) { errno = ENOLCK; return -1; }\n";
    std::fs::write(&source, code).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(compiled.unwrap().success());
    let children = [(); 4].map(|()| {
        let mut command = shim.project.command(&["build", "--json", "--cpu-target", "native"]);
        command.env("LD_PRELOAD", &library).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for child in children {
        let ran = support::Ran(child.wait_with_output().unwrap()).expect_status(0);
        assert_eq!(ran.json()["tier"], "full");
    }
    assert!(shim.attempts().len() > 1, "the locks were there");
    shim.project.jlsys(&["cache", "verify"]).expect_status(0).expect_stdout("1 image checked, nothing wrong");
    shim.expect_nothing_left();
}

#[test]
fn wrong_clocks_make_no_wrong_hit() {
    let shim = Shim::new("");
    shim.build(&[], 0);
    let project = &shim.project;
    let set_time = |path: &Path, time: SystemTime| {
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    let (past, future) = (SystemTime::UNIX_EPOCH, SystemTime::now() + Duration::from_secs(1 << 30));
    // Of the project's files the content counts, whenever they say that it was written.
    for time in [past, future] {
        for name in ["Project.toml", "Manifest.toml", "precompile.jl", "jlsys.toml"] {
            set_time(&project.path(name), time);
        }
        project.jlsys(&["status"]).expect_status(0);
        let script = std::fs::read_to_string(project.path("precompile.jl")).unwrap();
        project.edit("precompile.jl", |text| text.replace("1:3", "1:4"));
        set_time(&project.path("precompile.jl"), time);
        project.jlsys(&["status"]).expect_status(1).expect_stdout("precompile.jl");
        project.edit("precompile.jl", |_| script);
    }
    // An image or a Julia from the past or the future is not the one that is known.
    let image = PathBuf::from(project.jlsys(&["path"]).expect_status(0).stdout().trim());
    let built = image.metadata().unwrap().modified().unwrap();
    for time in [past, future] {
        set_time(&image, time);
        project.jlsys(&["status"]).expect_status(1).expect_stdout("is not the file that was built");
        set_time(&image, built);
        project.jlsys(&["status"]).expect_status(0);
        let probes = || {
            let record = std::fs::read_dir(project.cache().join("probes")).unwrap().next().unwrap().unwrap();
            std::fs::read_to_string(record.path()).unwrap()
        };
        let before = probes();
        set_time(&project.outside("julia"), time);
        project.jlsys(&["status"]).expect_status(0);
        assert_ne!(probes(), before, "the Julia was not asked again");
    }
    // What a clock from the future committed is used like any other.
    let used = image.with_file_name("used");
    set_time(&used, future);
    project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
}
