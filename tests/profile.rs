//! The page with a build's timeline, of a real build but for the writing of the image.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

mod support;

use support::Project;
use support::shim::Shim;

/// The bars in a page: where each begins and how wide it is, in percent.
fn bars(page: &str) -> Vec<(f64, f64)> {
    let bars = page.split("<div class=\"bar ").skip(1).map(|bar| {
        let (_, style) = bar.split_once("left:").unwrap();
        let (left, rest) = style.split_once("%;width:").unwrap();
        (left.parse().unwrap(), rest.split_once('%').unwrap().0.parse().unwrap())
    });
    bars.collect()
}

#[test]
fn a_build_a_trace_and_an_entry_have_a_page() {
    let shim = Shim::new("");
    let file = shim.project.outside("build.html");
    let name = file.to_str().unwrap();
    let report = shim.build(&["--profile", name], 0);
    let page = std::fs::read_to_string(&file).unwrap();
    for words in
        ["running workloads", "compiling and writing the image", "precompile.jl", "trying the image", "full"]
    {
        assert!(page.contains(words), "{words} is not in {page}");
    }
    let (phases, workloads) = (report["phases"].as_array().unwrap(), report["workloads"].as_array().unwrap());
    let found = bars(&page);
    assert_eq!(found.len(), phases.len() + workloads.len(), "{page}");
    assert!(found.iter().all(|(left, width)| (0.0..=100.01).contains(&(left + width))), "{found:?}");
    // Phases follow upon each other; workloads are within theirs, and that of loading, beside which they may run.
    let begin = |of: &serde_json::Value| of["started"].as_f64().unwrap();
    let end = |of: &serde_json::Value| begin(of) + of["seconds"].as_f64().unwrap();
    assert!(phases.windows(2).all(|pair| end(&pair[0]) <= begin(&pair[1]) + 0.01), "{phases:#?}");
    let phase = |name: &str| phases.iter().find(|phase| phase["name"] == name).unwrap();
    let (loading, running) = (phase("load"), phase("workloads"));
    let script = workloads.iter().find(|workload| workload["name"] == "precompile.jl").unwrap();
    assert!(
        begin(loading) <= begin(script) + 0.01 && end(script) <= end(running) + 0.01,
        "{running} {script}"
    );

    // The same page later, and on a hit.
    shim.project.jlsys(&["cache", "show", "--profile", name]).expect_status(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), page);
    shim.project.jlsys(&["trace", "-q", "--profile"]).expect_status(0);
    let traced = std::fs::read_to_string(shim.project.path("jlsys-profile.html")).unwrap();
    assert!(traced.contains("precompile.jl") && !traced.contains("trying the image"), "{traced}");
}

#[test]
fn a_page_that_cannot_be_written_is_said_before_the_work() {
    let project = Project::new().write();
    for file in ["/no/such/folder/page.html", "/"] {
        project.jlsys(&["build", "--profile", file]).expect_refusal(&[&format!("cannot use '{file}'")]);
    }
    assert!(!project.cache().join("images").exists());
}
