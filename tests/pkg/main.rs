//! Manifests as the Pkg of the Julia under test writes them: what jlsys reads is what `Pkg.dependencies()` says.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its work fails the test")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jlsys::environment::{Depots, Environment, Search};
use support::{Project, Ran, julia, says};

/// What Pkg, or jlsys, says of one package.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    name: String,
    version: String,
    folder: PathBuf,
    is_direct: bool,
    deps: BTreeSet<String>,
}

/// Writes a package's two files; `deps` are lines of its project file.
fn write_package(folder: &Path, name: &str, uuid: &str, deps: &str) {
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let project = format!("name = \"{name}\"\nuuid = \"{uuid}\"\nversion = \"0.2.1\"\n\n[deps]\n{deps}");
    std::fs::write(folder.join("Project.toml"), project).unwrap();
    std::fs::write(folder.join(format!("src/{name}.jl")), format!("module {name}\nend\n")).unwrap();
}

/// Has Pkg write the manifest of the project file of this name, and compares. Gives the manifest's path.
fn expect_same(project_name: &str) -> (Project, PathBuf) {
    let project = Project::new();
    let sources = project.outside("sources");
    write_package(&sources.join("Cloned"), "Cloned", "11111111-1111-4111-8111-111111111111", "");
    write_package(
        &sources.join("Near"),
        "Near",
        "22222222-2222-4222-8222-222222222222",
        "Random = \"9a3f8284-a2c9-5f02-9a11-845980a1fd5c\"\n",
    );
    // Inside the project: Pkg writes a relative path.
    write_package(&project.path("Inner"), "Inner", "33333333-3333-4333-8333-333333333333", "");
    std::fs::rename(project.path("Inner"), project.path("inner folder")).unwrap();
    std::fs::write(project.path(project_name), "").unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pkg/write.jl");
    let inner = text(&project.path("inner folder"));
    let folder = text(&project.path(""));
    let said = project.outside("said");
    let args = [
        "--startup-file=no",
        &text(&script),
        &text(&said),
        folder.trim_end_matches('/'),
        &text(&sources),
        "Near",
        &inner,
    ];
    let mut command = project.command_for(julia(), &args);
    command
        .env("JULIA_PKG_SERVER", "")
        .env("JULIA_PKG_OFFLINE", "true")
        .env("JULIA_PKG_PRECOMPILE_AUTO", "0");
    Ran(command.output().unwrap()).expect_status(0);
    let said = std::fs::read_to_string(said).unwrap();

    let depots = [project.depot().to_owned()];
    let depots = Depots::new(depots.into());
    let version = says("print(VERSION)").parse().unwrap();
    let search = Search {
        project: Some(&folder),
        julia_project: None,
        load_path: None,
        cwd: &project.path(""),
        home: None,
        depots: &depots,
        julia: &version,
    };
    let files = search.run().unwrap();
    let environment = Environment::load(&files).unwrap();
    let stdlib = PathBuf::from(says("print(Sys.STDLIB)"));
    let direct: BTreeSet<_> = environment.direct_dependencies().iter().map(|package| package.uuid).collect();
    let real = |path: &Path| path.canonicalize().unwrap();
    let ours: BTreeMap<String, Known> = environment
        .packages
        .values()
        .map(|package| {
            let known = Known {
                name: package.name.clone(),
                version: package.version.clone().unwrap_or_default(),
                folder: real(&depots.package_dir(package, &stdlib).unwrap()),
                is_direct: direct.contains(&package.uuid),
                deps: package.deps.iter().map(ToString::to_string).collect(),
            };
            (package.uuid.to_string(), known)
        })
        .collect();

    let mut theirs = BTreeMap::new();
    let mut manifest = PathBuf::new();
    for line in said.lines() {
        match *line.split('\t').collect::<Vec<_>>() {
            ["manifest", path] => manifest = path.into(),
            ["package", uuid, name, version, folder, is_direct, deps] => {
                let known = Known {
                    name: name.to_owned(),
                    version: version.to_owned(),
                    folder: real(Path::new(folder)),
                    is_direct: is_direct == "true",
                    deps: deps.split_whitespace().map(str::to_owned).collect(),
                };
                theirs.insert(uuid.to_owned(), known);
            }
            _ => panic!("{line}"),
        }
    }
    assert!(theirs.len() > 6, "{said}");
    assert_eq!(ours, theirs);
    assert_eq!(real(&environment.manifest_file), real(&manifest));
    (project, manifest)
}

#[test]
fn what_pkg_writes_is_read_as_pkg_reads_it() {
    let (project, manifest) = expect_same("Project.toml");
    assert_eq!(manifest.file_name().unwrap(), "Manifest.toml");
    let text = std::fs::read_to_string(project.path("Manifest.toml")).unwrap();
    assert_eq!(text.contains("manifest_format = \"2"), support::julia_is_since(7), "{text}");
}

#[test]
fn julias_own_names_for_the_files_are_paired_as_pkg_pairs_them() {
    let (_project, manifest) = expect_same("JuliaProject.toml");
    assert_eq!(manifest.file_name().unwrap(), "JuliaManifest.toml");
}
