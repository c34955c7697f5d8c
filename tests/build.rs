//! The main job on a real Julia: an image is built, verified, found again, used, and given up when the project changes.
//!
//! All tests here, and those of `guard.rs`, use one project and share its image through the cache; whichever comes first builds it.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::image::{NATIVE, built, folders_of_tables, project};
use support::{Project, Ran, julia, julia_is_since, package};

/// The project with a copy of the cache, which a test may damage.
fn with_own_cache(project: Project) -> Project {
    let shared = project.cache().to_owned();
    let project = project.own_cache();
    let status = Command::new("cp").arg("-a").arg(&shared).arg(project.cache()).status().unwrap();
    assert!(status.success());
    project
}

/// Runs a program that no workload has in it.
const PROGRAM: &str = "using Tables, Own
    table = Tables.parse_table(\"x,y\\n5,6\\n7,8.25\\n\")
    show(stdout, \"text/plain\", table)
    println(Tables.total(table), Own.what(Own.answer()))";

const EXPECTED: &str = "x       5.0 7.0\ny       6.0 8.25\n26.25it is 42\n";

/// The statements that the image was given.
fn given(project: &Project) -> String {
    std::fs::read_to_string(image_of(project).with_file_name("statements.jl")).unwrap()
}

fn image_of(project: &Project) -> PathBuf {
    PathBuf::from(project.jlsys(&["path"]).expect_status(0).stdout().trim())
}

#[test]
#[ignore = "builds an image"]
fn an_image_is_built_and_says_what_is_in_it() {
    let project = project();
    let report = project.jlsys(NATIVE).expect_status(0).json();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["tier"], "full", "{report:#}");
    assert!(Path::new(report["image"].as_str().unwrap()).is_file());
    let included: Vec<&str> = report["packages"]["included"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert!(included.contains(&"Tables") && included.contains(&"Own"), "{included:?}");
    let dropped = report["packages"]["dropped"].as_array().unwrap();
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    assert_eq!(dropped[0]["name"], "Draft");
    assert!(dropped[0]["reason"].as_str().unwrap().contains("include"));
    let statements = &report["statements"];
    let count = |name: &str| statements[name].as_u64().unwrap();
    assert!(count("traced") > 20 && count("kept") > 20, "{statements}");
    assert_eq!(count("compiled") + count("rejected"), count("kept"), "{statements}");
    assert!(count("rejected") * 20 <= count("kept"), "{statements}");
    // Its own tests made Julia compile much of Test; the project does not use that.
    let about_tests = "is about the package Test, which the project does not name";
    if !julia_is_since(8) {
        assert!(statements["dropped"][about_tests].as_u64().unwrap() > 10, "{statements}");
    }
    assert!(!given(&project).contains("Test."), "{}", given(&project));
    for workload in report["workloads"].as_array().unwrap() {
        assert_eq!(workload["outcome"], "ok", "{workload}");
        assert!(Path::new(workload["log"].as_str().unwrap()).is_file(), "{workload}");
    }
    assert!(report["peak_memory_bytes"].as_u64().unwrap() > 500 << 20);
    let mode = Path::new(report["image"].as_str().unwrap()).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(project.cache().join("tmp")).unwrap().count(), 0);
}

#[test]
#[ignore = "builds an image"]
fn julia_runs_faster_and_compiles_less() {
    let project = built();
    let script = project.path("program.jl");
    std::fs::write(&script, PROGRAM).unwrap();
    let trace = |name: &str, program: &Path, before: &[&str]| {
        let trace = project.outside(name);
        let option = format!("--trace-compile={}", trace.display());
        let args: Vec<&str> = before.iter().copied().chain([option.as_str(), "program.jl"]).collect();
        let ran = Ran(project.command_for(program, &args).output().unwrap()).expect_status(0);
        assert_eq!(ran.stdout(), EXPECTED, "{}", ran.stderr());
        // From 1.10 on Julia makes the file with its first line.
        std::fs::read_to_string(trace).unwrap_or_default()
    };
    let plain = trace("plain", julia(), &["--project=."]);
    let with_image = trace("image", Path::new(env!("CARGO_BIN_EXE_jlsys")), &["run", "--"]);
    let (before, after) = (plain.lines().count(), with_image.lines().count());
    assert!(before > 30, "{plain}");
    assert!(after * 10 <= before, "{after} of {before}: {with_image}");
    // Some of what was given is wider than any call (`println(::IO, ::Float64, ::Any...)`): it is in the image all the same.
    let wide = match julia_is_since(12) {
        false => "typeof(Base.println), Base.IOStream, Float64, Vararg{Any",
        true => "typeof(Base.sprint), typeof(Base.show), String, Vararg{Any",
    };
    let given = given(&project);
    assert!(given.contains(wide), "{given}");
    for statement in with_image.lines() {
        assert!(!given.lines().any(|other| other == statement), "compiled once more: {statement}");
    }
}

#[test]
#[ignore = "builds an image"]
fn packages_come_from_the_image_at_the_manifests_version() {
    let project = built();
    let code = "loaded() = sort([id.name for id in keys(Base.loaded_modules) if id.name in (\"Tables\", \"Own\", \"Draft\")])
        println(join(sort([id.name for id in keys(Base.JlsysGuard.modules) if id.name in (\"Tables\", \"Own\", \"Draft\")]), ' '))
        print(loaded()); using Draft; print(loaded()); using Own, Tables
        println(Tables === Base.JlsysGuard.modules[Base.PkgId(Tables)], Own === Base.JlsysGuard.modules[Base.PkgId(Own)])
        println(Draft.draft(), ' ', Base.active_project())";
    // Draft stays outside of the image, and this copy of the project is not the one that was built: it is precompiled once more,
    // and from 1.11 on Julia says so.
    project.jlsys(&["run", "--", "-e", "using Draft"]).expect_status(0);
    let ran = project.jlsys(&["run", "--", "-e", code]).expect_status(0);
    let expected = format!(
        "Own Tables\nString[][\"Draft\", \"Tables\"]truetrue\n1 {}\n",
        project.path("Project.toml").canonicalize().unwrap().display()
    );
    assert_eq!(ran.stdout(), expected, "{}", ran.stderr());
    assert_eq!(ran.stderr(), "");
}

#[test]
#[ignore = "builds an image"]
fn extensions_are_in_the_image_or_come_with_what_triggers_them() {
    if !julia_is_since(9) {
        println!("skipped: this Julia has no extensions");
        return;
    }
    let project = built();
    let code = "extensions() = sort([id.name for id in keys(Base.loaded_modules) if startswith(id.name, \"Tables\")])
        print(extensions(), ' ')
        using Tables; print(extensions(), ' ')
        using Own; print(Tables.total(1), ' ', applicable(Tables.total, 'x'), ' ')
        using Draft; print(extensions(), ' ', Tables.total('x'))";
    let ran = project.jlsys(&["run", "--", "-e", code]).expect_status(0);
    let expected = "String[] [\"Tables\"] 43 false [\"Tables\", \"TablesDraft\", \"TablesOwn\"] 1";
    assert_eq!(ran.stdout(), expected, "{}", ran.stderr());
}

/// As at a terminal (`load_REPL`, base/client.jl), and in its package mode (`load_pkg` in the REPL).
const LOADS_WHAT_SESSIONS_LOAD: &str = r#"
    REPL = Base.require_stdlib(Base.PkgId(Base.UUID("3fa0cd96-eef1-5676-8a61-b3b8758bbffb"), "REPL"))
    Base.require_stdlib(Base.PkgId(Base.UUID("44cfe95a-1eb2-52ea-b672-e2afdf69b78f"), "Pkg"), "REPLExt", REPL)
    for (id, origin) in Base.pkgorigins
        id.name in ("REPL", "Pkg", "REPLExt") && println(id.name, origin.cachepath === nothing ? " from source" : " precompiled")
    end"#;

#[test]
#[ignore = "builds an image"]
fn the_repl_and_pkg_are_precompiled_for_sessions() {
    if !julia_is_since(11) {
        println!("skipped: this Julia's own image has the REPL and Pkg");
        return;
    }
    let project = built();
    // Who finds the image does not wait for whoever precompiles for it.
    for _ in 0..180 {
        let steps = project.jlsys(NATIVE).expect_status(0).json()["sessions"].clone();
        if steps["repl"] == "done" && steps["pkg"] == "done" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_secs(5));
    }
    let ran = project.jlsys(&["run", "--", "--compiled-modules=existing", "-e", LOADS_WHAT_SESSIONS_LOAD]);
    let mut lines: Vec<_> = ran.expect_status(0).stdout().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["Pkg precompiled", "REPL precompiled", "REPLExt precompiled"]);
}

#[test]
#[ignore = "builds an image"]
fn a_second_build_is_a_hit_and_starts_no_julia() {
    let project = built();
    // A wrapper that tells when it is started. It is probed once, and not again.
    let wrapper = project.outside("wrapper");
    let log = project.outside("started");
    let text =
        format!("#!/bin/sh\necho \"$*\" >> '{}'\nexec '{}' \"$@\"\n", log.display(), julia().display());
    std::fs::write(&wrapper, text).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let project = project.env("JULIA", &wrapper);
    project.jlsys(&["status"]).expect_status(0).expect_stdout("ready:");
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 1);
    std::fs::remove_file(&log).unwrap();
    let report = project.jlsys(NATIVE).expect_status(0).json();
    assert_eq!(report["outcome"], "hit");
    project.jlsys(&["status", "--explain"]).expect_status(0);
    image_of(&project);
    assert!(!log.exists(), "{}", std::fs::read_to_string(&log).unwrap());
}

#[test]
#[ignore = "builds an image"]
fn julias_own_exit_status_arguments_and_streams_pass_through() {
    let project = built();
    let code = "print(stderr, \"to stderr\"); println(join(ARGS, '|')); exit(7)";
    let ran = project.jlsys(&["run", "--", "-e", code, "a b", "--project=x", "-q"]);
    assert_eq!(ran.0.status.code(), Some(7));
    assert_eq!((ran.stdout().as_str(), ran.stderr().as_str()), ("a b|--project=x|-q\n", "to stderr"));
    let ran = project.jlsys(&["run", "--", "-e", "ccall(:raise, Cint, (Cint,), 9)"]);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ran.0.status), Some(9));
}

#[test]
#[ignore = "builds an image"]
fn what_changes_the_image_is_noticed_and_what_does_not_is_not() {
    let project = built();
    let ready = || project.jlsys(&["status"]).expect_status(0).expect_stdout("ready:");
    let stale = |change: &str| {
        let status = project.jlsys(&["status", "--json", "--explain"]).expect_status(1).json();
        assert_eq!(status["state"], "stale", "{change}");
        let changed = status["changed"].to_string();
        assert!(changed.contains(change), "{change:?} is not in {changed}");
        let ran = project.jlsys(&["run", "--", "-e", "println(unsafe_string(Base.JLOptions().image_file))"]);
        let ran = ran.expect_status(0);
        assert!(!ran.stdout().contains("/images/"), "{}", ran.stdout());
        assert_eq!(ran.stderr().lines().count(), 1, "{}", ran.stderr());
        assert!(ran.stderr().starts_with("jlsys: plain Julia: "), "{}", ran.stderr());
    };
    ready();

    // A comment, and the order of entries.
    project.edit("Manifest.toml", |text| {
        let mut entries: Vec<&str> = text.split("\n\n").filter(|entry| !entry.trim().is_empty()).collect();
        entries.reverse();
        format!("# a comment\n{}\n", entries.join("\n\n"))
    });
    project.edit("Project.toml", |text| format!("# another\n{text}"));
    project.edit("jlsys.toml", |text| format!("# and one here\n{text}"));
    ready();

    // A file of an included package; a file of one that is left out.
    project.edit("Own/src/Own.jl", |text| text.replace("42", "43"));
    stale("Own: its files changed");
    project.edit("Own/src/Own.jl", |text| text.replace("43", "42"));
    ready();
    project.edit("Draft/src/Draft.jl", |text| text.replace("= 1", "= 2"));
    ready();

    // Workloads.
    project.edit("precompile.jl", |text| format!("{text}\n"));
    stale("workload precompile.jl changed");
    project.edit("precompile.jl", |text| text.trim_end().to_owned());
    ready();
    project.edit("jlsys.toml", |text| text.replace("skip-tests = [", "skip-tests = [\"Tables\", "));
    stale("workload tests of Tables is gone");
    project.edit("jlsys.toml", |text| text.replace("\"Tables\", ", ""));
    ready();
    project.edit("jlsys.toml", |text| format!("julia-args = [\"-O1\"]\n{text}"));
    stale("julia-args");
    project.edit("jlsys.toml", |text| text.replace("julia-args = [\"-O1\"]\n", ""));
    ready();

    // Preferences, where this Julia has them.
    let has_preferences = julia_is_since(6);
    std::fs::write(project.path("LocalPreferences.toml"), "[Tables]\ndigits = 3\n").unwrap();
    if has_preferences {
        stale("preferences of Tables");
    } else {
        ready();
    }
    std::fs::remove_file(project.path("LocalPreferences.toml")).unwrap();

    // A version.
    let newer = project.path("Manifest.toml");
    let old = std::fs::read_to_string(&newer).unwrap();
    project.edit("Manifest.toml", |text| {
        text.replace("version = \"1.0.0\"\ngit-tree", "version = \"1.0.1\"\ngit-tree")
    });
    stale("Tables 1.0.0 → 1.0.1");
    std::fs::write(&newer, old).unwrap();
    ready();

    // Julia: another file at another path, with another content in the base image, is another Julia.
    let status = project.jlsys(&["status", "--cpu-target", "portable"]).expect_status(1);
    // Of a Julia that was built for this machine alone it may be known that there can be none.
    let words = ["CPU target", "no code for portable CPUs"];
    assert!(words.iter().any(|words| status.stdout().contains(words)), "{}", status.stdout());
}

#[test]
#[ignore = "builds an image"]
fn a_checkout_may_move() {
    let project = built();
    let status = ["status", "--json", "--cpu-target", "native"];
    let key = project.jlsys(&status).expect_status(0).json()["key"].clone();
    let moved = project.outside("elsewhere");
    let status = Command::new("cp").arg("-a").arg(project.path("")).arg(&moved).status().unwrap();
    assert!(status.success());
    let mut command = project.command(NATIVE);
    let report = Ran(command.current_dir(&moved).output().unwrap()).expect_status(0).json();
    assert_eq!((&report["outcome"], &report["key"]), (&"hit".into(), &key));
}

#[test]
#[ignore = "builds an image"]
fn what_a_packages_build_wrote_counts_and_a_result_does_not() {
    let project = built();
    // The workload wrote a result into the folder of a package that is in the image, and no package keeps its place.
    project.jlsys(&["status"]).expect_status(0);
    let depot = project.outside("depot-of-another-user");
    let status = Command::new("cp").arg("-a").arg(project.depot()).arg(&depot).status().unwrap();
    assert!(status.success());
    let project = project.env("JULIA_DEPOT_PATH", format!("{}:", depot.display()));
    project.jlsys(&["status"]).expect_status(0);
    for folder in folders_of_tables(&depot) {
        std::fs::write(folder.join("deps/deps.jl"), "const ENGINE = 2\n").unwrap();
    }
    project.jlsys(&["status"]).expect_status(1).expect_stdout("stale: Tables: deps/deps.jl changed since");
    let ran = project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0);
    assert_eq!(ran.stdout(), "1");
    assert!(ran.stderr().contains("jlsys: plain Julia: Tables: deps/deps.jl changed"), "{}", ran.stderr());
}

#[test]
#[ignore = "builds an image"]
fn what_is_wrong_with_an_image_leads_to_plain_julia() {
    let project = with_own_cache(built());
    let image = image_of(&project);
    let kept = project.outside("kept.so");
    std::fs::rename(&image, &kept).unwrap();
    let restore = || {
        let _ = std::fs::remove_file(&image);
        let status = Command::new("cp").args(["-a"]).arg(&kept).arg(&image).status().unwrap();
        assert!(status.success());
        std::fs::set_permissions(&image, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let expect_plain = |words: &str| {
        let ran = project.jlsys(&["run", "--", "-e", "print(1 + 1)"]).expect_status(0);
        assert_eq!(ran.stdout(), "2");
        assert_eq!(ran.stderr().lines().count(), 1, "{}", ran.stderr());
        assert!(ran.stderr().contains(words), "{words:?} is not in {}", ran.stderr());
        let quiet = project.jlsys(&["run", "--quiet", "--", "-e", "print(1 + 1)"]).expect_status(0);
        assert_eq!(quiet.stderr(), "");
        project.jlsys(&["status"]).expect_status(1).expect_stdout("failed:");
    };
    expect_plain("cannot be read");
    restore();
    project.jlsys(&["status"]).expect_status(0);

    // Cut short; a byte changed; a link; open to others; somebody else's.
    let file = std::fs::OpenOptions::new().write(true).open(&image).unwrap();
    file.set_len(1 << 20).unwrap();
    expect_plain("is not the file that was built");
    restore();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&image)
        .and_then(|mut f| std::io::Write::write(&mut f, b"X"))
        .unwrap();
    expect_plain("is not the file that was built");
    restore();
    std::fs::remove_file(&image).unwrap();
    std::os::unix::fs::symlink(&kept, &image).unwrap();
    expect_plain("is not a regular file");
    restore();
    std::fs::set_permissions(&image, std::fs::Permissions::from_mode(0o666)).unwrap();
    expect_plain("others may write to");
    restore();
    if nix_is_root() {
        std::os::unix::fs::chown(&image, Some(12345), None).unwrap();
        expect_plain("belongs to another user");
        restore();
    }
    project.jlsys(&["status"]).expect_status(0);

    // The description of the entry.
    let header = image.with_file_name("entry.json");
    let text = std::fs::read_to_string(&header).unwrap();
    std::fs::write(&header, &text[..text.len() / 2]).unwrap();
    expect_plain("is not an entry's description");
    std::fs::write(&header, text.replace("\"sys.so\"", "\"../../sys.so\"")).unwrap();
    expect_plain("names an image outside of it");
    let format = format!("\"format\": {}", jlsys::cache::FORMAT);
    std::fs::write(&header, text.replacen(&format, "\"format\": 99", 1)).unwrap();
    expect_plain("another version of jlsys");
    std::fs::write(&header, &text).unwrap();
    project.jlsys(&["status"]).expect_status(0);
}

#[test]
#[ignore = "builds an image"]
fn a_cache_that_is_gone_or_read_only_still_lets_julia_start() {
    let project = with_own_cache(built());
    // Root may write anywhere, so this says something only when somebody else runs it.
    for (name, mode) in [("read-only", 0o555), ("back", 0o755)] {
        for folder in ["", "images", "probes", "projects"] {
            let path = project.cache().join(folder);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let ran = project.jlsys(&["run", "--", "-e", "using Tables; print(1)"]).expect_status(0);
        assert_eq!((ran.stdout().as_str(), ran.stderr().as_str()), ("1", ""), "{name}");
    }
    std::fs::remove_dir_all(project.cache()).unwrap();
    let ran = project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0);
    assert_eq!(ran.stdout(), "1");
    assert_eq!(ran.stderr().lines().count(), 1, "{}", ran.stderr());
}

#[test]
#[ignore = "builds an image"]
fn jlsys_can_be_switched_off() {
    let project = built();
    let code = "print(any(id -> id.name == \"Tables\", keys(isdefined(Base, :JlsysGuard) ? Base.JlsysGuard.modules : Dict())))";
    let ran = project.jlsys(&["run", "--", "-e", code]).expect_status(0);
    assert_eq!(ran.stdout(), "true");
    let mut command = project.command(&["run", "--", "-e", code]);
    let ran = Ran(command.env("JLSYS_DISABLE", "1").output().unwrap()).expect_status(0);
    assert_eq!((ran.stdout().as_str(), ran.stderr().as_str()), ("false", ""));
}

#[test]
#[ignore = "builds an image"]
fn run_starts_julia_whatever_is_wrong_with_the_project() {
    let project = project().file("Manifest.toml", "[[nonsense");
    let ran = project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0);
    assert_eq!(ran.stdout(), "1");
    assert!(ran.stderr().starts_with("jlsys: plain Julia: "), "{}", ran.stderr());
    let empty = Project::new();
    let ran = empty.jlsys(&["run", "--", "-e", "print(2)"]).expect_status(0);
    assert_eq!(ran.stdout(), "2");
}

fn nix_is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

#[test]
#[ignore = "builds an image"]
fn preferences_that_the_load_path_brings_are_those_of_the_image() {
    if !julia_is_since(6) {
        println!("skipped: this Julia has no preferences");
        return;
    }
    // As Preferences.jl asks for them.
    let solver = "const UUID = Base.PkgId(@__MODULE__).uuid
        Base.record_compiletime_preference(UUID, \"library\")
        const LIBRARY = get(Base.get_preferences(UUID), \"library\", \"bundled\")";
    let project = Project::new().package(package("Solver", solver)).write();
    let uuid = std::fs::read_to_string(project.path("Project.toml")).unwrap();
    let uuid = uuid.lines().find_map(|line| line.strip_prefix("Solver = ")).unwrap().to_owned();
    let site = project.outside("site");
    std::fs::create_dir_all(&site).unwrap();
    let prefers = |library: &str| {
        let text = format!("[extras]\nSolver = {uuid}\n\n[preferences.Solver]\nlibrary = \"{library}\"\n");
        std::fs::write(site.join("Project.toml"), text).unwrap();
    };
    prefers("system");
    let project = project.env("JULIA_LOAD_PATH", format!(":{}", site.display()));
    let report = project.jlsys(NATIVE).expect_status(0).json();
    assert_eq!(report["tier"], "full", "{report:#}");
    let code = "using Solver; print(Solver.LIBRARY, ' ', isdefined(Base, :JlsysGuard))";
    let session = |project: &Project| project.jlsys(&["run", "--", "-e", code]).expect_status(0).stdout();
    assert_eq!(session(&project), "system true");
    // Another site, and none.
    prefers("own");
    assert_eq!(session(&project), "own false");
    project.jlsys(&["status"]).expect_status(1).expect_stdout("preferences");
    prefers("system");
    assert_eq!(session(&project), "system true");
    assert_eq!(session(&project.env("JULIA_LOAD_PATH", ":")), "bundled false");
}
