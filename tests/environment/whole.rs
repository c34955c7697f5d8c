//! Environments as a whole: a project, its manifest, and what follows from both.

use std::collections::BTreeMap;

use jlsys::config::{Overrides, Settings};
use jlsys::environment::Package;
use jlsys::julia::Differences;
use jlsys::plan::{LeftOutReason, Plan};

use crate::files::{A, B, C, Files};

fn names(packages: Vec<&Package>) -> Vec<&str> {
    packages.into_iter().map(|package| package.name.as_str()).collect()
}

/// `A` depends on `B`, `B` on `D` and `E`, and `C` is alone.
fn graph() -> Files {
    Files::new().with("Project.toml", "[deps]\nA = '{A}'\nE = 'eeeeeeee-0000-4000-8000-000000000005'").with(
        "Manifest.toml",
        "[[A]]\nuuid = '{A}'\ndeps = ['B']\n[[B]]\nuuid = '{B}'\ndeps = ['D', 'E']\nweakdeps = ['C']\n\
             [[C]]\nuuid = '{C}'\n[[D]]\nuuid = 'dddddddd-0000-4000-8000-000000000004'\n\
             [[E]]\nuuid = 'eeeeeeee-0000-4000-8000-000000000005'\n",
    )
}

#[test]
fn direct_dependencies_and_what_they_load() {
    let environment = graph().load().unwrap();
    assert_eq!(names(environment.direct_dependencies()), ["A", "E"]);
    assert_eq!(names(environment.closure()), ["D", "E", "B", "A"]);
    assert_eq!(environment.packages.len(), 5);
}

#[test]
fn dependents() {
    let environment = graph().load().unwrap();
    let of = |uuid: &str| names(environment.dependents_of(uuid.parse().unwrap()));
    assert_eq!(of("eeeeeeee-0000-4000-8000-000000000005"), ["A", "B"]);
    assert_eq!(of(B), ["A"]);
    assert!(of(A).is_empty());
    assert!(of(C).is_empty(), "a weak dependency can be done without");
    assert!(of("ffffffff-0000-4000-8000-000000000006").is_empty());
}

#[test]
fn circles_do_no_harm() {
    let files = Files::new().with("Project.toml", "[deps]\nA = '{A}'").with(
        "Manifest.toml",
        "[[A]]\nuuid = '{A}'\ndeps = ['B']\n[[B]]\nuuid = '{B}'\ndeps = ['A', 'B', 'C']\n[[C]]\nuuid = '{C}'\n",
    );
    let environment = files.load().unwrap();
    assert_eq!(names(environment.closure()), ["C", "B", "A"]);
    assert_eq!(names(environment.dependents_of(A.parse().unwrap())), ["B"]);
}

#[test]
fn a_long_chain_does_not_overflow_the_stack() {
    let uuid = |i: usize| format!("00000000-0000-4000-8000-{i:012}");
    let length = 50_000;
    let mut manifest = String::new();
    for i in 0..length {
        let deps = if i + 1 < length { format!("deps = ['P{}']", i + 1) } else { String::new() };
        manifest += &format!("[[P{i}]]\nuuid = '{}'\n{deps}\n", uuid(i));
    }
    let files = Files::new()
        .with("Project.toml", &format!("[deps]\nP0 = '{}'", uuid(0)))
        .with("Manifest.toml", &manifest);
    let environment = files.load().unwrap();
    assert_eq!(environment.closure().len(), length);
    let last = uuid(length - 1).parse().unwrap();
    assert_eq!(environment.dependents_of(last).len(), length - 1);
}

#[test]
fn a_project_that_is_a_package() {
    let files = Files::new()
        .with("Project.toml", "name = 'C'\nuuid = '{C}'\n[deps]\nA = '{A}'")
        .with("Manifest.toml", "[[A]]\nuuid = '{A}'");
    let environment = files.load().unwrap();
    let own = environment.project_package().unwrap();
    assert_eq!(own.name, "C");
    assert_eq!(environment.package(own.uuid), Some(own));
    assert!(!environment.packages.contains_key(&own.uuid));
    assert_eq!(environment.project_dir(), files.path(""));
    assert_eq!(names(environment.dependents_of(A.parse().unwrap())), ["C"]);
    assert_eq!(names(environment.closure()), ["A"]);
}

#[test]
fn a_project_without_a_manifest() {
    let files = Files::new().with("Project.toml", "[deps]\nA = '{A}'");
    assert_eq!(
        files.complaint(),
        "DIR/Project.toml: the project has no manifest: run `julia --project=DIR -e 'using Pkg; Pkg.instantiate()'`"
    );
    let files = Files::new().with("my project/Project.toml", "");
    let found = files.find("my project", "1.12.0").unwrap();
    let error = jlsys::environment::Environment::load(&found).unwrap_err();
    assert_eq!(
        files.shown(&error),
        "DIR/my project/Project.toml: the project has no manifest: run `julia --project='DIR/my project' -e 'using Pkg; Pkg.instantiate()'`"
    );
}

#[test]
fn dependencies_that_the_manifest_does_not_have() {
    let files = Files::new()
        .with("Project.toml", "[deps]\nA = '{A}'\nRenamed = '{B}'\nC = '{C}'")
        .with("Manifest.toml", "[[A]]\nuuid = '{A}'\n[[B]]\nuuid = '{B}'");
    assert_eq!(
        files.complaint(),
        "DIR/Project.toml: field `deps` names C, Renamed, which DIR/Manifest.toml does not have: run `julia --project=DIR -e 'using Pkg; Pkg.resolve(); Pkg.instantiate()'`"
    );
}

#[test]
fn packages_that_are_not_installed() {
    let files = Files::new()
        .with("Project.toml", "[deps]\nA = '{A}'")
        .with(
            "Manifest.toml",
            "[[A]]\nuuid = '{A}'\ngit-tree-sha1 = '{TREE}'\nversion = '1.2.3'\ndeps = ['B', 'C', 'D']\n\
             [[B]]\nuuid = '{B}'\n[[C]]\nuuid = '{C}'\npath = 'dev/C'\n\
             [[D]]\nuuid = 'dddddddd-0000-4000-8000-000000000004'\n\
             [[Unused]]\nuuid = 'eeeeeeee-0000-4000-8000-000000000005'\n",
        )
        .with("stdlib/D/src/D.jl", "");
    let environment = files.load().unwrap();
    let error = environment.check_installed(&files.depots(), &files.path("stdlib")).unwrap_err();
    assert_eq!(
        files.shown(&error),
        "DIR/Project.toml: not installed in any depot: B (not a standard library of this Julia), C (by path: DIR/dev/C), A 1.2.3: run `julia --project=DIR -e 'using Pkg; Pkg.instantiate()'`"
    );
    let files = files.with("stdlib/A/src/A.jl", "").with("Manifest.toml", "[[A]]\nuuid = '{A}'");
    let environment = files.load().unwrap();
    assert_eq!(environment.check_installed(&files.depots(), &files.path("stdlib")), Ok(()));
}

#[test]
fn a_comment_or_the_order_of_entries_changes_nothing() {
    let files = graph();
    let before = files.load().unwrap();
    let text = std::fs::read_to_string(files.path("Manifest.toml")).unwrap();
    let mut entries: Vec<String> =
        text.split("[[").skip(1).map(|entry| format!("[[{entry}\n# ...\n")).collect();
    entries.reverse();
    let files = files.with("Manifest.toml", &entries.concat());
    assert_eq!(files.load().unwrap(), before);
}

#[test]
fn an_extension_is_in_the_plan_when_all_its_triggers_are() {
    let manifest = "[[A]]\nuuid = '{A}'\nweakdeps = ['B', 'C']\ngit-tree-sha1 = '{TREE}'\n\
         [A.extensions]\nOnB = 'B'\nOnC = 'C'\nOnBoth = ['B', 'C']\n\
         [[B]]\nuuid = '{B}'\ngit-tree-sha1 = '{TREE}'\n[[C]]\nuuid = '{C}'\npath = 'C'\n";
    let files = Files::new()
        .with("Project.toml", "[deps]\nA = '{A}'\nB = '{B}'\nC = '{C}'\n")
        .with("Manifest.toml", manifest);
    let environment = files.load().unwrap();
    let plan = |settings: &str, julia: &str| {
        std::fs::write(files.path("jlsys.toml"), settings).unwrap();
        let settings = Settings::load(&files.path(""), &Overrides::default()).unwrap();
        let differences = Differences::of(&julia.parse().unwrap());
        Plan::new(&environment, &settings, differences, |_| None).unwrap()
    };
    let extensions = |plan: &Plan| -> Vec<String> {
        plan.extensions.iter().map(|extension| extension.name.clone()).collect()
    };
    // `C` is a folder that may change.
    assert_eq!(extensions(&plan("", "1.9.0")), ["OnB"]);
    let all = plan("include = ['C']", "1.12.5");
    assert_eq!(extensions(&all), ["OnB", "OnBoth", "OnC"]);
    let without_c = BTreeMap::from([(C.parse().unwrap(), LeftOutReason::Breaks(String::new()))]);
    assert_eq!(extensions(&all.without(&without_c)), ["OnB"]);
    assert!(extensions(&plan("include = ['C']", "1.8.5")).is_empty());
    // What a driver is given: packages first, extensions by their package.
    let modules: Vec<String> = all.modules().map(|(identity, name)| format!("{identity} {name}")).collect();
    assert_eq!(modules[3], format!("{A}/OnB OnB"));
}
