//! What is true beside an image's content, and decides whether it is right where it is used.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use support::shim::Shim;
use support::{Project, Ran, julia, julia_is_since, make_executable, package};

const NATIVE: &[&str] = &["build", "--cpu-target", "native"];

/// A project whose "image" is a copy of the stock one, with what its entry says of the world around it.
fn built_in(world: &Value) -> Shim {
    let shim = Shim::new("");
    shim.build(&[], 0);
    std::fs::write(world_of(&shim.project), world.to_string()).unwrap();
    shim
}

fn world_of(project: &Project) -> PathBuf {
    let image = project.jlsys(&["path"]).expect_status(0).stdout();
    Path::new(image.trim()).with_file_name("world.json")
}

/// Expects plain Julia with one line, and what `status` says of it.
fn expect_plain(project: &Project, state: &str, words: &[&str]) {
    let ran = project.jlsys(&["run", "--", "-e", "print(1 + 1)"]).expect_status(0);
    assert_eq!(ran.stdout(), "2");
    let (said, status) = (ran.stderr(), project.jlsys(&["status"]).expect_status(1).stdout());
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("jlsys: plain Julia: "), "{said}");
    assert!(status.starts_with(state), "{status}");
    for word in words {
        assert!(said.contains(word) && status.contains(word), "{word:?} is not in {said:?} and {status:?}");
    }
}

fn expect_image(project: &Project) {
    let code = "print(unsafe_string(Base.JLOptions().image_file))";
    let ran = project.jlsys(&["run", "--", "-e", code]).expect_status(0);
    assert!(
        ran.stdout().contains("/images/") && ran.stderr().is_empty(),
        "{} {}",
        ran.stdout(),
        ran.stderr()
    );
}

const RANDOM: &str = "9a3f8284-a2c9-5f02-9a11-845980a1fd5c";

#[test]
fn an_image_whose_packages_keep_a_place_serves_there_alone() {
    let place = |place: Value, path: &Path| {
        json!({"files": [], "address_space": null, "places":
            [{"place": place, "path": path, "by": [{"package": "Random", "at": "Random.DATA"}]}]})
    };
    let shim = built_in(&place(json!("project"), Path::new("/elsewhere")));
    let project = &shim.project;
    expect_plain(project, "stale", &["Random keeps the place of the project", "/elsewhere", "Random.DATA"]);
    let shown = project.jlsys(&["cache", "show"]).expect_status(0).stdout();
    assert!(shown.contains("bound to") && shown.contains("/elsewhere, which Random keeps"), "{shown}");

    let file = world_of_entry(project);
    let write = |world: Value| std::fs::write(&file, world.to_string()).unwrap();
    write(place(json!("project"), &project.path("")));
    expect_image(project);
    // What is there by another name is there.
    let link = project.outside("link");
    std::os::unix::fs::symlink(project.path(""), &link).unwrap();
    write(place(json!("project"), &link));
    expect_image(project);
    for (kind, what) in [
        (json!("depot"), "depot"),
        (json!("home"), "home folder"),
        (json!("julia"), "Julia"),
        (json!({"package": RANDOM}), "its place"),
    ] {
        write(place(kind, Path::new("/elsewhere")));
        expect_plain(project, "stale", &["Random keeps", what]);
    }
    // A build makes it anew, and puts it in the place of the other, which has the same key.
    assert_eq!(shim.build(&[], 0)["outcome"], "built");
    expect_image(project);
}

/// The world of the one entry that the cache has.
fn world_of_entry(project: &Project) -> PathBuf {
    let images = std::fs::read_dir(project.cache().join("images")).unwrap();
    images.flatten().next().unwrap().path().join("world.json")
}

#[test]
fn files_that_were_read_are_compared() {
    let shim = built_in(&json!({"places": [], "files": [], "address_space": null}));
    let project = &shim.project;
    let file = world_of_entry(project);
    let read = project.outside("deps.jl");
    std::fs::write(&read, "const ENGINE = 1\n").unwrap();
    let built = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let set_time = |time| File::options().append(true).open(&read).unwrap().set_modified(time).unwrap();
    set_time(built);
    let known = json!({"package": RANDOM, "path": &read, "content": "known",
        "stamp": {"size": 17, "mtime": 1_790_000_000, "mtime_nanos": 0},
        "sha256": jlsys::file::Sha256Digest::of("const ENGINE = 1\n").to_string()});
    let write = |files: Value| {
        let world = json!({"places": [], "files": files, "address_space": null});
        std::fs::write(&file, world.to_string()).unwrap();
    };
    write(json!([known]));
    expect_image(project);

    // Touched: read once, and its new time is known from then on.
    set_time(built + Duration::from_secs(60));
    expect_image(project);
    let world: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(world["files"][0]["stamp"]["mtime"], 1_790_000_060);
    project.jlsys(&["cache", "verify"]).expect_status(0);

    std::fs::write(&read, "const ENGINE = 2\n").unwrap();
    expect_plain(project, "stale", &["Random: ", "deps.jl changed since it was read"]);
    // A file store gives every file the same time, which says nothing.
    set_time(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    let mut timeless = known.clone();
    timeless["stamp"]["mtime"] = json!(1);
    write(json!([timeless]));
    expect_plain(project, "stale", &["deps.jl changed"]);
    std::fs::remove_file(&read).unwrap();
    expect_plain(project, "stale", &["deps.jl is gone"]);
    write(json!([{"package": RANDOM, "path": &read, "content": "absent"}]));
    expect_image(project);
    std::fs::write(&read, "").unwrap();
    expect_plain(project, "stale", &["deps.jl is new"]);
    write(json!([{"package": RANDOM, "path": &read, "content": "changed"}]));
    expect_plain(project, "stale", &["changed while the image was built"]);
    std::fs::write(&file, "{").unwrap();
    expect_plain(project, "failed", &["world.json"]);
}

#[test]
fn an_image_that_cannot_be_mapped_is_left_alone() {
    let shim = built_in(&json!({"places": [], "files": [], "address_space": 1_u64 << 50}));
    let project = &shim.project;
    expect_image(project);
    let limited = |args: &str| {
        let code = format!("ulimit -v 16000000 && exec '{}' {args}", env!("CARGO_BIN_EXE_jlsys"));
        Ran(project.command_for("sh", &["-c", &code]).output().unwrap())
    };
    let status = limited("status").expect_status(1).stdout();
    assert!(
        status.starts_with("failed: a session with the image takes 1.00 PiB of address space"),
        "{status}"
    );
    let ran = limited("run -- -e 'print(1)'").expect_status(0);
    assert_eq!(ran.stdout(), "1");
    assert!(ran.stderr().contains("ulimit -v"), "{}", ran.stderr());

    let disk = project.outside("noexec");
    std::fs::create_dir(&disk).unwrap();
    let options = "size=1g,mode=700,noexec";
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: a filesystem without execution needs the right to mount");
        return;
    }
    let status = Command::new("cp").arg("-a").arg(project.cache()).arg(disk.join("cache")).status();
    assert!(status.unwrap().success());
    let with = |args: &[&str]| {
        Ran(project.command(args).env("JLSYS_CACHE_DIR", disk.join("cache")).output().unwrap())
    };
    let results = [
        with(&["status"]).expect_status(1).stdout(),
        with(&["run", "--", "-e", "print(1)"]).expect_status(0).stderr(),
        with(&["doctor"]).stdout(),
        // Before anything is spent on it.
        with(&[NATIVE, &["--force"]].concat()).expect_refusal(&["noexec"]).stderr(),
    ];
    let unmounted = Command::new("umount").arg(&disk).status();
    assert!(unmounted.unwrap().success());
    for said in results {
        assert!(said.contains("mounted noexec"), "{said}");
    }
}

#[test]
fn a_percent_sign_in_the_caches_path_is_refused_at_once() {
    let shim = Shim::new("");
    let cache = shim.project.outside("100%");
    let mut command = shim.project.command(NATIVE);
    let ran = Ran(command.env("JLSYS_CACHE_DIR", &cache).output().unwrap());
    ran.expect_refusal(&["100%", "a % in a path", "JLSYS_CACHE_DIR"]);
    assert_eq!(shim.attempts(), []);
}

#[test]
fn a_packages_code_is_its_source_and_not_what_lies_beside_it() {
    let project = Project::new()
        .package(package("Own", "answer() = 42").by_path().tests("1 + 1"))
        .settings("include = [\"Own\"]\n")
        .write();
    let key = || project.jlsys(&["status", "--json"]).json()["key"].as_str().unwrap().to_owned();
    let before = key();
    for file in [
        "results/out.csv",
        "README.md",
        "src/Own.jl~",
        "data/big.bin",
        "test/tmp.log",
        "deps/build.log",
        "x.jl",
    ] {
        let path = project.path("Own").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
        assert_eq!(key(), before, "{file}");
    }
    let mut seen = vec![before];
    for file in
        ["src/more.jl", "ext/OwnExt.jl", "deps/deps.jl", "test/more/a.jl", "Project.toml", "Artifacts.toml"]
    {
        let path = project.path("Own").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, format!("{old}# {file}\n")).unwrap();
        let now = key();
        assert!(!seen.contains(&now), "{file}");
        seen.push(now);
    }
}

#[test]
fn another_julia_is_noticed_where_files_have_no_times() {
    let project = Project::new().stdlib("Random").write();
    let (wrapper, asked) = (project.outside("julia-wrapper"), project.outside("asked"));
    let write = |version: &str| {
        let text = format!(
            "#!/bin/sh\n# {version}\necho {version} >>'{}'\nexec '{}' \"$@\"\n",
            asked.display(),
            julia().display()
        );
        std::fs::write(&wrapper, text).unwrap();
        make_executable(&wrapper);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::options().append(true).open(&wrapper).unwrap().set_modified(time).unwrap();
    };
    let project = project.env("JULIA", &wrapper);
    let asked_by = || std::fs::read_to_string(&asked).unwrap();
    write("A");
    project.jlsys(&["status"]).expect_status(1);
    project.jlsys(&["status"]).expect_status(1);
    assert_eq!(asked_by(), "A\n");
    write("B");
    project.jlsys(&["status"]).expect_status(1);
    assert_eq!(asked_by(), "A\nB\n");
}

/// What `julia/places.jl` finds in packages, in a Julia that has them loaded.
fn places_in(packages: &[(&str, &str)]) -> Vec<(String, String)> {
    let made = packages.iter().map(|(name, source)| package(name, source));
    let project = made.fold(Project::new(), Project::package).stdlib("Logging").write();
    let uuid = |name: &str| {
        let manifest: toml::Table =
            std::fs::read_to_string(project.path("Manifest.toml")).unwrap().parse().unwrap();
        manifest[name][0]["uuid"].as_str().unwrap().to_owned()
    };
    let depot = project.outside("depot");
    let folder = |name: &str| {
        let folder = std::fs::read_dir(depot.join("packages").join(name)).unwrap().next().unwrap();
        folder.unwrap().path()
    };
    let list: String = packages.iter().map(|(name, _)| format!("{}\t{name}\n", uuid(name))).collect();
    let places = packages.iter().map(|(name, _)| format!("{name}\t{}\n", folder(name).display()));
    let places: String = places.chain([format!("depot\t{}\n", depot.display())]).collect();
    let [list_file, places_file, found] = ["list", "places", "found"].map(|name| project.outside(name));
    std::fs::write(&list_file, list).unwrap();
    std::fs::write(&places_file, places).unwrap();
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("julia/places.jl");
    let names: Vec<&str> = packages.iter().map(|(name, _)| *name).collect();
    let code = format!("using {}; include(popfirst!(ARGS))", names.join(", "));
    let args = ["--startup-file=no", "--project=.", "-e", &code];
    let mut command = project.command_for(julia(), &args);
    Ran(command.arg(driver).args([&list_file, &places_file, &found]).output().unwrap()).expect_status(0);
    let found = std::fs::read_to_string(found).unwrap();
    assert!(found.ends_with("end\n"), "{found}");
    let name_of = |identity: &str| names.iter().find(|name| uuid(name) == identity).unwrap().to_string();
    let lines = found.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    lines
        .filter(|fields| fields.len() == 4)
        .map(|fields| (name_of(fields[0]), fields[1].to_owned()))
        .collect()
}

#[test]
fn a_package_that_keeps_its_place_is_found_and_no_other() {
    let mut packages = vec![
        ("KeepsInDict", "const D = Dict(:a => [Ref((1, joinpath(@__DIR__, \"x\")))])"),
        ("KeepsInKeyword", "f(; path = joinpath(@__DIR__, \"y\")) = path"),
        ("KeepsInSubmodule", "module Sub\ng() = @__FILE__\nend"),
        ("KeepsInGenerated", "@generated h(x) = :(joinpath($(@__DIR__), \"z\"))"),
        ("KeepsInClosure", "const C = let p = @__DIR__; () -> p end"),
        ("KeepsInInner", "f(xs) = map(x -> joinpath(@__DIR__, x), xs)"),
        ("KeepsInMethodOfBase", "Base.show(io::IO, ::Val{:keeps}) = print(io, @__DIR__)"),
        ("KeepsInMacro", "macro m(); joinpath(@__DIR__, \"q\"); end"),
        ("KeepsInCall", "struct T end; (::T)(x) = @__DIR__"),
        ("KeepsInRegex", "const R = Regex(\"^\" * @__DIR__)"),
        ("KeepsBesideLog", "f() = (@info \"x\"; @__FILE__)"),
        (
            "KeepsDepot",
            "const X = joinpath(@__DIR__, \"..\", \"..\", \"..\", \"..\") |> normpath |> x -> joinpath(x, \"conda\")",
        ),
        (
            "Logs",
            "\"Documented.\"\nf(x) = (@warn \"hello $x\" y=1; @debug \"z\"; @assert x > 1 \"no\"; x)
            \"So is this.\"\ng(x; a = 1) = (@error \"hello\" exception=x; x)
            @deprecate old(x) f(x)\nmacro m(); :(f(1)); end\nconst CYCLE = Any[1]; push!(CYCLE, CYCLE)",
        ),
        ("Sets", "const R = Ref(\"\"); __init__() = (R[] = homedir()); const LONG = string.(1:10^4)"),
    ];
    if julia_is_since(6) {
        packages.push(("AsksForIt", "k() = pkgdir(AsksForIt)"));
    }
    let mut found = places_in(&packages);
    found.sort();
    let mut expected: Vec<(String, String)> = packages
        .iter()
        .filter(|(name, _)| name.starts_with("Keeps"))
        .map(|(name, _)| {
            let place = if *name == "KeepsDepot" { "depot" } else { name };
            ((*name).to_owned(), place.to_owned())
        })
        .collect();
    if julia_is_since(6) {
        expected.push(("AsksForIt".to_owned(), "own".to_owned()));
    }
    expected.sort();
    assert_eq!(found, expected);
}

/// A build of a project whose script changes `file` of a package after that was read. A shim stands in for the process that writes the
/// object, and says what Julia read as Julia's caches do: with size and time of change.
fn built_while_it_changes(project: Project, package: &str, file: &Path) -> (Shim, Value) {
    let script =
        format!("using {package}; write({:?}, \"const ENGINE = 22\\n\")", file.display().to_string());
    let project = project.file("precompile.jl", &script);
    let manifest = std::fs::read_to_string(project.path("Manifest.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let uuid = manifest[package][0]["uuid"].as_str().unwrap().to_owned();
    // Times are compared in whole seconds, and a build that starts in the second of a change cannot tell which came first.
    let before = SystemTime::now() - Duration::from_secs(60);
    File::options().write(true).open(file).unwrap().set_modified(before).unwrap();
    let metadata = file.metadata().unwrap();
    let seconds = metadata.modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let read = format!("{uuid}\t{}\t{seconds}\t{}", metadata.len(), file.display());
    std::fs::write(project.outside("read"), format!("{read}\n")).unwrap();
    let fault = format!("cp '{}' \"${{packages%/*}}/read\"", project.outside("read").display());
    let shim = Shim::of(project, &fault, "cp \"$base\" \"$out\"").without_startup();
    let report = shim.build(&[], 0);
    (shim, report)
}

#[test]
fn an_image_that_its_own_build_made_stale_says_so_at_the_end() {
    // What `deps/build.jl` writes.
    let source = "include(joinpath(@__DIR__, \"..\", \"deps\", \"deps.jl\"))";
    let project = Project::new()
        .package(package("Engine", source))
        .settings("[workloads]\nkinds = [\"load\", \"scripts\"]\n")
        .write();
    let folder = std::fs::read_dir(project.depot().join("packages/Engine")).unwrap().next().unwrap().unwrap();
    let built = folder.path().join("deps/deps.jl");
    std::fs::create_dir_all(built.parent().unwrap()).unwrap();
    std::fs::write(&built, "const ENGINE = 1\n").unwrap();
    let (shim, report) = built_while_it_changes(project, "Engine", &built);
    let expected = "Engine: deps/deps.jl changed while the image was built";
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains(&format!("{expected}, so that it is not used: `jlsys build`")), "{warnings}");
    expect_plain(&shim.project, "stale", &[expected]);

    // The code of a package by path.
    let project = Project::new()
        .package(package("Own", "include(\"more.jl\")").by_path())
        .settings("include = [\"Own\"]\n\n[workloads]\nkinds = [\"load\", \"scripts\"]\n")
        .write()
        .file("Own/src/more.jl", "const ENGINE = 1\n");
    let source = project.path("Own/src/more.jl");
    let (shim, report) = built_while_it_changes(project, "Own", &source);
    let warnings = report["warnings"].to_string();
    let expected = "Own: its files changed";
    assert!(
        warnings.contains(&format!("{expected} while the image was built, so that it is not")),
        "{warnings}"
    );
    expect_plain(&shim.project, "stale", &[expected]);
    // The script writes the same again, which is no change.
    let report = shim.build(&[], 0);
    assert_eq!(
        (&report["outcome"], report["warnings"].to_string().contains("changed")),
        (&"built".into(), false)
    );
    expect_image(&shim.project);
}
