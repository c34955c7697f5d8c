//! What a project says, and what is wrong with it.

use std::path::Path;

use jlsys::environment::{EnvironmentError, Project, ProjectSource, Source};

use crate::files::{A, B, C, fill};

const FILE: &str = "/p/Project.toml";

fn parse(text: &str) -> Result<Project, EnvironmentError> {
    Project::parse(Path::new(FILE), &fill(text))
}

#[track_caller]
fn assert_wrong(text: &str, problem: &str) {
    let message = parse(text).unwrap_err().to_string();
    assert_eq!(message, format!("{FILE}: field {problem}: correct the file"));
}

#[test]
fn everything_a_project_says() {
    let project = parse(
        "name = 'P'\nuuid = '{C}'\nversion = '0.1.0'\nauthors = ['me']\nmanifest = 'locked.toml'\n\
         entryfile = 'lib/p.jl'\n\
         [deps]\nA = '{A}'\nB = '{B}'\n[weakdeps]\nB = '{B}'\n[extras]\nC = '{C}'\n\
         [extensions]\nPBExt = 'B'\nBothExt = ['A', 'B']\n[targets]\ntest = ['C', 'A']\n\
         [compat]\njulia = '1.10'\nA = '1'\n[workspace]\nprojects = ['test']\n\
         [sources]\nA = {path = '../A'}\nC = {url = 'u', rev = 'r', subdir = 's'}\n\
         [preferences.A]\nfast = true",
    )
    .unwrap();
    let (a, b, c) = (A.parse().unwrap(), B.parse().unwrap(), C.parse().unwrap());
    assert_eq!(project.name.as_deref(), Some("P"));
    assert_eq!(project.uuid, Some(c));
    assert_eq!(project.version.as_deref(), Some("0.1.0"));
    assert_eq!(project.manifest, Some("locked.toml".into()));
    assert_eq!(project.entry_file, Some("lib/p.jl".into()));
    assert_eq!(project.deps, [("A".to_owned(), a)].into());
    assert_eq!(project.weak_deps, [("B".to_owned(), b)].into());
    assert_eq!(project.extras, [("C".to_owned(), c)].into());
    assert_eq!(project.extensions["PBExt"], [b]);
    assert_eq!(project.extensions["BothExt"], [a, b]);
    assert_eq!(project.targets["test"], ["A", "C"]);
    assert_eq!(project.compat["julia"], "1.10");
    assert_eq!(project.workspace, [Path::new("test")]);
    assert_eq!(
        project.sources["C"],
        ProjectSource { path: None, url: Some("u".into()), rev: Some("r".into()), subdir: Some("s".into()) }
    );
    assert_eq!(project.sources["A"].path.as_deref(), Some("../A"));
    assert_eq!(project.preferences.to_string(), "[A]\nfast = true\n");
}

#[test]
fn nothing_is_a_project() {
    assert_eq!(parse("").unwrap(), Project::default());
}

#[test]
fn a_name_and_a_uuid_make_a_package() {
    let package = parse("name = 'P'\nuuid = '{C}'\nversion = '0.1.0'\n[deps]\nA = '{A}'")
        .unwrap()
        .package(Path::new(FILE))
        .unwrap();
    assert_eq!(package.to_string(), "P 0.1.0");
    assert_eq!(package.source, Source::Path("/p".into()));
    assert_eq!(package.deps, [A.parse().unwrap()]);
    // A name that cannot be loaded is only a title.
    for text in ["name = 'P'", "uuid = '{C}'", "name = 'my-project'\nuuid = '{C}'"] {
        assert_eq!(parse(text).unwrap().package(Path::new(FILE)), None, "{text}");
    }
}

#[test]
fn malformed_fields() {
    for (text, problem) in [
        ("name = 1", "`name` is not a string"),
        ("uuid = 1", "`uuid` is not a string"),
        ("uuid = 'x'", "`uuid` is not a UUID (8-4-4-4-12 hexadecimal digits)"),
        ("version = 'one'", "`version` is not a version number (such as 1.10.2)"),
        ("manifest = 1", "`manifest` is not a string"),
        ("manifest = ''", "`manifest` is an empty path"),
        ("path = '/x'", "`path` leaves the package's folder"),
        ("entryfile = '../x'", "`entryfile` leaves the package's folder"),
        ("deps = ['A']", "`deps` is not a table"),
        ("weakdeps = 1", "`weakdeps` is not a table"),
        ("extras = 1", "`extras` is not a table"),
        ("deps = {A = 1}", "`deps.A` is not a string"),
        ("deps = {A = 'x'}", "`deps.A` is not a UUID (8-4-4-4-12 hexadecimal digits)"),
        ("deps = {'../A' = '{A}'}", "`deps.../A` is not named by a Julia identifier"),
        ("deps = {A = '{A}', B = '{A}'}", "`deps.B` has the same UUID as `A`"),
        ("weakdeps = {A = '{A}', B = '{A}'}", "`weakdeps.B` has the same UUID as `A`"),
        ("extras = {A = '{A}', B = '{A}'}", "`extras.B` has the same UUID as `A`"),
        ("extensions = 1", "`extensions` is not a table"),
        ("targets = 1", "`targets` is not a table"),
        ("targets = {test = 'A'}", "`targets.test` is not a list of strings"),
        ("deps = {A = '{A}'}\ntargets = {test = ['A', 'A']}", "`targets.test` names `A` twice"),
        (
            "targets = {test = ['A']}",
            "`targets.test` names `A`, which is not in [deps], [weakdeps] or [extras]",
        ),
        ("compat = 1", "`compat` is not a table"),
        ("compat = {julia = 1}", "`compat.julia` is not a string"),
        ("compat = {A = '1'}", "`compat` names `A`, which is not in [deps], [weakdeps] or [extras]"),
        ("sources = 1", "`sources` is not a table"),
        ("sources = {A = 'x'}", "`sources.A` is not a table"),
        ("sources = {A = {branch = 'x'}}", "`sources.A` has the unknown key `branch`"),
        ("sources = {A = {url = 1}}", "`sources.A.url` is not a string"),
        ("sources = {A = {path = 'x', rev = 'y'}}", "`sources.A` has both a `path` and a `url` or `rev`"),
        (
            "weakdeps = {A = '{A}'}\nsources = {A = {path = 'x'}}",
            "`sources` names `A`, which is not in [deps] or [extras]",
        ),
        ("workspace = 1", "`workspace` is not a table"),
        ("workspace = {folders = []}", "`workspace.folders` is not known"),
        ("workspace = {projects = 'x'}", "`workspace.projects` is not a list of strings"),
        ("workspace = {projects = [\"\\u0000\"]}", "`workspace.projects` has a NUL in a path"),
        ("preferences = 1", "`preferences` is not a table"),
    ] {
        assert_wrong(text, problem);
    }
}

#[test]
fn what_is_not_toml_is_said_with_line_and_column() {
    let message = parse("[deps]\nA = {A}").unwrap_err().to_string();
    assert!(message.starts_with("/p/Project.toml:2:5: "), "{message}");
    assert!(!message.contains('\n'), "{message}");
}
