//! The startup package on a real Julia: built first and in seconds, used by `run`, noticed by nothing in the session, and given
//! up when Julia or jlsys finds that it does not fit any more. Julia before 1.9 has none; there these tests see that this is said.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test"
)]

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Package, Project, julia_is_since, package};
use walkdir::WalkDir;

/// What a session can see of how it was started, and whether the startup package is there.
const SURROUNDINGS: &str = r#"
println("main ", sort(filter(n -> !(n in (:ans, :include, :eval)), names(Main; all = true, imported = true))))
println("paths ", LOAD_PATH, " ", DEPOT_PATH)
println("project ", Base.active_project())
println("program ", PROGRAM_FILE, " ", ARGS, " ", abspath(PROGRAM_FILE) == @__FILE__)
println("variables ", sort([k for k in keys(ENV) if startswith(k, "JULIA") || startswith(k, "JLSYS_")]))
println("child ", readchomp(`$(Base.julia_cmd()) --startup-file=no -e "print(LOAD_PATH, DEPOT_PATH, length(Base.loaded_modules))"`))
"#;

/// Prints whether a group of the startup package is there. (They are no packages that anybody loaded, and not among those.)
const IS_LOADED: &str = r#"print(any(mod -> nameof(mod) == :JlsysGroup, Base.loaded_modules_order), ' ', Counts.count_words("a b a")["a"])"#;

fn counts() -> Package {
    let source = "
        function count_words(text)
            counts = Dict{String,Int}()
            for word in split(text)
                counts[word] = get(counts, word, 0) + 1
            end
            return counts
        end
        struct Entry{T}; value::T; end
        Base.isless(a::Entry, b::Entry) = isless(a.value, b.value)
        sorted(values) = sort([Entry(v) for v in values])";
    let tests = "using Counts, Test
        @test Counts.count_words(\"a b a\")[\"a\"] == 2
        @test Counts.sorted([3, 1])[1].value == 1";
    package("Counts", source).tests(tests)
}

/// Random's own suite takes a minute and shows nothing here.
fn project() -> Project {
    let settings = "[workloads]\nskip-tests = [\"Random\"]\n";
    Project::new().stdlib("Random").package(counts()).file("session.jl", SURROUNDINGS).settings(settings)
}

/// Whether there can be one; says that the test is skipped if not.
fn is_possible() -> bool {
    if !julia_is_since(9) {
        println!("skipped: this Julia has no package images");
    }
    julia_is_since(9)
}

fn quick(project: &Project, args: &[&str], status: i32) -> Value {
    let args: Vec<&str> = ["build", "--cpu-target", "native", "--quick", "--json"]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    project.jlsys(&args).expect_status(status).json()
}

fn folder(report: &Value) -> PathBuf {
    report["startup"].as_str().expect("a startup package").into()
}

fn file_with_ending(folder: &Path, ending: &str) -> PathBuf {
    let mut files = WalkDir::new(folder).into_iter().map(|file| file.unwrap().into_path());
    files.find(|file| file.extension().is_some_and(|it| it == ending)).expect("a file with that ending")
}

/// The session starts as plain Julia would have, with one line that has these words.
fn expect_plain(project: &Project, words: &str) {
    project
        .jlsys(&["run", "--", "-e", &format!("using Counts; {IS_LOADED}")])
        .expect_status(0)
        .expect_stdout("false 2")
        .expect_stderr(words);
}

#[test]
fn before_1_9_nothing_is_quick_and_that_is_said() {
    if julia_is_since(9) {
        println!("skipped: this Julia has startup packages");
        return;
    }
    let project = project().write();
    project.jlsys(&["build", "--quick"]).expect_refusal(&["--quick", "needs Julia 1.9", "build without it"]);
    assert!(!project.cache().join("images").exists(), "something was built");
}

#[test]
fn what_only_a_test_suite_compiles_is_left_to_the_image_when_there_is_a_script() {
    if !is_possible() {
        return;
    }
    let project = project().file("precompile.jl", "using Counts; Counts.count_words(\"a b a\")").write();
    // The suite's trace is there; otherwise a quick build would not run it.
    project.jlsys(&["trace"]).expect_status(0);
    let report = quick(&project, &[], 0);
    let statements = |name: &str| report["statements"][name].as_u64().unwrap();
    assert!(statements("left_out") > 0 && statements("compiled") > 0, "{report:#}");
    assert_eq!(statements("kept"), statements("left_out") + statements("compiled") + statements("rejected"));
    let code = "using Counts; Counts.count_words(\"b\"); Counts.sorted([2, 1])";
    let compiled =
        project.jlsys(&["run", "--", "--trace-compile=stderr", "-e", code]).expect_status(0).stderr();
    assert!(!compiled.contains("Counts.count_words"), "{compiled}");
    assert!(compiled.contains("Counts.sorted"), "{compiled}");
}

#[test]
fn a_quick_build_says_what_it_is_for_and_how_to_go_on() {
    if !is_possible() {
        return;
    }
    let project = project().file("precompile.jl", "using Counts; Counts.count_words(\"a b a\")").write();
    let build = ["build", "--cpu-target", "native", "--quick"];
    let dry = project.jlsys(&[&build[..], &["--dry-run"]].concat()).expect_status(0).stdout();
    assert!(dry.starts_with("would build a startup package for "), "{dry}");
    assert!(dry.contains("tests of Counts: only if scripts and notebooks compile nothing"), "{dry}");
    let said = project.jlsys(&build).expect_status(0).stderr();
    for words in [
        "1 workload to run, 1 at once, each for 10 min at most, then the startup package",
        " that scripts and notebooks compile into a startup package",
        "next: `jlsys run script.jl`",
        "; `jlsys build` goes on to the image",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    let shown = project.jlsys(&["cache", "show"]).expect_status(0).stdout();
    assert!(shown.starts_with("startup package of "), "{shown}");
    // What it took is known from then on.
    let dry = project.jlsys(&[&build[..], &["--dry-run", "--force"]].concat()).expect_status(0).stdout();
    assert!(dry.contains("startup      a startup package alone, about "), "{dry}");
    assert!(dry.contains(" in all, as the last build of this project"), "{dry}");
}

#[test]
fn it_is_built_in_seconds_and_the_session_does_not_notice() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    let before = project.jlsys(&["run", "-q", "--", "session.jl", "one", "--two"]).expect_status(0).stdout();

    let report = quick(&project, &[], 0);
    assert_eq!((&report["tier"], &report["outcome"]), (&"startup".into(), &"built".into()), "{report:#}");
    assert_eq!(report["image"], Value::Null);
    assert!(report["statements"]["compiled"].as_u64().unwrap() > 5, "{report:#}");
    let startup = folder(&report);
    assert!(startup.join("start.jl").is_file());

    let status = project.jlsys(&["status", "--json"]).expect_status(0).json();
    assert_eq!((&status["state"], &status["tier"]), (&"ready".into(), &"startup".into()));
    assert_eq!(status["startup"], report["startup"]);
    assert_eq!(quick(&project, &[], 0)["outcome"], "hit");

    // A session that loads the package has what was compiled for it, one that does not has neither.
    let code = format!("using Counts; {IS_LOADED}");
    let ran = project.jlsys(&["run", "--", "-e", &code]).expect_status(0).expect_stdout("true 2");
    assert_eq!(ran.stderr(), "");
    let names = "print(sort([nameof(mod) for mod in Base.loaded_modules_order if nameof(mod) in (:Counts, :JlsysGroup)]))";
    project.jlsys(&["run", "--", "-e", names]).expect_status(0).expect_stdout("Symbol[]");
    let after = project.jlsys(&["run", "--", "session.jl", "one", "--two"]).expect_status(0);
    assert_eq!(after.stderr(), "");
    assert_eq!(after.stdout(), before);

    // What the tests compiled is compiled already.
    let compiled = |args: &[&str]| {
        let trace = project.outside("trace.jl");
        let option = format!("--trace-compile={}", trace.display());
        let code = "using Counts; Counts.count_words(\"a b a\"); Counts.sorted([3, 1])";
        let all: Vec<&str> = args.iter().copied().chain([option.as_str(), "-e", code]).collect();
        project.jlsys(&all).expect_status(0);
        let text = std::fs::read_to_string(&trace).unwrap_or_default();
        let _ = std::fs::remove_file(&trace);
        text.lines().filter(|line| line.contains("Counts")).count()
    };
    let image = std::fs::rename(project.cache().join("images"), project.cache().join("aside"));
    assert!(image.is_ok() && compiled(&["run", "-q", "--"]) > 0);
    std::fs::rename(project.cache().join("aside"), project.cache().join("images")).unwrap();
    assert_eq!(compiled(&["run", "--"]), 0);

    // A plain `julia` can use it as well.
    let argument = project.jlsys(&["path", "--env"]).expect_status(0).stdout();
    let output = project
        .command_for(support::julia(), &["--startup-file=no", "--project", argument.trim(), "-e", &code])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "true 2", "{argument}");
    let ran = project.jlsys(&["path"]).expect_status(3).expect_stderr("startup package");
    assert!(!ran.stdout().contains("/images/"), "{}", ran.stdout());

    let key = report["key"].as_str().unwrap();
    let started = project.jlsys(&["cache", "verify", "--start", "--json"]).expect_status(0).json();
    assert_eq!(started["entries"][0]["start"], "works");
    project.jlsys(&["cache", "show", key]).expect_status(0).expect_stdout("startup");
}

#[test]
fn what_does_not_fit_any_more_is_not_used() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    let report = quick(&project, &[], 0);
    let startup = folder(&report);

    // Another version of a package has another key.
    let manifest = std::fs::read_to_string(project.path("Manifest.toml")).unwrap();
    project.edit("Manifest.toml", |text| text.replace("1.0.0", "1.0.1"));
    project.jlsys(&["status"]).expect_status(1).expect_stdout("Counts 1.0.0 → 1.0.1");
    expect_plain(&project, "Counts 1.0.0 → 1.0.1");
    std::fs::write(project.path("Manifest.toml"), &manifest).unwrap();
    project.jlsys(&["status"]).expect_status(0);

    // Julia judges by itself: a package that was precompiled anew is another one. Nothing is precompiled at start.
    let caches = project.depot().join("compiled");
    std::fs::remove_dir_all(&caches).unwrap();
    let quiet = project.jlsys(&["run", "-q", "--", "-e", "print(1)"]).expect_status(0);
    assert_eq!((quiet.stdout().as_str(), quiet.stderr().as_str()), ("1", ""));
    assert!(!caches.exists(), "something was precompiled");
    expect_plain(&project, "what Julia precompiled for Counts changed");
    project.jlsys(&["cache", "verify", "--start"]).expect_status(1).expect_stdout("does not start with it");

    // Its files are looked at before Julia starts.
    let image = file_with_ending(&startup, "so");
    let whole = std::fs::read(&image).unwrap();
    std::fs::write(&image, &whole[..whole.len() / 2]).unwrap();
    expect_plain(&project, "is not the file that was built");
    project.jlsys(&["cache", "verify"]).expect_status(1).expect_stdout("bytes instead of");
    std::fs::remove_file(&image).unwrap();
    expect_plain(&project, "cannot be read");
    std::fs::remove_dir_all(project.cache().join("startup")).unwrap();
    expect_plain(&project, "jlsys build");
    assert_eq!(quick(&project, &[], 0)["outcome"], "built");
    project.jlsys(&["run", "--", "-e", &format!("using Counts; {IS_LOADED}")]).expect_stdout("true 2");
}

/// A project whose script shows all that is to be compiled.
fn with_script() -> Project {
    Project::new()
        .package(counts())
        .file("precompile.jl", "using Counts; Counts.count_words(\"a b a\")")
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n")
}

#[test]
fn an_image_that_cannot_be_built_leaves_it() {
    if !is_possible() {
        return;
    }
    let shim = support::shim::Shim::of(with_script(), "kill -SEGV $$", "exit 1");
    let report = shim.build(&[], 0);
    assert_eq!((&report["tier"], &report["outcome"]), (&"startup".into(), &"built".into()), "{report:#}");
    assert!(report["warnings"].to_string().contains("SIGSEGV"), "{report:#}");
    assert!(report.get("image_pending").is_none());
    let attempts = shim.attempts().len();
    assert!(attempts > 0);
    shim.project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
    // It is not tried again before somebody asks for it.
    assert_eq!(shim.build(&[], 0)["outcome"], "hit");
    assert_eq!(shim.attempts().len(), attempts);
    shim.build(&["--strict"], 2);
    shim.expect_nothing_left();
}

#[test]
fn the_image_follows_and_takes_its_place() {
    if !is_possible() {
        return;
    }
    // The shim writes in the place of the image; at that time the startup package is in use.
    let fault = "ls $JLSYS_CACHE_DIR/images/*/startup/start.jl >>$JLSYS_CACHE_DIR/seen";
    // All of it is in the image that the shim has in the place of one; it is little, since every session loads it.
    let project = Project::new()
        .stdlib("Random")
        .file("precompile.jl", "using Random; shuffle([1.5])")
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n");
    let shim = support::shim::Shim::of(project, fault, "cp \"$base\" \"$out\"");
    let report = shim.build(&["--quick"], 0);
    assert_eq!((&report["tier"], &report["image_pending"]), (&"startup".into(), &true.into()), "{report:#}");
    let phases = report["phases"].as_array().unwrap();
    assert_eq!(phases.iter().filter(|phase| phase["name"] == "startup").count(), 1, "{report:#}");
    assert!(shim.attempts().is_empty());
    let report = shim.build(&[], 0);
    assert_eq!((&report["tier"], &report["startup"]), (&"full".into(), &Value::Null), "{report:#}");
    let seen = std::fs::read_to_string(shim.project.cache().join("seen")).unwrap();
    assert_eq!(seen.lines().count(), 1, "{seen}");
    assert_eq!(shim.build(&["--quick"], 0)["outcome"], "hit");
    shim.project.jlsys(&["cache", "verify"]).expect_status(0);
    shim.project.jlsys(&["cache", "gc", "--dry-run"]).expect_status(0);
}

/// A suite that passes when the startup package is in use before it ends.
const WAITS_FOR_STARTUP: &str = r#"
using Counts, Test
function is_there()
    images = joinpath(ENV["JLSYS_CACHE_DIR"], "images")
    return isdir(images) && any(entry -> isfile(joinpath(images, entry, "startup", "start.jl")), readdir(images))
end
for _ in 1:600
    is_there() && break
    sleep(0.1)
end
@test is_there()
@test Counts.sorted([3, 1])[1].value == 1
"#;

#[test]
fn what_scripts_compile_is_in_use_while_test_suites_still_run() {
    if !is_possible() {
        return;
    }
    for jobs in ["1", "2"] {
        let script = "using Counts; Counts.count_words(\"a b a\")";
        let project = Project::new()
            .package(counts().tests(WAITS_FOR_STARTUP))
            .file("precompile.jl", script)
            .settings("[workloads]\ntime-limit = \"120s\"\n");
        let shim = support::shim::Shim::of(project, "", "cp \"$base\" \"$out\"");
        let report = shim.build(&["--jobs", jobs], 0);
        let outcome = |name: &str| {
            let workloads = report["workloads"].as_array().unwrap();
            let found = workloads.iter().find(|workload| workload["name"] == name);
            found.map(|workload| workload["outcome"].as_str().unwrap())
        };
        assert_eq!((outcome("Counts"), outcome("precompile.jl")), (Some("ok"), Some("ok")), "{report:#}");
        let phases = report["phases"].as_array().unwrap().iter();
        assert_eq!(phases.filter(|phase| phase["name"] == "startup").count(), 1, "{report:#}");
        // An image is given what the suite compiles, too. (What the shim has in its place does not hold Counts.)
        assert_eq!(shim.attempts()[0].1, report["statements"]["kept"].as_u64().unwrap());
        shim.expect_nothing_left();
    }
}

fn with_two_suites() -> Project {
    let other = package("Others", "sorted(values) = sort(values; rev = true)").tests(
        "using Others, Test
        @test Others.sorted([1, 3]) == [3, 1]",
    );
    Project::new().package(counts()).package(other)
}

#[test]
fn one_with_all_that_cannot_be_built_leaves_the_first() {
    if !is_possible() {
        return;
    }
    let shim = support::shim::Shim::of(with_two_suites(), "kill -SEGV $$", "exit 1");
    let once = "case $* in */startup.jl*) ls $JLSYS_CACHE_DIR/images/*/startup/start.jl >/dev/null 2>&1 && exit 1 ;; esac";
    shim.first(once);
    let report = shim.build(&[], 0);
    assert_eq!(report["tier"], "startup", "{report:#}");
    assert!(report["statements"]["left_out"].as_u64().unwrap() > 0, "{report:#}");
    assert!(report["warnings"].to_string().contains("precompiling the startup package"), "{report:#}");
    shim.project.jlsys(&["cache", "verify", "--start"]).expect_status(0);
    let code = format!("using Counts; {IS_LOADED}");
    shim.project.jlsys(&["run", "--", "-e", &code]).expect_status(0).expect_stdout("true 2");
    shim.expect_nothing_left();
}

#[test]
fn with_suites_alone_it_has_what_several_compile_until_it_is_known_that_no_image_follows() {
    if !is_possible() {
        return;
    }
    let project = with_two_suites();
    // At the time of the image the first one is in use.
    let fault = "cat $JLSYS_CACHE_DIR/images/*/report.json >$JLSYS_CACHE_DIR/seen; kill -SEGV $$";
    let shim = support::shim::Shim::of(project, fault, "exit 1");
    let report = shim.build(&[], 0);
    let first = std::fs::read_to_string(shim.project.cache().join("seen")).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    let statements = |report: &Value, name: &str| report["statements"][name].as_u64().unwrap();
    assert_eq!((&first["tier"], &first["image_pending"]), (&"startup".into(), &true.into()), "{first:#}");
    assert!(statements(&first, "compiled") > 0 && statements(&first, "left_out") > 0, "{first:#}");

    assert_eq!((&report["tier"], statements(&report, "left_out")), (&"startup".into(), 0), "{report:#}");
    assert!(statements(&report, "compiled") > statements(&first, "compiled"));
    assert!(report.get("image_pending").is_none(), "{report:#}");
    let code = "using Counts; Counts.count_words(\"a b a\"); Counts.sorted([3, 1])";
    let traced = shim.project.jlsys(&["run", "--", "--trace-compile=stderr", "-e", code]).expect_status(0);
    assert!(!traced.stderr().contains("Counts."), "{}", traced.stderr());
    shim.project.jlsys(&["cache", "verify", "--start"]).expect_status(0);
    shim.expect_nothing_left();
}

#[test]
fn a_quick_build_runs_suites_only_where_there_is_nothing_else_to_go_by() {
    if !is_possible() {
        return;
    }
    let names = |report: &Value| -> Vec<String> {
        let workloads = report["workloads"].as_array().unwrap().iter();
        workloads.map(|workload| workload["name"].as_str().unwrap().to_owned()).collect()
    };
    let has_script = project().file("precompile.jl", "using Counts; Counts.count_words(\"a b a\")").write();
    assert_eq!(names(&quick(&has_script, &[], 0)), ["load", "precompile.jl"]);
    let script_without_use = project().file("precompile.jl", "exit()").write();
    assert_eq!(names(&quick(&script_without_use, &[], 0)), ["load", "Counts", "precompile.jl"]);
}

#[test]
fn code_that_julia_inferred_and_did_not_compile_is_there() {
    if ![10, 12].contains(&support::julia_minor()) {
        println!("skipped: how this Julia takes such code in was not read");
        return;
    }
    // All are inlined wherever they are known; here they are not. One is a package's, the others Julia's own, of which it depends on how
    // that Julia was built whether they are compiled.
    let doubled = "@noinline one_more(x) = x + 1\ndoubled(x) = 2 * one_more(x)\nuse(x) = doubled(x) + 1\nprecompile(use, (Int,))";
    let own = [("fill", "1.0, 3", "Float64, Int64"), ("iszero", "1.0", "Float64"), ("isodd", "3", "Int64")];
    let calls = own.map(|(name, args, _)| format!("call(Any[{name}][1], Any[{args}])")).join("\n");
    let program = format!(
        "using Doubles\ncall(f, args) = f(args...)\n{calls}\nprint(call(Any[Doubles.doubled][1], Any[20]))"
    );
    let project = project().package(package("Doubles", doubled)).file("precompile.jl", &program).write();
    let trace = project.outside("trace.jl");
    let compiled = |options: &[&str]| {
        let option = format!("--trace-compile={}", trace.display());
        let all: Vec<&str> =
            ["run"].iter().chain(options).copied().chain(["--", &option, "precompile.jl"]).collect();
        project.jlsys(&all).expect_status(0).expect_stdout("42");
        let text = std::fs::read_to_string(&trace).unwrap_or_default();
        let _ = std::fs::remove_file(&trace);
        let count = |signature: &str| text.lines().filter(|line| line.contains(signature)).count();
        let of_julia = own.map(|(name, _, types)| count(&format!("Base.{name}), {types}}}")));
        (of_julia, count("Doubles.doubled), Int64}"))
    };
    let (of_julia, of_package) = compiled(&["-q"]);
    assert!(of_julia.contains(&1) && of_julia.iter().all(|times| *times <= 1), "{of_julia:?}");
    assert_eq!(of_package, 1, "this Julia has it compiled");
    quick(&project, &[], 0);
    assert_eq!(compiled(&[]), ([0; 3], 0));

    // Each is there once: the list of an instance's code has an end.
    let ends = "using Doubles
        ends(code) = (n = 0; while isdefined(code, :next) && n < 1000; code = code.next; n += 1; end; n < 1000)
        ours = [code for mod in Base.loaded_modules_order if nameof(mod) == :JlsysGroup for code in mod.TO_PUT_IN_PLACE]
        print(Set(nameof(code.def.def.module) for code in ours) >= Set([:Base, :Doubles]), all(code -> ends(code.def.cache), ours))";
    project.jlsys(&["run", "--", "-e", ends]).expect_status(0).expect_stdout("truetrue");

    // Where a method of it is replaced, the new one is called; also where it is one that it calls.
    for replaced in ["doubled(x) = 42", "one_more(x) = 21"] {
        let code = format!(
            "using Doubles; call(f, args) = f(args...); print(call(Any[Doubles.doubled][1], Any[3]), ' ')
            @eval Doubles {replaced}
            print(Base.invokelatest(call, Any[Doubles.doubled][1], Any[3]))"
        );
        project.jlsys(&["run", "--", "-e", &code]).expect_status(0).expect_stdout("8 42");
    }
}
