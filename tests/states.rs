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
    assert!(!project.cache().join("traces").exists());
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
    let project = Project::new().stdlib("Random").write();
    for command in [&["build", "-q"][..], &["build", "--dry-run"], &["trace"]] {
        let ran = project.jlsys(&[command, &["--cpu-target", "nativ"]].concat());
        ran.expect_refusal(&["nativ", "\"native\""]);
    }
    assert!(!project.cache().join("traces").exists());
}

/// A shim whose Julia fails to write images while there is a file `fail`.
fn that_may_fail() -> Shim {
    let shim =
        Shim::new("[ ! -e \"$JLSYS_CACHE_DIR/../fail\" ] || { echo 'ERROR: broken for now' >&2; exit 1; }");
    shim.without_startup()
}

fn set_failing(shim: &Shim, fails: bool) {
    let flag = shim.project.outside("fail");
    if fails {
        std::fs::write(flag, "").unwrap();
    } else {
        let _ = std::fs::remove_file(flag);
    }
}

/// The image that `jlsys run` starts Julia with.
fn image_of_a_start(project: &Project) -> String {
    let code = "print(unsafe_string(Base.JLOptions().image_file))";
    project.jlsys(&["run", "--", "-e", code]).expect_status(0).stdout()
}

#[test]
fn a_build_that_fails_takes_nothing_away() {
    let shim = that_may_fail();
    let project = &shim.project;
    let image = shim.build(&[], 0)["image"].as_str().unwrap().to_owned();
    let expect_ready = |last_failure: bool| {
        assert_eq!(image_of_a_start(project), image);
        expect_starts_with_image(project);
        let found = project.jlsys(&["status", "--json"]).expect_status(0).json();
        assert_eq!((&found["state"], &found["image"]), (&"ready".into(), &image.as_str().into()), "{found}");
        assert_eq!(found["last_failure"].is_string(), last_failure, "{found}");
    };
    expect_ready(false);

    // With other flags.
    set_failing(&shim, true);
    let ran = project.jlsys(&["build", "--cpu-target", "native", "--exclude", "Sockets"]).expect_status(3);
    let said = ran.stderr();
    assert!(said.contains("no new image; `jlsys run` goes on with what was there"), "{said}");
    expect_ready(true);
    let text = project.jlsys(&["status"]).expect_status(0).stdout();
    assert!(text.starts_with("ready:") && text.contains("the last build came to nothing: Julia"), "{text}");

    // The same again.
    shim.build(&["--force"], 3);
    expect_ready(true);
    set_failing(&shim, false);
    assert_eq!(shim.build(&[], 0)["outcome"], "hit");
    expect_ready(false);

    // When the project changed, nothing that was built is right for it, and the reason is the true one.
    set_failing(&shim, true);
    let script = std::fs::read_to_string(project.path("precompile.jl")).unwrap();
    project.edit("precompile.jl", |text| text.replace("1:3", "1:4"));
    shim.build(&[], 3);
    let found = state(project);
    assert_eq!((&found["state"], found["image"].is_null()), (&"failed".into(), true), "{found}");
    let reason = found["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("the last build came to nothing: Julia") && reason.contains("--retry"),
        "{reason}"
    );
    project.edit("precompile.jl", |text| text.replace("1:4", "1:5"));
    let found = state(project);
    assert_eq!(found["state"], "stale", "{found}");
    assert!(found["reason"].as_str().unwrap().contains("precompile.jl changed since"), "{found}");
    project.edit("precompile.jl", |_| script);
    expect_ready(true);
}

#[test]
fn an_image_that_is_right_does_not_give_way_to_a_startup_package() {
    let shim =
        Shim::new("[ ! -e \"$JLSYS_CACHE_DIR/../fail\" ] || { echo 'ERROR: broken for now' >&2; exit 1; }");
    let image = shim.build(&[], 0)["image"].as_str().unwrap().to_owned();
    set_failing(&shim, true);
    let report = shim.build(&["--force"], 3);
    assert!(report["failure"].as_str().unwrap().contains("broken for now"), "{report:#}");
    assert_eq!(image_of_a_start(&shim.project), image);
    shim.project.jlsys(&["status"]).expect_status(0).expect_stdout("the last build came to nothing");
    if support::julia_is_since(9) {
        let report = shim.build(&["--force", "--quick"], 0);
        assert_eq!((&report["outcome"], &report["tier"]), (&"hit".into(), &"full".into()), "{report:#}");
        assert_eq!(image_of_a_start(&shim.project), image);
    }
}

#[test]
fn what_comes_to_less_than_what_is_there_does_not_take_its_place() {
    // `one` statement cannot be compiled, or no image can be written with `any`.
    let shim = Shim::new(
        "case $(cat \"$JLSYS_CACHE_DIR/../fail\" 2>/dev/null) in
        one) n=$(grep -n shuffle $statements | head -n 1 | cut -d: -f1); [ -z \"$n\" ] || crash_at $n ;;
        any) [ ! -s $statements ] || { echo 'ERROR: broken for now' >&2; exit 1; } ;;
        esac",
    );
    let shim = shim.without_startup();
    let project = &shim.project;
    let fail = |how: &str| std::fs::write(project.outside("fail"), how).unwrap();
    let expect_stays = |tier: &str| {
        let report = shim.build(&["--force"], 3);
        let failure = report["failure"].as_str().unwrap();
        assert!(failure.starts_with("nothing as good as the image that is there"), "{failure}");
        expect_starts_with_image(project);
        project.jlsys(&["status"]).expect_status(0).expect_stdout(&format!("({tier})"));
        project
            .jlsys(&["status"])
            .expect_status(0)
            .expect_stdout("the last build came to nothing: nothing as");
        assert_eq!(shim.build(&[], 0)["tier"], tier);
        shim.expect_nothing_left();
    };

    // Some of `shuffle`'s statements are left out, and that is better than packages alone.
    fail("one");
    assert_eq!(shim.build(&[], 0)["tier"], "reduced");
    fail("any");
    expect_stays("reduced");
    // As good is good enough.
    fail("one");
    assert_eq!(shim.build(&["--force"], 0)["outcome"], "built");

    // When there is a full one, nothing less is tried.
    fail("");
    assert_eq!(shim.build(&["--retry"], 0)["tier"], "full");
    let before = shim.attempts().len();
    fail("one");
    expect_stays("full");
    assert_eq!(shim.attempts().len(), before + 1);
    // Without it, what is less is better than nothing.
    let key = state(project)["key"].as_str().unwrap().to_owned();
    project.jlsys(&["cache", "rm", "--force", &key]).expect_status(0);
    assert_eq!(shim.build(&[], 0)["tier"], "reduced");
}

#[test]
fn an_interrupted_build_takes_nothing_away() {
    let shim = Shim::new(
        "[ ! -e \"$JLSYS_CACHE_DIR/../fail\" ] || { : >\"$JLSYS_CACHE_DIR/../began\"; sleep 1000; }",
    );
    let shim = shim.without_startup();
    let project = &shim.project;
    let image = shim.build(&[], 0)["image"].as_str().unwrap().to_owned();
    set_failing(&shim, true);
    for flags in [&["--force"][..], &["--exclude", "Sockets"]] {
        let args = [&["build", "--cpu-target", "native"], flags].concat();
        let child = project.command(&args).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let began = project.outside("began");
        while !began.exists() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        std::fs::remove_file(began).unwrap();
        let pid = child.id().to_string();
        std::process::Command::new("kill").args(["-s", "INT", &pid]).status().unwrap();
        support::Ran(child.wait_with_output().unwrap()).expect_status(130);
        assert_eq!(image_of_a_start(project), image);
        expect_starts_with_image(project);
        project.jlsys(&["status"]).expect_status(0).expect_stdout("ready:");
    }
}

#[test]
fn an_image_that_was_removed_is_said_to_be() {
    let shim = Shim::new("").without_startup();
    let project = &shim.project;
    let key = shim.build(&[], 0)["key"].as_str().unwrap().to_owned();
    project.jlsys(&["cache", "rm", "--force", &key]).expect_status(0);
    for change in ["1:3", "1:4"] {
        project.edit("precompile.jl", |text| text.replace("1:3", change));
        let found = state(project);
        assert_eq!(found["state"], "missing", "{found}");
        assert!(found["reason"].as_str().unwrap().contains("is no longer in the cache"), "{found}");
        let ran = project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
        assert!(ran.stderr().contains("is no longer in the cache"), "{}", ran.stderr());
    }
    shim.build(&[], 0);
    expect_starts_with_image(project);
}

#[test]
fn what_a_start_would_refuse_is_not_found_but_built_again() {
    let shim = Shim::new("").without_startup();
    let project = &shim.project;
    let report = shim.build(&[], 0);
    let image = std::path::PathBuf::from(report["image"].as_str().unwrap());
    // It came from another CPU, and does not start on this.
    let julia = std::fs::read_to_string(project.outside("julia")).unwrap();
    let header = image.with_file_name("entry.json");
    let mut json: Value = serde_json::from_slice(&std::fs::read(&header).unwrap()).unwrap();
    json["tried_on"] = "another-cpu".into();
    std::fs::write(&header, json.to_string()).unwrap();
    shim.first(&format!("case $* in *images/*) echo '{NO_TARGET}'; exit 1 ;; esac"));
    let ran = project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0);
    assert!(ran.stderr().contains("other CPUs"), "{}", ran.stderr());
    std::fs::write(project.outside("julia"), julia).unwrap();
    assert_eq!(state(project)["state"], "failed");
    assert_eq!(shim.build(&[], 0)["outcome"], "built");
    expect_starts_with_image(project);

    // It is not the file that was built.
    std::fs::File::options().write(true).open(&image).unwrap().set_len(10).unwrap();
    let found = state(project);
    assert_eq!(found["state"], "failed", "{found}");
    assert!(found["reason"].as_str().unwrap().contains("`jlsys build` builds it again"), "{found}");
    assert_eq!(shim.build(&[], 0)["outcome"], "built");
    expect_starts_with_image(project);

    // It came from elsewhere, and was not started here yet: a build tries it as a start does.
    let mut json: Value = serde_json::from_slice(&std::fs::read(&header).unwrap()).unwrap();
    json["tried_on"] = Value::Null;
    std::fs::write(&header, json.to_string()).unwrap();
    assert_eq!(shim.build(&[], 0)["outcome"], "hit");
    std::fs::remove_dir_all(image.with_file_name("cpus")).unwrap();
    shim.first(&format!("case $* in *images/*) echo '{NO_TARGET}'; exit 1 ;; esac"));
    assert_eq!(shim.build(&[], 0)["outcome"], "built");
}

#[test]
fn packages_of_which_none_loads_are_no_success() {
    let project = Project::new().package(support::package("Broken", "error(\"it is broken\")"));
    let shim = Shim::of(project, "", "cp \"$base\" \"$out\"");
    let ran = shim.project.jlsys(&["build", "--cpu-target", "native"]).expect_status(3);
    let said = ran.stderr();
    assert!(said.contains("warning: Broken is left out: it does not load: it is broken"), "{said}");
    assert_eq!(shim.attempts().len(), 0);
    let found = state(&shim.project);
    assert_eq!(found["state"], "failed", "{found}");
    assert!(found["reason"].as_str().unwrap().contains("none of the packages loads"), "{found}");
}

#[test]
fn a_quick_build_says_what_does_not_load() {
    if !support::julia_is_since(9) {
        println!("skipped: there is no startup package before 1.9");
        return;
    }
    let project = Project::new()
        .package(support::package("Broken", "error(\"it is broken\")"))
        .package(support::package("Works", "value() = 1"))
        .write();
    let words = "warning: Broken is left out: it does not load: it is broken";
    let quick = ["build", "--quick", "--cpu-target", "native"];
    project.jlsys(&quick).expect_status(0).expect_stderr(words);
    project.jlsys(&["status"]).expect_status(0).expect_stdout("(startup)");
    expect_starts_with_image(&project);
    // What fails then takes nothing away.
    let failing = [&quick[..], &["--exclude", "Works"]].concat();
    let ran = project.jlsys(&failing).expect_status(3).expect_stderr(words);
    assert!(ran.stderr().contains("goes on with what was there"), "{}", ran.stderr());
    let text = project.jlsys(&["status"]).expect_status(0).stdout();
    assert!(text.contains("the last build came to nothing: none of the packages loads"), "{text}");
    expect_starts_with_image(&project);
}
