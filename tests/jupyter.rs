//! Kernels as Jupyter itself starts them, through the kernelspec that `jlsys kernel install` wrote: Jupyter's own client from PyPI
//! on one side, a small stand-in for IJulia on the other (see `tests/jupyter/README.md`).

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use support::{Project, Ran, julia, julia_is_since, package, pkg_takes};

/// The folder with Jupyter's Python and a libzmq.
fn jupyter() -> &'static Path {
    static JUPYTER: OnceLock<PathBuf> = OnceLock::new();
    JUPYTER.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/get-jupyter");
        let output = Command::new(script).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().into()
    })
}

fn material(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jupyter").join(name)
}

/// A project with a notebook. The stand-in is in its depot's default environment, and its kernelspec in its home.
fn project() -> Project {
    let shapes = package(
        "Shapes",
        "struct Circle; radius::Float64; end
        grown(circle::Circle; by = 1) = Circle(circle.radius + by)
        Base.show(io::IO, ::MIME\"image/svg+xml\", circle::Circle) = print(io, \"<svg>\", circle.radius, \"</svg>\")",
    );
    // The library itself, whose folder has what it needs besides. The kernelspec has these, too.
    let libzmq = std::fs::read_link(jupyter().join("libzmq.so.5")).unwrap();
    let project = Project::new()
        .shared()
        .lasting_depot("jupyter-depot")
        .env("IJULIA_LIBZMQ", &libzmq)
        .env("LD_LIBRARY_PATH", libzmq.parent().unwrap())
        .package(shapes)
        .settings("[workloads]\nkinds = [\"load\", \"notebooks\"]\n")
        .write();
    let project = project.file("shapes.ipynb", &notebook());
    let kernels = project.outside("home/.local/share/jupyter/kernels");
    let script = material("install.jl");
    let args =
        ["--startup-file=no", script.to_str().unwrap(), kernels.to_str().unwrap(), libzmq.to_str().unwrap()];
    Ran(project.command_for(julia(), &args).output().unwrap()).expect_status(0);
    // As `Pkg.add` leaves them. What an interactive session finds not precompiled it leaves to Pkg (`_require`, base/loading.jl of
    // 1.10), which says so in the notebook, and fetches the General registry where there is none.
    let precompile = ["--startup-file=no", "--project", "-e", "import IJulia, Shapes"];
    Ran(project.command_for(julia(), &precompile).output().unwrap()).expect_status(0);
    project
}

fn notebook() -> String {
    notebook_of(&[
        "using Shapes\nShapes.grown(Shapes.Circle(1.0))",
        "println(\"printed\")\ndisplay(Shapes.Circle(3.0))\nfor i in 1:2\n    print(i)\nend",
        "error(\"on purpose\")",
        "total = 0\nfor i in 1:4\n    total += i\nend\ntotal",
        "HTML(\"<b>ü</b>\")",
        "write(\"image\", unsafe_string(Base.JLOptions().image_file));",
    ])
}

fn notebook_of(code: &[&str]) -> String {
    let cell = |source: &&str| json!({"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": source});
    let cells: Vec<Value> = code.iter().map(cell).collect();
    json!({"cells": cells, "metadata": {"kernelspec": {"name": "julia-1.5", "display_name": "Julia", "language": "julia"}},
        "nbformat": 4, "nbformat_minor": 2})
    .to_string()
}

/// Runs one of the Python scripts on the project's kernel, as a user who may not write where permissions say so.
fn python(project: &Project, script: &str, args: &[&str]) -> Ran {
    let (python, script) = (jupyter().join("bin/python"), material(script));
    let kernels = project.outside("home/.local/share/jupyter/kernels");
    let name = std::fs::read_dir(kernels).unwrap().next().unwrap().unwrap().file_name();
    let without = ["--bounding-set", "-dac_override,-dac_read_search"];
    let command = [python.to_str().unwrap(), script.to_str().unwrap(), name.to_str().unwrap()];
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    let all: Vec<&str> = match is_root {
        true => without.iter().chain(&command).chain(args).copied().collect(),
        false => command[1..].iter().chain(args).copied().collect(),
    };
    let program = if is_root { "setpriv" } else { command[0] };
    Ran(project.command_for(program, &all).output().unwrap())
}

/// What comes of each cell of the notebook, the image that the kernel ran with, and what it said beside the cells.
fn run(project: &Project) -> (Value, String, String) {
    run_notebook(project, "shapes.ipynb")
}

fn run_notebook(project: &Project, name: &str) -> (Value, String, String) {
    let ran = python(project, "run.py", &[name]).expect_status(0);
    (ran.json(), std::fs::read_to_string(project.path("image")).unwrap(), ran.stderr())
}

#[test]
fn a_notebook_gives_the_same_through_jlsys() {
    let project = project();
    let (plain, _, _) = run(&project);
    project.jlsys(&["kernel", "install", "--replace"]).expect_status(0);
    let (wrapped, image, log) = run(&project);
    assert_eq!(plain, wrapped);
    assert!(!image.contains("/images/"), "{image}");
    assert!(log.contains("jlsys: plain Julia: no image yet"), "{log}");
    // That it is what a notebook should give, and not twice nothing.
    assert_eq!(plain[0][0]["data"]["image/svg+xml"], "<svg>2.0</svg>");
    assert_eq!(plain[1][0], json!({"output_type": "stream", "name": "stdout", "text": "printed\n"}));
    assert_eq!(plain[1][1]["output_type"], "display_data");
    assert_eq!(plain[1][2]["text"], "12");
    assert_eq!(
        (&plain[2][0]["ename"], &plain[2][0]["evalue"]),
        (&json!("ErrorException"), &json!("on purpose"))
    );
    assert_eq!(plain[3][0]["data"]["text/plain"], "10");
    assert_eq!(plain[4][0]["data"]["text/html"], "<b>ü</b>");
}

/// A trace, and what it says of the kernel.
fn trace(project: &Project) -> (String, Value) {
    let statements = project.outside("statements.jl");
    let args = ["trace", "--json", "--output", statements.to_str().unwrap()];
    let report = project.jlsys(&args).expect_status(0).json();
    let kernel = report["workloads"].as_array().unwrap().iter().find(|ran| ran["name"] == "kernel");
    (std::fs::read_to_string(statements).unwrap(), kernel.cloned().unwrap_or_default())
}

#[test]
fn what_the_kernel_itself_compiles_is_seen() {
    let project = project();
    let (statements, kernel) = trace(&project);
    assert_eq!((&kernel["kind"], &kernel["outcome"]), (&json!("notebooks"), &json!("ok")), "{kernel:#}");
    // What answers a front end, which notebooks run without; and an interrupt was answered.
    for words in ["IJulia.", "InterruptException"] {
        assert!(statements.contains(words), "{words} is not in {statements}");
    }
    let (_, again) = trace(&project);
    assert_eq!(again["reused"], true, "{again:#}");
    project.edit("jlsys.toml", |_| "[workloads]\nkinds = [\"load\"]\n".to_owned());
    assert_eq!(trace(&project).1, Value::Null);
}

#[test]
fn what_the_kernel_compiles_comes_with_ijulia() {
    if !julia_is_since(9) {
        return println!("skipped: this Julia has no package images");
    }
    let project = project().own_cache();
    let args = ["build", "--cpu-target", "native", "--quick", "--json"];
    let report = project.jlsys(&args).expect_status(0).json();
    let groups = report["groups"].as_array().unwrap();
    let of_kernel = groups.iter().find(|group| group["packages"] == json!(["IJulia"]));
    assert!(of_kernel.is_some_and(|group| group["compiled"].as_u64() > Some(20)), "{report:#}");
    let after = |code: &str| {
        let count = "print(count(mod -> nameof(mod) == :JlsysGroup, Base.loaded_modules_order))";
        let code = format!("{code}; {count}");
        project.jlsys(&["run", "--", "--startup-file=no", "-e", &code]).expect_status(0).stdout()
    };
    assert_eq!((after("0"), after("import IJulia")), ("0".to_owned(), "1".to_owned()));
}

#[test]
fn a_session_through_jlsys_is_a_session() {
    let project = project();
    project.jlsys(&["kernel", "install", "--replace"]).expect_status(0);
    let file = project.outside("home/.local/share/jupyter/kernels");
    let file = std::fs::read_dir(file).unwrap().next().unwrap().unwrap().path().join("kernel.json");
    let by_signal = std::fs::read_to_string(&file).unwrap();
    assert!(by_signal.contains("\"interrupt_mode\": \"signal\""), "{by_signal}");
    let by_message = by_signal.replace("\"signal\"", "\"message\"");
    for spec in [by_signal, by_message] {
        std::fs::write(&file, spec).unwrap();
        let seen = python(&project, "session.py", &[]).expect_status(0).json();
        let expected = json!({
            "interrupted": "InterruptException", "after": "ok", "completed": ["answer"], "incomplete": "incomplete",
            "asked": "name? \"Ada\"", "beats": true, "ended": true,
        });
        assert_eq!(seen, expected);
    }
}

#[test]
#[ignore = "builds an image"]
fn the_image_is_used_while_it_is_right() {
    let project = project();
    let report = project.jlsys(&["build", "--cpu-target", "native", "--json"]).expect_status(0).json();
    assert_eq!(report["tier"], "full", "{report:#}");
    let included = report["packages"]["included"].as_array().unwrap();
    assert!(included.iter().any(|package| package["name"] == "IJulia"), "{included:?}");
    let (plain, image, _) = run(&project);
    assert!(!image.contains("/images/"), "{image}");

    // A copy of the cache, which may be damaged. The images in it are the same files.
    let shared = project.cache().to_owned();
    let project = project.own_cache();
    let status = Command::new("cp").arg("-al").arg(&shared).arg(project.cache()).status().unwrap();
    assert!(status.success());
    project.jlsys(&["kernel", "install", "--replace"]).expect_status(0);
    let expect = |with_image: bool, words: &str| {
        let (outputs, image, log) = run(&project);
        assert_eq!(image.starts_with(project.cache().to_str().unwrap()), with_image, "{image}\n{log}");
        assert_eq!(outputs, plain);
        assert!(log.contains(words), "{words:?} is not in {log}");
        assert_eq!(log.contains("jlsys: "), !with_image, "{log}");
    };
    expect(true, "");
    // IJulia is loaded from the image, not beside it.
    let code = "import IJulia; print(Base.JlsysGuard.modules[Base.PkgId(IJulia)] === IJulia, IJulia.run_kernel isa Function)";
    project.jlsys(&["run", "--", "-e", code]).expect_status(0).expect_stdout("truetrue");

    // The cache cannot be written to.
    let entry = PathBuf::from(project.jlsys(&["path"]).expect_status(0).stdout().trim());
    let folders = ["", "images", "projects", "probes", "locks", "failures", "tmp"]
        .map(|name| project.cache().join(name));
    let folders: Vec<&Path> =
        folders.iter().map(PathBuf::as_path).chain(entry.parent()).filter(|f| f.is_dir()).collect();
    let mode = |mode| {
        for folder in &folders {
            std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
    };
    mode(0o500);
    expect(true, "");
    mode(0o700);

    // A version changed; the image is gone.
    let manifest = std::fs::read_to_string(project.path("Manifest.toml")).unwrap();
    project.edit("Manifest.toml", |text| text.replace("version = \"1.0.0\"", "version = \"1.0.1\""));
    expect(false, "Shapes 1.0.0 → 1.0.1 since it was built");
    std::fs::write(project.path("Manifest.toml"), manifest).unwrap();
    expect(true, "");
    std::fs::remove_file(&entry).unwrap();
    expect(false, "cannot be read");
}

/// What jlsys said in a notebook: in which cell, and the words. They are taken out of the cells.
fn said_in(cells: &mut Value) -> Vec<(usize, String)> {
    let mut said = Vec::new();
    for (at, outputs) in cells.as_array_mut().unwrap().iter_mut().enumerate() {
        outputs.as_array_mut().unwrap().retain_mut(|output| {
            if output["name"] != "stderr" {
                return true;
            }
            let text = output["text"].as_str().unwrap().to_owned();
            let (ours, others): (Vec<_>, Vec<_>) =
                text.split_inclusive('\n').partition(|line| line.starts_with("jlsys: "));
            said.extend(ours.into_iter().map(|line| (at, line.trim().to_owned())));
            output["text"] = others.concat().into();
            !others.is_empty()
        });
    }
    said
}

#[test]
#[ignore = "builds an image"]
fn a_notebook_is_told_what_the_image_is_not_right_for() {
    let project = project();
    project.jlsys(&["build", "--cpu-target", "native"]).expect_status(0);
    // Another project, as the first cell of most notebooks has it; and one whose own changes.
    let newer = project.outside("newer");
    std::fs::create_dir_all(newer.join("src")).unwrap();
    let uuid = std::fs::read_to_string(project.path("Project.toml")).unwrap();
    let uuid = uuid.lines().find_map(|line| line.strip_prefix("Shapes = ")).unwrap().to_owned();
    std::fs::write(
        newer.join("Project.toml"),
        format!("name = \"Shapes\"\nuuid = {uuid}\nversion = \"2.0.0\"\n"),
    )
    .unwrap();
    std::fs::write(newer.join("src/Shapes.jl"), "module Shapes\ngrown(x) = \"grown\"\nend\n").unwrap();
    let other = project.outside("other");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::copy(project.path("Project.toml"), other.join("Project.toml")).unwrap();
    let deps = if julia_is_since(7) { "deps." } else { "" };
    let head = if julia_is_since(7) { "manifest_format = \"2.0\"\n\n" } else { "" };
    std::fs::write(
        other.join("Manifest.toml"),
        format!("{head}[[{deps}Shapes]]\npath = {newer:?}\nuuid = {uuid}\nversion = \"2.0.0\"\n"),
    )
    .unwrap();
    // For both, so that none does it in its notebook.
    let image = project.jlsys(&["path"]).expect_status(0).stdout();
    for image in [None, Some(format!("--sysimage={}", image.trim()))] {
        let mut precompile = project.command_for(julia(), &["--startup-file=no"]);
        precompile.args(image).arg(format!("--project={}", other.display())).args(["-e", "import Shapes"]);
        Ran(precompile.output().unwrap()).expect_status(0);
    }
    let activate =
        format!("import Pkg; redirect_stderr(() -> Pkg.activate({other:?}), open(\"/dev/null\", \"w\"))");
    let change = pkg_takes("Shapes", &newer, "2.0.0") + ";";
    let image = "write(\"image\", unsafe_string(Base.JLOptions().image_file));";
    let project = project
        .file(
            "other.ipynb",
            &notebook_of(&[image, &activate, "using Shapes; print(Shapes.grown(1))", "1 + 1"]),
        )
        .file(
            "changed.ipynb",
            &notebook_of(&[
                image,
                "import Pkg, Shapes",
                &change,
                "print(Shapes.Circle(1.0).radius)",
                "1 + 1",
            ]),
        );
    let manifest = std::fs::read(project.path("Manifest.toml")).unwrap();
    let run_both = |name: &str| {
        let ran = run_notebook(&project, name);
        std::fs::write(project.path("Manifest.toml"), &manifest).unwrap();
        ran
    };
    let plain = ["other.ipynb", "changed.ipynb"].map(|name| run_both(name).0);
    project.jlsys(&["kernel", "install", "--replace"]).expect_status(0);
    for (name, plain, cell, words) in [
        ("other.ipynb", &plain[0], 2, "other wants Shapes 2.0.0 (the image has 1.0.0)"),
        (
            "changed.ipynb",
            &plain[1],
            2,
            "wants Shapes 2.0.0 (the image has 1.0.0): this session goes on with what it has loaded",
        ),
    ] {
        let (mut cells, image, log) = run_both(name);
        assert!(image.starts_with(project.cache().to_str().unwrap()), "{image}\n{log}");
        let said = said_in(&mut cells);
        assert_eq!(&cells, plain, "{name}");
        assert_eq!(said.len(), 1, "{name}: {said:?}");
        assert!(said[0].0 == cell && said[0].1.contains(words), "{name}: {said:?}");
        assert!(!log.contains("jlsys: "), "{log}");
    }
}
