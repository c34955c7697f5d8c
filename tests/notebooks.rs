//! Notebooks as workloads, on a real Julia: their cells run as a kernel runs them, and what they compile is traced. No image is
//! needed.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Project, package};

/// A notebook with these code cells, as Jupyter writes it.
fn notebook(cells: &[&str]) -> String {
    let cells: Vec<Value> = cells
        .iter()
        .map(|source| {
            let lines: Vec<&str> = source.split_inclusive('\n').collect();
            json!({"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": lines})
        })
        .collect();
    json!({
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Julia 1.5.3", "language": "julia", "name": "julia-1.5"},
            "language_info": {"file_extension": ".jl", "name": "julia", "version": "1.5.3"}
        },
        "nbformat": 4,
        "nbformat_minor": 2
    })
    .to_string()
}

/// A package with something that a notebook shows.
fn shapes() -> support::Package {
    package(
        "Shapes",
        "struct Circle; radius::Float64; end
        grown(circle::Circle, by) = Circle(circle.radius + by)
        Base.show(io::IO, ::MIME\"image/svg+xml\", circle::Circle) =
            print(io, \"<svg>\", circle.radius, get(io, :jupyter, false), \"</svg>\")
        Base.show(io::IO, ::MIME\"text/html\", circle::Circle) = print(io, \"<b>\", circle.radius, \"</b>\")",
    )
}

/// Traces what a project's notebooks compile. Returns the report, and the statements.
fn trace(project: &Project) -> (Value, String) {
    let statements = project.outside("statements.jl");
    let report =
        project.jlsys(&["trace", "--json", "--output", statements.to_str().unwrap()]).expect_status(0).json();
    (report, std::fs::read_to_string(statements).unwrap())
}

fn workload<'a>(report: &'a Value, name: &str) -> &'a Value {
    let workloads = report["workloads"].as_array().unwrap();
    workloads.iter().find(|w| w["name"] == name).unwrap_or_else(|| panic!("{name} is not in {report:#}"))
}

/// And no word about CPUs that Julia has no code for.
const ONLY_NOTEBOOKS: &str = "cpu-target = \"native\"\n[workloads]\nkinds = [\"notebooks\"]\n";

#[test]
fn cells_run_as_a_kernel_runs_them() {
    let project = Project::new().package(shapes()).settings(ONLY_NOTEBOOKS).write();
    std::fs::create_dir_all(project.path("deep/.ipynb_checkpoints")).unwrap();
    std::fs::write(
        project.path("deep/.ipynb_checkpoints/shapes.ipynb"),
        notebook(&["write(\"checkpoint\", \"\")"]),
    )
    .unwrap();
    // Each cell that behaves as expected leaves a mark behind, in the folder that the notebook is in.
    let cells = [
        "using Shapes",
        "; touch shell-ran",
        "] add Nothing",
        "total = 0\nfor i in 1:3\n    total += i\nend\nwrite(\"soft-scope\", string(total))",
        "error(\"a cell that fails\")",
        "undefined_name",
        "Shapes.grown(Shapes.Circle(1.0), 2)",
        "write(\"ans\", string(ans))\nwrite(\"interactive\", string(isinteractive(), ' ', displaysize(stdout)))",
        "Base.show(io::IO, ::MIME\"text/latex\", ::Val{:quiet}) = write(\"semicolon\", \"shown\")\nVal(:quiet);",
        "display(Shapes.Circle(4.0)); print(read(stdin, String))",
        "Shapes.grown(Shapes.Circle(1.0), 0x01",
    ];
    std::fs::write(project.path("deep/shapes.ipynb"), notebook(&cells)).unwrap();
    let (report, statements) = trace(&project);
    let ran = workload(&report, "deep/shapes.ipynb");
    assert_eq!(report["workloads"].as_array().unwrap().len(), 1, "{report:#}");
    assert_eq!((&ran["kind"], &ran["outcome"]), (&json!("notebooks"), &json!("failed")));
    assert_eq!(ran["note"], "shell, help and package commands in 2 cells are not run");

    let written = |name: &str| std::fs::read_to_string(project.path("deep").join(name)).ok();
    assert_eq!(written("soft-scope").as_deref(), Some("6"));
    assert_eq!(written("ans").as_deref(), Some("Shapes.Circle(3.0)"));
    assert_eq!(written("interactive").as_deref(), Some("true (30, 80)"));
    for name in ["shell-ran", "semicolon", ".ipynb_checkpoints/checkpoint"] {
        assert_eq!(written(name), None, "{name}");
    }
    // As a picture, and in all other forms that Jupyter is given besides.
    let mime = |name: &str| {
        let printed =
            if support::julia_is_since(12) { "MIME{:var\"NAME\"}" } else { "MIME{Symbol(\"NAME\")}" };
        format!("{}, Shapes.Circle", printed.replace("NAME", name))
    };
    for expected in
        ["Shapes.grown), Shapes.Circle, Int64".to_owned(), mime("image/svg+xml"), mime("text/html")]
    {
        assert!(statements.contains(&expected), "{expected} is not in {statements}");
    }
    assert!(!statements.contains("JlsysNotebook"), "{statements}");
}

#[test]
fn what_cannot_be_run_is_said_and_the_rest_goes_on() {
    let project =
        Project::new().package(shapes()).settings(&format!("{ONLY_NOTEBOOKS}time-limit = \"15s\"\n")).write();
    let project = project
        .file("broken.ipynb", "{\"cells\": [")
        .file("old.ipynb", "{\"nbformat\": 2, \"worksheets\": []}")
        .file(
            "python.ipynb",
            "{\"nbformat\": 4, \"metadata\": {\"kernelspec\": {\"name\": \"python3\"}}, \"cells\": []}",
        )
        .file(
            "crashes.ipynb",
            &notebook(&["using Shapes\nShapes.grown(Shapes.Circle(1.0), 0x01)", "ccall(:abort, Cvoid, ())"]),
        )
        .file("exits.ipynb", &notebook(&["1 + 1", "exit(0)", "2 + 2"]))
        .file("fine.ipynb", &notebook(&["using Shapes\nShapes.grown(Shapes.Circle(1.0), true)"]))
        .file(
            "hangs.ipynb",
            &notebook(&["using Shapes\nShapes.grown(Shapes.Circle(1.0), 2f0)", "run(`sleep 1000`)"]),
        );
    let started = Instant::now();
    let (report, statements) = trace(&project);
    assert!(started.elapsed() < Duration::from_secs(150), "{:?}", started.elapsed());
    for (name, outcome) in [("crashes", "crashed"), ("exits", "ok"), ("fine", "ok"), ("hangs", "timeout")] {
        assert_eq!(workload(&report, &format!("{name}.ipynb"))["outcome"], outcome, "{report:#}");
    }
    assert_eq!(workload(&report, "exits.ipynb")["note"], "`exit` in cell 2 of 3 ended it");
    assert_eq!(workload(&report, "hangs.ipynb")["note"], Value::Null);
    for argument in ["Bool", "Float32", "UInt8"] {
        let expected = format!("Shapes.grown), Shapes.Circle, {argument}}}");
        assert!(statements.contains(&expected), "{expected} is not in {statements}");
    }
    let warnings: Vec<&str> =
        report["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("broken.ipynb is not run: it is not a notebook: "), "{warnings:?}");
    assert!(warnings[1].starts_with("old.ipynb is not run: its format is 2"), "{warnings:?}");
}

#[test]
fn a_cell_sees_what_it_sees_in_a_kernel() {
    let project = Project::new().settings(ONLY_NOTEBOOKS).write();
    std::fs::create_dir_all(project.path("src")).unwrap();
    std::fs::create_dir_all(project.path("notebooks")).unwrap();
    let project = project
        .file("src/helper.jl", "include(\"more.jl\")\nhelper(x) = (x, @__DIR__)")
        .file("src/more.jl", "more() = basename(@__FILE__)");
    let seen = "write(\"seen\", repr((PROGRAM_FILE, ARGS, Base.source_path(), @__FILE__, @__DIR__, pwd(), isinteractive())))";
    let cells = ["include(\"../src/helper.jl\")", "write(\"helped\", repr((helper(2), more())))", seen];
    let project = project.file("notebooks/n.ipynb", &notebook(&cells));
    let (report, _) = trace(&project);
    assert_eq!(workload(&report, "notebooks/n.ipynb")["outcome"], "ok", "{report:#}");
    let written = |name: &str| std::fs::read_to_string(project.path("notebooks").join(name)).unwrap();
    let (source, here) = (project.path("src"), project.path("notebooks"));
    assert_eq!(written("helped"), format!("((2, {source:?}), \"more.jl\")"));
    assert_eq!(written("seen"), format!("(\"\", String[], \"\", \"In[3]\", {here:?}, {here:?}, true)"));
}

/// All files below a folder, with what is in them; a folder has nothing in it.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    entries.map(|entry| (entry.path().to_owned(), std::fs::read(entry.path()).ok())).collect()
}

#[test]
fn a_project_that_a_notebook_changes_stays_as_it_is() {
    let project = Project::new()
        .package(package("Own", "of() = 1").by_path())
        .stdlib("Dates")
        .settings(ONLY_NOTEBOOKS)
        .env("JULIA_PKG_SERVER", "")
        .env("JULIA_PKG_PRECOMPILE_AUTO", "0")
        .write();
    for folder in ["notebooks", "other", "marks"] {
        std::fs::create_dir_all(project.path(folder)).unwrap();
    }
    let mark = |name: &str, code: &str| format!("write(\"../marks/{name}\", string({code}))");
    let cells = [
        "using Pkg\nPkg.activate(\"..\")".to_owned(),
        mark("before", "Base.active_project()"),
        "Pkg.add(\"Printf\")\nusing Printf".to_owned(),
        // The project's own packages and data are still there.
        mark("own", "(import Own; pathof(Own))"),
        mark("data", "read(joinpath(dirname(Base.active_project()), \"data.txt\"), String)"),
        // It stays as the notebook has changed it.
        "Pkg.activate(\"..\")\nPkg.add(\"Random\")\nPkg.rm(\"Dates\")".to_owned(),
        mark("changed", "join(sort(collect(keys(Pkg.project().dependencies))), ' ')"),
        // Another one, and one that is not there yet.
        "Pkg.activate(\"../other\")\nPkg.add(\"Printf\")".to_owned(),
        "Pkg.activate(\"fresh\")\nPkg.develop(path = \"../Own\")".to_owned(),
        mark("fresh", "join(keys(Pkg.project().dependencies), ' ')"),
        "Pkg.activate(\"../other\")".to_owned(),
        mark("other", "join(keys(Pkg.project().dependencies), ' ')"),
    ];
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    let project = project
        .file("data.txt", "some data")
        .file("other/Project.toml", "# A comment that Pkg does not keep.\n[deps]\n")
        .file("notebooks/n.ipynb", &notebook(&cells));
    let before = contents(&project.path(""));
    let (report, _) = trace(&project);
    let ran = workload(&report, "notebooks/n.ipynb");
    assert_eq!(ran["outcome"], "ok", "{report:#}");
    let mark = |name: &str| std::fs::read_to_string(project.path("marks").join(name)).unwrap();
    assert_eq!(mark("before"), project.path("Project.toml").to_str().unwrap());
    assert_eq!(mark("own"), project.path("Own/src/Own.jl").to_str().unwrap());
    assert_eq!(mark("data"), "some data");
    assert_eq!(mark("changed"), "Own Printf Random");
    assert_eq!((mark("other"), mark("fresh")), ("Printf".to_owned(), "Own".to_owned()));
    let mut after = contents(&project.path(""));
    after.retain(|file, _| !file.starts_with(project.path("marks")) || before.contains_key(file));
    assert!(
        before == after,
        "{:?}",
        after.iter().filter(|(file, text)| before.get(*file) != Some(text)).collect::<Vec<_>>()
    );
    // And that is said.
    let note = ran["note"].as_str().unwrap();
    let files = ["Project.toml", "other/Project.toml", "notebooks/fresh/Project.toml"];
    let files = files.map(|name| project.path(name).display().to_string()).join(", ");
    assert_eq!(note, format!("its changes to {files} went to copies"));
    // What no change is needs no copy.
    let quiet = project.file(
        "notebooks/n.ipynb",
        &notebook(&["using Pkg\nPkg.activate(\"..\")\nPkg.instantiate()\nPkg.add(\"Dates\")"]),
    );
    let (report, _) = trace(&quiet);
    assert_eq!(workload(&report, "notebooks/n.ipynb")["note"], Value::Null, "{report:#}");
}

#[test]
fn a_workspace_that_a_notebook_changes_stays_as_it_is() {
    if !support::julia_is_since(12) {
        return;
    }
    let project = Project::new()
        .package(package("Own", "of() = 1").by_path())
        .settings(ONLY_NOTEBOOKS)
        .env("JULIA_PKG_SERVER", "")
        .env("JULIA_PKG_PRECOMPILE_AUTO", "0")
        .write();
    project.edit("Project.toml", |text| format!("{text}\n[workspace]\nprojects = [\"docs\", \"deep/er\"]\n"));
    for folder in ["docs", "deep/er"] {
        std::fs::create_dir_all(project.path(folder)).unwrap();
        std::fs::write(project.path(&format!("{folder}/Project.toml")), "[deps]\n").unwrap();
    }
    let cells = [
        "using Pkg; Pkg.activate(\"docs\"); Pkg.add(\"Printf\"); using Printf",
        "Pkg.activate(\"deep/er\"); Pkg.add(\"Random\"); using Random",
        "Pkg.activate(\"docs\"); haskey(Pkg.project().dependencies, \"Printf\") || error()",
        "Pkg.activate(\".\"); import Own; pathof(Own) == abspath(\"Own/src/Own.jl\") || error(pathof(Own))",
    ];
    let project = project.file("n.ipynb", &notebook(&cells));
    let before = contents(&project.path(""));
    let (report, _) = trace(&project);
    assert_eq!(workload(&report, "n.ipynb")["outcome"], "ok", "{report:#}");
    assert!(before == contents(&project.path("")), "the workspace changed");
}

#[test]
fn what_a_notebook_does_beside_julia_is_said() {
    let other = "run(`$(Base.julia_cmd()) -e 'write(\"Project.toml\", read(\"Project.toml\", String) * \"# more\")'`)";
    let project = Project::new().settings(ONLY_NOTEBOOKS).write().file("n.ipynb", &notebook(&[other]));
    let (report, _) = trace(&project);
    let words = format!("{} was changed while n.ipynb ran", project.path("Project.toml").display());
    assert_eq!(report["warnings"], json!([words]));
}

#[test]
fn a_project_that_is_not_the_one_that_is_built_for_is_named() {
    let shapes = |version| package("Shapes", "of() = 1").version(version);
    let kinds = "cpu-target = \"native\"\n[workloads]\nkinds = [\"notebooks\", \"scripts\"]\n";
    let project = Project::new().package(shapes("1.0.0")).stdlib("Dates").settings(kinds).write();
    let (manifest, deps) = (
        std::fs::read_to_string(project.path("Manifest.toml")).unwrap(),
        std::fs::read_to_string(project.path("Project.toml")).unwrap(),
    );
    for (folder, version) in [("same", "1.0.0"), ("newer", "2.0.0")] {
        std::fs::create_dir_all(project.path(folder)).unwrap();
        std::fs::write(project.path(&format!("{folder}/Project.toml")), &deps).unwrap();
        // Another version is another tree.
        let lines = manifest.lines().map(|line| match line.strip_prefix("git-tree-sha1 = \"") {
            Some(_) if version != "1.0.0" => format!("git-tree-sha1 = \"{}\"\n", "f".repeat(40)),
            _ => format!("{}\n", line.replace("1.0.0", version)),
        });
        let manifest: String = lines.collect();
        std::fs::write(project.path(&format!("{folder}/Manifest.toml")), manifest).unwrap();
    }
    std::fs::create_dir_all(project.path("unresolved")).unwrap();
    let project = project
        .file("unresolved/Project.toml", &deps)
        .file(
            "precompile.jl",
            "using Pkg; Pkg.activate(joinpath(@__DIR__, \"newer\")); Pkg.activate(@__DIR__)",
        )
        .file("own.ipynb", &notebook(&["using Pkg; Pkg.activate(@__DIR__)"]))
        .file("same.ipynb", &notebook(&["using Pkg; Pkg.activate(\"same\")"]))
        .file("newer.ipynb", &notebook(&["using Pkg; Pkg.activate(\"newer\"); Pkg.activate(\".\")"]))
        .file("unresolved.ipynb", &notebook(&["using Pkg; Pkg.activate(\"unresolved\")"]))
        .file("new.ipynb", &notebook(&["using Pkg; Pkg.activate(\"new\")"]))
        .file("temporary.ipynb", &notebook(&["using Pkg; Pkg.activate(mktempdir())"]));
    let (report, _) = trace(&project);
    let warnings: Vec<&str> =
        report["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    let newer = project.path("newer");
    assert_eq!(
        warnings[0],
        format!(
            "newer.ipynb activates {}, which an image of {} does not serve (it has Shapes 2.0.0 instead of 1.0.0): \
             `jlsys build --project {}` builds one that does",
            newer.join("Project.toml").display(),
            project.path("").display().to_string().trim_end_matches('/'),
            newer.display()
        )
    );
    assert!(warnings[1].starts_with("unresolved.ipynb activates "), "{warnings:?}");
    assert!(warnings[1].contains("(it has no manifest yet:"), "{warnings:?}");
    // A script does as a notebook.
    assert_eq!(warnings[2], warnings[0].replace("newer.ipynb", "precompile.jl"));
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    // A trace that is kept says it again.
    let (again, _) = trace(&project);
    assert_eq!(again["warnings"], report["warnings"]);
    assert_eq!(workload(&again, "newer.ipynb")["reused"], true);
}

#[test]
fn notebooks_that_feed_each_other_run_in_order() {
    let project = Project::new().settings(ONLY_NOTEBOOKS).write();
    let read = "write(\"read\", read(\"written\", String))";
    let project = project
        .file("10-read.ipynb", &notebook(&[read]))
        .file("2-write.ipynb", &notebook(&["sleep(2); write(\"written\", \"by the first\")"]));
    let report = project.jlsys(&["trace", "--json", "--jobs", "4"]).expect_status(0).json();
    assert_eq!(workload(&report, "10-read.ipynb")["outcome"], "ok", "{report:#}");
    assert_eq!(std::fs::read_to_string(project.path("read")).unwrap(), "by the first");
}

#[test]
fn what_jupyter_opens_is_run() {
    let cell = "\"cell_type\": \"code\", \"metadata\": {}";
    let numbers = format!(
        "{{\"nbformat\": 4, \"metadata\": {{}}, \"cells\": [{{{cell}, \"source\": \"touch(\\\"numbers\\\")\", \
         \"outputs\": [{{\"data\": [NaN, -Infinity, \"\\ud800\"]}}]}}]}}"
    );
    let old = json!({"nbformat": 3, "metadata": {"language": "Julia"}, "worksheets": [
        {"cells": [{"cell_type": "code", "input": ["touch(\"old\")"], "language": "julia", "outputs": []}]}]});
    let project = Project::new()
        .settings(ONLY_NOTEBOOKS)
        .write()
        .file("numbers.ipynb", &format!("\u{feff}{numbers}"))
        .file("old.ipynb", &old.to_string());
    let (report, _) = trace(&project);
    assert_eq!(report["warnings"], json!([]));
    for name in ["numbers", "old"] {
        assert!(project.path(name).exists(), "{report:#}");
    }
}

#[test]
fn the_first_error_of_a_notebook_is_said_and_where_its_log_is() {
    let project = Project::new().settings(ONLY_NOTEBOOKS).write();
    let project =
        project.file("n.ipynb", &notebook(&["1 + 1", "error(\"no data today\")", "undefined_name"]));
    for _ in 0..2 {
        let ran = project.jlsys(&["trace", "--json"]).expect_status(0);
        let report = ran.json();
        let ran_notebook = workload(&report, "n.ipynb");
        assert_eq!(ran_notebook["error"], "cell 2 failed: no data today");
        let log = ran_notebook["log"].as_str().unwrap();
        assert!(std::fs::read_to_string(log).unwrap().contains("cell 3 failed: UndefVarError"), "{log}");
        ran.expect_stderr(&format!(
            "not every cell succeeded (cell 2 failed: no data today; log: {log}); all count"
        ));
    }
    let project = project.file("n.ipynb", &notebook(&["1 + 1"]));
    let (report, _) = trace(&project);
    assert_eq!(workload(&report, "n.ipynb")["log"], Value::Null);
}

#[test]
fn the_key_is_about_code_and_nothing_else() {
    let project = Project::new().package(shapes()).write().file("a.ipynb", &notebook(&["1 + 1", "2 + 2"]));
    let key = || project.jlsys(&["status", "--json"]).expect_status(1).json()["key"].clone();
    let change = |change: &dyn Fn(&mut Value)| {
        project.edit("a.ipynb", |text| {
            let mut content = serde_json::from_str(&text).unwrap();
            change(&mut content);
            serde_json::to_string_pretty(&content).unwrap()
        });
    };
    let first = key();
    change(&|notebook| {
        notebook["cells"][0]["outputs"] = json!([{"output_type": "stream", "name": "stdout", "text": ["2"]}])
    });
    change(&|notebook| notebook["cells"][0]["execution_count"] = json!(3));
    change(&|notebook| notebook["metadata"]["language_info"]["version"] = json!("1.6.0"));
    change(&|notebook| {
        notebook["cells"]
            .as_array_mut()
            .unwrap()
            .push(json!({"cell_type": "markdown", "metadata": {}, "source": ["# Title"]}));
    });
    assert_eq!(key(), first);
    change(&|notebook| notebook["cells"][1]["source"] = json!("2 + 3"));
    let second = key();
    assert_ne!(second, first);
    let project = project.settings("[workloads]\nnotebooks = []\n").write();
    let without = project.jlsys(&["status", "--json"]).expect_status(1).json()["key"].clone();
    assert!(without != second && without != first);
    for (settings, words) in [
        ("[\"b.ipynb\"]", "'b.ipynb', which is not a file in"),
        ("[\"../*\"]", "'../*', which is not a path within"),
    ] {
        std::fs::write(project.path("jlsys.toml"), format!("[workloads]\nnotebooks = {settings}\n")).unwrap();
        project.jlsys(&["status"]).expect_refusal(&[words]);
    }
}
