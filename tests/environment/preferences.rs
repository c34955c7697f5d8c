//! Whose preferences count, and which win.

use jlsys::environment::Search;

use crate::files::{A, B, C, Files, search, version};

/// A package's preferences in the environment of a folder, as TOML.
fn of(files: &Files, project: &str, uuid: &str) -> Option<String> {
    let found = files.find(project, "1.12.0").unwrap();
    let environment = jlsys::environment::Environment::load(&found).unwrap();
    let preferences = environment.preferences.get(&uuid.parse().unwrap())?;
    Some(preferences.to_string().trim().replace('\n', "; "))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// `A` is a dependency, `B` what it depends on.
fn project(project: &str) -> Files {
    Files::new()
        .with("Project.toml", &format!("{project}\n[deps]\nA = '{{A}}'"))
        .with("Manifest.toml", "[[A]]\nuuid = '{A}'\ndeps = ['B']\n[[B]]\nuuid = '{B}'")
}

#[test]
fn the_local_file_is_merged_over_the_projects_table() {
    let files = project("preferences.A = {x = 1, y = 2, z = 3}")
        .with("LocalPreferences.toml", "[A]\ny = 20\n__clear__ = ['z']\n[B]\nx = 1");
    assert_eq!(of(&files, ".", A), some("__clear__ = [\"z\"]; x = 1; y = 20"));
    assert_eq!(of(&files, ".", B), None, "the project does not name B");
}

#[test]
fn the_julia_file_hides_the_other() {
    let files = project("")
        .with("LocalPreferences.toml", "[A]\nx = 1")
        .with("JuliaLocalPreferences.toml", "[A]\ny = 2");
    assert_eq!(of(&files, ".", A), some("y = 2"));
}

#[test]
fn extras_and_weak_dependencies_name_packages_too() {
    for section in ["extras", "weakdeps"] {
        let files = project(&format!("preferences.B = {{x = 1}}\n{section} = {{B = '{{B}}'}}"));
        assert_eq!(of(&files, ".", B), some("x = 1"), "{section}");
    }
}

#[test]
fn a_package_that_is_not_in_the_environment_has_none() {
    let files = project("preferences.C = {x = 1}\nextras = {C = '{C}'}");
    assert_eq!(of(&files, ".", C), None);
}

#[test]
fn the_projects_own_package_has_preferences() {
    let files = project("name = 'C'\nuuid = '{C}'\npreferences.C = {x = 1}");
    assert_eq!(of(&files, ".", C), some("x = 1"));
}

#[test]
fn nearer_environments_win() {
    let files = Files::new()
        .with(
            "Project.toml",
            "[extras]\nA = '{A}'\n[workspace]\nprojects = ['p']\n[preferences.A]\na = 2\nb = 2",
        )
        .with("Manifest.toml", "[[A]]\nuuid = '{A}'")
        .with("p/Project.toml", "[deps]\nA = '{A}'\n[preferences.A]\na = 1")
        .with("depot/environments/v1.12/Project.toml", "[deps]\nRenamed = '{A}'")
        .with("depot/environments/v1.12/LocalPreferences.toml", "Renamed = {a = 3, b = 3, c = 3}");
    assert_eq!(of(&files, "p", A), some("a = 1; b = 2; c = 3"));
}

#[test]
fn no_preferences_is_no_entry() {
    assert_eq!(of(&project(""), ".", A), None);
    assert_eq!(of(&project("preferences.A = {}"), ".", A), None);
}

#[test]
fn malformed_preferences() {
    let files = project("preferences.A = 1");
    assert_eq!(files.complaint(), "DIR/Project.toml: field `preferences.A` is not a table: correct the file");
    let files = project("").with("LocalPreferences.toml", "A = 1");
    assert_eq!(files.complaint(), "DIR/LocalPreferences.toml: field `A` is not a table: correct the file");
    let files = files.with("LocalPreferences.toml", "A =");
    let message = files.complaint();
    assert!(message.starts_with("DIR/LocalPreferences.toml:1:"), "{message}");
}

/// A package's preferences with a load path, as TOML.
fn on_path(files: &Files, load_path: &str, uuid: &str) -> Option<String> {
    let (cwd, depots, julia) = (files.path(""), files.depots(), version("1.10.2"));
    let load_path = Some(load_path.as_ref());
    let search = Search { project: Some("p"), load_path, ..search(&cwd, &depots, &julia) };
    let environment = jlsys::environment::Environment::load(&search.run().unwrap()).unwrap();
    let preferences = environment.preferences.get(&uuid.parse().unwrap())?;
    Some(preferences.to_string().trim().replace('\n', "; "))
}

#[test]
fn every_environment_of_the_load_path_counts_in_its_order() {
    let files = Files::new()
        .with("p/Project.toml", "[deps]\nA = '{A}'\n[preferences.A]\na = 1")
        .with("p/Manifest.toml", "[[A]]\nuuid = '{A}'")
        .with("site/Project.toml", "[extras]\nA = '{A}'\n[preferences.A]\na = 2\nb = 2")
        .with(
            "depot/environments/mpi-1.10/Project.toml",
            "[extras]\nA = '{A}'\n[preferences.A]\nb = 3\nc = 3",
        )
        .with("depot/environments/v1.10/Project.toml", "[extras]\nA = '{A}'\n[preferences.A]\nd = 4")
        .with("packages/Other/src/Other.jl", "module Other end");
    assert_eq!(on_path(&files, ":site", A), some("a = 1; b = 2; d = 4"));
    assert_eq!(on_path(&files, "site:", A), some("a = 2; b = 2; d = 4"));
    assert_eq!(on_path(&files, "@:site/Project.toml", A), some("a = 1; b = 2"));
    assert_eq!(on_path(&files, "@:@mpi-#.#:packages:gone:@script", A), some("a = 1; b = 3; c = 3"));
    assert_eq!(on_path(&files, "@stdlib", A), None);
    assert_eq!(on_path(&files, "", A), None);
}

#[test]
fn what_has_no_project_file_sets_none() {
    let set = "[extras]\nA = '{A}'\n[preferences.A]\nb = 2";
    let files = Files::new()
        .with("p/Project.toml", "[deps]\nA = '{A}'\n[preferences.A]\na = 1")
        .with("p/Manifest.toml", "[[A]]\nuuid = '{A}'")
        .with("site/Other.toml", set)
        .with("depot/environments/stdlib/Project.toml", set)
        .with("depot/environments/script/Project.toml", set);
    for load_path in ["@:site/Other.toml", "@:gone/Project.toml", "@:@stdlib", "@:@script"] {
        assert_eq!(on_path(&files, load_path, A), some("a = 1"), "{load_path}");
    }
    // The project around the working folder.
    let files = files.with("Project.toml", set);
    assert_eq!(on_path(&files, "@:@.", A), some("a = 1; b = 2"));
}
