//! `jlsys init`: what it writes, what it leaves alone, and that what it writes runs.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use support::binder::Binder;
use support::shim::Shim;
use support::{Project, julia_is_since, make_executable};

fn text(project: &Project, file: &str) -> String {
    std::fs::read_to_string(project.path(file)).unwrap()
}

#[test]
fn settings_are_written_that_change_nothing() {
    let project = Project::new().stdlib("Mmap").write();
    let key = || project.jlsys(&["status", "--json"]).json()["key"].clone();
    let before = key();
    let ran = project.jlsys(&["init"]).expect_status(0);
    assert_eq!(ran.stdout(), "wrote jlsys.toml\nto commit: jlsys.toml\n");
    assert_eq!(key(), before);
    assert!(!project.path("postBuild").exists());
}

#[test]
fn every_example_in_the_settings_is_one_that_works() {
    let project = Project::new()
        .package(support::package("MyPackage", "").by_path())
        .package(support::package("Heavy", ""))
        .package(support::package("SparseArrays", ""))
        .file("precompile.jl", "1 + 1")
        .write();
    project.jlsys(&["init"]).expect_status(0);
    let key = || project.jlsys(&["status", "--json"]).expect_status(1).json()["key"].clone();
    let before = key();
    // An example is a line that reads `# name = value`.
    project.edit("jlsys.toml", |text| {
        let is_example = |line: &str| line.starts_with("# ") && line.contains(" = ");
        let lines = text.lines().map(|line| if is_example(line) { &line[2..] } else { line });
        lines.collect::<Vec<_>>().join("\n")
    });
    assert!(text(&project, "jlsys.toml").contains("\nskip-tests = "), "{}", text(&project, "jlsys.toml"));
    assert_ne!(key(), before);
}

#[test]
fn what_is_there_stays_unless_forced() {
    let project = Project::new().stdlib("Mmap").settings("exclude = []\n").file("postBuild", "mine").write();
    let ran = project.jlsys(&["init", "--binder"]).expect_status(0);
    assert_eq!(
        ran.stdout(),
        "jlsys.toml is there and stays\npostBuild is there and stays; `--force` replaces it, and keeps what it was\n  \
         what it has to run, once jlsys is installed: jlsys postbuild\n"
    );
    assert_eq!(
        (text(&project, "jlsys.toml").as_str(), text(&project, "postBuild").as_str()),
        ("exclude = []\n", "mine")
    );
    let forced = || project.jlsys(&["init", "--binder", "--force"]).expect_status(0);
    forced()
        .expect_stdout("what it was before is in postBuild.before-jlsys\n")
        .expect_stdout("to commit: postBuild\n");
    assert!(text(&project, "postBuild").contains("jlsys postbuild"));
    assert_eq!(text(&project, "postBuild.before-jlsys"), "mine");
    assert_eq!(text(&project, "jlsys.toml"), "exclude = []\n", "settings are the user's");
    // What jlsys wrote itself is nothing to keep; what was kept is not written over.
    assert!(!forced().stdout().contains("before"));
    project.edit("postBuild", |_| "mine again".to_owned());
    forced().expect_stdout("postBuild.before-jlsys-2");
    assert_eq!(text(&project, "postBuild.before-jlsys"), "mine");
    assert_eq!(text(&project, "postBuild.before-jlsys-2"), "mine again");
    // A link that leads nowhere is there too.
    let project = Project::new().stdlib("Mmap").write();
    std::os::unix::fs::symlink("/nonexistent/x", project.path("jlsys.toml")).unwrap();
    project.jlsys(&["init"]).expect_status(0).expect_stdout("jlsys.toml is there and stays");
}

#[test]
fn the_files_go_where_repo2docker_looks() {
    for folder in ["binder", ".binder"] {
        let project = Project::new().stdlib("Mmap").write();
        std::fs::create_dir(project.path(folder)).unwrap();
        // repo2docker looks for everything in that folder, once there is one.
        project.jlsys(&["init", "--binder"]).expect_refusal(&[folder, "there is no Project.toml here"]);
        for file in ["Project.toml", "Manifest.toml"] {
            std::fs::rename(project.path(file), project.path(folder).join(file)).unwrap();
        }
        let ran = project.jlsys(&["init", "--binder"]).expect_status(0);
        ran.expect_stdout(&format!("to commit: {folder}/jlsys.toml {folder}/postBuild"));
        assert_eq!(
            project.path(folder).join("postBuild").metadata().unwrap().permissions().mode() & 0o777,
            0o755
        );
    }
}

#[test]
fn without_a_project_nothing_is_written() {
    let project = Project::new();
    project.jlsys(&["init", "--binder"]).expect_refusal(&["there is no Project.toml here"]);
    project
        .jlsys(&["init", "--project", "nowhere"])
        .expect_refusal(&["nowhere: there is no Project.toml here"]);
    assert_eq!(std::fs::read_dir(project.path("")).unwrap().count(), 0);
}

#[test]
fn post_build_installs_the_wheel_of_the_repository_and_says_when_there_is_none() {
    let wheel = format!("jlsys-{}-py3-none-linux_x86_64.whl", env!("CARGO_PKG_VERSION"));
    let project = Project::new().stdlib("Mmap").write();
    let ran = project.jlsys(&["init", "--binder"]).expect_status(0);
    let ran = ran.expect_stdout(&format!("it installs ./{wheel}, which is not there yet"));
    ran.expect_stdout("pip wheel --no-deps --wheel-dir ");
    assert!(text(&project, "postBuild").contains(&format!("'./{wheel}'")), "{}", text(&project, "postBuild"));

    for folder in ["", ".binder", "binder"] {
        let project = Project::new().stdlib("Mmap").write();
        std::fs::create_dir_all(project.path(folder)).unwrap();
        if !folder.is_empty() {
            std::fs::rename(project.path("Project.toml"), project.path(folder).join("Project.toml")).unwrap();
        }
        let other = wheel.replace("linux_x86_64", "manylinux_2_17_aarch64");
        std::fs::write(project.path(folder).join(&other), "").unwrap();
        std::fs::write(project.path(folder).join("jlsys-0.0.1-py3-none-any.whl"), "").unwrap();
        let ran = project.jlsys(&["init", "--binder"]).expect_status(0);
        assert!(!ran.stdout().contains("not there yet"), "{}", ran.stdout());
        let script = std::fs::read_to_string(project.path(folder).join("postBuild")).unwrap();
        let expected =
            if folder.is_empty() { format!("'./{other}'") } else { format!("'./{folder}/{other}'") };
        assert!(script.contains(&expected), "{script}");
    }
}

#[test]
fn the_examples_have_the_post_build_that_is_written() {
    let project = Project::new().stdlib("Mmap").write();
    project.jlsys(&["init", "--binder"]).expect_status(0);
    for example in ["binder", "binder-registered"] {
        let file = format!("{}/examples/{example}/postBuild", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(std::fs::read_to_string(file).unwrap(), text(&project, "postBuild"), "{example}");
    }
}

#[test]
fn what_pip_installs_is_one_word_and_no_option() {
    let project = Project::new().stdlib("Mmap").write();
    for bad in ["-r x", "--index-url=http://x", "", "a\nb"] {
        project.jlsys(&["init", "--binder", &format!("--pip={bad}")]).expect_status(1).expect_stderr("--pip");
    }
    assert!(!project.path("postBuild").exists());
    let wheel = "https://example.org/it's a $(wheel).whl#sha256=0123";
    project.jlsys(&["init", "--binder", "--pip", wheel]).expect_status(0);
    // The shell gives pip what was asked for.
    let bin = project.outside("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("python3"), "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
    make_executable(&bin.join("python3"));
    let mut command = project.command_for(project.path("postBuild"), &[]);
    let ran = support::Ran(command.env("PATH", format!("{}:/bin:/usr/bin", bin.display())).output().unwrap());
    assert_eq!(ran.stdout(), format!("-m\npip\ninstall\n--quiet\n--no-cache-dir\n{wheel}\n"));
}

/// A `postBuild` as it is written, in the environment that repo2docker gives it, with `tools` on `PATH`.
fn post_build(shim: &Shim, tools: &[(&str, String)]) -> support::Ran {
    // The stand-in says of any Julia that it has code for all CPUs.
    shim.project.edit("jlsys.toml", |settings| format!("cpu-target = \"native\"\n{settings}"));
    shim.project.jlsys(&["init", "--binder"]).expect_status(0);
    let binder = Binder::new(&shim.project, &shim.project.outside("julia"))
        .set("JULIA_CC", shim.project.outside("cc").to_str().unwrap());
    let bin = binder.folder("NB_PYTHON_PREFIX").join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for (name, script) in tools {
        std::fs::write(bin.join(name), script).unwrap();
        make_executable(&bin.join(name));
    }
    support::Ran(binder.command_for(Path::new("./postBuild"), &[]).output().unwrap())
}

/// What there is memory for in what `postbuild` takes by itself.
fn built() -> &'static str {
    if julia_is_since(9) { "startup package" } else { "image" }
}

fn calls_jlsys() -> String {
    format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_jlsys"))
}

#[test]
fn post_build_uses_the_jlsys_that_is_there() {
    let pip = "#!/bin/sh\necho pip >&2; exit 1\n".to_owned();
    let ran = post_build(&Shim::new(""), &[("jlsys", calls_jlsys()), ("python3", pip)]).expect_status(0);
    assert!(!ran.stderr().contains("pip"), "{}", ran.stderr());
    ran.expect_stderr(&format!("jlsys postbuild: the {} is in place", built()));
}

#[test]
fn post_build_installs_jlsys_into_jupyters_python() {
    // What pip does, as far as it matters here: it puts the command beside Python's.
    let pip = format!(
        "#!/bin/sh\n[ \"$*\" = '-m pip install --quiet --no-cache-dir ./jlsys-{}-py3-none-linux_x86_64.whl' ] || exit 1\n\
         printf '#!/bin/sh\\nexec {} \"$@\"\\n' >\"${{0%/*}}/jlsys\"\nchmod +x \"${{0%/*}}/jlsys\"\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_BIN_EXE_jlsys")
    );
    let ran = post_build(&Shim::new(""), &[("python3", pip)]).expect_status(0);
    ran.expect_stderr(&format!("jlsys postbuild: the {} is in place", built()));
}

#[test]
fn post_build_goes_on_without_jlsys() {
    let pip = "#!/bin/sh\necho 'ERROR: No matching distribution found' >&2; exit 1\n".to_owned();
    let ran = post_build(&Shim::new(""), &[("python3", pip)]).expect_status(0);
    ran.expect_stderr("jlsys could not be installed; Julia starts as it always did");
}

#[test]
fn a_project_becomes_a_package_and_loses_nothing() {
    let script = "using Mmap\n# how fast they grow\ngrowth(t) = 3t\nstruct Tree; height; end\nconst LIMIT = 5\ngrowth(2)\n";
    let project = Project::new().stdlib("Mmap").file("analysis.jl", script).write();
    let before = text(&project, "Project.toml");
    let ran = project.jlsys(&["init", "--package", "Orchard"]).expect_status(0);
    let said = ran.expect_stdout("wrote into Project.toml:\n  name = \"Orchard\"\n  uuid = ");
    said.expect_stdout("wrote src/Orchard.jl\n")
        .expect_stdout("analysis.jl: function growth (line 3), type Tree (line 4), constant LIMIT (line 5)\n")
        .expect_stdout("then `using Orchard` in the script")
        .expect_stdout("to commit: Project.toml src/Orchard.jl jlsys.toml\n");
    let after = text(&project, "Project.toml");
    assert!(after.ends_with(&before) && text(&project, "analysis.jl") == script);
    let code = ["--startup-file=no", "--project", "-e", "using Orchard; print(pathof(Orchard))"];
    let ran = project.command_for(support::julia(), &code).output().unwrap();
    assert!(String::from_utf8_lossy(&ran.stdout).ends_with("src/Orchard.jl"), "{ran:?}");

    // What is there stays, also what only one of the three is.
    project.edit("src/Orchard.jl", |_| "module Orchard; growth(t) = 3t; end".to_owned());
    project.edit("Project.toml", |text| text.replace("version = \"0.1.0\"\n", ""));
    let ran = project.jlsys(&["init", "--package"]).expect_status(0);
    ran.expect_stdout("wrote into Project.toml:\n  version = \"0.1.0\"\n")
        .expect_stdout("src/Orchard.jl is there and stays");
    assert_eq!(text(&project, "src/Orchard.jl"), "module Orchard; growth(t) = 3t; end");
    let mut lines: Vec<_> = after.lines().collect();
    lines[..3].sort_unstable();
    let now = text(&project, "Project.toml");
    let mut now: Vec<_> = now.lines().collect();
    now[..3].sort_unstable();
    assert_eq!(now, lines);
}

#[test]
fn a_name_that_a_package_cannot_have_is_refused() {
    let project = Project::new().stdlib("Mmap").write();
    let before = text(&project, "Project.toml");
    for (name, words) in [
        ("2nd", "cannot be the name of a package"),
        ("../Up", "cannot be the name"),
        ("Mmap", "has a dependency of the name Mmap"),
    ] {
        project.jlsys(&["init", "--package", name]).expect_refusal(&[words]);
    }
    assert_eq!(text(&project, "Project.toml"), before);
    assert!(!project.path("src").exists() && !project.path("jlsys.toml").exists());
    project.jlsys(&["init", "--package=Orchard"]).expect_status(0);
    project.jlsys(&["init", "--package", "Other"]).expect_refusal(&["names the project Orchard already"]);
}
