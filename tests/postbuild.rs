//! `jlsys postbuild`, in the environment that repo2docker runs `postBuild` in (`repo2docker.rs` checks that it is that). Julia
//! is real; in most tests a shim stands in for writing the image, which takes minutes.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::binder::Binder;
use support::shim::Shim;
use support::{Project, Ran, julia, julia_is_since, package};

fn binder(shim: &Shim) -> Binder<'_> {
    let compiler = shim.project.outside("cc");
    Binder::new(&shim.project, &shim.project.outside("julia"))
        .set("JULIA_CC", compiler.to_str().unwrap())
        .with_kernelspec()
}

/// A repository with a package of its own in `Own/`, and another package outside of it, in `../elsewhere`.
fn repository_with_own_package() -> Project {
    let project = Project::new()
        .package(package("Own", "export greet\ngreet(name) = \"Hello, $(name)!\"").by_path())
        .package(package("Outside", "value() = 1").by_path())
        .settings("[workloads]\nkinds = [\"load\"]\n")
        .write();
    std::fs::rename(project.path("Outside"), project.outside("Outside")).unwrap();
    project.edit("Manifest.toml", |text| text.replace("path = \"Outside\"", "path = \"../Outside\""));
    project
}

/// What `jlsys status --explain` says goes into the image, or not.
fn explained(binder: &Binder) -> String {
    binder.jlsys(&["status", "--explain", "--packages"]).stdout()
}

fn hello(ran: Ran) -> Ran {
    ran.expect_status(0).expect_stdout("hello")
}

const HELLO: &[&str] = &["run", "--", "-e", "print(\"hello\")"];

#[test]
fn a_repository_without_notebooks_gets_an_image_for_portable_cpus() {
    let shim = Shim::new("");
    let binder = binder(&shim);
    let ran = binder.jlsys(&["postbuild", "--strict"]).expect_status(0);
    assert_eq!(ran.stdout(), "");
    let log = ran.stderr();
    for words in [
        "jlsys postbuild: the image is in place",
        "for portable CPUs (tier full)",
        "julia-1.5 \"Julia 1.5.3\" starts through jlsys",
        "removed ",
        "took ",
    ] {
        assert!(log.contains(words), "{words:?} is not in {log}");
    }
    // A build log has no terminal: no line is drawn over, no colour is left in it.
    assert!(!log.contains('\r') && !log.contains('\u{1b}'), "{log:?}");
    // In the depot, which is in the container's image, and not in the home folder.
    let image = binder.jlsys(&["path"]).expect_status(0).stdout();
    let depot = binder.folder("JULIA_DEPOT_PATH");
    assert!(Path::new(image.trim()).starts_with(depot.join("jlsys/images")), "{image}");
    assert!(explained(&binder).contains("cpu target   portable"), "{}", explained(&binder));
    // A session is told nothing: the image is used.
    assert_eq!(hello(binder.jlsys(HELLO)).stderr(), "");
    assert!(binder.kernelspec().contains("jlsys"), "{}", binder.kernelspec());
    assert_eq!(std::fs::read_dir(depot.join("jlsys/tmp")).unwrap().count(), 0);
}

/// A notebook with one code cell, as Jupyter writes it.
fn notebook(code: &str) -> String {
    serde_json::json!({
        "cells": [{"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": [code]}],
        "metadata": {"kernelspec": {"display_name": "Julia 1.5.3", "language": "julia", "name": "julia-1.5"}},
        "nbformat": 4,
        "nbformat_minor": 2
    })
    .to_string()
}

#[test]
fn a_broken_notebook_is_said_and_one_that_is_edited_in_a_session_does_no_harm() {
    let shim = Shim::new("");
    let project = &shim.project;
    project.edit("jlsys.toml", |text| text.replace("\"scripts\"", "\"notebooks\""));
    std::fs::write(project.path("broken.ipynb"), "{\"cells\": [").unwrap();
    std::fs::write(project.path("intro.ipynb"), notebook("using Random; shuffle(1:3)")).unwrap();
    let binder = binder(&shim);
    let ran = binder.jlsys(&["postbuild", "--strict"]).expect_status(0);
    ran.expect_stderr("warning: broken.ipynb is not run").expect_stderr("the image is in place");

    // Jupyter saves what the reader of a notebook changes.
    std::fs::write(project.path("intro.ipynb"), notebook("using Random; shuffle(1:4)")).unwrap();
    std::fs::write(project.path("Untitled.ipynb"), notebook("1 + 1")).unwrap();
    assert_eq!(hello(binder.jlsys(HELLO)).stderr(), "");
    binder.jlsys(&["status"]).expect_status(0).expect_stdout("ready:");
    // Another package is another matter.
    project.edit("Manifest.toml", |text| text.replace("uuid = \"9a3f", "version = \"9.9.9\"\nuuid = \"9a3f"));
    hello(binder.jlsys(HELLO)).expect_stderr("plain Julia: ");
    // And the next build sees all of it.
    binder.jlsys(&["postbuild"]).expect_status(0).expect_stderr("the image is in place");
    assert_eq!(shim.attempts().len(), 2);
}

#[test]
fn a_second_run_finds_the_image_and_the_kernel() {
    let shim = Shim::new("");
    let binder = binder(&shim);
    binder.jlsys(&["postbuild"]).expect_status(0).expect_stderr("the image is in place");
    let kernelspec = binder.kernelspec();
    binder.jlsys(&["postbuild"]).expect_status(0).expect_stderr("the image was there already");
    assert_eq!(shim.attempts().len(), 1);
    assert_eq!(binder.kernelspec(), kernelspec);
}

#[test]
fn quick_builds_an_image_where_julia_has_nothing_quicker() {
    let shim = Shim::new("");
    let ran = binder(&shim).jlsys(&["postbuild", "--quick"]).expect_status(0);
    if !support::julia_is_since(9) {
        let ran = ran.expect_stderr("`--quick` needs Julia 1.9 or later");
        assert!(ran.stderr().contains("the image is in place"), "{}", ran.stderr());
        assert_eq!(shim.attempts().len(), 1);
    } else {
        assert_eq!(shim.attempts().len(), 0, "{}", ran.stderr());
    }
}

#[test]
fn without_ijulia_it_says_so_and_goes_on() {
    let shim = Shim::new("");
    let binder = binder(&shim);
    std::fs::remove_dir_all(binder.folder("JUPYTER_DATA_DIR")).unwrap();
    let ran = binder.jlsys(&["postbuild", "--strict"]).expect_status(0);
    ran.expect_stderr("kernel    no Julia kernelspec in").expect_stderr("IJulia");
}

#[test]
fn a_build_that_fails_fails_nothing_else() {
    let shim = Shim::with_compiler("", "echo cannot link >&2; exit 1").without_startup();
    let binder = binder(&shim);
    let kernelspec = binder.kernelspec();
    let ran = binder.jlsys(&["postbuild"]).expect_status(0);
    let ran = ran.expect_stderr("warning: the linker exited with status 1");
    ran.expect_stderr("no image could be built; Julia starts as it always did");
    // Plain Julia starts, through jlsys too, and the kernel is as it was.
    hello(binder.jlsys(HELLO)).expect_stderr("plain Julia: the last build came to nothing");
    assert_eq!(binder.kernelspec(), kernelspec);
    binder.jlsys(&["postbuild", "--strict"]).expect_status(3);
}

#[test]
fn an_image_with_less_than_everything_is_good_enough_unless_strict() {
    let shim = Shim::new("if [ -s $statements ]; then replayed; kill -ABRT $$; fi").without_startup();
    let binder = binder(&shim);
    binder.jlsys(&["postbuild"]).expect_status(0).expect_stderr("(tier load)");
    binder.jlsys(&["postbuild", "--strict"]).expect_status(2);
}

#[test]
fn what_is_wrong_with_the_repository_fails_nothing() {
    type Damage = fn(&Project);
    let faults: &[(&str, Damage)] = &[
        ("the project has no manifest", |project| {
            std::fs::remove_file(project.path("Manifest.toml")).unwrap();
        }),
        ("there is no Project.toml here", |project| {
            std::fs::remove_file(project.path("Project.toml")).unwrap();
        }),
        ("jlsys.toml:1:", |project| project.edit("jlsys.toml", |_| "nonsense = 1".to_owned())),
        ("not installed in any depot: Gone 1.0.0", |_| {}),
    ];
    for (words, damage) in faults {
        let project = Project::new().package(package("Gone", "")).write();
        damage(&project);
        // Its depot is empty: the package was installed elsewhere.
        let binder = Binder::new(&project, julia()).with_kernelspec();
        let ran = binder.jlsys(&["postbuild"]).expect_status(0).expect_stderr(words);
        ran.expect_stderr("warning: ").expect_stderr("nothing was built, and Julia starts as it did before");
        binder.jlsys(&["postbuild", "--strict"]).expect_status(1).expect_stderr(words);
        hello(binder.jlsys(HELLO));
    }
}

#[test]
fn without_a_julia_it_says_so() {
    let project = Project::new().write();
    let binder = Binder::new(&project, julia()).set("PATH", "/nonexistent");
    binder.jlsys(&["postbuild"]).expect_status(0).expect_stderr("no Julia found");
    binder.jlsys(&["postbuild", "--strict"]).expect_status(1);
}

#[test]
fn without_a_compiler_it_says_what_to_put_into_the_repository() {
    let project = Project::new().stdlib("Mmap").write();
    if support::julia_is_since(9) {
        println!("skipped: this Julia has a linker of its own");
        return;
    }
    let tools = support::tools_without_compiler(&project);
    let binder = Binder::new(&project, julia());
    let path = format!("{}:{}", binder.folder("JULIA_PATH").join("bin").display(), tools.display());
    let binder = binder.set("PATH", path);
    let ran = binder.jlsys(&["postbuild"]).expect_status(0);
    ran.expect_stderr("no C compiler found").expect_stderr("`gcc` and `libc6-dev` in apt.txt");
    binder.jlsys(&["postbuild", "--strict"]).expect_status(3);
    hello(binder.jlsys(HELLO));
}

#[test]
fn it_ends_when_its_time_is_over() {
    let shim = Shim::new("replayed; sleep 600").without_startup();
    let binder = binder(&shim);
    let started = Instant::now();
    let ran = binder.jlsys(&["postbuild", "--time-budget", "12s"]).expect_status(0);
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    ran.expect_stderr("the time budget of 12 s was over").expect_stderr("no image could be built");
    hello(binder.jlsys(HELLO));
}

#[test]
fn the_project_may_be_in_a_folder_for_binder() {
    for (folder, variable) in [("binder", true), ("binder", false), (".binder", false)] {
        let shim = Shim::new("");
        let place = shim.project.path(folder);
        std::fs::create_dir(&place).unwrap();
        for file in ["Project.toml", "Manifest.toml", "jlsys.toml", "precompile.jl"] {
            std::fs::rename(shim.project.path(file), place.join(file)).unwrap();
        }
        let binder = binder(&shim);
        let binder = match variable {
            true => binder.set("JULIA_PROJECT", place.to_str().unwrap()),
            false => binder.unset("JULIA_PROJECT"),
        };
        binder.jlsys(&["postbuild", "--strict"]).expect_status(0).expect_stderr(place.to_str().unwrap());
        let project = format!("--project={}", place.display());
        let ran = binder.jlsys(&["run", "--", &project, "-e", "print(\"hello\")"]);
        assert_eq!(hello(ran).stderr(), "");
    }
}

#[test]
fn the_repositorys_own_packages_are_taken_in_and_others_are_not() {
    let project = repository_with_own_package();
    // Nothing is built, but what would be is known from then on.
    let binder = Binder::new(&project, julia()).set("JULIA_CC", "/bin/false");
    let plan = || explained(&binder);
    assert!(plan().contains("left out     Own: it is a folder that may change"), "{}", plan());
    binder.jlsys(&["postbuild", "--time-budget", "5s"]).expect_status(0);
    let (before, own) = (plan(), "package      Own 1.0.0");
    assert!(before.contains(own) && before.contains("files sha256"), "{before}");
    assert!(before.contains("left out     Outside: it is a folder that may change"), "{before}");

    let key = || binder.jlsys(&["status", "--json"]).json()["key"].clone();
    let built = key();
    std::fs::write(project.path("Own/notes.ipynb"), "{}").unwrap();
    assert_eq!(key(), built, "a notebook is no source");
    project.edit("Own/src/Own.jl", |text| text.replace("Hello", "Goodbye"));
    assert_ne!(key(), built);
}

#[test]
fn a_package_through_a_link_that_leads_out_of_the_repository_is_outside() {
    let project = repository_with_own_package();
    std::os::unix::fs::symlink(project.outside("Outside"), project.path("linked")).unwrap();
    project.edit("Manifest.toml", |text| text.replace("path = \"../Outside\"", "path = \"linked\""));
    let binder = Binder::new(&project, julia()).set("JULIA_CC", "/bin/false");
    binder.jlsys(&["postbuild", "--time-budget", "5s"]).expect_status(0);
    assert!(explained(&binder).contains("left out     Outside"), "{}", explained(&binder));
}

#[test]
fn what_killed_builds_left_does_not_get_into_the_layer() {
    let shim = Shim::new("");
    let binder = binder(&shim);
    let tmp = binder.folder("JULIA_DEPOT_PATH").join("jlsys/tmp");
    binder.jlsys(&["postbuild"]).expect_status(0);
    // In the place of a log that a noisy test suite left.
    let entry = PathBuf::from(binder.jlsys(&["path"]).stdout().trim()).with_file_name("");
    let (log, list) = (entry.join("logs/load.log"), entry.join("contents.json"));
    std::fs::write(&log, "a long line\n".repeat(100_000)).unwrap();
    let mut contents: Value = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
    let digest = jlsys::file::Sha256Digest::of_file(&log).unwrap().to_string();
    contents["logs/load.log"] = serde_json::json!({ "size": 1_200_000, "sha256": digest });
    std::fs::write(&list, contents.to_string()).unwrap();
    binder.jlsys(&["cache", "verify"]).expect_status(0);
    std::fs::create_dir(tmp.join("build-killed")).unwrap();
    std::fs::write(tmp.join("build-killed/image.o"), vec![0; 3 << 20]).unwrap();
    std::fs::write(tmp.join("build-killed.lock"), "").unwrap();
    binder
        .jlsys(&["postbuild"])
        .expect_status(0)
        .expect_stderr("removed   4.08 MiB of logs and temporary files");
    assert_eq!(std::fs::read_dir(tmp).unwrap().count(), 0);
    assert!(log.metadata().unwrap().len() <= (64 << 10) + 100);
    binder.jlsys(&["cache", "verify"]).expect_status(0);
}

#[test]
fn an_image_that_takes_more_memory_than_may_be_taken_is_not_begun() {
    let shim = Shim::new("");
    let binder = binder(&shim);
    // The stand-in says of any Julia that it has code for all CPUs, and the startup package is a real one.
    let native = ["postbuild", "--cpu-target", "native"];
    let little = [&native[..], &["--image", "--memory", "1GiB"]].concat();
    let ran = binder.jlsys(&little).expect_status(0);
    let ran = ran
        .expect_stderr("no image is written: that takes ")
        .expect_stderr("and 1.00 GiB may be taken (`--memory`)");
    let came_to = match julia_is_since(9) {
        true => "the startup package is in place",
        false => "before Julia 1.9 there is nothing else to build; nothing was built",
    };
    let ran = ran.expect_stderr(came_to);
    assert!(shim.attempts().is_empty(), "{}", ran.stderr());
    // Nor by the share that nobody named, where Julia takes more.
    let share = [&native[..], &["--image"]].concat();
    let ran = Ran(binder.command(&share).output().unwrap()).expect_status(0);
    assert_eq!(shim.attempts().is_empty(), julia_is_since(9), "{}", ran.stderr());
    // What is there is used, whatever it took.
    let much = [&native[..], &["--image", "--memory", "1TiB"]].concat();
    binder.jlsys(&much).expect_status(0).expect_stderr("the image ");
    let attempts = shim.attempts().len();
    binder.jlsys(&little).expect_status(0).expect_stderr("the image was there already");
    assert_eq!((attempts, shim.attempts().len()), (1, 1));
}

#[test]
fn an_image_that_saves_little_for_its_size_is_written_only_where_that_is_asked_for() {
    if !julia_is_since(9) {
        return println!("skipped: before Julia 1.9 there is nothing else to build");
    }
    let shim = Shim::new("");
    let binder = binder(&shim);
    let native = ["postbuild", "--cpu-target", "native", "--memory", "1TiB"];
    // The packages of this project load at once, and an image has all of Julia's own in it.
    let ran = binder.jlsys(&native).expect_status(0);
    let ran = ran.expect_stderr("the startup package is in place");
    let ran = ran.expect_stderr("no image is written: it would save a session that loads all packages some ");
    assert!(shim.attempts().is_empty(), "{}", ran.stderr());
    // Nor the next time, and it was said.
    let ran = binder.jlsys(&native).expect_status(0);
    assert!(shim.attempts().is_empty() && !ran.stderr().contains("no image is written"), "{}", ran.stderr());
    let file = binder.folder("REPO_DIR").join("jlsys.toml");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    let settings =
        |image: &str| std::fs::write(&file, format!("{before}\n[binder]\nimage = {image}\n")).unwrap();
    settings("false");
    let ran = binder.jlsys(&native).expect_status(0);
    assert!(shim.attempts().is_empty(), "{}", ran.stderr());
    settings("true");
    binder.jlsys(&native).expect_status(0).expect_stderr("the image is in place");
    assert_eq!(shim.attempts().len(), 1);
    settings("\"sometimes\"");
    let ran = binder.jlsys(&[&native[..], &["--strict"]].concat()).expect_status(1);
    ran.expect_stderr("jlsys.toml");
}

#[test]
fn an_image_that_saves_enough_follows_the_startup_package() {
    if !julia_is_since(9) {
        return println!("skipped: before Julia 1.9 there is nothing else to build");
    }
    // A second is worth 100 MiB, and Julia's own image has 150 to 500.
    let slow = package("Slow", "answer() = 42\n__init__() = sleep(8)").by_path();
    let project = Project::new()
        .package(slow)
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n")
        .file("precompile.jl", "using Slow\nSlow.answer()");
    let shim = Shim::of(project, "", "cp \"$base\" \"$out\"");
    let binder = binder(&shim);
    let ran = binder.jlsys(&["postbuild", "--cpu-target", "native", "--memory", "1TiB"]).expect_status(0);
    let ran =
        ran.expect_stderr("going on to the image: it would save a session that loads all packages some ");
    ran.expect_stderr("the image is in place");
    assert!(!shim.attempts().is_empty());
}

#[test]
fn in_a_container_the_same_julia_has_other_inodes_and_is_not_asked_again() {
    let shim = Shim::new("");
    let count = shim.project.outside("asked");
    let note = format!("case $* in *probe.jl*) echo x >>'{}' ;; esac", count.display());
    shim.first(&note);
    let binder = binder(&shim);
    binder.jlsys(&["postbuild"]).expect_status(0);
    let asked = || std::fs::read_to_string(&count).unwrap().lines().count();
    let before = asked();
    // What unpacking a layer does to a file: a new inode, and a time of change in whole seconds.
    let julia = binder.folder("JULIA_PATH").join("bin/julia");
    let modified = julia.metadata().unwrap().modified().unwrap();
    let whole = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let copy = julia.with_extension("copy");
    std::fs::copy(&julia, &copy).unwrap();
    let time = std::time::UNIX_EPOCH + Duration::from_secs(whole);
    std::fs::File::open(&copy).unwrap().set_modified(time).unwrap();
    std::fs::rename(&copy, &julia).unwrap();
    assert_eq!(hello(binder.jlsys(HELLO)).stderr(), "");
    assert_eq!(asked(), before);
}

#[test]
#[ignore = "builds an image"]
fn a_real_image_holds_the_repositorys_own_package_until_it_is_edited() {
    let project = repository_with_own_package();
    let binder = Binder::new(&project, julia()).with_kernelspec();
    // The cache that all tests of a run share.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let binder = binder.set("JLSYS_CACHE_DIR", cache.to_str().unwrap());
    // For this CPU alone: one for all takes three times as long.
    let args = ["postbuild", "--strict", "--cpu-target", "native"];
    let ran = binder.jlsys(&args).expect_status(0);
    ran.expect_stderr("for native CPUs (tier full)").expect_stderr("left out  Outside");
    let greet = ["run", "--", "-e", "using Own, Outside; print(greet(\"Ada\"), Outside.value())"];
    let ran = binder.jlsys(&greet).expect_status(0).expect_stdout("Hello, Ada!1");
    assert_eq!(ran.stderr(), "");
    let uses = ["run", "--", "-e", "print(unsafe_string(Base.JLOptions().image_file))"];
    binder.jlsys(&uses).expect_stdout("/images/");

    project.edit("Own/src/Own.jl", |text| text.replace("Hello", "Goodbye"));
    let ran = binder.jlsys(&greet).expect_status(0).expect_stdout("Goodbye, Ada!1");
    ran.expect_stderr("plain Julia: Own: its files changed since it was built");
}
