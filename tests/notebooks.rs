//! Notebooks as workloads, on a real Julia: their cells run as a kernel runs them, and what they compile is traced. No image is
//! needed.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

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

const ONLY_NOTEBOOKS: &str = "[workloads]\nkinds = [\"notebooks\"]\n";

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
        .file("old.ipynb", "{\"nbformat\": 3, \"worksheets\": []}")
        .file(
            "python.ipynb",
            "{\"nbformat\": 4, \"metadata\": {\"kernelspec\": {\"name\": \"python3\"}}, \"cells\": []}",
        )
        .file(
            "crashes.ipynb",
            &notebook(&["using Shapes\nShapes.grown(Shapes.Circle(1.0), 0x01)", "ccall(:abort, Cvoid, ())"]),
        )
        .file("exits.ipynb", &notebook(&["exit(0)"]))
        .file("fine.ipynb", &notebook(&["using Shapes\nShapes.grown(Shapes.Circle(1.0), true)"]))
        .file(
            "hangs.ipynb",
            &notebook(&["using Shapes\nShapes.grown(Shapes.Circle(1.0), 2f0)", "run(`sleep 1000`)"]),
        );
    let started = Instant::now();
    let (report, statements) = trace(&project);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    for (name, outcome) in [("crashes", "crashed"), ("exits", "ok"), ("fine", "ok"), ("hangs", "timeout")] {
        assert_eq!(workload(&report, &format!("{name}.ipynb"))["outcome"], outcome, "{report:#}");
    }
    for argument in ["Bool", "Float32", "UInt8"] {
        let expected = format!("Shapes.grown), Shapes.Circle, {argument}}}");
        assert!(statements.contains(&expected), "{expected} is not in {statements}");
    }
    let warnings: Vec<&str> =
        report["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("broken.ipynb is not run: it is not a notebook: "), "{warnings:?}");
    assert!(warnings[1].starts_with("old.ipynb is not run: its format is 3"), "{warnings:?}");
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
