//! What a start of Julia looks at: what decides whether the image is right, and no more.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use support::shim::Shim;

const NOTEBOOK: &str = r#"{"cells":[{"cell_type":"code","source":["1 + 1"],"metadata":{},"outputs":[]}],
    "metadata":{"kernelspec":{"language":"julia","name":"julia-1.5","display_name":"Julia"}},"nbformat":4,"nbformat_minor":4}"#;

#[test]
fn new_scripts_and_notebooks_count_at_the_next_build() {
    let shim = Shim::new("");
    shim.project.edit("jlsys.toml", |text| text.replace("\"scripts\"", "\"scripts\", \"notebooks\""));
    let project = &shim.project;
    std::fs::write(project.path("one.ipynb"), NOTEBOOK).unwrap();
    let built = shim.build(&[], 0);
    let ready = || {
        let status = project.jlsys(&["status", "--json"]).expect_status(0).json();
        assert_eq!((&status["state"], &status["key"]), (&"ready".into(), &built["key"]), "{status:#}");
    };
    ready();
    // Whatever lies beside the project, a start does not search it: what is in the image is right.
    std::fs::write(project.path("two.ipynb"), NOTEBOOK).unwrap();
    std::fs::write(project.path("precompile_more.jl"), "1 + 1").unwrap();
    std::fs::remove_file(project.path("one.ipynb")).unwrap();
    ready();
    let shown = project.jlsys(&["status", "--explain"]).expect_status(0).stdout();
    assert!(shown.contains("one.ipynb") && !shown.contains("two.ipynb"), "{shown}");
    // A script that showed what to compile and says something else now is looked at, and the project's packages are.
    let script = std::fs::read_to_string(project.path("precompile.jl")).unwrap();
    project.edit("precompile.jl", |text| format!("{text}\n1"));
    project.jlsys(&["status"]).expect_status(1).expect_stdout("precompile.jl changed");
    project.edit("precompile.jl", |_| script);
    ready();
    // A build sees all of them.
    let again = shim.build(&[], 0);
    assert_ne!(again["key"], built["key"]);
    let workloads: Vec<&str> =
        again["workloads"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap()).collect();
    assert!(workloads.contains(&"two.ipynb") && workloads.contains(&"precompile_more.jl"), "{workloads:?}");
}
