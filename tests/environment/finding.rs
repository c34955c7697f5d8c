//! Which project and which manifest.

use std::fs;
use std::path::{Path, PathBuf};

use jlsys::environment::{Depots, EnvironmentError, Search};

use crate::files::{Files, search, version};

/// The project and manifest found for `--project=NAME`, relative to the folder.
fn found(files: &Files, project: &str, julia: &str) -> (PathBuf, Option<PathBuf>) {
    let found = files.find(project, julia).unwrap();
    let relative = |path: PathBuf| path.strip_prefix(files.path("")).unwrap().to_owned();
    (relative(found.project_file), found.manifest_file.map(relative))
}

fn pair(project: &str, manifest: &str) -> (PathBuf, Option<PathBuf>) {
    (project.into(), Some(manifest.into()))
}

fn refusal(files: &Files, project: &str) -> String {
    files.shown(&files.find(project, "1.12.0").unwrap_err())
}

#[test]
fn julia_project_comes_before_project() {
    let files = Files::new().with("Project.toml", "").with("JuliaProject.toml", "");
    assert_eq!(found(&files, ".", "1.12.0"), ("JuliaProject.toml".into(), None));
    assert_eq!(found(&files, "Project.toml", "1.12.0"), ("Project.toml".into(), None));
}

#[test]
fn a_manifest_of_the_julia_in_use_comes_first() {
    let mut files = Files::new().with("Project.toml", "");
    // From the last choice to the first: each new file takes over.
    for manifest in ["Manifest.toml", "JuliaManifest.toml"] {
        files = files.with(manifest, "");
        assert_eq!(found(&files, ".", "1.11.2"), pair("Project.toml", manifest));
    }
    for manifest in ["Manifest-v1.11.toml", "JuliaManifest-v1.11.toml"] {
        files = files.with(manifest, "");
        assert_eq!(found(&files, ".", "1.11.2"), pair("Project.toml", manifest));
        assert_eq!(found(&files, ".", "1.12.0"), pair("Project.toml", "JuliaManifest.toml"));
    }
}

#[test]
fn julia_before_1_10_8_knows_no_versioned_manifests() {
    let files = Files::new().with("Project.toml", "").with("Manifest-v1.10.toml", "");
    assert_eq!(found(&files, ".", "1.10.7"), ("Project.toml".into(), None));
    assert_eq!(found(&files, ".", "1.10.8"), pair("Project.toml", "Manifest-v1.10.toml"));
}

#[test]
fn a_project_may_name_its_manifest() {
    let files =
        Files::new().with("p/Project.toml", "manifest = '../locked/all.toml'").with("p/Manifest.toml", "");
    assert_eq!(found(&files, "p", "1.12.0"), pair("p/Project.toml", "p/Manifest.toml"));
    let files = files.with("locked/all.toml", "");
    assert_eq!(found(&files, "p", "1.12.0"), pair("p/Project.toml", "locked/all.toml"));
}

#[test]
fn a_folder_a_file_and_a_path_from_home() {
    let files = Files::new().with("a/b/Project.toml", "");
    for project in ["a/b", "a/b/", "./a/../a/b", "a/b/Project.toml"] {
        assert_eq!(found(&files, project, "1.12.0").0, PathBuf::from("a/b/Project.toml"));
    }
    let (cwd, home, depots, julia) = (files.path("a"), files.path(""), files.depots(), version("1.12.0"));
    let from_home = Search { project: Some("~/a/b"), home: Some(&home), ..search(&cwd, &depots, &julia) };
    assert_eq!(from_home.run().unwrap().project_file, files.path("a/b/Project.toml"));
}

#[test]
fn without_a_word_the_project_above_then_the_default_one() {
    let files = Files::new()
        .with("home/p/Project.toml", "")
        .with("home/p/sub/deep/x.jl", "")
        .with("home/other/x.jl", "")
        .with("Project.toml", "")
        .with("depot2/environments/v1.9/Project.toml", "");
    let (home, depots, julia) = (files.path("home"), files.depots(), version("1.9.4"));
    let from = |cwd: &str, project: Option<&str>, variable: Option<&str>| {
        let cwd = files.path(cwd);
        Search { project, julia_project: variable, home: Some(&home), ..search(&cwd, &depots, &julia) }
            .run()
            .unwrap()
            .project_file
    };
    let own = files.path("home/p/Project.toml");
    let default = files.path("depot2/environments/v1.9/Project.toml");
    for project in [None, Some("@.")] {
        assert_eq!(from("home/p/sub/deep", project, None), own);
        // The project above the home folder is not for what is in it.
        assert_eq!(from("home/other", project, None), default);
    }
    assert_eq!(from("home/p", Some("@v#.#"), None), default);
    assert_eq!(from("home/p", None, Some("@v1.9")), default);
    for variable in ["", "@"] {
        assert_eq!(from("home/p", None, Some(variable)), default, "as Julia takes it");
        assert_eq!(from("home/p", Some(variable), None), default);
    }
    assert_eq!(from("home/other", None, Some("../p")), own);
    assert_eq!(from("home/other", Some("@."), Some("../p")), default, "--project wins");
}

#[test]
fn named_environments_are_in_the_first_depot_that_has_them() {
    let files = Files::new()
        .with("depot/environments/empty/readme", "")
        .with("depot2/environments/empty/Project.toml", "")
        .with("depot/environments/both/JuliaProject.toml", "")
        .with("depot2/environments/both/Project.toml", "")
        .with("depot/environments/x1-12-3#/Project.toml", "");
    for (name, project) in [
        ("@empty", "depot2/environments/empty/Project.toml"),
        ("@both", "depot/environments/both/JuliaProject.toml"),
        ("@x#-#-##", "depot/environments/x1-12-3#/Project.toml"),
    ] {
        assert_eq!(found(&files, name, "1.12.3").0, PathBuf::from(project));
    }
}

#[test]
fn before_1_7_a_name_that_julia_is_told_is_a_folder() {
    let files = Files::new()
        .with("@/Project.toml", "")
        .with("@mine/Project.toml", "")
        .with("depot/environments/mine/Project.toml", "");
    let told = |name: &str, julia: &str| {
        let (cwd, depots, julia) = (files.path(""), files.depots(), version(julia));
        Search { julia_project: Some(name), ..search(&cwd, &depots, &julia) }.run().unwrap().project_file
    };
    assert_eq!(told("@", "1.6.7"), files.path("@/Project.toml"));
    assert_eq!(told("@mine", "1.6.7"), files.path("@mine/Project.toml"));
    assert_eq!(told("@mine", "1.7.0"), files.path("depot/environments/mine/Project.toml"));
}

#[test]
fn the_default_environment_is_next_in_the_load_path() {
    let files = Files::new().with("p/Project.toml", "").with("depot/environments/v1.12/Project.toml", "");
    let default = files.path("depot/environments/v1.12/Project.toml");
    assert_eq!(files.find("p", "1.12.0").unwrap().default_project, Some(default));
    assert_eq!(files.find("p", "1.11.0").unwrap().default_project, None);
    assert_eq!(files.find("@v1.12", "1.12.0").unwrap().default_project, None);
}

#[test]
fn a_workspace_shares_the_manifest_of_the_project_above() {
    let files = Files::new()
        .with("Project.toml", "[workspace]\nprojects = ['test', 'lib/a', 'gone']")
        .with("Manifest.toml", "")
        .with("test/Project.toml", "")
        .with("test/Manifest.toml", "")
        .with("lib/a/Project.toml", "[workspace]\nprojects = ['./docs']")
        .with("lib/a/docs/Project.toml", "")
        .with("lib/b/Project.toml", "");
    assert_eq!(found(&files, "test", "1.12.0"), pair("test/Project.toml", "Manifest.toml"));
    assert_eq!(found(&files, "lib/a", "1.12.0"), pair("lib/a/Project.toml", "Manifest.toml"));
    assert_eq!(found(&files, "lib/b", "1.12.0").1, None, "not listed");
    assert_eq!(found(&files, "test", "1.11.9"), pair("test/Project.toml", "test/Manifest.toml"));
    let nested = files.find("lib/a/docs", "1.13.0").unwrap();
    assert_eq!(nested.manifest_file, Some(files.path("Manifest.toml")));
    assert_eq!(nested.workspace, [files.path("lib/a/Project.toml"), files.path("Project.toml")]);
}

#[test]
fn a_workspace_does_not_reach_into_the_home_folder() {
    let files = Files::new()
        .with("Project.toml", "[workspace]\nprojects = ['home/p']")
        .with("home/p/Project.toml", "");
    let (cwd, home, depots, julia) =
        (files.path("home/p"), files.path("home"), files.depots(), version("1.12.0"));
    let mut lookup = search(&cwd, &depots, &julia);
    assert_eq!(lookup.run().unwrap().workspace.len(), 1);
    lookup.home = Some(&home);
    assert_eq!(lookup.run().unwrap().workspace.len(), 0);
}

#[test]
fn the_home_folder_itself_may_be_a_workspace() {
    let files = Files::new()
        .with("home/Project.toml", "[workspace]\nprojects = ['code/p']")
        .with("home/code/p/Project.toml", "");
    let (cwd, home, depots, julia) =
        (files.path("home/code/p"), files.path("home"), files.depots(), version("1.12.0"));
    let found = Search { home: Some(&home), ..search(&cwd, &depots, &julia) }.run().unwrap();
    assert_eq!(found.workspace, [files.path("home/Project.toml")]);
}

#[cfg(unix)]
#[test]
fn a_workspace_knows_a_folder_behind_a_link() {
    let files =
        Files::new().with("Project.toml", "[workspace]\nprojects = ['link']").with("real/Project.toml", "");
    std::os::unix::fs::symlink(files.path("real"), files.path("link")).unwrap();
    assert_eq!(files.find("real", "1.12.0").unwrap().workspace.len(), 1);
}

#[test]
fn no_project_is_said_with_the_place() {
    let files = Files::new().with("code/x.jl", "").with("code/Manifest.toml", "");
    for (project, place) in [
        ("code", "DIR/code"),
        ("nowhere", "DIR/nowhere"),
        ("@mine", "DIR/depot/environments/mine"),
        ("", "DIR/depot/environments/v1.12"),
    ] {
        assert_eq!(
            refusal(&files, project),
            format!("{place}: there is no Project.toml here: name a Julia project's folder with --project")
        );
    }
    assert_eq!(
        refusal(&files, "@."),
        "DIR: there is no Project.toml here or above: go to a project's folder, or name one with --project (`--project=@v1.12` is the default environment)"
    );
    assert_eq!(
        refusal(&files, "code/Manifest.toml"),
        "DIR/code/Manifest.toml: Julia reads a project only from a file named Project.toml or JuliaProject.toml: give such a file, or its folder"
    );
    for name in ["@script", "@script/..", "@temp", "@stdlib"] {
        assert_eq!(
            refusal(&files, name),
            format!(
                "`{name}` is not an environment that jlsys can find: name a project's folder with --project"
            )
        );
    }
}

#[test]
fn a_named_environment_needs_a_depot() {
    let (depots, julia) = (Depots::new(vec![]), version("1.12.0"));
    let lookup = Search { project: Some("@mine"), ..search(Path::new("/"), &depots, &julia) };
    let unknown = EnvironmentError::UnknownEnvironment { name: "@mine".into() };
    assert_eq!(lookup.run(), Err(unknown));
}

#[test]
fn a_folder_called_like_a_project_file_is_none() {
    let files = Files::new().with("p/x", "");
    fs::create_dir(files.path("p/JuliaProject.toml")).unwrap();
    let files = files.with("p/Project.toml", "");
    assert_eq!(found(&files, "p", "1.12.0").0, PathBuf::from("p/Project.toml"));
}

#[test]
fn names_with_line_breaks_stay_on_one_line() {
    let files = Files::new();
    assert_eq!(
        refusal(&files, "a\nb\u{1b}[0m"),
        "DIR/a\\nb\\u{1b}[0m: there is no Project.toml here: name a Julia project's folder with --project"
    );
}
