//! Real manifests, read by jlsys and by a few lines that know nothing of TOML, must give the same answer.
//!
//! The files are not ours, so they are not in the repository: `JLSYS_SHARED` or `../shared` has them, or the tests say
//! that they were skipped.

#![expect(
    clippy::unwrap_used,
    reason = "clippy takes only the test functions themselves for tests, not their helpers"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

use jlsys::environment::{Depots, Environment, EnvironmentError, Manifest, Search};
use jlsys::version::Version;

fn corpus() -> Option<PathBuf> {
    let shared = env::var_os("JLSYS_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let corpus = shared.join("corpus");
    // What jlsys reports has no `..` in it.
    if let Ok(corpus) = corpus.canonicalize() {
        return Some(corpus);
    }
    println!("skipped: there is no {}", corpus.display());
    None
}

/// A manifest, read line by line.
#[derive(Default)]
struct Lines {
    /// Each entry's name and UUID, and the dependencies it names.
    entries: Vec<(String, String, Vec<String>)>,
}

impl Lines {
    fn read(file: &Path) -> Self {
        let mut lines = Self::default();
        let mut in_deps = false;
        for line in fs::read_to_string(file).unwrap().lines().map(str::trim) {
            let value = |line: &str| line.split('"').nth(1).unwrap().to_owned();
            if let Some(header) = line.strip_prefix("[[") {
                let name = header.trim_end_matches("]]").trim_start_matches("deps.");
                lines.entries.push((name.to_owned(), String::new(), Vec::new()));
                in_deps = false;
            } else if line.starts_with('[') {
                in_deps = line.ends_with(".deps]");
            } else if let Some((_, uuid, deps)) = lines.entries.last_mut() {
                if in_deps && line.contains('=') {
                    deps.push(line.split(' ').next().unwrap().to_owned());
                } else if line.starts_with("uuid =") {
                    *uuid = value(line);
                } else if let Some(names) = line.strip_prefix("deps = [") {
                    deps.extend(names.split('"').skip(1).step_by(2).map(str::to_owned));
                }
            }
        }
        lines
    }

    /// The names reachable from some names. Good for manifests in which no two packages share a name.
    fn closure(&self, roots: impl Iterator<Item = String>) -> BTreeSet<String> {
        let deps: BTreeMap<&str, &[String]> =
            self.entries.iter().map(|(name, _, deps)| (name.as_str(), deps.as_slice())).collect();
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<String> = roots.collect();
        while let Some(name) = waiting.pop() {
            if reached.insert(name.clone()) {
                waiting.extend(deps[name.as_str()].iter().cloned());
            }
        }
        reached
    }
}

/// The names under `[deps]` of a project file.
fn project_deps(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .skip_while(|line| line.trim() != "[deps]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" ="))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn load(folder: &Path, julia: &str) -> Result<Environment, EnvironmentError> {
    let depots = Depots::new(Vec::new());
    let files = Search {
        project: folder.to_str(),
        julia_project: None,
        load_path: None,
        cwd: Path::new("/"),
        home: None,
        depots: &depots,
        julia: &julia.parse::<Version>().unwrap(),
    }
    .run()?;
    Environment::load(&files)
}

/// Every folder of the corpus with a project that can be loaded, and the Julia it is for.
const PROJECTS: [(&str, &str); 17] = [
    ("adbench-juliamanifest", "1.5.3"),
    ("binder-demo-julia", "1.12.1"),
    ("climaatmos-buildkite", "1.11.9"),
    ("climaatmos-gcm", "1.10.5"),
    ("juliaup-versiondb", "1.8.3"),
    ("mit-18s191-pluto", "1.6.0"),
    ("packagecompiler-mylib-build", "1.10.11"),
    ("packagecompiler-mylib-build", "1.12.4"),
    ("pluto-on-binder", "1.10.11"),
    ("quantecon-lectures", "1.12.3"),
    ("scimlbench-linearsolve", "1.12.4"),
    ("pkg-tests/formats/v1.0", "1.5.3"),
    ("pkg-tests/formats/v2.0", "1.7.0"),
    ("pkg-tests/formats/v2.1", "1.13.0-DEV"),
    ("pkg-tests/old", "1.9.0"),
    ("pkg-tests/unpruned", "1.9.0"),
    ("pkg-tests/yanked", "1.13.0-DEV"),
];

#[test]
fn every_project_has_the_packages_its_lines_say() {
    let Some(corpus) = corpus() else { return };
    for (project, julia) in PROJECTS {
        let environment = load(&corpus.join(project), julia).unwrap_or_else(|error| panic!("{error}"));
        let lines = Lines::read(&environment.manifest_file);

        let expected: BTreeSet<(&str, &str)> =
            lines.entries.iter().map(|(name, uuid, _)| (name.as_str(), uuid.as_str())).collect();
        let uuids: Vec<String> = environment.packages.keys().map(ToString::to_string).collect();
        let found: BTreeSet<(&str, &str)> = environment
            .packages
            .values()
            .map(|package| package.name.as_str())
            .zip(uuids.iter().map(String::as_str))
            .collect();
        assert_eq!(found, expected, "{project}");

        let direct = project_deps(&environment.project_file);
        let closure = environment.closure();
        let names: BTreeSet<String> = closure.iter().map(|package| package.name.clone()).collect();
        assert_eq!(names.len(), closure.len(), "{project}: a package is twice in the closure");
        assert_eq!(names, lines.closure(direct.iter().cloned()), "{project}");
        assert_eq!(environment.direct_dependencies().len(), direct.len(), "{project}");
        println!("{project}: {} packages, {} in the closure", uuids.len(), closure.len());
    }
}

#[test]
fn every_closure_has_dependencies_first() {
    let Some(corpus) = corpus() else { return };
    for (project, julia) in PROJECTS {
        let environment = load(&corpus.join(project), julia).unwrap();
        let mut seen = BTreeSet::new();
        for package in environment.closure() {
            for dependency in &package.deps {
                assert!(seen.contains(dependency), "{project}: {package} before {dependency}");
            }
            seen.insert(package.uuid);
        }
    }
}

#[test]
fn dependents_and_closure_agree() {
    let Some(corpus) = corpus() else { return };
    let environment = load(&corpus.join("quantecon-lectures"), "1.12.3").unwrap();
    for package in environment.packages.values().step_by(60) {
        let dependents: BTreeSet<_> =
            environment.dependents_of(package.uuid).into_iter().map(|dependent| dependent.uuid).collect();
        for other in environment.packages.values() {
            let mut alone = environment.clone();
            alone.project.deps = BTreeMap::from([(other.name.clone(), other.uuid)]);
            let reaches = alone.closure().iter().any(|found| found.uuid == package.uuid);
            let expected = reaches && other.uuid != package.uuid;
            assert_eq!(dependents.contains(&other.uuid), expected, "{other} on {package}");
        }
    }
}

#[test]
fn versioned_manifests_are_for_their_julia() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("packagecompiler-mylib-build");
    for (julia, manifest) in
        [("1.10.7", "Manifest.toml"), ("1.10.8", "Manifest-v1.10.toml"), ("1.11.0", "Manifest.toml")]
    {
        let environment = load(&folder, julia).unwrap();
        assert_eq!(environment.manifest_file, folder.join(manifest), "{julia}");
    }
    // No other manifest is there, so an older Julia has none.
    let error = load(&corpus.join("climaatmos-buildkite"), "1.10.5").unwrap_err();
    assert!(error.to_string().contains("has no manifest"), "{error}");
}

#[test]
fn good_manifests_are_read() {
    let Some(corpus) = corpus() else { return };
    let good = corpus.join("pkg-tests/good");
    let alone = corpus.join("pkg-tests/noproject/Manifest.toml");
    let files = fs::read_dir(good).unwrap().map(|file| file.unwrap().path());
    for file in files.chain([alone]) {
        let manifest = Manifest::read(&file).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(manifest.packages.len(), Lines::read(&file).entries.len(), "{}", file.display());
    }
}

/// What Pkg refuses, with the package and the field that are to blame.
const BAD: [(&str, &str, &str); 9] = [
    ("bad_dep_name.toml", "DocStringExtensions", "deps"),
    ("inconsistent_dep.toml", "DocStringExtensions", "deps"),
    ("malformed_field.toml", "BinaryProvider", "git-tree-sha1"),
    ("malformed_pinned.toml", "Example", "pinned"),
    ("malformed_repo_url.toml", "Example", "repo-url"),
    ("malformed_tree_sha2.toml", "BinaryProvider", "git-tree-sha1"),
    ("malformed_version.toml", "BinaryProvider", "version"),
    ("missing_entry.toml", "Random", "deps"),
    ("string_pinned.toml", "Example", "pinned"),
];

#[test]
fn bad_manifests_are_refused_in_one_line() {
    let Some(corpus) = corpus() else { return };
    let bad = corpus.join("pkg-tests/bad");
    let present = fs::read_dir(&bad).unwrap().count();
    assert_eq!(present, BAD.len(), "a file of {} is not in the list", bad.display());
    for (name, package, field) in BAD {
        let file = bad.join(name);
        let message = Manifest::read(&file).unwrap_err().to_string();
        println!("{message}");
        let start = format!("{}: package {package}: field `{field}` ", file.display());
        assert!(message.starts_with(&start), "{message}");
        assert!(!message.contains('\n'), "{message}");
        assert!(message.contains("Pkg.instantiate()"), "{message}");
    }
}

#[test]
fn unknown_formats_are_refused() {
    let Some(corpus) = corpus() else { return };
    let error = load(&corpus.join("pkg-tests/formats/v3.0_unknown"), "1.12.0").unwrap_err();
    assert!(matches!(&error, EnvironmentError::UnknownFormat { format, .. } if format == "3.0"), "{error}");
}

/// Not a promise, but a figure to look at: `cargo test --release --test corpus -- --nocapture reads_fast`.
#[test]
fn reads_fast() {
    let Some(corpus) = corpus() else { return };
    let file = corpus.join("quantecon-lectures/Manifest.toml");
    let rounds = 20;
    let start = Instant::now();
    for _ in 0..rounds {
        assert_eq!(Manifest::read(&file).unwrap().packages.len(), 436);
    }
    println!("a manifest of 436 packages is read in {:?}", start.elapsed() / rounds);
}
