//! Where depots are, and packages in them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use jlsys::environment::{DepotSettings, Depots, Manifest, Package, bundled};

use crate::files::{Files, fill, version};

fn depots(variable: Option<&str>, julia: &str) -> Vec<String> {
    let settings = DepotSettings {
        variable: variable.map(OsStr::new),
        home: Some(Path::new("/home/u")),
        cwd: Path::new("/work"),
        bundled: &bundled(Path::new("/opt/julia/bin")),
        julia: &version(julia),
    };
    let depots = Depots::from_settings(settings);
    depots.paths().iter().map(|path| path.to_str().unwrap().to_owned()).collect()
}

const USER: &str = "/home/u/.julia";
const LOCAL: &str = "/opt/julia/local/share/julia";
const SHARE: &str = "/opt/julia/share/julia";

#[test]
fn depots_by_default() {
    for julia in ["1.5.3", "1.12.0"] {
        assert_eq!(depots(None, julia), [USER, LOCAL, SHARE]);
    }
}

#[test]
fn depots_that_are_named() {
    for julia in ["1.5.3", "1.12.0"] {
        assert_eq!(depots(Some("/d"), julia), ["/d"]);
        assert_eq!(depots(Some("/d:~/e:f/../g:/d"), julia), ["/d", "/home/u/e", "/work/g"]);
        assert!(depots(Some(""), julia).is_empty());
    }
}

#[test]
fn an_empty_entry_is_the_defaults() {
    for variable in ["/d:", "/d::"] {
        assert_eq!(depots(Some(variable), "1.10.9"), ["/d", USER, LOCAL, SHARE]);
        assert_eq!(depots(Some(variable), "1.11.0"), ["/d", LOCAL, SHARE]);
    }
    assert_eq!(depots(Some(":/d"), "1.10.9"), [USER, LOCAL, SHARE, "/d"]);
    assert_eq!(depots(Some(":/d"), "1.11.0"), [LOCAL, SHARE, "/d"]);
    for julia in ["1.10.9", "1.11.0"] {
        assert_eq!(depots(Some(":"), julia), [USER, LOCAL, SHARE]);
    }
}

#[cfg(unix)]
#[test]
fn a_depot_has_what_is_in_it_whatever_it_is_called() {
    let files = Files::new().with("depot/compiled/v1.10/A/x.so", "").with("elsewhere/x.so", "");
    std::os::unix::fs::symlink(files.path("depot"), files.path("link")).unwrap();
    let depots = files.depots();
    for inside in ["depot/compiled/v1.10/A/x.so", "link/compiled/v1.10/A/x.so"] {
        assert!(depots.have(&files.path(inside)), "{inside}");
    }
    for outside in ["elsewhere/x.so", "link/gone.so", "depot-of-another/x.so"] {
        assert!(!depots.have(&files.path(outside)), "{outside}");
    }
}

/// One package called `A`, with more lines to its entry.
fn package(files: &Files, lines: &str) -> Package {
    let text = fill(&format!("[[A]]\nuuid = '7876af07-990d-54b4-ab0e-23690620f79a'\n{lines}"));
    let manifest = Manifest::parse(&files.path("Manifest.toml"), &text).unwrap();
    manifest.packages.into_values().next().unwrap()
}

fn entry_file(files: &Files, lines: &str) -> Option<PathBuf> {
    let found = files.depots().entry_file(&package(files, lines), &files.path("stdlib"))?;
    Some(found.strip_prefix(files.path("")).unwrap().to_owned())
}

/// The tree whose folder Julia 1.5.3 calls `aqsx3` for that UUID.
const TREE: &str = "git-tree-sha1 = '46e44e869b4d90b96bd8ed1fdcf32244fddfb6cc'";

#[test]
fn installed_packages_are_under_their_slug() {
    let files = Files::new();
    assert_eq!(entry_file(&files, TREE), None);
    let files = files.with("depot2/packages/A/aqsx/src/A.jl", "");
    assert_eq!(entry_file(&files, TREE), Some("depot2/packages/A/aqsx/src/A.jl".into()));
    let files = files.with("depot2/packages/A/aqsx3/src/A.jl", "");
    assert_eq!(entry_file(&files, TREE), Some("depot2/packages/A/aqsx3/src/A.jl".into()));
    let files = files.with("depot/packages/A/aqsx3/src/A.jl", "");
    assert_eq!(entry_file(&files, TREE), Some("depot/packages/A/aqsx3/src/A.jl".into()));
    let repo = format!("{TREE}\nrepo-url = 'u'\nrepo-subdir = 'sub'");
    assert_eq!(entry_file(&files, &repo), Some("depot/packages/A/aqsx3/src/A.jl".into()));
}

#[test]
fn a_folder_without_the_package_in_it_is_not_the_package() {
    let files = Files::new().with("depot/packages/A/aqsx3/src/B.jl", "");
    let package = package(&files, TREE);
    let dir = files.depots().package_dir(&package, Path::new("/"));
    assert_eq!(dir, Some(files.path("depot/packages/A/aqsx3")));
    assert_eq!(entry_file(&files, TREE), None);
    let missing = files.depots().missing_packages([&package], Path::new("/"));
    assert_eq!(missing, [&package]);
}

#[test]
fn standard_libraries_and_paths() {
    let files = Files::new().with("stdlib/A/src/A.jl", "").with("dev/A/src/A.jl", "").with("dev/lone.jl", "");
    assert_eq!(entry_file(&files, ""), Some("stdlib/A/src/A.jl".into()));
    assert_eq!(entry_file(&files, "path = 'dev/A'"), Some("dev/A/src/A.jl".into()));
    assert_eq!(entry_file(&files, "path = 'dev/lone.jl'"), Some("dev/lone.jl".into()));
    assert_eq!(entry_file(&files, "path = 'dev/B'"), None);
}

#[test]
fn an_entry_file_of_its_own() {
    let files = Files::new().with("dev/A/lib/a.jl", "").with("dev/B/pkg/src/A.jl", "");
    let own = "path = 'dev/A'\nentryfile = 'lib/a.jl'";
    assert_eq!(entry_file(&files, own), Some("dev/A/lib/a.jl".into()));
    let folder = "path = 'dev/B'\nentryfile = 'pkg'";
    assert_eq!(entry_file(&files, folder), Some("dev/B/pkg/src/A.jl".into()));
    assert_eq!(entry_file(&files, "path = 'dev/B'\nentryfile = 'gone.jl'"), None);
}
