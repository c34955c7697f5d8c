//! A Binder repository, and the environment that repo2docker runs its `postBuild` in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Project, Ran};

/// The lines of `scripts/binder-env`, in order: a name and a value in which `${NAME}` stands for what came before.
pub fn variables() -> Vec<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/binder-env");
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once('=').unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// A container's folders, in a project's own: `srv/` and, in the place of `/home/jovyan`, the project's.
pub struct Binder<'a> {
    project: &'a Project,
    environment: BTreeMap<String, String>,
}

impl<'a> Binder<'a> {
    /// With a Julia in the place of repo2docker's.
    pub fn new(project: &'a Project, julia: &Path) -> Self {
        let text = |path: PathBuf| path.to_str().unwrap().trim_end_matches('/').to_owned();
        let mut environment = BTreeMap::from([
            ("APP_BASE".to_owned(), text(project.outside("srv"))),
            ("HOME".to_owned(), text(project.path(""))),
            ("REPO_DIR".to_owned(), text(project.path(""))),
            ("PATH".to_owned(), std::env::var("PATH").unwrap()),
        ]);
        for (name, value) in variables() {
            let value = environment
                .iter()
                .fold(value, |value, (name, known)| value.replace(&format!("${{{name}}}"), known));
            assert!(!value.contains("${"), "{name}={value}");
            environment.insert(name, value);
        }
        let this = Self { project, environment };
        std::fs::create_dir_all(this.folder("JULIA_DEPOT_PATH")).unwrap();
        std::fs::create_dir_all(this.folder("JULIA_PATH").join("bin")).unwrap();
        let link = this.folder("JULIA_PATH").join("bin/julia");
        if !link.exists() {
            // Not a link: Debian's Julia finds its libraries by its own place.
            let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", julia.display());
            std::fs::write(&link, script).unwrap();
            super::make_executable(&link);
        }
        this
    }

    /// The folder that a variable names.
    pub fn folder(&self, variable: &str) -> PathBuf {
        self.environment[variable].clone().into()
    }

    pub fn set(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.environment.insert(variable.to_owned(), value.into());
        self
    }

    pub fn unset(mut self, variable: &str) -> Self {
        self.environment.remove(variable);
        self
    }

    /// `jlsys` in the repository's folder, with these variables and no others.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_for(Path::new(env!("CARGO_BIN_EXE_jlsys")), args)
    }

    pub fn command_for(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.project.path("")).env_clear().envs(&self.environment);
        command.stdin(std::process::Stdio::null());
        command
    }

    /// Runs `jlsys`; `postbuild` writes an image and has memory for it, where nothing else is said: from 1.9 on it would do neither by itself.
    pub fn jlsys(&self, args: &[&str]) -> Ran {
        let more: &[&str] = match args {
            ["postbuild", rest @ ..] if rest.contains(&"--memory") => &[],
            ["postbuild", rest @ ..] if rest.contains(&"--quick") => &["--memory", "1TiB"],
            ["postbuild", ..] => &["--image", "--memory", "1TiB"],
            _ => &[],
        };
        Ran(self.command(args).args(more).output().unwrap())
    }

    /// A kernelspec like the one that IJulia's `installkernel("Julia", "--project=…")` writes.
    pub fn with_kernelspec(self) -> Self {
        let folder = self.folder("JUPYTER_DATA_DIR").join("kernels/julia-1.5");
        std::fs::create_dir_all(&folder).unwrap();
        let julia = self.folder("JULIA_PATH").join("bin/julia");
        let spec = serde_json::json!({
            "display_name": "Julia 1.5.3",
            "argv": [julia, "-i", "--color=yes", format!("--project={}", self.environment["REPO_DIR"]),
                "kernel.jl", "{connection_file}"],
            "language": "julia",
            "env": {},
            "interrupt_mode": "signal",
        });
        std::fs::write(folder.join("kernel.json"), spec.to_string()).unwrap();
        self
    }

    /// What Jupyter would read.
    pub fn kernelspec(&self) -> String {
        std::fs::read_to_string(self.folder("JUPYTER_DATA_DIR").join("kernels/julia-1.5/kernel.json"))
            .unwrap()
    }
}
