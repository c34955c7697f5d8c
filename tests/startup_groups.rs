//! The groups of the startup package on a real Julia: a session pays for what it uses, others see nothing of it, and what did not change
//! is not made again. Julia before 1.9 has none.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use serde_json::Value;
use support::startup::{GROUPS, is_possible, quick};
use support::{Package, Project, julia_is_since, package};

fn shapes() -> Package {
    package(
        "Shapes",
        "struct Square; side::Int; end
        area(square::Square) = square.side^2
        total(squares) = sum(area, squares)
        side_of(x::Real) = x / 4
        sides(lengths) = map(side_of, lengths)",
    )
}

fn words() -> Package {
    package("Words", "longest(words) = argmax(length, words)\nshout(word) = uppercase(word) * \"!\"")
}

/// Two packages that have nothing to do with each other, and a script that uses each, and both together.
fn project() -> Project {
    let script = "
        using Shapes, Words
        Shapes.total([Shapes.Square(2), Shapes.Square(3)])
        Words.shout(Words.longest([\"one\", \"three\"]))
        map(Words.shout ∘ string ∘ Shapes.area, [Shapes.Square(2)])";
    Project::new()
        .package(shapes())
        .package(words())
        .file("precompile.jl", script)
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n")
}

/// What a session prints, in which nothing is said on stderr.
#[track_caller]
fn prints(project: &Project, args: &[&str]) -> String {
    let all: Vec<&str> = ["run", "--", "--startup-file=no"].iter().chain(args).copied().collect();
    let ran = project.jlsys(&all).expect_status(0);
    assert_eq!(ran.stderr(), "");
    ran.stdout()
}

fn compiled_for(report: &Value, packages: &[&str]) -> u64 {
    let groups = report["groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["packages"] == Value::from(packages.to_vec()));
    group.unwrap_or_else(|| panic!("no group for {packages:?}: {report:#}"))["compiled"].as_u64().unwrap()
}

#[test]
fn a_session_has_what_is_about_the_packages_that_it_loads() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    let report = quick(&project);
    for packages in [&["Shapes"][..], &["Words"]] {
        assert!(compiled_for(&report, packages) > 0);
    }
    let compiled = |code: &str| {
        let traced = project.jlsys(&["run", "--", "--trace-compile=stderr", "-e", code]).expect_status(0);
        let of_packages = |line: &&str| line.contains("Shapes") || line.contains("Words");
        traced.stderr().lines().filter(of_packages).map(str::to_owned).collect::<Vec<_>>()
    };
    let total = "using Shapes; Shapes.total([Shapes.Square(1), Shapes.Square(1)])";
    assert_eq!(compiled(total), Vec::<String>::new());
    assert_eq!(compiled("using Words; Words.shout(\"a\")"), Vec::<String>::new());

    let loaded = |code: &str| prints(&project, &["-e", &format!("{code}; print({GROUPS})")]);
    let all = report["groups"].as_array().unwrap().len();
    assert_eq!(loaded("0"), "0");
    // What a session pays that uses none of it: nothing is loaded, and nothing compiled.
    let nothing = "print(count(mod -> nameof(mod) == :JlsysStartup, Base.loaded_modules_order))";
    assert_eq!(prints(&project, &["-e", nothing]), "0");
    let idle = project.jlsys(&["run", "--", "--startup-file=no", "--trace-compile=stderr", "-e", "0"]);
    assert_eq!(idle.expect_status(0).stderr(), "");
    assert_eq!((loaded("using Words"), loaded("using Shapes")), ("1".to_owned(), "1".to_owned()));
    assert_eq!(loaded("using Shapes, Words"), all.to_string());
    // In whatever way they are loaded.
    assert_eq!(loaded("function f(); @eval using Shapes; end; f(); eval(:(import Words))"), all.to_string());

    // Nothing of it is among what the session has loaded.
    let names = "sort([id.name for id in keys(Base.loaded_modules)])";
    let paths = "(LOAD_PATH, DEPOT_PATH, names(Main; all = true))";
    let code = format!("using Shapes, Words; print({names}, {paths})");
    let ours = prints(&project, &["-e", &code]);
    let plain = project.command_for(support::julia(), &["--startup-file=no", "--project", "-e", &code]);
    assert_eq!(ours, String::from_utf8(plain.output_of()).unwrap());
    let show = project.jlsys(&["cache", "show", report["key"].as_str().unwrap()]).expect_status(0);
    show.expect_stdout("Shapes: ").expect_stdout("saves");
}

#[test]
fn what_another_package_makes_invalid_is_compiled_with_it() {
    if !is_possible() {
        return;
    }
    // What Shapes compiles for itself calls another method as soon as Wholes is loaded.
    let source = "using Shapes\nShapes.side_of(x::Int) = div(x, 4)";
    let project = Project::new()
        .package(shapes())
        .package(package("Wholes", source).depends_on("Shapes"))
        .file("precompile.jl", "using Shapes, Wholes\nShapes.sides([8, 12])")
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n")
        .write();
    let report = quick(&project);
    assert!(compiled_for(&report, &["Wholes"]) > 0, "{report:#}");
    let sides = "using Shapes, Wholes; print(Shapes.sides([4, 8]))";
    let traced = project.jlsys(&["run", "--", "--trace-compile=stderr", "-e", sides]).expect_status(0);
    assert!(!traced.stderr().contains("Shapes."), "{}", traced.stderr());
    assert_eq!(prints(&project, &["-e", sides]), "[1, 2]");
    assert_eq!(prints(&project, &["-e", "using Shapes; print(Shapes.sides([4, 8]))"]), "[1.0, 2.0]");
}

trait OutputOf {
    fn output_of(self) -> Vec<u8>;
}

impl OutputOf for std::process::Command {
    fn output_of(mut self) -> Vec<u8> {
        self.output().unwrap().stdout
    }
}

#[test]
fn workers_get_what_their_master_loads() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    let report = quick(&project);
    let use_it = "print(pmap(Shapes.area, [Shapes.Square(2), Shapes.Square(3)]))";
    for (args, code) in [
        (&[][..], format!("using Distributed; addprocs(2); using Shapes; {use_it}")),
        (&[], format!("using Distributed, Shapes; addprocs(2); @everywhere using Shapes; {use_it}")),
        (&[], format!("using Distributed; addprocs(2); @everywhere using Shapes; {use_it}")),
    ] {
        let all: Vec<&str> = args.iter().copied().chain(["-e", code.as_str()]).collect();
        assert_eq!(prints(&project, &all), "[4, 9]", "{code}");
    }
    // They have what was compiled for what they load after that.
    let on_workers = format!("[remotecall_fetch(Core.eval, id, Main, :({GROUPS})) for id in workers()]");
    for code in [
        "using Distributed; addprocs(1); using Shapes; addprocs(1); @everywhere using Words, Shapes",
        // Those that they had before that, too.
        "using Distributed, Words; addprocs(2); @everywhere using Words; using Shapes",
    ] {
        let groups = prints(&project, &["-e", &format!("{code}; print({GROUPS}, ' ', {on_workers})")]);
        let all = report["groups"].as_array().unwrap().len();
        assert_eq!(groups, format!("{all} [{all}, {all}]"), "{code}");
    }
    let code = format!("using Shapes; {use_it}; print(nworkers())");
    let ran = project.jlsys(&["run", "--", "--startup-file=no", "-p", "2", "-e", &code]).expect_status(0);
    ran.expect_stdout("[4, 9]2");
    if julia_is_since(12) {
        let ran = project.jlsys(&["run", "--", "--startup-file=no", "-p", "2", "-e", "0"]).expect_status(0);
        ran.expect_stderr("beside -p or --machine-file this Julia loads no startup package");
    }
}

#[test]
fn who_watches_packages_load_sees_what_there_is_in_plain_julia() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    quick(&project);
    let code = "seen = String[]
        push!(Base.package_callbacks, id -> push!(seen, id.name))
        using Words, Shapes
        print(seen)";
    assert_eq!(prints(&project, &["-e", code]), "[\"Words\", \"Shapes\"]");
    // One of the user's own that fails is said by Julia, and changes nothing.
    let code = format!("push!(Base.package_callbacks, id -> error()); using Words; print({GROUPS})");
    let ran = project.jlsys(&["run", "--", "-e", &code]).expect_status(0).expect_stdout("1");
    assert!(ran.stderr().contains("Error during package callback"));
    // What startup.jl has loaded counts.
    let startup = project.outside("home/.julia/config");
    std::fs::create_dir_all(&startup).unwrap();
    let config = project.depot().join("config");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("startup.jl"), "using Words").unwrap();
    project
        .jlsys(&["run", "--", "--startup-file=yes", "-e", &format!("print({GROUPS})")])
        .expect_status(0)
        .expect_stdout("1");
}

#[test]
fn what_changed_before_a_group_came_is_as_it_is_then() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    quick(&project);
    let call = "map(Words.shout ∘ string ∘ Shapes.area, [Shapes.Square(2)])";
    let code = format!("using Words; @eval Words shout(word) = \"new\"; using Shapes; print({call})");
    assert_eq!(prints(&project, &["-e", &code]), "[\"new\"]");
    // Several tasks may load at once.
    let code = format!(
        "@sync for name in (:Words, :Shapes, :Words)
            Threads.@spawn Core.eval(Main, :(import $name))
        end
        print({call}, {GROUPS} >= 2)"
    );
    assert_eq!(prints(&project, &["-t", "4", "-e", &code]), "[\"4!\"]true");
}

#[test]
fn of_a_packages_new_version_only_what_is_about_it_is_made_again() {
    if !is_possible() {
        return;
    }
    let first = project().write();
    let before = quick(&first);
    let number = before["groups"].as_array().unwrap().len();
    let source = "longest(words) = argmax(length, words)\nshout(word) = uppercase(word) * \"!!\"";
    let newer = package("Words", source).version("1.1.0");
    let project = first.replace(newer).write();
    let after = quick(&project);
    assert_ne!(before["key"], after["key"]);
    let groups = after["groups"].as_array().unwrap();
    assert_eq!(groups.len(), number);
    for group in groups {
        let packages = group["packages"].to_string();
        assert_eq!(group["reused"], !packages.contains("Words"), "{after:#}");
    }
    let loaded = |code: &str| prints(&project, &["-e", &format!("{code}; print({GROUPS})")]);
    assert_eq!(loaded("using Shapes, Words"), number.to_string());
    let key = after["key"].as_str().unwrap();
    project.jlsys(&["cache", "verify", "--start", key]).expect_status(0);
}

#[test]
fn what_julia_precompiled_again_is_made_again_alone() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    let before = quick(&project);
    let number = before["groups"].as_array().unwrap().len();
    let compiled = project.depot().join("compiled").join(format!("v1.{}", support::julia_minor()));
    std::fs::remove_dir_all(compiled.join("Words")).unwrap();
    let status = project.jlsys(&["status"]).expect_status(0);
    status.expect_stdout("in part").expect_stdout("what Julia precompiled for Words changed");
    let loaded = |code: &str| prints(&project, &["-e", &format!("{code}; print({GROUPS})")]);
    assert_eq!(loaded("using Shapes"), "1");
    // This session precompiles Words, as plain Julia would, and says why it is not used.
    let code = format!("using Words; print({GROUPS})");
    let ran = project.jlsys(&["run", "--", "-e", &code]).expect_status(0).expect_stdout("0");
    assert_eq!(
        ran.stderr().matches("does not fit what this session has loaded").count(),
        1,
        "{}",
        ran.stderr()
    );
    assert_eq!(project.jlsys(&["run", "-q", "--", "-e", &code]).expect_status(0).stderr(), "");

    let after = quick(&project);
    assert_eq!(after["outcome"], "built");
    for group in after["groups"].as_array().unwrap() {
        assert_eq!(group["reused"], !group["packages"].to_string().contains("Words"), "{after:#}");
    }
    assert_eq!(loaded("using Shapes, Words"), number.to_string());
    assert_eq!(quick(&project)["outcome"], "hit");
    // With no cache left, nothing of it is used, and nothing is ready.
    std::fs::remove_dir_all(&compiled).unwrap();
    project.jlsys(&["status"]).expect_status(1).expect_stdout("stale: what Julia precompiled for");
    let ran = project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
    ran.expect_stderr("what Julia precompiled for");
    assert!(!compiled.exists(), "something was precompiled");
}

/// Runs plain Julia in the project.
fn plain(project: &Project, args: &[&str]) {
    let args: Vec<&str> = ["--startup-file=no", "--project"].iter().chain(args).copied().collect();
    let ran = project.command_for(support::julia(), &args).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn what_rests_on_another_cache_than_julia_takes_is_made_again() {
    if !is_possible() {
        return;
    }
    let wholes = package("Wholes", "using Shapes\nwhole(square) = string(Shapes.area(square))");
    let script = "using Wholes, Words; Wholes.whole(Wholes.Shapes.Square(2)); Words.shout(\"a\")";
    let project = Project::new()
        .package(shapes().indirect())
        .package(wholes.depends_on("Shapes"))
        .package(words())
        .file("precompile.jl", script)
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n")
        .write();
    let number = quick(&project)["groups"].as_array().unwrap().len();
    let loaded = |code: &str| prints(&project, &["-e", &format!("{code}; print({GROUPS})")]);
    let is_reused = |report: &Value, package: &str| {
        let groups = report["groups"].as_array().unwrap().clone();
        let of_package = groups.iter().filter(|group| group["packages"].to_string().contains(package));
        of_package.map(|group| group["reused"].as_bool().unwrap()).collect::<Vec<_>>()
    };

    // It leaves caches of Wholes and of Shapes that every session takes from then on.
    plain(&project, &["-O3", "-e", "using Wholes"]);
    let status = project.jlsys(&["status"]).expect_status(0);
    status.expect_stdout("in part").expect_stdout("Julia took to another cache of Wholes (");
    assert_eq!(loaded("using Words"), "1");
    let after = quick(&project);
    assert_eq!(after["outcome"], "built");
    assert!(is_reused(&after, "Wholes").iter().all(|it| !it), "{after:#}");
    assert!(is_reused(&after, "Words").contains(&true), "{after:#}");
    assert_eq!(loaded("using Wholes, Words"), number.to_string());
    assert_eq!(quick(&project)["outcome"], "hit");
    assert!(!project.jlsys(&["status"]).expect_status(0).stdout().contains("in part"));

    // Nothing of it is used with another cache of each package.
    plain(&project, &["-O3", "-e", "using Words"]);
    let of_wholes = project.depot().join(format!("compiled/v1.{}/Wholes", support::julia_minor()));
    let mut caches: Vec<_> = std::fs::read_dir(of_wholes).unwrap().map(|file| file.unwrap().path()).collect();
    caches.retain(|file| file.extension().is_some_and(|ending| ending == "ji"));
    let used = |file: &std::path::PathBuf| file.metadata().unwrap().modified().unwrap();
    caches.sort_by_key(used);
    let [first, _] = &caches[..] else { panic!("{caches:?}") };
    std::fs::File::options()
        .append(true)
        .open(first)
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    let status = project.jlsys(&["status"]).expect_status(1);
    status.expect_stdout("stale: Julia took to another cache of W").expect_stdout("and 1 difference more");
    let ran = project.jlsys(&["run", "--", "-e", &format!("using Wholes, Words; print({GROUPS})")]);
    ran.expect_status(0).expect_stdout("0").expect_stderr("plain Julia: Julia took to another cache of W");
    assert_eq!(quick(&project)["outcome"], "built");
    assert_eq!(loaded("using Wholes, Words"), number.to_string());
}

#[test]
fn a_package_that_julia_would_precompile_again_is_made_again() {
    if !is_possible() {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    let table = outside.path().join("table.txt");
    std::fs::write(&table, "1").unwrap();
    let source = format!(
        "include(joinpath(@__DIR__, \"..\", \"deps\", \"deps.jl\"))
        const TABLE = {table:?}
        include_dependency(TABLE)
        const SIZE = length(read(TABLE, String))
        engine(text) = join(map(uppercase, split(text)), ENGINE) * string(SIZE)"
    );
    let script = "using Engines, Own, Words; Engines.engine(\"a b\"); Words.shout(\"a\"); Own.sides([1, 2])";
    let project = Project::new()
        .package(package("Engines", &source))
        .package(package("Own", "sides(lengths) = map(x -> x / 4, lengths)").by_path())
        .package(words())
        .file("precompile.jl", script)
        .settings("include = [\"Own\"]\n[workloads]\nkinds = [\"load\", \"scripts\"]\n")
        .write();
    let installed = std::fs::read_dir(project.depot().join("packages/Engines")).unwrap().next().unwrap();
    let built = installed.unwrap().path().join("deps/deps.jl");
    std::fs::create_dir_all(built.parent().unwrap()).unwrap();
    std::fs::write(&built, "const ENGINE = \"1\"").unwrap();
    let number = quick(&project)["groups"].as_array().unwrap().len();
    let used = format!("using Engines, Own, Words; print(Engines.engine(\"a b\"), ' ', {GROUPS})");
    assert_eq!(prints(&project, &["-e", &used]), format!("A1B1 {number}"));
    assert_eq!(quick(&project)["outcome"], "hit");

    let is_said = |said: &str, what_is_used: &str| {
        project.jlsys(&["status"]).expect_status(0).expect_stdout("in part").expect_stdout(said);
        assert_eq!(prints(&project, &["-e", &format!("using Words; print({GROUPS})")]), "1");
        assert_eq!(quick(&project)["outcome"], "built");
        assert!(!project.jlsys(&["status"]).expect_status(0).stdout().contains("in part"));
        assert_eq!(prints(&project, &["-e", &used]), format!("{what_is_used} {number}"));
    };
    std::fs::write(&built, "const ENGINE = \"22\"").unwrap();
    is_said("Engines: deps/deps.jl changed", "A22B1");
    std::fs::write(&table, "123").unwrap();
    is_said(&format!("Engines: {} changed", table.display()), "A22B3");
    // Until 1.10 Julia goes by the times of files.
    let touch = |file: &std::path::Path| {
        let file = std::fs::File::options().append(true).open(file).unwrap();
        file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(60)).unwrap();
    };
    touch(&project.path("Own/src/Own.jl"));
    if julia_is_since(11) {
        assert_eq!(quick(&project)["outcome"], "hit");
        assert_eq!(prints(&project, &["-e", &used]), format!("A22B3 {number}"));
    } else {
        is_said("Own: src/Own.jl changed", "A22B3");
    }
    // With nothing left that would be loaded it is stale.
    std::fs::write(&built, "const ENGINE = \"3\"").unwrap();
    for package in ["Words", "Own"] {
        let compiled = project.depot().join(format!("compiled/v1.{}", support::julia_minor()));
        std::fs::remove_dir_all(compiled.join(package)).unwrap();
    }
    project.jlsys(&["status"]).expect_status(1).expect_stdout("Engines: deps/deps.jl changed");
    let ran = project.jlsys(&["run", "--", "-e", "print(1)"]).expect_status(0).expect_stdout("1");
    ran.expect_stderr("jlsys: plain Julia: ");
}

#[test]
fn a_startup_package_that_no_code_can_be_loaded_from_is_seen_before_the_start() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    let disk = project.outside("noexec");
    std::fs::create_dir(&disk).unwrap();
    let mount = |args: &[&str]| {
        let mounted = std::process::Command::new("mount").args(args).arg(&disk).status();
        mounted.is_ok_and(|status| status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=1g,mode=700", "tmpfs"]) {
        println!("skipped: a filesystem without execution needs the right to mount");
        return;
    }
    let cache = disk.join("cache");
    let variables = [("JLSYS_CACHE_DIR", cache.to_str().unwrap())];
    let build = ["build", "--cpu-target", "native", "--quick"];
    project.jlsys_with(&variables, &build).expect_status(0);
    let is_remounted = mount(&["-o", "remount,noexec"]);
    let results = [
        project.jlsys_with(&variables, &["status"]).stdout(),
        project
            .jlsys_with(&variables, &["run", "--", "-e", "using Words; print(1)"])
            .expect_stdout("1")
            .stderr(),
        project.jlsys_with(&variables, &["doctor"]).stdout(),
        // Another would not be loaded either.
        project.jlsys_with(&variables, &build).expect_status(0).stderr(),
        project
            .jlsys_with(&variables, &[&build[..], &["--force"]].concat())
            .expect_refusal(&["noexec"])
            .stderr(),
    ];
    let unmounted = std::process::Command::new("umount").arg(&disk).status();
    assert!(unmounted.unwrap().success() && is_remounted);
    for said in results {
        assert!(said.contains("mounted noexec"), "{said}");
    }
}

#[test]
fn what_another_project_precompiled_is_no_other_cache() {
    if !is_possible() {
        return;
    }
    let first = project().write();
    let report = quick(&first);
    // Beside it, with other versions in the same depot.
    let elsewhere = first.outside("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    for file in ["Project.toml", "Manifest.toml"] {
        std::fs::copy(first.path(file), elsewhere.join(file)).unwrap();
    }
    let source = "longest(words) = first(words)\nshout(word) = word";
    let project = first.replace(package("Words", source).version("1.1.0")).write();
    let newer = std::fs::read_to_string(project.path("Manifest.toml")).unwrap();
    let older = std::fs::read_to_string(elsewhere.join("Manifest.toml")).unwrap();
    assert_ne!(newer, older);
    std::fs::write(elsewhere.join("Manifest.toml"), newer).unwrap();
    std::fs::write(project.path("Manifest.toml"), older).unwrap();
    std::fs::copy(project.path("Project.toml"), elsewhere.join("Project.toml")).unwrap();
    let other = format!("--project={}", elsewhere.display());
    plain(
        &project,
        &[other.as_str(), "-e", "using Shapes, Words; print(Words.shout(\"a\") == \"a\" || exit(1))"],
    );
    let status = project.jlsys(&["status"]).expect_status(0).stdout();
    assert!(!status.contains("in part"), "{status}");
    let number = report["groups"].as_array().unwrap().len().to_string();
    assert_eq!(prints(&project, &["-e", &format!("using Shapes, Words; print({GROUPS})")]), number);
}

#[test]
fn a_group_that_cannot_be_built_is_left_out() {
    if !is_possible() {
        return;
    }
    let shim = support::shim::Shim::of(project(), "", "exit 1");
    shim.first(
        "[ -z \"$JLSYS_GROUP_PACKAGES\" ] || ! grep -q Words \"$JLSYS_GROUP_PACKAGES\" || kill -SEGV $$",
    );
    let report = shim.build(&["--quick"], 0);
    assert_eq!(report["tier"], "startup", "{report:#}");
    assert!(compiled_for(&report, &["Shapes"]) > 0);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("for Words left out: Julia was ended by SIGSEGV"), "{warnings}");
    let project = shim.project;
    assert_eq!(prints(&project, &["-e", &format!("using Shapes, Words; print({GROUPS})")]), "1");
    project.jlsys(&["cache", "verify", "--start"]).expect_status(0);
}

/// A package with as many statements as make a group of their own, and one that needs it.
fn one_on_another() -> Project {
    let many = package(
        "Many",
        "struct Kind{N} end\nnumber(::Kind{N}, weights) where {N} = N + sum(weights)\ntotal(kinds) = sum(kind -> number(kind, [1]), kinds)",
    );
    let script = "
        using Whole
        foreach(n -> Base.invokelatest(Many.number, Many.Kind{n}(), [n]), 1:60)
        Whole.twice([Many.Kind{1}(), Many.Kind{2}()])";
    Project::new()
        .package(many)
        .package(package("Whole", "using Many\ntwice(kinds) = 2Many.total(kinds)").depends_on("Many"))
        .file("precompile.jl", &script.replace("using Whole", "using Many, Whole"))
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n")
}

const TWICE: &str = "using Whole; print(Whole.twice([Whole.Many.Kind{1}(), Whole.Many.Kind{2}()]))";

#[test]
fn a_group_rests_on_those_that_a_session_has_by_then() {
    if !is_possible() {
        return;
    }
    let first = one_on_another().write();
    let report = quick(&first);
    for packages in [["Many"], ["Whole"]] {
        assert!(compiled_for(&report, &packages) > 0);
    }
    let reused = |report: &Value, name: &str| {
        let groups = report["groups"].as_array().unwrap();
        groups.iter().find(|group| group["packages"] == Value::from(vec![name])).unwrap()["reused"].clone()
    };
    let check = |project: &Project, expected: &str| {
        let traced = project.jlsys(&["run", "--", "--trace-compile=stderr", "-e", TWICE]).expect_status(0);
        assert_eq!(traced.stdout(), expected);
        assert!(
            !traced.stderr().contains("Many") && !traced.stderr().contains("jlsys"),
            "{}",
            traced.stderr()
        );
        assert_eq!(prints(project, &["-e", &format!("using Whole; print({GROUPS})")]), "2");
        assert_eq!(prints(project, &["-e", &format!("using Many; print({GROUPS})")]), "1");
    };
    check(&first, "10");

    // One that is made anew rests on one that is as before; what rests on one that is made anew is made anew.
    let whole = package("Whole", "using Many\ntwice(kinds) = 2Many.total(kinds) + 1")
        .depends_on("Many")
        .version("1.1.0");
    let second = first.replace(whole).write();
    let report = quick(&second);
    assert_eq!((reused(&report, "Many"), reused(&report, "Whole")), (true.into(), false.into()));
    check(&second, "11");
    let compiled = second.depot().join("compiled").join(format!("v1.{}", support::julia_minor()));
    std::fs::remove_dir_all(compiled.join("Many")).unwrap();
    let report = quick(&second);
    assert_eq!((reused(&report, "Many"), reused(&report, "Whole")), (false.into(), false.into()));
    check(&second, "11");
}

#[test]
fn what_would_rest_on_a_group_that_cannot_be_built_is_built_without_it() {
    if !is_possible() {
        return;
    }
    let shim = support::shim::Shim::of(one_on_another(), "", "exit 1");
    shim.first(
        "[ -z \"$JLSYS_GROUP_PACKAGES\" ] || grep -q Whole \"$JLSYS_GROUP_PACKAGES\" || kill -SEGV $$",
    );
    let report = shim.build(&["--quick"], 0);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("for Many left out: Julia was ended by SIGSEGV"), "{warnings}");
    assert_eq!(prints(&shim.project, &["-e", TWICE]), "10");
    assert_eq!(prints(&shim.project, &["-e", &format!("using Whole; print({GROUPS})")]), "1");
}

#[test]
fn the_options_that_are_in_the_way_are_named() {
    if !is_possible() {
        return;
    }
    let project = project().write();
    quick(&project);
    // Code that is compiled for more than the session asks serves it.
    let code = format!("using Words; print({GROUPS})");
    project.jlsys(&["run", "--", "-O1", "-e", &code]).expect_status(0).expect_stdout("1");
    for option in ["-O3", "-g2"] {
        let code = format!("using Words; print({GROUPS})");
        let ran = project.jlsys(&["run", "--", option, "-e", &code]).expect_status(0).expect_stdout("0");
        ran.expect_stderr(&format!("this session has {option}"));
    }
    for option in ["--compiled-modules=no", "--pkgimages=no"] {
        assert_eq!(prints(&project, &[option, "-e", "print(1)"]), "1");
    }
}
