//! What names images and traces: the files that a key depends on, and those that it does not.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jlsys::config::{Overrides, Settings};
use jlsys::environment::Environment;
use jlsys::file::Sha256Digest;
use jlsys::julia::JuliaInstall;
use jlsys::key::{KeyInputs, TraceInputs, TraceKeys};
use jlsys::plan::Plan;
use jlsys::workload::{Kernel, Scope, Script, TestSuite, Workload};
use serde_json::json;

use crate::files::{A, B, C, Files};

/// `A` is installed, and has preferences; `C` is the project's own, a folder that depends on it; `B` is a package for tests.
fn files() -> Files {
    Files::new()
        .with(
            "Project.toml",
            "[deps]\nA = '{A}'\nB = '{B}'\nC = '{C}'\n[preferences.A]\nfast = true\n[preferences.B]\nx = 1\n",
        )
        .with(
            "Manifest.toml",
            "[[A]]\nuuid = '{A}'\ngit-tree-sha1 = '{TREE}'\n[[B]]\nuuid = '{B}'\ngit-tree-sha1 = '{TREE}'\n\
             [[C]]\nuuid = '{C}'\npath = 'C'\ndeps = ['A']\n",
        )
        .with("C/Project.toml", "name = 'C'\nuuid = '{C}'\n[deps]\nA = '{A}'\n")
        .with("C/src/C.jl", "module C end")
        .with("C/data.csv", "1,2")
        .with("run.jl", "using A")
        .with("jlsys.toml", "cpu-target = 'portable'\n")
}

/// A project as a build reads it.
struct Read {
    files: Files,
    environment: Environment,
    julia: JuliaInstall,
    plan: Plan,
    inputs: KeyInputs,
}

impl Read {
    fn of(files: Files, julia: &str) -> Self {
        let environment = Environment::load(&files.find(".", julia).unwrap()).unwrap();
        let digest = Sha256Digest::of("");
        let facts = json!({
            "version": julia, "commit": "", "executable": "", "base_image": "", "base_image_sha256": digest,
            "libraries": [], "stdlib": "", "link_command": [], "os": "Linux", "arch": "x86_64",
            "bundled_depots": [], "base_modules": []
        });
        let facts = serde_json::from_value(facts).unwrap();
        let julia = JuliaInstall { command: PathBuf::new(), facts, load_path: None };
        let settings = Settings::load(&files.path(""), &Overrides::default()).unwrap();
        let plan = Plan::new(&environment, &settings, julia.differences(), |_| None).unwrap();
        let inputs = KeyInputs::collect(&environment, &julia, &plan, Duration::from_secs(60)).unwrap();
        Self { files, environment, julia, plan, inputs }
    }

    fn here() -> Self {
        Self::of(files(), "1.10.2")
    }

    /// The same after a file was written.
    fn after(self, file: &str, text: &str) -> Self {
        let version = self.julia.facts.version.to_string();
        Self::of(self.files.with(file, text), &version)
    }

    fn trace(&self, workload: &Workload, scope: Scope) -> Option<TraceInputs> {
        let depots = self.files.depots();
        TraceKeys::new(&self.environment, &depots, &self.julia, &self.plan, &self.inputs)
            .inputs(workload, scope)
    }

    fn script(&self) -> Workload {
        let path = self.files.path("run.jl");
        Workload::Script(Script {
            name: "run.jl".into(),
            sha256: Sha256Digest::of_file(&path).unwrap(),
            path,
        })
    }

    fn tests_of_c(&self) -> Workload {
        let (package, folder) = ("C".to_owned(), self.files.path("C"));
        Workload::Tests(TestSuite { package, uuid: C.parse().unwrap(), folder, is_own: true })
    }
}

fn names(inputs: &TraceInputs) -> Vec<&str> {
    inputs.packages.values().map(|package| package.name.as_str()).collect()
}

#[test]
fn an_image_is_named_by_its_packages_code_and_preferences() {
    let read = Read::here();
    let packages: Vec<&str> = read.inputs.packages.values().map(|package| package.name.as_str()).collect();
    assert_eq!(packages, ["A", "B"], "a folder that may change is not in the image");
    let key = read.inputs.key();
    let read = read.after("C/src/C.jl", "module C; f() = 1; end");
    assert_eq!(read.inputs.key(), key);
    let read = read.after("LocalPreferences.toml", "[A]\nfast = false\n");
    assert_ne!(read.inputs.key(), key);

    // Once it is taken in, its sources count, and its data does not.
    let read = read.after("jlsys.toml", "cpu-target = 'portable'\ninclude = ['C']\n");
    let key = read.inputs.key();
    let read = read.after("C/data.csv", "3,4");
    assert_eq!(read.inputs.key(), key);
    assert_ne!(read.after("C/src/C.jl", "module C end").inputs.key(), key);
}

#[test]
fn a_julia_that_knows_no_preferences_compiles_the_same_whatever_they_are() {
    let read = Read::of(files(), "1.5.3");
    assert!(read.inputs.preferences.is_empty());
    assert_eq!(Read::here().inputs.preferences.len(), 2);
}

#[test]
fn this_machines_cpu_counts_where_code_is_for_it_alone() {
    let read = Read::here();
    assert_eq!(read.inputs.host_cpu, None);
    let read = read.after("jlsys.toml", "cpu-target = 'native'\n");
    assert!(read.inputs.host_cpu.is_some());
}

#[test]
fn what_is_beside_an_image_is_named_by_the_projects_own_packages_too() {
    let read = Read::here();
    let own = read.inputs.own(&read.environment, &read.plan).unwrap();
    assert_eq!(own.folders, [(C.parse().unwrap(), read.files.path("C"))].into());
    assert_ne!(own.key, read.inputs.key());
    let read = read.after("C/src/C.jl", "module C; f() = 1; end");
    let after = read.inputs.own(&read.environment, &read.plan).unwrap();
    assert_ne!(after.key, own.key);

    fs::remove_dir_all(read.files.path("C")).unwrap();
    assert_eq!(read.inputs.own(&read.environment, &read.plan), None, "it cannot be read");
    let without = read.after("C/src/C.jl", "").after("jlsys.toml", "exclude = ['C']\n");
    assert_eq!(without.inputs.own(&without.environment, &without.plan), None, "there is none");
}

#[test]
fn loading_depends_on_what_is_loaded_and_in_which_order() {
    let read = Read::here();
    let load = read.trace(&Workload::Load, Scope::Project).unwrap();
    assert_eq!(names(&load), ["A", "B"]);
    assert_eq!((load.preferences.len(), load.project_scripts, load.default_environment), (2, None, None));
    // What a build of a package wrote, at the place where Julia looks for it.
    let package = &read.environment.packages[&A.parse().unwrap()];
    let slug = jlsys::environment::version_slug(package.uuid, package.source.tree().unwrap(), 5);
    let read = read.after(&format!("depot/packages/A/{slug}/deps/deps.jl"), "const LIBRARY = 1");
    let built = read.trace(&Workload::Load, Scope::Project).unwrap();
    assert_ne!(built.key(), load.key());
    let read = read.after("run.jl", "using B").after("C/src/C.jl", "module C; f() = 1; end");
    assert_eq!(read.trace(&Workload::Load, Scope::Project).unwrap(), built);
    let mut other = read;
    other.plan.packages.reverse();
    assert_ne!(other.trace(&Workload::Load, Scope::Project).unwrap().key(), built.key());
}

#[test]
fn in_a_sandbox_tests_depend_on_what_they_load_alone() {
    let default = "depot/environments/v1.10/Project.toml";
    let read = Read::here().after(default, "");
    let tests = read.trace(&read.tests_of_c(), Scope::Sandbox).unwrap();
    assert_eq!(names(&tests), ["A", "C"]);
    assert_eq!((tests.project_scripts, tests.default_environment), (None, None));
    assert_eq!(tests.package, Some(C.parse().unwrap()));
    // Others' code, scripts and the default environment are not theirs; a file of the package is, whatever it is.
    let read = read.after("run.jl", "using B").after(default, "[deps]\n");
    assert_eq!(read.trace(&read.tests_of_c(), Scope::Sandbox).unwrap(), tests);
    let read = read.after("C/data.csv", "3,4");
    let after = read.trace(&read.tests_of_c(), Scope::Sandbox).unwrap();
    assert_ne!(after.key(), tests.key());
    assert!(after.is_same_but_for(&[C.parse().unwrap()], &tests));
    assert!(!after.is_same_but_for(&[A.parse().unwrap()], &tests) && !after.is_same_but_for(&[], &tests));
    // Tests that name a package have it there.
    let read = read.after("C/test/Project.toml", "[deps]\nB = '{B}'\n");
    assert_eq!(names(&read.trace(&read.tests_of_c(), Scope::Sandbox).unwrap()), ["A", "B", "C"]);

    for workload in [Workload::Load, read.script()] {
        assert_eq!(read.trace(&workload, Scope::Sandbox), None, "only tests run in a sandbox");
    }
    fs::write(read.files.path("C/test/Project.toml"), "[deps").unwrap();
    assert_eq!(read.trace(&read.tests_of_c(), Scope::Sandbox), None, "who knows what they name");
}

#[test]
fn a_script_depends_on_the_scripts_beside_it_and_on_the_default_environment() {
    let read = Read::here();
    let alone = read.trace(&read.script(), Scope::Project).unwrap();
    assert_eq!(names(&alone), ["A", "B", "C"]);
    assert_eq!(alone.default_environment, None);
    let read = read.after("helpers.jl", "f() = 1");
    let beside = read.trace(&read.script(), Scope::Project).unwrap();
    assert_ne!(beside.project_scripts, alone.project_scripts);
    let default = "depot/environments/v1.10/Project.toml";
    let read = read.after(default, "");
    let with_default = read.trace(&read.script(), Scope::Project).unwrap();
    assert!(with_default.default_environment.is_some());
    let read = read.after(default, "[deps]\nX = 'eeeeeeee-0000-4000-8000-000000000005'\n");
    let after = read.trace(&read.script(), Scope::Project).unwrap();
    assert_ne!(after.default_environment, with_default.default_environment);
    // A package's sources are no scripts: its own code counts as that.
    let read = read.after("C/src/C.jl", "module C; f() = 1; end");
    let edited = read.trace(&read.script(), Scope::Project).unwrap();
    assert_eq!(edited.project_scripts, after.project_scripts);
    assert!(edited.is_same_but_for(&[C.parse().unwrap()], &after) && edited != after);
}

#[test]
fn tests_without_a_sandbox_depend_on_the_whole_project() {
    let read = Read::here().after("depot/environments/v1.10/Project.toml", "");
    let tests = read.trace(&read.tests_of_c(), Scope::Project).unwrap();
    assert_eq!(names(&tests), ["A", "B", "C"]);
    assert!(tests.default_environment.is_some());
}

#[test]
fn a_kernel_depends_on_what_it_loads() {
    let ijulia = "7073ff75-c697-5162-941a-fcdaad2a7d2a";
    let files = files()
        .with("Project.toml", &format!("[deps]\nIJulia = '{ijulia}'\nB = '{{B}}'\n"))
        .with(
            "Manifest.toml",
            &format!(
                "[[A]]\nuuid = '{{A}}'\ngit-tree-sha1 = '{{TREE}}'\n[[B]]\nuuid = '{{B}}'\ngit-tree-sha1 = '{{TREE}}'\n\
                 [[IJulia]]\nuuid = '{ijulia}'\ngit-tree-sha1 = '{{TREE}}'\ndeps = ['A']\n"
            ),
        );
    let read = Read::of(files, "1.10.2");
    let kernel = Workload::Kernel(Kernel::of(&read.environment).unwrap());
    let inputs = read.trace(&kernel, Scope::Project).unwrap();
    assert_eq!(names(&inputs), ["IJulia", "A"]);
    assert_eq!(inputs.project_scripts, None);
    assert!(!inputs.packages.contains_key(&B.parse().unwrap()));
}
