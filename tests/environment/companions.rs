//! Packages of the default environment that go along with a project.

use jlsys::environment::{Environment, Package};
use jlsys::uuid::Uuid;

use crate::files::{A, Files};

/// What stands for IJulia here.
const TOOL: &str = "aaaaaaaa-0000-4000-8000-000000000009";

const TREES: [&str; 2] =
    ["1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"];

/// A project that has `A` in version 1, and a default environment with `Tool`, which needs `A` and `C`.
fn files(version_of_a: &str, tree_of_a: &str) -> Files {
    Files::new()
        .with("project/Project.toml", "[deps]\nA = '{A}'")
        .with(
            "project/Manifest.toml",
            &format!("[[A]]\nuuid = '{{A}}'\nversion = '1.0.0'\ngit-tree-sha1 = '{}'\n[[S]]\nuuid = '{{B}}'\n", TREES[0]),
        )
        .with("default/Project.toml", &format!("[deps]\nTool = '{TOOL}'\n[preferences.Tool]\nspeed = 2\n"))
        .with(
            "default/Manifest.toml",
            &format!(
                "[[Tool]]\nuuid = '{TOOL}'\nversion = '3.1.0'\ngit-tree-sha1 = '{{TREE}}'\ndeps = ['A', 'C', 'S']\n\
                 [[A]]\nuuid = '{{A}}'\nversion = '{version_of_a}'\ngit-tree-sha1 = '{tree_of_a}'\n\
                 [[C]]\nuuid = '{{C}}'\nversion = '0.1.0'\ngit-tree-sha1 = '{{TREE}}'\n\
                 [[S]]\nuuid = '{{B}}'\nversion = '1.11.0'\n"
            ),
        )
}

fn load(files: &Files, folder: &str) -> Environment {
    Environment::load(&files.find(folder, "1.12.0").unwrap()).unwrap()
}

fn tool() -> Uuid {
    TOOL.parse().unwrap()
}

fn taken(files: &Files, is_installed: impl Fn(&Package) -> bool) -> Environment {
    let mut project = load(files, "project");
    project.take_along(&load(files, "default"), tool(), is_installed);
    project
}

fn names(environment: &Environment) -> Vec<&str> {
    environment.closure().into_iter().map(|package| package.name.as_str()).collect()
}

#[test]
fn what_agrees_is_taken_along_with_what_it_needs() {
    let files = files("1.0.0", TREES[0]);
    let project = taken(&files, |_| true);
    assert_eq!(names(&project), ["A", "S", "C", "Tool"]);
    assert!(project.left_behind.is_empty());
    assert_eq!(project.companions[0].project_file, files.path("default/Project.toml"));
    // A tool is not what the project's own code is about.
    let direct: Vec<&str> =
        project.direct_dependencies().iter().map(|package| package.name.as_str()).collect();
    assert_eq!(direct, ["A"]);
    assert!(project.preferences[&tool()].contains_key("speed"));
}

#[test]
fn another_version_of_anything_leaves_it_behind() {
    let files = files("1.0.1", TREES[1]);
    let before = load(&files, "project");
    let project = taken(&files, |_| true);
    assert_eq!((&project.packages, names(&project)), (&before.packages, vec!["A"]));
    let behind = &project.left_behind[0];
    assert_eq!((behind.name.as_str(), behind.uuid), ("Tool", tool()));
    assert_eq!(
        behind.reason.replace(files.path("").to_str().unwrap(), "DIR"),
        "the project has A 1.0.0, and it needs A 1.0.1 (in DIR/default/Manifest.toml)"
    );
    // One version may be two trees, as with a fork.
    assert_eq!(taken(&self::files("1.0.0", TREES[1]), |_| true).left_behind.len(), 1);
}

#[test]
fn packages_by_path_agree_where_they_are_one_folder() {
    for (path, agrees) in [("../dev/A", true), ("../fork/A", false)] {
        let files = Files::new()
            .with("project/Project.toml", "[deps]\nA = '{A}'")
            .with("project/Manifest.toml", "[[A]]\nuuid = '{A}'\npath = '../dev/A'\n")
            .with("default/Project.toml", &format!("[deps]\nTool = '{TOOL}'\n"))
            .with(
                "default/Manifest.toml",
                &format!(
                    "[[Tool]]\nuuid = '{TOOL}'\ngit-tree-sha1 = '{{TREE}}'\ndeps = ['A']\n\
                     [[A]]\nuuid = '{{A}}'\npath = '{path}'\n"
                ),
            );
        assert_eq!(taken(&files, |_| true).left_behind.is_empty(), agrees, "{path}");
    }
}

#[test]
fn what_is_left_behind_is_loaded_beside_the_project() {
    let files = files("1.0.1", TREES[1]);
    let project = taken(&files, |_| true);
    // Julia looks into the project first.
    let loaded: Vec<String> =
        project.loaded_in_session([tool()]).into_iter().map(|package| package.to_string()).collect();
    assert_eq!(loaded, ["A 1.0.0", "S", "C 0.1.0", "Tool 3.1.0"]);
    let beside: Vec<&str> = project.beside.values().map(|package| package.name.as_str()).collect();
    assert_eq!(beside, ["Tool", "C"]);
    assert!(project.preferences[&tool()].contains_key("speed"));
    // What is in the project's version of something counts, and what must be there.
    assert!(taken(&files, |package| package.name != "A").beside.contains_key(&tool()));
    assert!(taken(&files, |package| package.name != "C").beside.is_empty());
}

#[test]
fn what_is_not_installed_leaves_it_behind() {
    let project = taken(&files("1.0.0", TREES[0]), |package| package.name != "C");
    assert!(project.beside.is_empty());
    assert!(
        project.left_behind[0].reason.starts_with("C 0.1.0 is not installed"),
        "{:?}",
        project.left_behind
    );
    assert!(project.companions.is_empty());
}

#[test]
fn only_what_the_other_environment_names_and_the_project_has_not() {
    let files = files("1.0.0", TREES[0]);
    let mut project = load(&files, "project");
    let before = project.clone();
    let default = load(&files, "default");
    project.take_along(&default, A.parse().unwrap(), |_| true);
    project.take_along(&default, "cccccccc-0000-4000-8000-000000000003".parse().unwrap(), |_| true);
    project.take_along(&default, "eeeeeeee-0000-4000-8000-000000000005".parse().unwrap(), |_| true);
    assert_eq!(project, before);
}
