//! What a manifest says, and what is wrong with it.

use std::path::{Path, PathBuf};

use jlsys::environment::{EnvironmentError, Manifest, Package, Source};

use crate::files::{A, B, C, Files, TREE, fill, version};

const FILE: &str = "/p/Manifest.toml";
const REMEDY: &str =
    "restore the manifest, or delete it and run `julia --project=/p -e 'using Pkg; Pkg.instantiate()'`";

fn parse(text: &str) -> Result<Manifest, EnvironmentError> {
    Manifest::parse(Path::new(FILE), &fill(text))
}

fn package(text: &str, name: &str) -> Package {
    let manifest = parse(text).unwrap();
    manifest.packages.into_values().find(|package| package.name == name).unwrap()
}

/// Checks what is said about a manifest, without the file before it and the remedy behind it.
#[track_caller]
fn assert_wrong(text: &str, problem: &str) {
    let message = parse(text).unwrap_err().to_string();
    let said =
        message.strip_prefix(&format!("{FILE}: ")).and_then(|rest| rest.strip_suffix(&format!(": {REMEDY}")));
    assert_eq!(said, Some(problem), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

/// An entry of the package `A` with more lines.
fn entry(lines: &str) -> String {
    format!("[[A]]\nuuid = '{{A}}'\n{lines}\n")
}

#[test]
fn format_1_has_its_packages_at_the_top() {
    let manifest = parse("[[A]]\ndeps = ['B']\nuuid = '{A}'\n[[B]]\nuuid = '{B}'").unwrap();
    assert_eq!(manifest.header.format, version("1.0"));
    assert_eq!(manifest.header.julia_version, None);
    assert_eq!(manifest.packages[&A.parse().unwrap()].deps, [B.parse().unwrap()]);
}

#[test]
fn format_2_says_what_it_is() {
    let manifest = parse(
        "manifest_format = '2.0'\njulia_version = '1.11.3'\nproject_hash = '{TREE}'\nnew_in_2_7 = [1, 2]\n\
         [[deps.A]]\nuuid = '{A}'\n",
    )
    .unwrap();
    assert_eq!(manifest.header.format, version("2.0"));
    assert_eq!(manifest.header.julia_version, Some(version("1.11.3")));
    assert_eq!(manifest.header.project_hash, Some(TREE.parse().unwrap()));
    assert_eq!(manifest.packages.len(), 1);
}

#[test]
fn format_2_1_has_registries() {
    let manifest = parse(
        "manifest_format = '2.1'\n[registries.General]\nuuid = '{B}'\nurl = 'https://example.org'\n\
         [[deps.A]]\nuuid = '{A}'\nregistries = 'General'\nsyntax.julia_version = '1.14'\n\
         [[deps.C]]\nuuid = '{C}'\nregistries = ['General', 'Other']\n",
    )
    .unwrap();
    assert_eq!(manifest.header.format, version("2.1"));
    assert_eq!(manifest.packages.len(), 2);
}

#[test]
fn a_file_that_says_format_1_has_its_packages_under_deps() {
    let manifest = parse("manifest_format = '1.0'\n[[deps.A]]\nuuid = '{A}'").unwrap();
    assert_eq!(manifest.packages.len(), 1);
}

#[test]
fn nothing_is_an_empty_manifest() {
    assert_eq!(parse("# nothing").unwrap().header.format, version("2.0"));
    assert!(parse("manifest_format = '2.0'").unwrap().packages.is_empty());
}

#[test]
fn an_unknown_major_format_is_refused() {
    for format in ["3.0", "0.9", "10"] {
        let error = parse(&format!("manifest_format = '{format}'")).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{FILE}: field `manifest_format` is {format}, and jlsys reads formats 1.0 to 2.x: use a newer jlsys, or resolve the project with a Julia that writes format 2"
            )
        );
    }
    assert_wrong("manifest_format = 2", "field `manifest_format` is not a string");
    assert_wrong(
        "manifest_format = 'two'",
        "field `manifest_format` is not a version number (such as 1.10.2)",
    );
    assert_wrong("[[manifest_format]]\nuuid = '{A}'", "field `manifest_format` is not a string");
}

#[test]
fn what_is_not_toml_is_said_with_line_and_column() {
    let message = parse("# é\n[[A]]\nuuid = '{A}'\né = = 2\n").unwrap_err().to_string();
    assert!(message.starts_with("/p/Manifest.toml:4:"), "{message}");
    assert!(message.ends_with(": correct the file"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

#[test]
fn files_that_cannot_be_read() {
    let files = Files::new().with("Project.toml", "");
    let error = Manifest::read(&files.path("none.toml")).unwrap_err();
    assert_eq!(files.shown(&error), "DIR/none.toml: cannot be read: No such file or directory (os error 2)");
    std::fs::write(files.path("Manifest.toml"), b"# \xff").unwrap();
    assert_eq!(files.complaint(), "DIR/Manifest.toml: cannot be read: stream did not contain valid UTF-8");
}

#[test]
fn two_packages_of_one_name_are_two_packages() {
    let manifest =
        parse("[[A]]\nuuid = '{A}'\n[[A]]\nuuid = '{B}'\n[[C]]\nuuid = '{C}'\n[C.deps]\nA = '{B}'").unwrap();
    assert_eq!(manifest.packages.len(), 3);
    assert_eq!(manifest.packages[&C.parse().unwrap()].deps, [B.parse().unwrap()]);
    assert_wrong(
        "[[A]]\nuuid = '{A}'\n[[A]]\nuuid = '{B}'\n[[C]]\nuuid = '{C}'\ndeps = ['A']",
        "package C: field `deps` names `A`, which several packages are called",
    );
}

#[test]
fn sources() {
    let source = |lines: &str| package(&entry(lines), "A").source;
    let tree = TREE.parse().unwrap();
    assert_eq!(source(""), Source::Stdlib);
    assert_eq!(source("version = '1.0.0'"), Source::Stdlib);
    assert_eq!(source("git-tree-sha1 = '{TREE}'"), Source::Tree(tree));
    assert_eq!(
        source("git-tree-sha1 = '{TREE}'\nrepo-url = 'u'\nrepo-rev = 'r'\nrepo-subdir = 's'"),
        Source::Repo { tree, url: "u".into(), rev: Some("r".into()), subdir: Some("s".into()) }
    );
    for (path, resolved) in [("dev/A", "/p/dev/A"), ("../A/./x", "/A/x"), ("/abs/A", "/abs/A"), (".", "/p")] {
        assert_eq!(source(&format!("path = '{path}'")), Source::Path(PathBuf::from(resolved)));
    }
    // A path wins over everything, as in Julia.
    assert_eq!(source("path = 'x'\ngit-tree-sha1 = '{TREE}'\nrepo-url = 'u'"), Source::Path("/p/x".into()));
    assert_eq!(source("git-tree-sha1 = '{TREE}'").tree(), Some(tree));
    assert_eq!(source("path = 'x'").tree(), None);
}

#[test]
fn weak_dependencies_and_extensions() {
    let text = "[[A]]\nuuid = '{A}'\ndeps = ['B']\n[A.weakdeps]\nC = '{C}'\n\
                [A.extensions]\nOneExt = 'C'\nTwoExt = ['C', 'B']\nNeverExt = ['C', 'Unlisted']\n\
                [[B]]\nuuid = '{B}'";
    let package = package(text, "A");
    let (b, c) = (B.parse().unwrap(), C.parse().unwrap());
    assert_eq!(package.deps, [b]);
    assert_eq!(package.weak_deps, [c], "which is not in the manifest");
    assert_eq!(package.extensions["OneExt"], [c]);
    assert_eq!(package.extensions["TwoExt"], [b, c]);
    assert!(!package.extensions.contains_key("NeverExt"));
}

#[test]
fn weak_dependencies_as_a_list_must_be_in_the_manifest() {
    let weak = package("[[A]]\nuuid = '{A}'\nweakdeps = ['B']\n[[B]]\nuuid = '{B}'", "A").weak_deps;
    assert_eq!(weak, [B.parse().unwrap()]);
    assert_wrong(
        &entry("weakdeps = ['C']"),
        "package A: field `weakdeps` names `C`, which the manifest does not have",
    );
}

#[test]
fn an_entry_file_stays_in_its_folder() {
    let own = package(&entry("entryfile = 'lib/a.jl'"), "A").entry_file;
    assert_eq!(own, Some("lib/a.jl".into()));
    for path in ["../b.jl", "/etc/b.jl", "lib/../../b.jl"] {
        assert_wrong(
            &entry(&format!("entryfile = '{path}'")),
            "package A: field `entryfile` leaves the package's folder",
        );
    }
}

#[test]
fn malformed_fields() {
    for (lines, problem) in [
        ("version = 1", "field `version` is not a string"),
        ("version = '1.2.3.4'", "field `version` is not a version number (such as 1.10.2)"),
        ("git-tree-sha1 = true", "field `git-tree-sha1` is not a string"),
        ("git-tree-sha1 = '12'", "field `git-tree-sha1` is not a SHA-1 (40 hexadecimal digits)"),
        ("path = 1", "field `path` is not a string"),
        ("path = ''", "field `path` is an empty path"),
        ("path = \"a\\u0000b\"", "field `path` has a NUL in its path"),
        ("entryfile = ''", "field `entryfile` is an empty path"),
        ("pinned = 'true'", "field `pinned` is not true or false"),
        ("repo-url = false", "field `repo-url` is not a string"),
        ("repo-rev = 1", "field `repo-rev` is not a string"),
        ("repo-subdir = []", "field `repo-subdir` is not a string"),
        (
            "repo-url = 'u'",
            "field `git-tree-sha1` is missing, so Julia cannot find this package that has a `repo-url`",
        ),
        ("deps = 'B'", "field `deps` is neither a list of names nor a table of UUIDs"),
        ("deps = ['B', 1]", "field `deps` is neither a list of names nor a table of UUIDs"),
        ("deps = ['B']", "field `deps` names `B`, which the manifest does not have"),
        ("deps = ['A', 'A']", "field `deps` names `A` twice"),
        ("deps = {B = 1}", "field `deps.B` is not a string"),
        ("deps = {B = 'b'}", "field `deps.B` is not a UUID (8-4-4-4-12 hexadecimal digits)"),
        ("deps = {B = '{A}'}", "field `deps` names `B` with the UUID of `A`"),
        ("weakdeps = 1", "field `weakdeps` is neither a list of names nor a table of UUIDs"),
        ("weakdeps = {B = 1}", "field `weakdeps.B` is not a string"),
        ("extensions = 'X'", "field `extensions` is not a table"),
        ("extensions = {X = 1}", "field `extensions.X` is neither a string nor a list of strings"),
        ("extensions = {'../X' = 'A'}", "field `extensions.../X` is not named by a Julia identifier"),
        ("registries = 1", "field `registries` is neither a string nor a list of strings"),
        ("apps = 1", "field `apps` is not a table"),
        ("apps = {x = 1}", "field `apps.x` is not a table"),
        ("apps = {x = {}}", "field `apps.x.julia_command` is missing"),
        ("syntax = 1", "field `syntax` is not a table"),
        (
            "syntax = {julia_version = 'x'}",
            "field `syntax.julia_version` is not a version number (such as 1.10.2)",
        ),
    ] {
        assert_wrong(&entry(lines), &format!("package A: {problem}"));
    }
    assert_wrong(
        &entry("deps = {B = '{B}'}"),
        &format!("package A: field `deps` names `B` = {B}, which the manifest does not have"),
    );
}

#[test]
fn malformed_identities() {
    assert_wrong("[[A]]\nversion = '1.0.0'", "package A: field `uuid` is missing");
    assert_wrong("[[A]]\nuuid = 1", "package A: field `uuid` is not a string");
    assert_wrong(
        "[[A]]\nuuid = 'a'",
        "package A: field `uuid` is not a UUID (8-4-4-4-12 hexadecimal digits)",
    );
    assert_wrong(
        "[[A]]\nuuid = '{A}'\n[[B]]\nuuid = '{A}'",
        "package B: field `uuid` is also the UUID of `A`",
    );
    for (name, shown) in
        [("../x", "../x"), ("a/b", "a/b"), ("", ""), ("a\\nb", "a\\nb"), ("x\\u001b[2J", "x\\u{1b}[2J")]
    {
        assert_wrong(
            &format!("[[\"{name}\"]]\nuuid = '{{A}}'"),
            &format!("package {shown}: field `name` is not a Julia identifier"),
        );
    }
}

#[test]
fn malformed_shapes() {
    for (text, problem) in [
        ("A = 1", "field `A` is not a list of package entries"),
        ("A = [1]", "field `A` is not a list of package entries"),
        ("[A]\nuuid = '{A}'", "field `A` is not a list of package entries"),
        ("manifest_format = '2.0'\ndeps = 1", "field `deps` is not a table"),
        (
            "manifest_format = '2.0'\n[deps.A]\nuuid = '{A}'",
            "field `deps.A` is not a list of package entries",
        ),
        ("manifest_format = '2.0'\njulia_version = 1", "field `julia_version` is not a string"),
        (
            "manifest_format = '2.0'\nproject_hash = 'x'",
            "field `project_hash` is not a SHA-1 (40 hexadecimal digits)",
        ),
        ("manifest_format = '2.1'\nregistries = 1", "field `registries` is not a table"),
        ("manifest_format = '2.1'\nregistries = {G = 1}", "field `registries.G` is not a table"),
        ("manifest_format = '2.1'\nregistries = {G = {}}", "field `registries.G.uuid` is missing"),
    ] {
        assert_wrong(text, problem);
    }
}
