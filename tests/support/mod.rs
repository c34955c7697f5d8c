//! A small builder that makes a project, runs jlsys on it, and checks what came out.
//!
//! Each project has a depot, a home and a cache of its own; [`Project::shared`] gives it the cache and depot that all tests of
//! a run share, for an image takes minutes to build.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test"
)]
#![allow(clippy::allow_attributes, reason = "`expect` would fail in the binaries that use all of it")]

pub mod binder;
pub mod entries;
pub mod image;
pub mod shim;
pub mod startup;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// A project under test.
pub struct Project {
    root: TempDir,
    cache: PathBuf,
    depot: PathBuf,
    packages: Vec<Package>,
    settings: String,
    variables: Vec<(String, String)>,
}

/// A package that a project depends on.
#[derive(Clone)]
pub struct Package {
    name: String,
    uuid: String,
    version: String,
    source: String,
    tests: Option<String>,
    deps: Vec<String>,
    extensions: Vec<Extension>,
    place: Place,
    needed: bool,
}

/// A module of a package that Julia 1.9 and later load when another package is loaded.
#[derive(Clone)]
struct Extension {
    name: String,
    trigger: String,
    source: String,
}

#[derive(Clone, PartialEq)]
enum Place {
    Stdlib,
    Depot,
    Folder,
}

/// A package of this Julia's standard library, as its own project file has it: what it depends on differs from
/// version to version.
struct Stdlib {
    uuid: String,
    deps: Vec<String>,
}

impl Stdlib {
    fn read(name: &str) -> Self {
        let file = stdlib_folder().join(name).join("Project.toml");
        let text = std::fs::read_to_string(&file).expect("a standard library of this Julia");
        let project: toml::Table = text.parse().unwrap();
        let deps = project.get("deps").and_then(toml::Value::as_table);
        Self {
            uuid: project["uuid"].as_str().unwrap().to_owned(),
            deps: deps.into_iter().flat_map(|deps| deps.keys().cloned()).collect(),
        }
    }
}

/// `Sys.STDLIB` of the Julia that tests run.
fn stdlib_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| says("print(Sys.STDLIB)").into())
}

/// What the Julia that tests run prints for this code.
pub fn says(code: &str) -> String {
    let output = Command::new(julia()).args(["--startup-file=no", "-e", code]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the Julia that tests run is this version or a later one.
pub fn julia_is_since(minor: u32) -> bool {
    julia_minor() >= minor
}

/// Which Julia tests run: 10 is 1.10.
pub fn julia_minor() -> u32 {
    static MINOR: OnceLock<u32> = OnceLock::new();
    *MINOR.get_or_init(|| says("print(VERSION.minor)").parse().unwrap())
}

/// What a build comes to when no image can be built: its tier and exit status. From 1.9 on the startup package is there.
pub fn without_image() -> (&'static str, i32) {
    if julia_is_since(9) { ("startup", 0) } else { ("stock", 3) }
}

/// A package that is installed in the depot, as `Pkg.add` leaves it. Its module has this source.
pub fn package(name: &str, source: &str) -> Package {
    Package {
        name: name.to_owned(),
        uuid: uuid_for(name),
        version: "1.0.0".to_owned(),
        source: source.to_owned(),
        tests: None,
        deps: Vec::new(),
        extensions: Vec::new(),
        place: Place::Depot,
        needed: true,
    }
}

impl Package {
    pub fn tests(mut self, code: &str) -> Self {
        self.tests = Some(code.to_owned());
        self
    }

    pub fn version(mut self, version: &str) -> Self {
        self.version = version.to_owned();
        self
    }

    pub fn depends_on(mut self, name: &str) -> Self {
        self.deps.push(name.to_owned());
        self
    }

    /// With an extension for another package of the project, whose module has this source.
    pub fn extension(mut self, name: &str, trigger: &str, source: &str) -> Self {
        let (name, trigger, source) = (name.to_owned(), trigger.to_owned(), source.to_owned());
        self.extensions.push(Extension { name, trigger, source });
        self
    }

    /// In a folder of the project, as `Pkg.develop` leaves it.
    pub fn by_path(mut self) -> Self {
        self.place = Place::Folder;
        self
    }

    /// In the manifest, and not in the project.
    pub fn indirect(mut self) -> Self {
        self.needed = false;
        self
    }

    /// What the manifest calls its tree: anything that changes with the version and the content will do, since
    /// Julia looks packages up by this name and does not check it.
    fn tree(&self) -> String {
        let extensions: Vec<&str> =
            self.extensions.iter().map(|extension| extension.source.as_str()).collect();
        let content =
            format!("{}\n{}\n{}\n{:?}\n{extensions:?}", self.name, self.version, self.source, self.tests);
        jlsys::file::Sha256Digest::of(content).to_string()[..40].to_owned()
    }
}

/// A UUID that is the same in every run, so that images can be shared.
fn uuid_for(name: &str) -> String {
    let digits = jlsys::file::Sha256Digest::of(name).to_string();
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..32])
}

impl Project {
    /// An empty project.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("jlsys-test-").tempdir().unwrap();
        for folder in ["project", "depot", "home"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        let (cache, depot) = (root.path().join("cache"), root.path().join("depot"));
        Self { root, cache, depot, packages: Vec::new(), settings: String::new(), variables: Vec::new() }
    }

    pub fn package(mut self, package: Package) -> Self {
        self.packages.push(package);
        self
    }

    /// Has another version of a package.
    pub fn replace(mut self, package: Package) -> Self {
        self.packages.retain(|other| other.name != package.name);
        self.package(package)
    }

    /// Depends on a package of the standard library.
    pub fn stdlib(mut self, name: &str) -> Self {
        self.add_stdlib(name, true);
        self
    }

    fn add_stdlib(&mut self, name: &str, needed: bool) {
        if let Some(known) = self.packages.iter_mut().find(|package| package.name == name) {
            known.needed |= needed;
            return;
        }
        let Stdlib { uuid, deps } = Stdlib::read(name);
        self.packages.push(Package {
            uuid,
            deps: deps.clone(),
            place: Place::Stdlib,
            needed,
            ..package(name, "")
        });
        deps.iter().for_each(|dep| self.add_stdlib(dep, false));
    }

    /// What `jlsys.toml` says.
    pub fn settings(mut self, toml: &str) -> Self {
        self.settings = toml.to_owned();
        self
    }

    pub fn file(self, name: &str, content: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.variables.push((name.to_owned(), value.as_ref().display().to_string()));
        self
    }

    /// Uses the cache and the depot that all tests of a run share: an image is built once, by whoever comes first.
    pub fn shared(mut self) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        self.cache = folder.join("cache");
        self.depot = folder.join("depot");
        self
    }

    /// Uses a depot that stays from run to run, for tests that share images but not what else is in the shared depot.
    pub fn lasting_depot(mut self, name: &str) -> Self {
        self.depot = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        self
    }

    pub fn depot(&self) -> &Path {
        &self.depot
    }

    /// Goes back to a cache of its own, which is not there yet.
    pub fn own_cache(mut self) -> Self {
        self.cache = self.root.path().join("cache");
        self
    }

    /// Writes the files. What was written before is replaced.
    pub fn write(self) -> Self {
        let names: Vec<String> = self.packages.iter().flat_map(|package| package.deps.clone()).collect();
        let mut this = self;
        for name in names {
            if !this.packages.iter().any(|package| package.name == name) {
                this.add_stdlib(&name, false);
            }
        }
        let mut project = String::from("[deps]\n");
        let mut manifest = String::new();
        for package in &this.packages {
            if package.needed {
                writeln!(project, "{} = \"{}\"", package.name, package.uuid).unwrap();
            }
            write!(manifest, "[[{}]]\nuuid = \"{}\"\n", package.name, package.uuid).unwrap();
            if !package.deps.is_empty() {
                writeln!(manifest, "deps = {:?}", package.deps).unwrap();
            }
            if !package.extensions.is_empty() {
                let triggers: Vec<&String> =
                    package.extensions.iter().map(|extension| &extension.trigger).collect();
                writeln!(manifest, "weakdeps = {triggers:?}").unwrap();
            }
            match package.place {
                Place::Stdlib => {}
                Place::Depot => {
                    writeln!(manifest, "version = \"{}\"", package.version).unwrap();
                    writeln!(manifest, "git-tree-sha1 = \"{}\"", package.tree()).unwrap();
                }
                Place::Folder => {
                    writeln!(manifest, "version = \"{}\"\npath = \"{}\"", package.version, package.name)
                        .unwrap();
                }
            }
            if !package.extensions.is_empty() {
                writeln!(manifest, "[{}.extensions]", package.name).unwrap();
            }
            for Extension { name, trigger, .. } in &package.extensions {
                writeln!(manifest, "{name} = {trigger:?}").unwrap();
            }
            manifest.push('\n');
            this.install(package);
        }
        std::fs::write(this.path("Project.toml"), project).unwrap();
        std::fs::write(this.path("Manifest.toml"), manifest).unwrap();
        if this.settings.is_empty() {
            let _ = std::fs::remove_file(this.path("jlsys.toml"));
        } else {
            std::fs::write(this.path("jlsys.toml"), &this.settings).unwrap();
        }
        this
    }

    fn install(&self, package: &Package) {
        let folder = match package.place {
            Place::Stdlib => return,
            Place::Folder => self.path(&package.name),
            Place::Depot => {
                let slug = jlsys::environment::version_slug(
                    package.uuid.parse().unwrap(),
                    package.tree().parse().unwrap(),
                    5,
                );
                self.depot.join("packages").join(&package.name).join(slug)
            }
        };
        std::fs::create_dir_all(folder.join("src")).unwrap();
        let mut project = format!(
            "name = \"{}\"\nuuid = \"{}\"\nversion = \"{}\"\n\n[deps]\n",
            package.name, package.uuid, package.version
        );
        let uuid_of = |name: &String| &self.packages.iter().find(|other| other.name == *name).unwrap().uuid;
        for dep in &package.deps {
            writeln!(project, "{dep} = {:?}", uuid_of(dep)).unwrap();
        }
        if !package.extensions.is_empty() {
            let (mut weak, mut extensions) = (String::new(), String::new());
            for Extension { name, trigger, source } in &package.extensions {
                writeln!(weak, "{trigger} = {:?}", uuid_of(trigger)).unwrap();
                writeln!(extensions, "{name} = {trigger:?}").unwrap();
                std::fs::create_dir_all(folder.join("ext")).unwrap();
                let module = format!("module {name}\n{source}\nend\n");
                write_if_new(&folder.join(format!("ext/{name}.jl")), &module);
            }
            write!(project, "\n[weakdeps]\n{weak}\n[extensions]\n{extensions}").unwrap();
        }
        project.push_str(
            "\n[extras]\nTest = \"8dfed614-e22c-5e08-85e1-65c5234f0b40\"\n\n[targets]\ntest = [\"Test\"]\n",
        );
        write_if_new(&folder.join("Project.toml"), &project);
        let module = format!("module {}\n{}\nend\n", package.name, package.source);
        write_if_new(&folder.join(format!("src/{}.jl", package.name)), &module);
        if let Some(tests) = &package.tests {
            std::fs::create_dir_all(folder.join("test")).unwrap();
            write_if_new(&folder.join("test/runtests.jl"), tests);
        }
    }

    /// A file of the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("project").join(name)
    }

    /// A file outside of the project.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Changes a file of the project.
    pub fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        let path = self.path(name);
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, change(old)).unwrap();
    }

    /// `jlsys` with these arguments, in the project's folder, with nothing of this machine's user around it.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_for(env!("CARGO_BIN_EXE_jlsys"), args)
    }

    /// Another program in the same surroundings.
    pub fn command_for(&self, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.outside("home"))
            .env("JULIA", julia())
            // With Julia's own depots behind it, where the standard library's caches are from 1.9 on.
            .env("JULIA_DEPOT_PATH", format!("{}:", self.depot.display()))
            .env("JLSYS_CACHE_DIR", &self.cache)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `jlsys`.
    pub fn jlsys(&self, args: &[&str]) -> Ran {
        Ran(self.command(args).output().unwrap())
    }

    /// Runs `jlsys` with these variables, too.
    pub fn jlsys_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Ran {
        Ran(self.command(args).envs(variables.iter().copied()).output().unwrap())
    }
}

/// Julia's code that has Pkg take the package in this folder for the project, as its operations end. All else of them would ask a registry for every
/// package.
pub fn pkg_takes(name: &str, folder: &Path, version: &str) -> String {
    let steps = [
        "env = Pkg.Types.EnvCache(); Pkg.API.add_snapshot_to_undo(env)",
        "entries = env.manifest isa Dict ? env.manifest : env.manifest.deps",
        &format!("entry = first(filter(entry -> entry.name == {name:?}, collect(values(entries))))"),
        &format!("entry.path = {folder:?}; entry.version = v{version:?}; entry.tree_hash = nothing"),
        "Pkg.Types.write_env(env)",
    ];
    steps.join("; ")
}

/// A folder for `PATH` with what the wrapper of a Julia may need, and no compiler.
pub fn tools_without_compiler(project: &Project) -> PathBuf {
    let tools = project.outside("tools");
    std::fs::create_dir(&tools).unwrap();
    for tool in ["sh", "readlink", "dirname"] {
        let output = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        let path = String::from_utf8(output.stdout).unwrap();
        std::os::unix::fs::symlink(path.trim(), tools.join(tool)).unwrap();
    }
    tools
}

pub fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Leaves a file alone that is as it should be: another test may be reading it, and Julia goes by its time of change.
fn write_if_new(path: &Path, content: &str) {
    if std::fs::read_to_string(path).ok().as_deref() != Some(content) {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
        std::io::Write::write_all(&mut file, content.as_bytes()).unwrap();
        file.persist(path).unwrap();
    }
}

/// What came of a run.
pub struct Ran(pub Output);

impl Ran {
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    #[track_caller]
    pub fn expect_status(self, status: i32) -> Self {
        assert_eq!(
            self.0.status.code(),
            Some(status),
            "stdout: {}\nstderr: {}",
            self.stdout(),
            self.stderr()
        );
        self
    }

    /// Expects that nothing was done, and that one line says why, with these words in it.
    #[track_caller]
    pub fn expect_refusal(self, words: &[&str]) -> Self {
        let this = self.expect_status(1);
        let said = this.stderr();
        assert_eq!(said.lines().count(), 1, "not one line: {said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said:?}");
        }
        assert!(!said.contains("panicked"), "{said}");
        this
    }

    #[track_caller]
    pub fn expect_stderr(self, words: &str) -> Self {
        assert!(self.stderr().contains(words), "{words:?} is not in {:?}", self.stderr());
        self
    }

    #[track_caller]
    pub fn expect_stdout(self, words: &str) -> Self {
        assert!(self.stdout().contains(words), "{words:?} is not in {:?}", self.stdout());
        self
    }

    /// The JSON document on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.0.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout(), self.stderr()))
    }
}

/// The Julia that tests run: the one that `JULIA` names, else the one that `scripts/get-julia` finds or installs.
pub fn julia() -> &'static Path {
    static JULIA: OnceLock<PathBuf> = OnceLock::new();
    JULIA.get_or_init(|| {
        if let Some(julia) = std::env::var_os("JULIA") {
            return julia.into();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/get-julia");
        let output = Command::new(script).output().expect("scripts/get-julia runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().into()
    })
}
