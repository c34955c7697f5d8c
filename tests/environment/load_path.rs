//! What `JULIA_LOAD_PATH` changes.

use std::ffi::OsStr;
use std::path::Path;

use jlsys::environment::{Environment, LoadPath, Search};
use jlsys::version::Version;

use crate::files::{A, Files, search};

const JULIA: Version = Version::new(1, 10, 2);

/// Why a session would take packages from elsewhere than the project in `p`.
fn in_front(files: &Files, load_path: Option<&str>) -> Option<String> {
    let (cwd, depots) = (files.path(""), files.depots());
    let load_path = load_path.map(OsStr::new);
    Search { load_path, ..search(&cwd, &depots, &JULIA) }.in_front(&files.path("p/Project.toml"))
}

#[test]
fn packages_before_the_projects_are_named() {
    let files = Files::new()
        .with("p/Project.toml", "")
        .with("site/Project.toml", "[extras]\nA = '{A}'\n[preferences.A]\na = 1")
        .with("tools/Project.toml", "[deps]\nA = '{A}'")
        .with("own/Project.toml", "name = 'Own'")
        .with("broken/Project.toml", "[deps")
        .with("packages/A/src/A.jl", "module A end")
        .with("depot/environments/mine/Project.toml", "[deps]\nA = '{A}'");
    assert_eq!(in_front(&files, None), None);
    for harmless in
        ["@", ":tools", "p", "p/Project.toml:tools", "site:@", "gone:@", "@stdlib:@", "@nobody:@", "@temp:@"]
    {
        assert_eq!(in_front(&files, Some(harmless)), None, "{harmless}");
    }
    for entry in ["tools", "own", "broken", "packages", "@mine", "@script"] {
        let reason = format!("JULIA_LOAD_PATH has packages of {entry} before the project's");
        assert_eq!(in_front(&files, Some(&format!("{entry}:@"))), Some(reason));
    }
    for without in ["", "@stdlib", "site"] {
        let reason = "JULIA_LOAD_PATH leaves the project out".to_owned();
        assert_eq!(in_front(&files, Some(without)), Some(reason), "{without}");
    }
}

#[test]
fn builds_have_the_preferences_that_sessions_find_there() {
    let files = Files::new()
        .with("p/Project.toml", "[deps]\nA = '{A}'\n[preferences.A]\na = 1")
        .with("p/Manifest.toml", "[[A]]\nuuid = '{A}'")
        .with("site/Project.toml", "[extras]\nRenamed = '{A}'\n[preferences.Renamed]\nb = 2")
        .with("depot/environments/v1.10/Project.toml", "");
    let cache = files.path("cache");
    let of = |load_path: Option<&str>| {
        let (cwd, depots) = (files.path(""), files.depots());
        let load_path = load_path.map(OsStr::new);
        let found = Search { project: Some("p"), load_path, ..search(&cwd, &depots, &JULIA) }.run().unwrap();
        LoadPath::of(&Environment::load(&found).unwrap(), &found, &cache)
    };
    assert!(of(None).is_none(), "Julia's own load path will do");
    let load_path = of(Some("@:site")).unwrap();
    let value = load_path.value().into_string().unwrap();
    let folder = Path::new(value.strip_suffix(":@:@stdlib").unwrap());
    assert!(folder.starts_with(&cache), "{value}");
    load_path.write().unwrap();
    let written = std::fs::read_to_string(folder.join("Project.toml")).unwrap();
    let written: toml::Table = written.parse().unwrap();
    assert_eq!(written["extras"][A].as_str(), Some(A));
    let preferences = &written["preferences"][A];
    assert_eq!((preferences["a"].as_integer(), preferences["b"].as_integer()), (Some(1), Some(2)));
    assert!(!written.contains_key("deps"), "it has no packages");
    // The default environment is searched where the user searches it.
    let value = of(Some("site:")).unwrap().value().into_string().unwrap();
    assert!(value.ends_with(":@:@v#.#:@stdlib"), "{value}");
}
