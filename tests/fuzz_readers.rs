//! No input makes a reader panic, and every complaint is one line.

use std::fs;
use std::path::Path;

use jlsys::environment::{Environment, EnvironmentError, Manifest, Project, ProjectFiles, preferences};
use jlsys::version::Version;
use proptest::prelude::*;
use toml::{Table, Value};

const MANIFEST: &str = r#"
julia_version = "1.11.3"
manifest_format = "2.1"
project_hash = "0123456789012345678901234567890123456789"

[registries.General]
uuid = "aaaaaaaa-0000-4000-8000-000000000001"
url = "https://example.org"

[[deps.Plain]]
deps = ["Repo", "Local"]
git-tree-sha1 = "0123456789012345678901234567890123456789"
uuid = "aaaaaaaa-0000-4000-8000-000000000001"
version = "1.2.3+0"

    [deps.Plain.extensions]
    PlainExt = ["Local", "Weak"]

    [deps.Plain.weakdeps]
    Weak = "dddddddd-0000-4000-8000-000000000004"

[[deps.Repo]]
git-tree-sha1 = "0123456789012345678901234567890123456789"
repo-rev = "main"
repo-url = "https://example.org/Repo.jl"
pinned = true
uuid = "bbbbbbbb-0000-4000-8000-000000000002"

[[deps.Local]]
path = "../dev/Local"
uuid = "cccccccc-0000-4000-8000-000000000003"
"#;

const PROJECT: &str = r#"
name = "Own"
uuid = "eeeeeeee-0000-4000-8000-000000000005"
version = "0.1.0"
manifest = "Manifest.toml"

[deps]
Plain = "aaaaaaaa-0000-4000-8000-000000000001"

[weakdeps]
Local = "cccccccc-0000-4000-8000-000000000003"

[extensions]
OwnExt = "Local"

[compat]
Plain = "1"
julia = "1.10"

[sources]
Plain = {url = "https://example.org", rev = "main"}

[targets]
test = ["Local"]

[workspace]
projects = ["test"]

[preferences.Plain]
fast = true
nested = {a = 1, __clear__ = ["b"]}
"#;

/// Names and values that mean something to the readers.
const WORDS: [&str; 24] = [
    "deps",
    "weakdeps",
    "extensions",
    "uuid",
    "version",
    "path",
    "git-tree-sha1",
    "repo-url",
    "manifest_format",
    "julia_version",
    "registries",
    "apps",
    "syntax",
    "pinned",
    "entryfile",
    "preferences",
    "workspace",
    "projects",
    "sources",
    "__clear__",
    "2.0",
    "1.2.3",
    "../x",
    "aaaaaaaa-0000-4000-8000-000000000001",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// A TOML value of any shape.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        word().prop_map(Value::String),
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(word(), inner, 0..6)
                .prop_map(|entries| Value::Table(entries.into_iter().collect())),
        ]
    })
}

fn table() -> impl Strategy<Value = Table> {
    prop::collection::btree_map(word(), value(), 0..8).prop_map(|entries| entries.into_iter().collect())
}

/// A valid text with a few places overwritten.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let mutation =
        (any::<prop::sample::Index>(), 0..20_usize, prop_oneof![word(), "[\\[\\]{}=\"',.# \n0-9a-z]{0,4}"]);
    prop::collection::vec(mutation, 1..4).prop_map(move |mutations| {
        let mut text: Vec<char> = text.chars().collect();
        for (at, length, new) in mutations {
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, new.chars());
        }
        text.into_iter().collect()
    })
}

/// Any of the inputs.
fn input(valid: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![
        1 => any::<String>(),
        3 => table().prop_map(|table| table.to_string()),
        6 => mutated(valid),
    ]
}

fn check(result: Result<(), EnvironmentError>) {
    if let Err(error) = result {
        let message = error.to_string();
        assert!(message.chars().all(|c| !c.is_control()), "{message:?}");
        assert!(message.starts_with('/'), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn manifests(text in input(MANIFEST)) {
        check(Manifest::parse(Path::new("/p/Manifest.toml"), &text).map(drop));
    }

    #[test]
    fn projects(text in input(PROJECT)) {
        let file = Path::new("/p/Project.toml");
        check(Project::parse(file, &text).map(|project| drop(project.package(file))));
    }

    #[test]
    fn preferences_merge(mut base in table(), over in table()) {
        preferences::merge(&mut base, over);
    }

    #[test]
    fn versions(text in prop_oneof![any::<String>(), "[v0-9.a-z+-]{0,12}"]) {
        if let Ok(version) = text.parse::<Version>() {
            let shown: Version = version.to_string().parse().unwrap();
            assert_eq!(shown, version);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Through the file system, and with all that follows from what was read.
    #[test]
    fn environments(
        project in input(PROJECT),
        manifest in input(MANIFEST),
        local in input("[Plain]\nfast = false\n__clear__ = [\"nested\"]\n"),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            file
        };
        write("LocalPreferences.toml", &local);
        let files = ProjectFiles {
            is_last_resort: false,
            project_file: write("Project.toml", &project),
            manifest_file: Some(write("Manifest.toml", &manifest)),
            workspace: Vec::new(),
            preferences_from: vec![folder.path().join("Project.toml")],
            has_load_path: false,
            default_project: None,
        };
        check(Environment::load(&files).map(|environment| {
            for package in environment.closure() {
                environment.dependents_of(package.uuid);
            }
        }));
    }
}

/// The mutations are of texts that are valid to begin with.
#[test]
fn what_is_mutated_is_valid() {
    Manifest::parse(Path::new("/p/Manifest.toml"), MANIFEST).unwrap();
    Project::parse(Path::new("/p/Project.toml"), PROJECT).unwrap();
}
